"""Compare the embeddings with the baselines on the held-out links."""

from typing import TYPE_CHECKING, Any

import numpy as np

from scripts.movies.baselines import tuned_baselines
from scripts.movies.factors import Factors, measure, ranks
from scripts.movies.pairs import Pairs
from scripts.scores import console, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {
    "popularity": "popularity",
    "svd": "truncated SVD",
    "als": "ALS (implicit)",
    "ours": "embeddings",
}
Scores = dict[str, Any]  # what `measure` returns, dev_recall and setting


def compare_methods(pairs: Pairs, embeddings: Factors, seed: int = 0) -> dict[str, Scores]:
    """Scores of each method on test. Settings of the baselines are chosen on dev.

    Returns:
        {"popularity": scores, "svd": ..., "als": ... (if implicit is installed), "ours": ...}.
    """
    methods = {**tuned_baselines(pairs, seed), "ours": ("", embeddings)}
    scores: dict[str, Scores] = {}
    for name, (setting, factors) in methods.items():
        dev = measure(*ranks(factors, pairs.train, pairs.dev), n_resamples=0)
        test = measure(*ranks(factors, pairs.train, pairs.test))
        scores[name] = {**test, "dev_recall": dev["recall"], "setting": setting}
    return scores


def print_table(methods: dict[str, Scores]) -> None:
    """Print the scores of each method and its setting."""
    from rich.table import Table

    out = console()
    first = next(iter(methods.values()))
    title = f"{first['pairs']} held-out links of {first['items']} items"
    table = Table("method", title=title, title_justify="left")
    for column in ("recall@10", "95% interval", "MRR", "95% interval"):
        table.add_column(column, justify="right")
    for name, scores in methods.items():
        cells = []
        for key in ("recall", "mrr"):
            cells += [percent(scores[key]), " - ".join(map(percent, scores[f"{key}_interval"]))]
        table.add_row(NAMES[name], *cells)
    out.print(table)
    for name, scores in methods.items():
        if scores["setting"]:
            out.print(f"{NAMES[name]}: best on dev with {scores['setting']}", highlight=False)


def print_calibration(calibration: dict[str, float]) -> None:
    """Print how well the score, and the cosine alone, say whether an item has a link."""
    auc = f"AUC {percent(calibration['auc'])} by score"
    auc_cosine = f"{percent(calibration['auc_cosine'])} by cosine alone"
    threshold = f"at a probability of {calibration['threshold']:.3f}"
    precision = f"precision {percent(calibration['precision'])}"
    recall = f"recall {percent(calibration['recall'])}"
    line = f"is there a link? {auc}, {auc_cosine}; {threshold} {precision}, {recall}"
    console().print(line, highlight=False)


def draw(methods: dict[str, Scores]) -> "Figure":
    """Recall@10 and MRR of each method, with intervals."""
    from scripts.plots import COLOURS, subplots

    size = (9, 0.45 * len(methods) + 1.3)
    figure, panels = subplots(1, 2, figsize=size, sharey=True, layout="constrained")
    names = [NAMES[name] for name in methods]
    colours = [COLOURS[1] if name == "ours" else COLOURS[0] for name in methods]
    for axes, key, label in zip(panels, ("recall", "mrr"), ("recall@10", "mean reciprocal rank")):
        values = 100 * np.asarray([scores[key] for scores in methods.values()])
        ends = 100 * np.asarray([scores[f"{key}_interval"] for scores in methods.values()])
        errors = {"xerr": np.abs(ends.T - values), "ecolor": "black"}
        axes.barh(names, values, color=colours, **errors, error_kw={"linewidth": 0.8})
        for position, value in enumerate(values):
            axes.text(0.4, position, f"{value:.1f}", va="center", color="white", fontsize=10)
        axes.set_title(f"{label}, %, with 95% intervals", loc="left", fontsize=11)
    title = "Held-out links among all that an item does not have in training"
    figure.suptitle(title, x=0.01, ha="left")
    return figure
