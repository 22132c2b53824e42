"""Draw a text on the colours of the activations of a unit."""

import html
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scripts.plots import subplots
from scripts.textgen.activations import Unit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
COLOUR_MAP = "RdBu_r"
MAX_ACTIVATION = 1.4  # of the colours, on either side of 0
COLUMNS = 88  # characters of a line in the pictures
_STYLE = "pre{font-size:13px;line-height:1.25;white-space:pre-wrap}"


def passage(text: str, n: int) -> slice:
    """A passage of n characters in the second half of a text; of a short text, what there is.

    It begins after an empty line, if there is one.
    """
    begin = max(0, min(len(text) // 2, len(text) - n))
    empty = text.find("\n\n", begin, len(text) - n)
    begin = begin if empty < 0 else empty + 2
    return slice(begin, begin + n)


def wrapped(text: str) -> list[tuple[int, int]]:
    """(row, column) of each character, in lines of at most COLUMNS."""
    places, row, column = [], 0, 0
    for character in text:
        if column == COLUMNS:
            row, column = row + 1, 0
        places.append((row, column))
        row, column = (row + 1, 0) if character == "\n" else (row, column + 1)
    return places


def heat_map(text: str, layers: Sequence[Floats], units: Sequence[Unit]) -> "Figure":
    """Draw a text once for each unit, each character on the colour of what the unit gives after it.

    Red is above 0, blue below.

    Args:
        text: to draw.
        layers: hidden states, (n, width) each.
        units: one or more.
    """
    places = wrapped(text)
    n_rows, n_columns = places[-1][0] + 1, max(column for _, column in places) + 1
    abreast = min(2, len(units))
    down = -(-len(units) // abreast)
    size = (abreast * n_columns * 0.12, down * (0.16 * n_rows + 0.34))
    figure, grid = subplots(down, abreast, figsize=size, layout="constrained", squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, unit in zip(grid.flat, units):
        cells = np.full((n_rows, n_columns), np.nan)
        cells[tuple(zip(*places))] = layers[unit.layer - 1][: len(text), unit.unit]
        _draw_text(axes, text, places)
        axes.imshow(
            cells,
            cmap=COLOUR_MAP,
            vmin=-MAX_ACTIVATION,
            vmax=MAX_ACTIVATION,
            aspect="auto",
            interpolation="nearest",
        )
        axes.set_title(unit.caption(), loc="left", fontsize=10)
    return figure


def _draw_text(axes: Any, text: str, places: Sequence[tuple[int, int]]) -> None:
    style = {"ha": "center", "va": "center", "fontsize": 7.5, "family": "monospace"}
    for character, (row, column) in zip(text, places):
        if character.isprintable():
            axes.text(column, row, character, **style)


def page(text: str, layers: Sequence[Floats], units: Sequence[Unit]) -> str:
    """The same as a page of HTML, for longer texts."""
    from matplotlib import colormaps

    coloured = partial(_coloured, colormaps[COLOUR_MAP])
    title = "<!doctype html><meta charset='utf-8'><title>Activations</title>"
    parts = [f"{title}<style>{_STYLE}</style>"]
    for unit in units:
        values = layers[unit.layer - 1][: len(text), unit.unit]
        characters = map(coloured, text, values)
        parts.append(f"<h3>{html.escape(unit.caption())}</h3><pre>{''.join(characters)}</pre>")
    return "".join(parts) + "\n"


def _coloured(colour_map: Any, character: str, value: float) -> str:
    red, green, blue, _ = colour_map(0.5 + value / (2 * MAX_ACTIVATION), bytes=True)
    colour = f"#{red:02x}{green:02x}{blue:02x}"
    return f"<span style='background:{colour}' title='{value:.2f}'>{html.escape(character)}</span>"
