"""All variants and the baseline in one table and one chart."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from scripts import plots
from scripts.plots import subplots
from scripts.scores import console, percent

BASELINE = "baseline"
NAMES = {
    "baseline": "tf-idf + linear (baseline)",
    "bow": "bag of words",
    "cnn": "CNN",
    "vectors": "CNN with static vectors",
    "keras": "Keras",
    "torch": "PyTorch",
    "trf": "transformer",
}


def row(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What the table holds of one variant's metrics.json."""
    keys = (
        "cats_macro_f",
        "cats_macro_f_interval",
        "accuracy",
        "accuracy_interval",
        "dev_cats_macro_f",
    )
    return {
        key: metrics[key]
        for key in (*keys, "train_seconds", "texts_per_second", "megabytes", "test_texts", "gpu")
    }


def losers(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The variants with a lower macro F than the baseline."""
    bar = rows[BASELINE]["cats_macro_f"] if BASELINE in rows else -math.inf
    return [name for name, values in rows.items() if values["cats_macro_f"] < bar]


def choose(rows: Mapping[str, Mapping[str, Any]], wanted: str) -> str:
    """The variant to ship: the one that is asked for, or with "auto" that with the best macro F on dev.

    Raises:
        ValueError: "no variant is trained ...", "... is not trained ...".
    """
    trained = [name for name in rows if name != BASELINE]
    if not trained:
        raise ValueError("no variant is trained: run a workflow such as textcat first")
    if wanted != "auto" and wanted not in trained:
        raise ValueError(
            f"vars.textcat.ship is {wanted}, which is not trained: there is {', '.join(trained)}, or auto"
        )
    return (
        wanted
        if wanted != "auto"
        else max(trained, key=lambda name: rows[name]["dev_cats_macro_f"])
    )


def print_table(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Print what each variant reaches, takes and weighs, and which lose to the baseline."""
    out = console()
    first = next(iter(rows.values()))
    table = Table(title=f"{first['test_texts']} test texts", title_justify="left")
    for column in ("variant", "macro F", "95% interval", "accuracy", "train s", "texts/s", "MB"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    for name, values in sorted(rows.items(), key=lambda item: item[1]["cats_macro_f"]):
        interval = " - ".join(percent(value) for value in values["cats_macro_f_interval"])
        took = f"{values['train_seconds']:.1f}{' (GPU)' if values['gpu'] else ''}"
        speed, size = f"{values['texts_per_second']:,.0f}", f"{values['megabytes']:.1f}"
        table.add_row(
            NAMES.get(name, name),
            percent(values["cats_macro_f"]),
            interval,
            percent(values["accuracy"]),
            took,
            speed,
            size,
        )
    out.print(table)
    for name in losers(rows):
        out.print(f"{NAMES.get(name, name)} has a lower macro F than the baseline: do not ship it")


def draw(rows: Mapping[str, Mapping[str, Any]], title: str) -> Figure:
    """Macro F of each variant with its interval, the baseline's as a line."""
    names = sorted(rows, key=lambda name: rows[name]["cats_macro_f"])
    values = [100 * rows[name]["cats_macro_f"] for name in names]
    ends = 100 * np.asarray([rows[name]["cats_macro_f_interval"] for name in names])
    errors = np.abs(ends.T - np.asarray(values))
    figure, axes = subplots(figsize=(8, 0.5 * len(names) + 1.4))
    colours = [plots.COLOURS[0] if name == BASELINE else plots.COLOURS[1] for name in names]
    axes.barh(
        [NAMES.get(name, name) for name in names],
        values,
        color=colours,
        xerr=errors,
        ecolor="black",
        error_kw={"linewidth": 0.8},
    )
    for place, value in enumerate(values):
        axes.text(1, place, f"{value:.1f}", va="center", color="white", fontsize=10)
    if BASELINE in rows:
        axes.axvline(
            100 * rows[BASELINE]["cats_macro_f"],
            color=plots.COLOURS[0],
            linewidth=1,
            linestyle="--",
        )
    axes.set(xlabel="macro F on test, %, with 95% intervals", xlim=(0, 102))
    axes.set_title(title, loc="left")
    return figure
