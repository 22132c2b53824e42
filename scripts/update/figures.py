"""The figures of this workflow for the report."""

from typing import Any

from scripts.figures import Entry, Value


def mean_over_labels(system: str) -> Value:
    """The mean F-score of a system ("updated", "naive") over the labels for which it has one."""

    def value(metrics: dict[str, Any]) -> float | None:
        scores = [row[system] for row in metrics["rows"] if row[system] is not None]
        return sum(scores) / len(scores) if scores else None

    return value


FIGURES = (
    Entry(
        file="update/metrics.json",
        what="labels of both tests, mean",
        score="F",
        value=mean_over_labels("updated"),
        baseline=("naive update", mean_over_labels("naive")),
    ),
)
