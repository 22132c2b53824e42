"""What the doctor looks at, as plain data, and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Severity = Literal["serious", "warning"]
Family = Literal["transformer", "network", "linear", "keras"]


@dataclass(frozen=True)
class Finding:
    """What is wrong, with the numbers it rests on, and what to try.

    serious: the model or its scores can't be relied on. warning: it works, but would likely be better.
    """

    name: str
    severity: Severity
    what: str
    remedy: str


@dataclass(frozen=True)
class Curve:
    """What the log of a training says, a value for each evaluation.

    Args:
        unit: what `steps` counts.
        steps: when each evaluation was.
        losses: of the training data since the evaluation before, by component.
        dev_losses: of the dev data, or empty.
        scores: on dev, shares of 1.
        score: what the best step is chosen by, a share of 1; or empty.
        notes: what was left out of the log, and why.
        first: the first evaluation whose losses cover as many batches as the later ones; spaCy has one after a single batch.
    """

    unit: Literal["step", "epoch"]
    steps: list[int]
    losses: dict[str, list[float]]
    dev_losses: list[float] = field(default_factory=list)
    scores: dict[str, list[float]] = field(default_factory=dict)
    score: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    first: int = 0

    def whole(self, name: str) -> list[float]:
        """The losses of a component that cover as many batches each."""
        return self.losses[name][self.first :]


@dataclass(frozen=True)
class Part:
    """The texts of train or of dev; every list has one entry for each text.

    Args:
        texts: as they are.
        words: lower-cased tokens.
        ents: (first token, token behind the last, label).
        missing: tokens about which the annotation says nothing.
        cats: the value of each label.
    """

    texts: list[str]
    words: list[list[str]]
    ents: list[list[tuple[int, int, str]]]
    missing: list[set[int]]
    cats: list[dict[str, float]]

    @property
    def has_cats(self) -> bool:
        return any(self.cats)

    @property
    def has_ents(self) -> bool:
        return any(self.ents)


@dataclass(frozen=True)
class Settings:
    """What the training was told.

    Args:
        family: of the model; it decides which learning rates are usual.
        optimizer: its name.
        learn_rate: the highest of the schedule.
        batch: (what is counted, lowest size, highest size).
        max_length: tokens of a text that a component reads, by component.
        reader_max_length: tokens of a text that the reader of the training texts lets through; 0 for all.
        oversize: size above which the batcher drops a text; 0 for none.
        exclusive: whether the model shares a probability of 1 out over the labels (softmax); None where there are no labels of texts.
        component: what has that output.
        output: (activation, loss, units) of a Keras model; "" and 0 where unknown.
        ends: max_steps, max_epochs, patience, eval_frequency; 0 for none.
    """

    family: Family = "network"
    optimizer: str = ""
    learn_rate: float | None = None
    batch: tuple[str, float, float] | None = None
    max_length: dict[str, int] = field(default_factory=dict)
    reader_max_length: int = 0
    oversize: float = 0
    exclusive: bool | None = None
    component: str = ""
    output: tuple[str, str, int] = ("", "", 0)
    ends: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Predictions:
    """What the trained model makes of texts.

    Args:
        kind: what is labelled.
        predicted: the label of each dev text (several joined by +), or of each entity that it finds there.
        gold: the same as annotated.
        train_score: of the training texts, a share of 1; None where unknown.
        dev_score: the same of the dev texts.
    """

    kind: Literal["texts", "entities"]
    predicted: list[str]
    gold: list[str]
    train_score: float | None = None
    dev_score: float | None = None


@dataclass(frozen=True)
class Case:
    """All that there is to look at; None for what was not given or not found."""

    curve: Curve | None = None
    settings: Settings | None = None
    train: Part | None = None
    dev: Part | None = None
    predictions: Predictions | None = None


Check: TypeAlias = Callable[[Case], Finding | None]
