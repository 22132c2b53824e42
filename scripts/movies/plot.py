"""Draw items as points of a plane (t-SNE), coloured by a property, with some of their titles."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from scripts.files import need
from scripts.movies.folder import Trained
from scripts.movies.items import words_of
from scripts.movies.pairs import Floats1d, Floats2d, Ints1d

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_ITEMS = 5_000  # those with the most links: with more, t-SNE takes minutes
MIN_ITEMS = 5
MAX_COLOURS = 8  # values of the property that have a colour of their own
GRID = 8  # the plane has so many rows and columns of cells; one item of each is named
MAX_STEPS = 300  # to push names apart
MAX_NAME = 28  # characters of a title
OTHER_COLOUR = "#d0d4d9"


def items_to_draw(trained: Trained) -> Ints1d:
    """The rows of the items with the most links, (n_items,).

    Raises:
        ValueError: "... items are too few to draw ...".
    """
    n_links = np.diff(trained.pairs.train.indptr)
    rows = np.sort(np.argsort(-n_links, kind="stable")[:MAX_ITEMS])
    if len(rows) < MIN_ITEMS:
        raise ValueError(f"{len(rows)} items are too few to draw: {MIN_ITEMS} are needed")
    return rows


def main_values(values: Sequence[Any]) -> tuple[list[str], list[str]]:
    """The value that colours each item, and the values that have a colour.

    Args:
        values: of each item: a string, a number, a list of them, or None.

    Returns:
        - for each item the first of its values that has a colour, or ""
        - the values with a colour, the most frequent first
    """
    words_of_items = [list(dict.fromkeys(words_of(value))) for value in values]
    counts = Counter(chain.from_iterable(words_of_items))
    coloured = sorted(counts, key=lambda word: (-counts[word], word))[:MAX_COLOURS]
    first = [_first_of(coloured, words) for words in words_of_items]
    return first, [word for word in coloured if word in first]


def _first_of(coloured: Sequence[str], words: Sequence[str]) -> str:
    return next((word for word in words if word in coloured), "")


def items_to_name(points: Floats2d, weights: Floats1d) -> Ints1d:
    """The item with the highest weight in each cell of the plane, so that names are spread.

    Args:
        points: (n_items, 2).
        weights: (n_items,).
    """
    low, high = points.min(axis=0), points.max(axis=0)
    cells = (points - low) / np.maximum(high - low, 1e-9) * GRID
    numbers = np.minimum(cells, GRID - 1).astype("i8") @ [GRID, 1]
    order = np.argsort(-weights, kind="stable")
    return np.sort(order[np.unique(numbers[order], return_index=True)[1]])


def draw(
    titles: Sequence[str], points: Floats2d, values: Sequence[Any], weights: Floats1d, title: str
) -> "Figure":
    """Draw a point for each item.

    Args:
        titles: of the items.
        points: (n_items, 2).
        values: of the property that colours the items: a string, a number, a list, or None.
        weights: (n_items,); items with a high weight are named.
        title: of the figure.
    """
    from scripts.plots import subplots

    figure, axes = subplots(figsize=(11, 8))
    _draw_points(axes, points, values)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, loc="left")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    for spine in axes.spines.values():
        spine.set_visible(False)
    _draw_names(axes, titles, points, items_to_name(points, weights))
    return figure


def _draw_points(axes: Any, points: Floats2d, values: Sequence[Any]) -> None:
    from scripts.plots import PALETTE

    first, coloured = main_values(values)
    value_of_item = np.asarray(first)
    size = 30 if len(points) < 1_000 else 8
    colours = (*PALETTE[:7], *PALETTE[8:])  # without the grey
    for value, colour in (*zip(coloured, colours), ("", OTHER_COLOUR)):
        x, y = points[value_of_item == value].T
        if len(x):
            label = f"{value or 'other'} ({len(x)})"
            axes.scatter(x, y, s=size, color=colour, label=label, linewidths=0)


def _draw_names(axes: Any, titles: Sequence[str], points: Floats2d, rows: Ints1d) -> None:
    adjust_text = need("adjustText", "movies").adjust_text
    names = []
    for row in rows:
        name = _shortened(titles[row])
        names.append(axes.text(*points[row], name, fontsize=8, color="#303030"))
    adjust_text(
        names,
        x=points[:, 0],
        y=points[:, 1],
        ax=axes,
        expand=(1.1, 1.4),
        iter_lim=MAX_STEPS,
        arrowprops={"arrowstyle": "-", "color": "#a0a0a0", "lw": 0.5},
    )


def _shortened(title: str) -> str:
    return title if len(title) <= MAX_NAME else f"{title[: MAX_NAME - 1]}…"
