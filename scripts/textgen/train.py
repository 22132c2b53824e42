"""Training: truncated backpropagation through time over streams of a text, with the state carried from chunk to chunk."""

import configparser
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from spacy.util import load_config

from scripts.keras_models import load_keras, tensorflow
from scripts.textgen.network import Network, Shape, build, empty_states, shifted

Ids = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]


class Schedule(BaseModel):
    """[training] of a config."""

    model_config = ConfigDict(extra="forbid")
    batch: int = Field(ge=1, le=65_536)
    chunk: int = Field(ge=2, le=65_536)
    learn_rate: float = Field(gt=0, le=1000)
    warmup: int = Field(ge=0, le=10**9)
    max_steps: int = Field(ge=1, le=10**9)
    eval_frequency: int = Field(ge=1)
    patience: int = Field(ge=0)
    clip: float = Field(gt=0, le=1e9)


@dataclass(frozen=True)
class Evaluation:
    """How it stands after some steps.

    Attributes:
        step: how many were made.
        seconds: of training since the run began.
        train_bits: bits per character of the training text, mean of the steps since the evaluation before.
        dev_bits: bits per character of the dev text.
        best: whether no evaluation before was lower.
        learn_rate: of the next step.
        network: as it is now.
    """

    step: int
    seconds: float
    train_bits: float
    dev_bits: float
    best: bool
    learn_rate: float
    network: Network

    def to_json(self) -> dict[str, Any]:
        values = {
            name: round(getattr(self, name), 5)
            for name in ("seconds", "train_bits", "dev_bits", "learn_rate")
        }
        return {"step": self.step, **values, "best": self.best}


def read_settings(path: Path, overrides: Mapping[str, Any]) -> tuple[Shape, Schedule]:
    """The sections [model] and [training] of a config in spaCy's format.

    Raises:
        ValueError: "... training.batch: ...", naming the setting that is wrong.
    """
    try:
        config = load_config(path, dict(overrides), interpolate=True)
    except configparser.Error as error:
        raise ValueError(f"{path} is no config: {error}") from None
    found: list[Any] = []
    for section, kind in (("model", Shape), ("training", Schedule)):
        try:
            found.append(kind.model_validate(config.get(section, {})))
        except ValidationError as error:
            wrong = "; ".join(
                f"{section}.{'.'.join(map(str, one['loc']))}: {one['msg'].lower()}"
                for one in error.errors()
            )
            raise ValueError(f"{path}: {wrong}") from None
    return found[0], found[1]


