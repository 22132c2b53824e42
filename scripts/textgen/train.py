"""Training: truncated backpropagation through time.

The text is read in streams, side by side; the state is carried from chunk to chunk of a stream.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.keras_models import load_keras, tensorflow
from scripts.textgen.network import Network, build, empty_states, shifted
from scripts.textgen.settings import Schedule, Shape

Ids = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Evaluation:
    """An evaluation during training.

    Attributes:
        step: number of steps so far.
        seconds: of training since the run began.
        train_bits: bits per character of the training text, mean of the steps since the last
            evaluation.
        dev_bits: bits per character of the dev text.
        best: whether no earlier evaluation has fewer dev_bits.
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
        names = ("seconds", "train_bits", "dev_bits", "learn_rate")
        values = {name: round(getattr(self, name), 5) for name in names}
        return {"step": self.step, **values, "best": self.best}


def batches(text: Ids, schedule: Schedule, seed: int, step: int) -> Iterator[tuple[Ids, bool]]:
    """Places in a text, batch by batch, without end.

    The text is cut into as many streams as a batch has rows. Each pass over the text begins at
    another of its first characters.

    Args:
        text: ids, (n,).
        schedule: of the training.
        seed: for where passes begin.
        step: the first step to give a batch for.

    Yields:
        (places (batch, chunk), whether the streams begin anew).

    Raises:
        ValueError: "... is shorter than two chunks ...".
    """
    chunk = schedule.chunk
    if len(text) < 2 * chunk:
        raise ValueError(
            f"the text has {len(text)} characters and is shorter than two chunks of {chunk}: "
            "give more text, or a lower training.chunk"
        )
    rows = min(schedule.batch, len(text) // (2 * chunk))
    steps_per_pass = (len(text) - chunk) // (rows * chunk)
    while True:
        n_pass, at = divmod(step, steps_per_pass)
        offset = np.random.default_rng((seed, n_pass)).integers(chunk)
        begins = offset + (np.arange(rows) * steps_per_pass + at) * chunk
        yield begins[:, None] + np.arange(chunk), at == 0
        step += 1


def _optimizer(schedule: Schedule) -> Any:
    """Adam with clipped gradients, and a rate that rises, then falls along a cosine to 0."""
    optimizers = load_keras().optimizers
    rate = optimizers.schedules.CosineDecay(
        0.0 if schedule.warmup else schedule.learn_rate,
        max(1, schedule.max_steps - schedule.warmup),
        warmup_target=schedule.learn_rate,
        warmup_steps=schedule.warmup,
    )
    return optimizers.Adam(rate, global_clipnorm=schedule.clip)


def _update_function(model: Any, optimizer: Any) -> Any:
    """A compiled function for a step: (ids before, ids after, states) -> (loss, states)."""
    keras, tf = load_keras(), tensorflow()

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def update(before: Any, after: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        with tf.GradientTape() as tape:
            logits, *states = model([before, *states], training=True)
            loss = tf.reduce_mean(
                keras.losses.sparse_categorical_crossentropy(after, logits, from_logits=True)
            )
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss, states

    return update


class Trainer:
    """A model with its optimizer, and how far its training is.

    Attributes:
        model: of Keras.
        optimizer: of Keras.
        step: number of steps so far.
        best: fewest bits per character of an evaluation.
        n_not_better: evaluations since the best one.
        states: of the streams, (batch, width) each; empty before the first step.
    """

    def __init__(self, n_characters: int, shape: Shape, schedule: Schedule, seed: int) -> None:
        load_keras().utils.set_random_seed(seed)
        self.model = build(n_characters, shape)
        self.optimizer = _optimizer(schedule)
        self.optimizer.build(self.model.trainable_variables)
        self.step, self.best, self.n_not_better = 0, np.inf, 0
        self.states: list[Any] = []
        self._update = _update_function(self.model, self.optimizer)

    def update(self, before: Ids, after: Ids, anew: bool) -> float:
        """Make a step.

        Args:
            before: the character before each one to learn, (batch, chunk).
            after: the characters to learn, (batch, chunk).
            anew: whether the streams begin anew, from an empty state.

        Returns:
            Bits per character.

        Raises:
            ValueError: "the loss is nan ...".
        """
        states = empty_states(self.model, len(before)) if anew or not self.states else self.states
        loss, self.states = self._update(before.astype(np.int32), after.astype(np.int32), states)
        self.step += 1
        if not np.isfinite(loss):
            raise ValueError(
                f"the loss is {float(loss)} after {self.step} steps: "
                "lower training.learn_rate or training.clip"
            )
        return float(loss) / np.log(2)

    def add_score(self, bits: float) -> None:
        """Take note of the dev bits of an evaluation."""
        self.n_not_better = 0 if bits < self.best else self.n_not_better + 1
        self.best = min(bits, self.best)

    def is_finished(self, schedule: Schedule) -> bool:
        """Whether all steps are done, or `patience` evaluations in a row were not better."""
        return self.step >= schedule.max_steps or 0 < schedule.patience <= self.n_not_better

    def _variables(self) -> dict[str, Any]:
        variables = {f"model_{i}": value for i, value in enumerate(self.model.variables)}
        for i, value in enumerate(self.optimizer.variables):
            variables[f"optimizer_{i}"] = value
        return variables

    def _state_names(self) -> list[str]:
        return [f"state_{i}" for i in range(len(self.model.inputs) - 1)]

    def arrays(self) -> Arrays:
        """Everything that is needed to continue from here."""
        values: dict[str, Any] = {
            "step": self.step,
            "best": self.best,
            "since": self.n_not_better,
            **self._variables(),
            **dict(zip(self._state_names(), self.states)),
        }
        return {name: np.array(value) for name, value in values.items()}

    def restore(self, arrays: Arrays) -> None:
        """Continue from what `arrays` gave.

        Raises:
            ValueError: "the checkpoint lacks ...".
        """
        variables, state_names = self._variables(), self._state_names()
        missing = sorted({"step", "best", "since", *variables, *state_names} - set(arrays))
        if missing:
            raise ValueError(
                f"the checkpoint lacks {missing[0]} (and {len(missing) - 1} more): "
                "delete it to start again"
            )
        self.step, self.best = int(arrays["step"]), float(arrays["best"])
        self.n_not_better = int(arrays["since"])
        for name, variable in variables.items():
            variable.assign(arrays[name])
        self.states = [arrays[name] for name in state_names]


def train(
    text: Ids,
    dev: Ids,
    trainer: Trainer,
    schedule: Schedule,
    seed: int,
    on_step: Callable[[], Any] = lambda: None,
) -> Iterator[Evaluation]:
    """Train, and evaluate every `eval_frequency` steps.

    Ends after `max_steps`, or when `patience` evaluations in a row were not better. The loss is the
    cross-entropy of each next character. Gradients are clipped by their global norm. The learning
    rate of Adam rises for `warmup` steps, then falls along a cosine to 0.

    Args:
        text: ids to learn from, (n,).
        dev: ids to measure on, (n_dev,).
        trainer: a new one, or one that was restored.
        schedule: of the training.
        seed: for where streams begin.
        on_step: called after each step.

    Raises:
        ValueError: "... shorter than two chunks ...", "the loss is nan ...".
    """
    network, previous, begin = Network(trainer.model), shifted(text), time.monotonic()
    losses: list[float] = []
    for places, anew in batches(text, schedule, seed, trainer.step):
        if trainer.is_finished(schedule):
            return
        losses.append(trainer.update(previous[places], text[places], anew))
        on_step()
        if trainer.step % schedule.eval_frequency and trainer.step < schedule.max_steps:
            continue
        bits = float(network.bits(dev).mean())
        trainer.add_score(bits)
        yield Evaluation(
            step=trainer.step,
            seconds=time.monotonic() - begin,
            train_bits=float(np.mean(losses)),
            dev_bits=bits,
            best=trainer.n_not_better == 0,
            learn_rate=float(trainer.optimizer.learning_rate),
            network=network,
        )
        losses = []
