"""Recall and mean reciprocal rank of the held-out links beside popularity, truncated SVD and ALS."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from threadpoolctl import threadpool_limits

from scripts import plots
from scripts.files import need, progress_bar
from scripts.movies.factors import Factors, measure, ranks, sample
from scripts.movies.pairs import Pairs
from scripts.plots import subplots
from scripts.scores import console, percent

WIDTHS = (8, 16, 32, 64, 128, 256, 512)  # of the SVD
POWERS = (0.0, 0.5)  # how much less frequent links count: multiplied by frequency ** -power
ALS_WIDTHS, ALS_REGULARISATIONS, ALS_ALPHAS = (16, 32, 64), (1.0, 10.0), (5.0, 20.0)
NAMES = {
    "popularity": "popularity",
    "svd": "truncated SVD",
    "als": "ALS (implicit)",
    "ours": "embeddings",
}
Found = dict[str, Any]


def popularity(train: sparse.csr_matrix) -> Factors:
    """The same for each item: how many items link there. Nothing is learned."""
    n_items, n_links = train.shape
    return Factors(
        np.zeros((n_items, 1), "f4"),
        np.zeros((n_links, 1), "f4"),
        np.bincount(train.indices, minlength=n_links).astype("f4"),
    )


def by_svd(
    train: sparse.csr_matrix, seed: int, widths: tuple[int, ...] = WIDTHS
) -> Iterator[tuple[str, Factors]]:
    """Truncated SVD of the matrix of pairs (exact, by ARPACK): ranks, weights of links, ways to weigh them back.

    Of each weighting one decomposition is made: a smaller rank is its beginning.
    """
    frequencies = np.bincount(train.indices, minlength=train.shape[1])
    lengths = np.bincount(
        np.repeat(np.arange(train.shape[0]), np.diff(train.indptr)), minlength=train.shape[0]
    )
    idf = np.log(train.shape[0] / frequencies) + 0.1
    weights = {f"frequency^-{power}": frequencies**-power for power in POWERS} | {"idf": idf}
    largest = min(widths[-1], min(train.shape) - 1)
    for name, weight in weights.items():
        for rows, row_weight in (
            ("", np.ones(len(lengths))),
            (", rows of length 1", lengths**-0.5),
        ):
            svd = TruncatedSVD(largest, algorithm="arpack", random_state=seed)
            left = svd.fit_transform(sparse.diags(row_weight) @ train @ sparse.diags(weight))
            for width in dict.fromkeys(min(width, largest) for width in widths):
                for back in (False, True) if name != "frequency^-0.0" else (False,):
                    links = svd.components_[:width].T / (weight[:, None] if back else 1)
                    told = f"rank {width}, weight {name}{rows}{', weighed back' if back else ''}"
                    yield (
                        told,
                        Factors(
                            left[:, :width].astype("f4"),
                            links.astype("f4"),
                            np.zeros(len(links), "f4"),
                        ),
                    )


def by_als(train: sparse.csr_matrix, seed: int) -> Iterator[tuple[str, Factors]]:
    """Alternating least squares on implicit feedback (Hu, Koren and Volinsky 2008), by the library implicit."""
    als = need("implicit.als", "movies")
    for width in ALS_WIDTHS:
        for regularization in ALS_REGULARISATIONS:
            for alpha in ALS_ALPHAS:
                with threadpool_limits(1, "blas"):
                    model = als.AlternatingLeastSquares(
                        width,
                        regularization=regularization,
                        alpha=alpha,
                        iterations=15,
                        random_state=seed,
                    )
                    model.fit(train, show_progress=False)
                told = f"width {width}, regularisation {regularization:g}, alpha {alpha:g}"
                yield (
                    told,
                    Factors(model.user_factors, model.item_factors, np.zeros(train.shape[1], "f4")),
                )


def best_of(
    candidates: Iterator[tuple[str, Factors]], pairs: Pairs, title: str, seed: int = 0
) -> tuple[str, Factors]:
    """(its setting, the factors) with the best recall on dev."""
    best: tuple[float, str, Factors | None] = (-1.0, "", None)
    some = sample(pairs.dev, seed)
    with progress_bar(title, None, "setting") as bar:
        for told, factors in candidates:
            recall = measure(*ranks(factors, pairs.train, pairs.dev, some), n_resamples=0)["recall"]
            if recall > best[0]:
                best = recall, told, factors
            bar.update()
    assert best[2] is not None
    return best[1], best[2]


def compare(pairs: Pairs, ours: Factors, seed: int = 0) -> dict[str, Found]:
    """Figures of each method on test; what a method has to choose it chose on dev.

    Returns:
        {"popularity": what `measure` returns and "setting", "svd": ..., "als": ... where implicit is installed, "ours": ...}.
    """
    methods: dict[str, Callable[[], tuple[str, Factors]]] = {
        "popularity": lambda: ("", popularity(pairs.train)),
        "svd": lambda: best_of(by_svd(pairs.train, seed), pairs, "SVD", seed),
        "als": lambda: best_of(by_als(pairs.train, seed), pairs, "ALS", seed),
        "ours": lambda: ("", ours),
    }
    found: dict[str, Found] = {}
    for name, make in methods.items():
        try:
            setting, factors = make()
        except ValueError as error:
            if name != "als":
                raise
            print(f"without ALS: {error}")
            continue
        dev = measure(*ranks(factors, pairs.train, pairs.dev), n_resamples=0)
        found[name] = {
            **measure(*ranks(factors, pairs.train, pairs.test)),
            "dev_recall": dev["recall"],
            "setting": setting,
        }
    return found


def print_table(found: dict[str, Found]) -> None:
    """Print what each method reaches, and what it was set to."""
    out = console()
    first = next(iter(found.values()))
    table = Table(
        title=f"{first['pairs']} held-out links of {first['items']} items", title_justify="left"
    )
    for column in ("method", "recall@10", "95% interval", "MRR", "95% interval"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for name, values in found.items():
        ends = [
            " - ".join(percent(value) for value in values[f"{key}_interval"])
            for key in ("recall", "mrr")
        ]
        table.add_row(
            NAMES[name], percent(values["recall"]), ends[0], percent(values["mrr"]), ends[1]
        )
    out.print(table)
    for name, values in found.items():
        if values["setting"]:
            out.print(f"{NAMES[name]}: best on dev with {values['setting']}", highlight=False)


def print_calibration(told: dict[str, float]) -> None:
    """Print whether the score, and the cosine alone, say that an item links there."""
    console().print(
        f"does it link? AUC {percent(told['auc'])} by score, {percent(told['auc_cosine'])} by cosine alone; at a probability of "
        f"{told['threshold']:.3f} precision {percent(told['precision'])}, recall {percent(told['recall'])}",
        highlight=False,
    )


def draw(found: dict[str, Found]) -> Figure:
    """Recall@10 and MRR of each method, with intervals."""
    figure, axes = subplots(
        1, 2, figsize=(9, 0.45 * len(found) + 1.3), sharey=True, layout="constrained"
    )
    names = [NAMES[name] for name in found]
    colours = [plots.COLOURS[1] if name == "ours" else plots.COLOURS[0] for name in found]
    for axis, (key, label) in zip(
        axes, {"recall": "recall@10", "mrr": "mean reciprocal rank"}.items()
    ):
        values = 100 * np.asarray([one[key] for one in found.values()])
        errors = np.abs(
            100 * np.asarray([one[f"{key}_interval"] for one in found.values()]).T - values
        )
        axis.barh(
            names, values, color=colours, xerr=errors, ecolor="black", error_kw={"linewidth": 0.8}
        )
        for place, value in enumerate(values):
            axis.text(0.4, place, f"{value:.1f}", va="center", color="white", fontsize=10)
        axis.set_title(f"{label}, %, with 95% intervals", loc="left", fontsize=11)
    figure.suptitle(
        "Held-out links among all that an item does not have in training", x=0.01, ha="left"
    )
    return figure
