"""All variants and the baseline in one table and one chart, and which variant is shipped."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from scripts.plots import COLOURS, subplots
from scripts.scores import console, percent
from scripts.textcat.variants import BASELINE, NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
KEYS = (
    "cats_macro_f",
    "cats_macro_f_interval",
    "accuracy",
    "accuracy_interval",
    "dev_cats_macro_f",
    "train_seconds",
    "texts_per_second",
    "megabytes",
    "test_texts",
    "gpu",
)
TITLE = "Text classification: variants compared with the baseline"


def table_row(metrics: Row) -> dict[str, Any]:
    """What the table shows of one variant's metrics.json."""
    return {key: metrics[key] for key in KEYS}


def below_baseline(rows: Mapping[str, Row]) -> list[str]:
    """The variants with a lower macro F than the baseline."""
    if BASELINE not in rows:
        return []
    baseline = rows[BASELINE]["cats_macro_f"]
    return [name for name, values in rows.items() if values["cats_macro_f"] < baseline]


def choose_variant(rows: Mapping[str, Row], ship: str) -> str:
    """The variant to ship: `ship`, or with "auto" the one with the best macro F on dev.

    Raises:
        ValueError: "no variant is trained ...", "... is not trained ...".
    """
    trained = [name for name in rows if name != BASELINE]
    if not trained:
        raise ValueError("no variant is trained: run a workflow such as textcat first")
    if ship == "auto":
        return max(trained, key=lambda name: rows[name]["dev_cats_macro_f"])
    if ship not in trained:
        raise ValueError(
            f"vars.textcat.ship is {ship}, which is not trained: "
            f"there is {', '.join(trained)}, or auto"
        )
    return ship


def decision(rows: Mapping[str, Row], chosen: str, ship: str) -> str:
    """Which variant is shipped, why, and whether it fails to beat the baseline."""
    name = NAMES.get(chosen, chosen)
    reason = "the best variant on dev" if ship == "auto" else "set by vars.textcat.ship"
    sentence = f"ships {name}, {reason}"
    if BASELINE not in rows:
        return sentence
    score, baseline = rows[chosen]["cats_macro_f"], rows[BASELINE]["cats_macro_f"]
    if score > baseline:
        return sentence
    figures = f"macro F {percent(score)}, baseline {percent(baseline)}"
    return f"{sentence}, although it does not beat the baseline on test ({figures})"


def print_table(rows: Mapping[str, Row]) -> None:
    """Print the scores, time and size of each variant."""
    first = next(iter(rows.values()))
    table = Table(title=f"{first['test_texts']} test texts", title_justify="left")
    for column in ("variant", "macro F", "95% interval", "accuracy", "train s", "texts/s", "MB"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    for name, values in sorted(rows.items(), key=lambda item: item[1]["cats_macro_f"]):
        table.add_row(NAMES.get(name, name), *_cells(values))
    console().print(table)


def _cells(values: Row) -> list[str]:
    low, high = values["cats_macro_f_interval"]
    return [
        percent(values["cats_macro_f"]),
        f"{percent(low)} - {percent(high)}",
        percent(values["accuracy"]),
        f"{values['train_seconds']:.1f}{' (GPU)' if values['gpu'] else ''}",
        f"{values['texts_per_second']:,.0f}",
        f"{values['megabytes']:.1f}",
    ]


def draw_scores(rows: Mapping[str, Row]) -> "Figure":
    """Macro F of each variant with its interval, the baseline as a line."""
    names = sorted(rows, key=lambda name: rows[name]["cats_macro_f"])
    values = [100 * rows[name]["cats_macro_f"] for name in names]
    ends = 100 * np.asarray([rows[name]["cats_macro_f_interval"] for name in names])
    errors = np.abs(ends.T - np.asarray(values))
    figure, axes = subplots(figsize=(8, 0.5 * len(names) + 1.4))
    colours = [COLOURS[0] if name == BASELINE else COLOURS[1] for name in names]
    titles = [NAMES.get(name, name) for name in names]
    bars = {"color": colours, "ecolor": "black", "error_kw": {"linewidth": 0.8}}
    axes.barh(titles, values, xerr=errors, **bars)
    for place, value in enumerate(values):
        axes.text(1, place, f"{value:.1f}", va="center", color="white", fontsize=10)
    if BASELINE in rows:
        baseline = 100 * rows[BASELINE]["cats_macro_f"]
        axes.axvline(baseline, color=COLOURS[0], linewidth=1, linestyle="--")
    axes.set(xlabel="macro F on test, %, with 95% intervals", xlim=(0, 102))
    axes.set_title(TITLE, loc="left")
    return figure
