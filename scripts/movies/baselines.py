"""Methods to compare the embeddings with: popularity, truncated SVD and ALS."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from scipy import sparse

from scripts.files import need, progress_bar
from scripts.movies.factors import Factors, measure, ranks, sample
from scripts.movies.pairs import Pairs

RANKS = (8, 16, 32, 64, 128, 256, 512)  # of the SVD
POWERS = (0.0, 0.5)  # links are weighted by frequency ** -power
ALS_WIDTHS, ALS_REGULARISATIONS, ALS_ALPHAS = (16, 32, 64), (1.0, 10.0), (5.0, 20.0)
Candidate = tuple[str, Factors]  # the setting, and what it gives


def tuned_baselines(pairs: Pairs, seed: int = 0) -> dict[str, Candidate]:
    """Each baseline with the setting that is best on dev; without ALS if implicit is missing."""
    baselines = {
        "popularity": ("", popularity(pairs.train)),
        "svd": best_of(by_svd(pairs.train, seed), pairs, "SVD", seed),
    }
    try:
        baselines["als"] = best_of(by_als(pairs.train, seed), pairs, "ALS", seed)
    except ValueError as error:
        print(f"without ALS: {error}")
    return baselines


def best_of(candidates: Iterator[Candidate], pairs: Pairs, title: str, seed: int = 0) -> Candidate:
    """The first candidate with the best recall on dev."""
    best: Candidate | None = None
    best_recall = -1.0
    rows = sample(pairs.dev, seed)
    with progress_bar(title, None, "setting") as bar:
        for setting, factors in candidates:
            dev = measure(*ranks(factors, pairs.train, pairs.dev, rows), n_resamples=0)
            if dev["recall"] > best_recall:
                best_recall, best = dev["recall"], (setting, factors)
            bar.update()
    assert best is not None
    return best


def popularity(train: sparse.csr_matrix) -> Factors:
    """The same scores for each item: how many items have the link. Nothing is learned."""
    n_items, n_links = train.shape
    frequencies = np.bincount(train.indices, minlength=n_links).astype("f4")
    return Factors(np.zeros((n_items, 1), "f4"), np.zeros((n_links, 1), "f4"), frequencies)


def by_svd(
    train: sparse.csr_matrix, seed: int, widths: tuple[int, ...] = RANKS
) -> Iterator[Candidate]:
    """Truncated SVD of the pairs: each rank, weighting of links and rows, weighed back or not.

    The SVD is exact (ARPACK). There is one for each weighting: a smaller rank is its beginning.
    """
    from sklearn.decomposition import TruncatedSVD

    n_items, n_links = train.shape
    frequencies = np.bincount(train.indices, minlength=n_links)
    weightings = {f"frequency^-{power}": frequencies**-power for power in POWERS}
    weightings["idf"] = np.log(n_items / frequencies) + 0.1
    scalings = {"": np.ones(n_items), ", rows of length 1": np.diff(train.indptr) ** -0.5}
    largest = min(widths[-1], min(train.shape) - 1)
    some_ranks = tuple(dict.fromkeys(min(width, largest) for width in widths))
    for (name, weights), (suffix, scales) in product(weightings.items(), scalings.items()):
        svd = TruncatedSVD(largest, algorithm="arpack", random_state=seed)
        items = svd.fit_transform(sparse.diags(scales) @ train @ sparse.diags(weights))
        for rank in some_ranks:
            setting = f"rank {rank}, weight {name}{suffix}"
            links = svd.components_[:rank].T
            yield setting, _factors(items[:, :rank], links)
            if name != "frequency^-0.0":
                weighed_back = _factors(items[:, :rank], links / weights[:, None])
                yield f"{setting}, weighed back", weighed_back


def _factors(items: Any, links: Any) -> Factors:
    return Factors(items.astype("f4"), links.astype("f4"), np.zeros(len(links), "f4"))


def by_als(train: sparse.csr_matrix, seed: int) -> Iterator[Candidate]:
    """Alternating least squares on implicit feedback (Hu, Koren and Volinsky 2008).

    Raises:
        ValueError: "implicit is not installed ...".
    """
    als = need("implicit.als", "movies")
    from threadpoolctl import threadpool_limits

    for width, regularisation, alpha in product(ALS_WIDTHS, ALS_REGULARISATIONS, ALS_ALPHAS):
        with threadpool_limits(1, "blas"):
            model = als.AlternatingLeastSquares(
                width,
                regularization=regularisation,
                alpha=alpha,
                iterations=15,
                random_state=seed,
            )
            model.fit(train, show_progress=False)
        setting = f"width {width}, regularisation {regularisation:g}, alpha {alpha:g}"
        yield (
            setting,
            Factors(model.user_factors, model.item_factors, np.zeros(train.shape[1], "f4")),
        )
