"""Draw items as points of a plane (t-SNE), coloured by a property, some of their titles named."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scripts.files import need
from scripts.movies.items import words_of
from scripts.movies.pairs import Floats1d, Floats2d, Ints1d
from scripts.plots import PALETTE, subplots

MOST_DRAWN = 5_000  # items, those with the most links: t-SNE takes minutes for more
FEWEST = 5
COLOURED = 8  # values of the property with a colour of their own
CELLS = 8  # the plane has so many by so many cells; of each, one item is named
STEPS = 300  # to push names apart
OTHER = "#d0d4d9"
COLOURS = (*PALETTE[:7], *PALETTE[8:])  # without its grey
SHORT = 28  # characters of a title


def main_values(values: Sequence[Any]) -> tuple[list[str], list[str]]:
    """Of each item the first of its values that has a colour ("" for none of them), and these values, the most frequent first."""
    found = [words_of(value) for value in values]
    counts = Counter(word for words in found for word in dict.fromkeys(words))
    named = [
        word for word, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:COLOURED]
    ]
    first = [next((word for word in words if word in named), "") for words in found]
    return first, [word for word in named if word in first]


def to_name(places: Floats2d, weights: Floats1d) -> Ints1d:
    """Of each cell of the plane the item with the highest weight, so that names are spread: rows."""
    low, high = places.min(axis=0), places.max(axis=0)
    cells = np.minimum((places - low) / np.maximum(high - low, 1e-9) * CELLS, CELLS - 1).astype(
        "i8"
    ) @ [CELLS, 1]
    order = np.argsort(-weights, kind="stable")
    return np.sort(order[np.unique(cells[order], return_index=True)[1]])


def draw(
    titles: Sequence[str], places: Floats2d, values: Sequence[Any], weights: Floats1d, title: str
) -> Figure:
    """A point for each item.

    Args:
        titles: of the items.
        places: (n_items, 2).
        values: of the property that colours them: a string, a number, a list, or None.
        weights: (n_items,), which to name.
        title: of the figure.
    """
    adjust_text = need("adjustText", "movies").adjust_text
    first, named = main_values(values)
    of_value = np.asarray(first)
    figure, axes = subplots(figsize=(11, 8))
    for value, colour in (*zip(named, COLOURS), ("", OTHER)):
        some = places[of_value == value]
        if len(some):
            size = 30 if len(places) < 1_000 else 8
            axes.scatter(
                some[:, 0],
                some[:, 1],
                s=size,
                color=colour,
                label=f"{value or 'other'} ({len(some)})",
                linewidths=0,
            )
    short = [name if len(name) <= SHORT else f"{name[: SHORT - 1]}…" for name in titles]
    names = [
        axes.text(places[row, 0], places[row, 1], short[row], fontsize=8, color="#303030")
        for row in to_name(places, weights)
    ]
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, loc="left")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    for spine in axes.spines.values():
        spine.set_visible(False)
    line = {"arrowstyle": "-", "color": "#a0a0a0", "lw": 0.5}
    adjust_text(
        names,
        x=places[:, 0],
        y=places[:, 1],
        ax=axes,
        expand=(1.1, 1.4),
        iter_lim=STEPS,
        arrowprops=line,
    )
    return figure
