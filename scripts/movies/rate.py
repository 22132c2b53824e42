"""Predict a score of items from their embeddings by ridge regression (Hoerl and Kennard 1970)."""

from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict

from scripts.movies.folder import Trained
from scripts.movies.pairs import Floats1d, Floats2d, Ints1d
from scripts.scores import RESAMPLES, console, middle

FEWEST = 30  # items with a score
FOLDS = 10
STRENGTHS = np.logspace(-3, 3, 25)
NAMED = 10  # links at each end
SEEN = 3  # items that a link must be on to be named


def rate(items: Floats2d, scores: Floats1d, seed: int = 0) -> tuple[Floats1d, dict[str, Any]]:
    """Cross-validate, and fit on all.

    Args:
        items: (n_items, width).
        scores: (n_items,).
        seed: for the folds.

    Returns:
        the coefficients, (width,), and rmse, rmse_of_mean (of always saying the mean of the other folds), r2 (1 - the squared errors
        by those of the mean), its interval (95%, percentile bootstrap over items), strength (of the ridge).

    Raises:
        ValueError: "... items have a score ...", "all scores are ...".
    """
    if len(scores) < FEWEST:
        raise ValueError(
            f"{len(scores)} items have a score, which are too few: {FEWEST} are needed; vars.movies.score names the property"
        )
    if np.ptp(scores) == 0:
        raise ValueError(
            f"all scores are {scores[0]:g}: there is nothing to predict; vars.movies.score names the property"
        )
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    ours = scores - cross_val_predict(RidgeCV(STRENGTHS), items, scores, cv=folds)
    mean = np.empty_like(ours)
    for fit, test in folds.split(items):
        mean[test] = scores[test] - scores[fit].mean()
    random, draws = np.random.default_rng(seed), []
    for _ in range(RESAMPLES):
        drawn = random.integers(0, len(scores), len(scores))
        draws.append(1 - (ours[drawn] ** 2).sum() / max((mean[drawn] ** 2).sum(), 1e-12))
    model = RidgeCV(STRENGTHS).fit(items, scores)
    told = {
        "items": len(scores),
        "mean": float(scores.mean()),
        "rmse": float(np.sqrt((ours**2).mean())),
    }
    told |= {
        "rmse_of_mean": float(np.sqrt((mean**2).mean())),
        "r2": float(1 - (ours**2).sum() / (mean**2).sum()),
    }
    return model.coef_, {**told, "r2_interval": middle(draws), "strength": float(model.alpha_)}


def telling_links(trained: Trained, coefficients: Floats1d) -> dict[str, list[tuple[str, float]]]:
    """The links whose embeddings point most along the coefficients, and most against them, with their cosines."""
    often = np.flatnonzero(
        np.bincount(trained.pairs.train.indices, minlength=len(trained.links)) >= SEEN
    )
    cosines = trained.links[often] @ (coefficients / np.linalg.norm(coefficients))
    order = np.argsort(cosines, kind="stable")

    def named(places: Ints1d) -> list[tuple[str, float]]:
        return [
            (trained.pairs.links[often[place]], round(float(cosines[place]), 4)) for place in places
        ]

    return {"high": named(order[::-1][:NAMED]), "low": named(order[:NAMED])}


def print_rating(
    name: str, told: dict[str, Any], links: dict[str, list[tuple[str, float]]]
) -> None:
    """Print the errors and the links of both ends."""
    out = console()
    ends = " - ".join(f"{value:.2f}" for value in told["r2_interval"])
    errors = f"RMSE {told['rmse']:.2f}, of the mean {told['rmse_of_mean']:.2f}; R2 {told['r2']:.2f} ({ends})"
    out.print(
        f"{name} of {told['items']} items, mean {told['mean']:.1f}: {errors}",
        highlight=False,
        markup=False,
    )
    table = Table(title=Text(f"links that speak for more or less of {name}"), title_justify="left")
    for column in ("more", "cosine", "less", "cosine"):
        table.add_column(column, justify="right" if column == "cosine" else "left")
    for (high, up), (low, down) in zip(links["high"], links["low"]):
        table.add_row(high, f"{up:.2f}", low, f"{down:.2f}")
    out.print(table, markup=False)