def batches(text: Ids, schedule: Schedule, seed: int, step: int) -> Iterator[tuple[Ids, bool]]:
    """Places of a batch (batch, chunk), and whether its streams begin anew, from a step on, without end.

    The text is cut into as many streams as a batch has rows; each pass over it begins at another of the first characters.

    Raises:
        ValueError: "... shorter than a chunk ...".
    """
    if len(text) < 2 * schedule.chunk:
        short = f"the text has {len(text)} characters and is shorter than two chunks of {schedule.chunk}"
        raise ValueError(f"{short}: give more text, or a lower training.chunk")
    rows = min(schedule.batch, len(text) // (2 * schedule.chunk))
    per_pass = (len(text) - schedule.chunk) // (rows * schedule.chunk)
    while True:
        turn, at = divmod(step, per_pass)
        offset = np.random.default_rng((seed, turn)).integers(schedule.chunk)
        begins = offset + np.arange(rows) * per_pass * schedule.chunk + at * schedule.chunk
        yield begins[:, None] + np.arange(schedule.chunk), at == 0
        step += 1


class Trainer:
    """A model with its optimizer, and where the training stands."""

    def __init__(self, n_characters: int, shape: Shape, schedule: Schedule, seed: int) -> None:
        keras, tf = load_keras(), tensorflow()
        keras.utils.set_random_seed(seed)
        self.model = model = build(n_characters, shape)
        falling = max(1, schedule.max_steps - schedule.warmup)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0 if schedule.warmup else schedule.learn_rate,
            falling,
            warmup_target=schedule.learn_rate,
            warmup_steps=schedule.warmup,
        )
        self.optimizer = optimizer = keras.optimizers.Adam(rate, global_clipnorm=schedule.clip)
        optimizer.build(model.trainable_variables)
        self.step, self.best, self.since = (
            0,
            np.inf,
            0,
        )  # since: evaluations that were no better than the best
        self.states: list[Any] = []

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def update(before: Any, after: Any, states: list[Any]) -> tuple[Any, list[Any]]:
            with tf.GradientTape() as tape:
                logits, *states = model([before, *states], training=True)
                loss = tf.reduce_mean(
                    keras.losses.sparse_categorical_crossentropy(after, logits, from_logits=True)
                )
            optimizer.apply(
                tape.gradient(loss, model.trainable_variables), model.trainable_variables
            )
            return loss, states

        self._update = update

    def update(self, before: Ids, after: Ids, anew: bool) -> float:
        """A step on a batch (batch, chunk). Returns bits per character.

        Raises:
            ValueError: "the loss is nan ...".
        """
        states = empty_states(self.model, len(before)) if anew or not self.states else self.states
        loss, self.states = self._update(before.astype(np.int32), after.astype(np.int32), states)
        self.step += 1
        if not np.isfinite(loss):
            raise ValueError(
                f"the loss is {float(loss)} after {self.step} steps: lower training.learn_rate or training.clip"
            )
        return float(loss) / np.log(2)

    def _variables(self) -> dict[str, Any]:
        parts = {"model": self.model.variables, "optimizer": self.optimizer.variables}
        return {
            f"{name}_{i}": variable
            for name, variables in parts.items()
            for i, variable in enumerate(variables)
        }

    def arrays(self) -> Arrays:
        """All that is needed to go on from here."""
        known: dict[str, Any] = {
            "step": self.step,
            "best": self.best,
            "since": self.since,
            **self._variables(),
        }
        return {
            name: np.array(value)
            for name, value in {
                **known,
                **{f"state_{i}": state for i, state in enumerate(self.states)},
            }.items()
        }

    def restore(self, left: Arrays) -> None:
        """Take over what `arrays` gave.

        Raises:
            ValueError: "the checkpoint lacks ...".
        """
        names = {
            "step",
            "best",
            "since",
            *self._variables(),
            *(f"state_{i}" for i in range(len(self.model.inputs) - 1)),
        }
        if lacking := sorted(names - set(left)):
            raise ValueError(
                f"the checkpoint lacks {lacking[0]} (and {len(lacking) - 1} more): delete it to begin anew"
            )
        self.step, self.best, self.since = (
            int(left["step"]),
            float(left["best"]),
            int(left["since"]),
        )
        for name, variable in self._variables().items():
            variable.assign(left[name])
        self.states = [left[f"state_{i}"] for i in range(len(self.model.inputs) - 1)]


def train(
    text: Ids,
    dev: Ids,
    trainer: Trainer,
    schedule: Schedule,
    seed: int,
    on_step: Callable[[], Any] = lambda: None,
) -> Iterator[Evaluation]:
    """Train, and measure every eval_frequency steps, until max_steps, or until `patience` evaluations in a row were no better.

    Loss: cross-entropy of each next character. Gradients are clipped by their global norm; Adam, its rate rising for `warmup` steps
    and then falling along a cosine to 0.

    Args:
        text: ids to learn from, (n,).
        dev: ids to measure by, (n_dev,).
        trainer: a new one, or one that takes over what another left.
        schedule: of the training.
        seed: of where streams begin.
        on_step: called after each step.

    Raises:
        ValueError: "... shorter than two chunks ...", "the loss is nan ...".
    """
    network, previous, begun = Network(trainer.model), shifted(text), time.monotonic()
    losses: list[float] = []
    for places, anew in batches(text, schedule, seed, trainer.step):
        if trainer.step >= schedule.max_steps or 0 < schedule.patience <= trainer.since:
            return
        losses.append(trainer.update(previous[places], text[places], anew))
        on_step()
        if trainer.step % schedule.eval_frequency and trainer.step < schedule.max_steps:
            continue
        bits = float(network.bits(dev).mean())
        trainer.since = 0 if bits < trainer.best else trainer.since + 1
        trainer.best = min(bits, trainer.best)
        rate, seconds = float(trainer.optimizer.learning_rate), time.monotonic() - begun
        yield Evaluation(
            trainer.step, seconds, float(np.mean(losses)), bits, trainer.since == 0, rate, network
        )
        losses = []
