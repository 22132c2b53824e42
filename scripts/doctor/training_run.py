"""What the doctor examines, as plain data, and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Severity = Literal["serious", "warning"]
Family = Literal["transformer", "network", "linear", "keras"]


@dataclass(frozen=True)
class Finding:
    """What is wrong, with the numbers that show it, and what to try.

    serious: the model or its scores cannot be relied on. warning: it works, but would probably be
    better.
    """

    name: str
    severity: Severity
    what: str
    remedy: str


@dataclass(frozen=True)
class Curve:
    """The log of a training, with a value for each evaluation.

    Args:
        unit: of `steps`.
        steps: when each evaluation took place.
        losses: on the training data since the evaluation before, by component.
        dev_losses: on the dev data, or empty.
        scores: on dev, shares of 1.
        score: the score that selects the best step, a share of 1; or empty.
        notes: what of the log was ignored, and why.
        first: the first evaluation whose losses cover as many batches as the later ones: the first
            of spaCy covers a single batch.
    """

    unit: Literal["step", "epoch"]
    steps: list[int]
    losses: dict[str, list[float]]
    dev_losses: list[float] = field(default_factory=list)
    scores: dict[str, list[float]] = field(default_factory=dict)
    score: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    first: int = 0

    def comparable(self, name: str) -> list[float]:
        """The losses of a component that cover equally many batches."""
        return self.losses[name][self.first :]


@dataclass(frozen=True)
class Dataset:
    """The texts of train or of dev; every list has one entry per text.

    Args:
        texts: as they are.
        words: lower-cased tokens.
        ents: (first token, token after the last, label).
        missing: tokens whose annotation is unknown.
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

    @property
    def cat_labels(self) -> set[str]:
        """All labels that some text has a value for."""
        return set().union(*self.cats)


def is_set(value: float) -> bool:
    """Whether a text has the label with this value in its cats."""
    return value >= 0.5


@dataclass(frozen=True)
class Settings:
    """The settings of a training.

    Args:
        family: of the model; it decides which learning rates are usual.
        optimizer: its name.
        learn_rate: the highest of the schedule.
        batch: (what is counted, lowest size, highest size).
        max_length: the number of tokens of a text that a component reads, by component.
        reader_max_length: the number of tokens of a text that the corpus reader accepts; 0 for all.
        oversize: the size above which the batcher drops a text; 0 for none.
        exclusive: whether the probabilities of the labels sum to 1 (softmax); None if texts have
            no labels.
        component: the one with that output.
        output: (activation, loss, units) of a Keras model; "" and 0 if unknown.
        limits: max_steps, max_epochs, patience, eval_frequency; 0 for none.
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
    limits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Predictions:
    """What the trained model predicts for texts.

    Args:
        kind: what is labelled.
        predicted: the label of each dev text (several are joined by +), or of each entity that the
            model finds there.
        reference: the same as annotated.
        train_score: on the training texts, a share of 1; None if unknown.
        dev_score: the same on the dev texts.
    """

    kind: Literal["texts", "entities"]
    predicted: list[str]
    reference: list[str]
    train_score: float | None = None
    dev_score: float | None = None


@dataclass(frozen=True)
class TrainingRun:
    """All that is known of a training; None for what was not given or not found.

    Args:
        variables: the vars of its workflow by their last names, such as max_steps.
    """

    curve: Curve | None = None
    settings: Settings | None = None
    train: Dataset | None = None
    dev: Dataset | None = None
    predictions: Predictions | None = None
    variables: dict[str, str] = field(default_factory=dict)

    def setting(self, name: str, in_config: str) -> str:
        """What to call a setting in advice: the var of the workflow, or the key of the config."""
        return self.variables.get(name, in_config)


Check: TypeAlias = Callable[[TrainingRun], Finding | None]
