"""What a workflow tells the report about its figures.

A workflow has them in scripts/NOUN/figures.py: `FIGURES`, a tuple of entries.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Value: TypeAlias = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Entry:
    """A score to read from a JSON file of figures, and the baseline to compare it with.

    Args:
        file: below the training folder. With a * it may be several files; {workflow} stands for
            each workflow of the noun: the noun itself, and those whose names begin with NOUN-.
        what: what is scored.
        score: the name of the score.
        value: the score, given the content of the file.
        baseline: (its name, its score), if there is one.
        unit: "share" (of 1, shown as percent), "percent", "count", or the unit to show after the
            number; "" for none.
    """

    file: str
    what: str
    score: str
    value: Value
    baseline: tuple[str, Value] | None = None
    unit: str = "share"


def value_at(*keys: str) -> Value:
    """The value under nested keys, outermost first; None if a key is not there."""

    def value(metrics: Any) -> Any:
        for key in keys:
            metrics = metrics.get(key) if isinstance(metrics, dict) else None
        return metrics

    return value
