"""Predict a score of items from embeddings by ridge regression (Hoerl and Kennard 1970)."""

from typing import Any

import numpy as np

from scripts.movies.folder import Trained
from scripts.movies.pairs import Floats1d, Floats2d, Ints1d
from scripts.scores import RESAMPLES, console, middle

MIN_SCORES = 30
N_FOLDS = 10
STRENGTHS = np.logspace(-3, 3, 25)  # of the ridge
N_LINKS = 10  # links to name at each end
MIN_ITEMS = 3  # items that a link must be on to be named
LinkScores = list[tuple[str, float]]
REMEDY = "name another property by vars.movies.score"


def fit_scores(items: Floats2d, scores: Floats1d, seed: int = 0) -> tuple[Floats1d, dict[str, Any]]:
    """Cross-validate ridge regression, and fit it on all items.

    Args:
        items: (n_items, width).
        scores: (n_items,).
        seed: for the folds.

    Returns:
        - the coefficients, (width,)
        - items (how many), mean, rmse, rmse_of_mean (if the mean of the other folds is predicted),
          r2 (compared with that mean), r2_interval (95%, percentile bootstrap over items) and
          strength (of the ridge)

    Raises:
        ValueError: "... items have a score ...", "all scores are ...".
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold, cross_val_predict

    if len(scores) < MIN_SCORES:
        reason = f"{len(scores)} items have a score, which are too few"
        raise ValueError(f"{reason}: {MIN_SCORES} are needed; {REMEDY}")
    if np.ptp(scores) == 0:
        raise ValueError(f"all scores are {scores[0]:g}: there is nothing to predict; {REMEDY}")
    folds = KFold(N_FOLDS, shuffle=True, random_state=seed)
    errors = scores - cross_val_predict(RidgeCV(STRENGTHS), items, scores, cv=folds)
    mean_errors = np.empty_like(errors)
    for train, test in folds.split(items):
        mean_errors[test] = scores[test] - scores[train].mean()
    model = RidgeCV(STRENGTHS).fit(items, scores)
    return model.coef_, {
        "items": len(scores),
        "mean": float(scores.mean()),
        "rmse": float(np.sqrt((errors**2).mean())),
        "rmse_of_mean": float(np.sqrt((mean_errors**2).mean())),
        "r2": float(1 - (errors**2).sum() / (mean_errors**2).sum()),
        "r2_interval": _r2_interval(errors, mean_errors, seed),
        "strength": float(model.alpha_),
    }


def _r2_interval(errors: Floats1d, mean_errors: Floats1d, seed: int) -> list[float]:
    """The 95% interval of R2, given the errors, (n_items,), of the regression and of the mean."""
    random = np.random.default_rng(seed)
    draws = []
    for _ in range(RESAMPLES):
        rows = random.integers(0, len(errors), len(errors))
        of_mean = max((mean_errors[rows] ** 2).sum(), 1e-12)
        draws.append(1 - (errors[rows] ** 2).sum() / of_mean)
    return middle(draws)


def extreme_links(trained: Trained, coefficients: Floats1d) -> dict[str, LinkScores]:
    """The links whose embeddings point most in the direction of a high and of a low score.

    Args:
        trained: the embeddings.
        coefficients: (width,), of the regression.

    Returns:
        {"high": [(link, cosine with the coefficients), ...], "low": ...}.
    """
    n_items = np.bincount(trained.pairs.train.indices, minlength=len(trained.links))
    columns = np.flatnonzero(n_items >= MIN_ITEMS)
    cosines = trained.links[columns] @ (coefficients / np.linalg.norm(coefficients))
    order = np.argsort(cosines, kind="stable")

    def named(positions: Ints1d) -> LinkScores:
        names = [trained.pairs.links[columns[position]] for position in positions]
        return [(name, round(float(cosines[i]), 4)) for name, i in zip(names, positions)]

    return {"high": named(order[::-1][:N_LINKS]), "low": named(order[:N_LINKS])}


def print_scores(name: str, scores: dict[str, Any], links: dict[str, LinkScores]) -> None:
    """Print the errors, and the links of both ends.

    Args:
        name: of the score.
        scores: what `fit_scores` returns.
        links: what `extreme_links` returns.
    """
    from rich.table import Table
    from rich.text import Text

    out = console()
    ends = " - ".join(f"{value:.2f}" for value in scores["r2_interval"])
    size = f"{name} of {scores['items']} items, mean {scores['mean']:.1f}"
    rmse = f"RMSE {scores['rmse']:.2f}, of the mean {scores['rmse_of_mean']:.2f}"
    line = f"{size}: {rmse}; R2 {scores['r2']:.2f} ({ends})"
    out.print(line, highlight=False, markup=False)
    title = Text(f"links that go with a high and with a low {name}")
    table = Table("high", title=title, title_justify="left")
    table.add_column("cosine", justify="right")
    table.add_column("low")
    table.add_column("cosine", justify="right")
    for (high, up), (low, down) in zip(links["high"], links["low"]):
        table.add_row(high, f"{up:.2f}", low, f"{down:.2f}")
    out.print(table, markup=False)
