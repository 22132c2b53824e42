"""What scores of all workflows share: 95% intervals from resamples, and how they are printed."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from rich.console import Console

RESAMPLES = 1_000  # for an interval


def middle(draws: "ArrayLike") -> list[Any]:
    """The middle 95% of scores over resamples (percentile bootstrap, Efron 1979).

    Args:
        draws: the score of each resample, (n,), or several scores of each, (n, n_scores).

    Returns:
        [low, high], or [low, high] of each score.
    """
    import numpy as np

    ends: list[Any] = np.percentile(np.asarray(draws), [2.5, 97.5], axis=0).T.tolist()
    return ends


def percent(value: float | None) -> str:
    """A share of 1 as a table shows it."""
    return "-" if value is None else f"{100 * value:.1f}"


def console() -> "Console":
    """A console for tables: as wide as the terminal, or 110 columns in a log."""
    from rich.console import Console

    return Console(width=None if Console().is_terminal else 110)
