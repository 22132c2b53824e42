"""What all scores share: 95% intervals from resamples, and how they are shown."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from rich.console import Console

RESAMPLES = 1_000  # for an interval


def middle(draws: ArrayLike) -> list[Any]:
    """The middle 95% of a score over resamples (percentile bootstrap, Efron 1979): [low, high], or for more scores [low, high] of each.

    Args:
        draws: the score of each resample, (n,), or of more scores, (n, n_scores).
    """
    ends: list[Any] = np.percentile(np.asarray(draws), [2.5, 97.5], axis=0).T.tolist()
    return ends


def percent(value: float | None) -> str:
    """A share of 1 as a table shows it."""
    return "-" if value is None else f"{100 * value:.1f}"


def console() -> Console:
    """Where tables are printed: as wide as the terminal, or 110 columns in a log."""
    return Console(width=None if Console().is_terminal else 110)
