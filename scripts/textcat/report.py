"""Show the scores of one variant: a table, and a figure of calibration and thresholds."""

from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from scripts.plots import COLOURS, subplots
from scripts.scores import console, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MIN_DOT, MAX_DOT = 20, 200  # areas of the dots, in square points
CURVES = {
    "coverage": "texts above it, %",
    "accuracy": "of those right, %",
    "p": "precision, %",
    "r": "recall, %",
}


def print_report(name: str, metrics: dict[str, Any]) -> None:
    """Print the scores per label, the calibration and the threshold."""
    out = console()
    out.print(_table(name, metrics))
    low, high = metrics["accuracy_interval"]
    interval = f"95% interval {percent(low)} - {percent(high)}"
    out.print(f"accuracy {percent(metrics['accuracy'])} ({interval})")
    calibration = metrics["calibration"]
    out.print(
        f"calibration: a score is off by {percent(calibration['ece'])} points on average (ECE); "
        f"Brier {calibration['brier']:.3f}"
    )
    out.print(_threshold_line(metrics["thresholds"], metrics["exclusive"]))


def _table(name: str, metrics: dict[str, Any]) -> Table:
    table = Table(title=f"{name}: {metrics['test_texts']} test texts", title_justify="left")
    for column in ("label", "precision", "recall", "F"):
        table.add_column(column, justify="left" if column == "label" else "right")
    for label, values in metrics["cats_f_per_type"].items():
        table.add_row(label, *(percent(values[key]) for key in "prf"))
    table.add_row("macro", *(percent(metrics[f"cats_macro_{key}"]) for key in "prf"))
    return table


def _threshold_line(thresholds: dict[str, Any], exclusive: bool) -> str:
    """What the thresholds chosen on dev do on test."""
    if not exclusive:
        rows = thresholds["per_label"].items()
        values = ", ".join(f"{label} {row['threshold']:.2f}" for label, row in rows)
        macro_f = percent(thresholds["cats_macro_f"])
        return f"thresholds with the best F on dev: {values}; with them macro F {macro_f}"
    wanted = percent(thresholds["wanted"])
    if thresholds["threshold"] is None:
        return f"no threshold makes {wanted}% of the accepted dev texts right"
    test = thresholds["test"]
    return (
        f"threshold {thresholds['threshold']:.2f}: on dev {wanted}% of the texts above it are "
        f"right; on test {percent(test['accuracy'])}% of the {percent(test['coverage'])}% above it"
    )


def draw_metrics(metrics: dict[str, Any], title: str) -> "Figure":
    """A figure: how often a score is right, and what a threshold does."""
    figure, (left, right) = subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    ece = percent(metrics["calibration"]["ece"])
    left.set_title(f"{title}: calibration (ECE {ece})", loc="left", fontsize=11)
    _draw_calibration(left, metrics["calibration"]["bins"])
    right.set_title("what a threshold does", loc="left", fontsize=11)
    keys = ("coverage", "accuracy") if metrics["exclusive"] else ("p", "r")
    _draw_curves(right, metrics["curve"], keys)
    return figure


def _draw_calibration(axes: "Axes", bins: list[dict[str, Any]]) -> None:
    """A dot for each bin of scores: its mean score, and the share of decisions that is right."""
    axes.plot(
        [0, 1], [0, 1], color=COLOURS[0], linewidth=1, linestyle="--", label="as it should be"
    )
    most = max(row["decisions"] for row in bins)
    areas = [MIN_DOT + (MAX_DOT - MIN_DOT) * row["decisions"] / most for row in bins]
    scores, shares = [row["score"] for row in bins], [row["right"] for row in bins]
    axes.scatter(scores, shares, areas, COLOURS[1], label="larger: more texts")
    axes.set(xlabel="score", ylabel="share that is right", xlim=(0, 1.03), ylim=(0, 1.05))
    axes.legend(frameon=False, loc="upper left")


def _draw_curves(axes: "Axes", curve: list[dict[str, Any]], keys: tuple[str, str]) -> None:
    """Two shares over the threshold."""
    thresholds = [row["threshold"] for row in curve]
    for key, colour in zip(keys, COLOURS[1:]):
        values = [np.nan if row[key] is None else 100 * row[key] for row in curve]
        axes.plot(thresholds, values, color=colour, label=CURVES[key])
    axes.set(xlabel="threshold on the score", ylim=(0, 105))
    axes.legend(frameon=False, loc="lower left")
