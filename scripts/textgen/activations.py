"""Which unit of the network fires where: units that go with a property of the text, found by correlation, and pictures of them.

Source of the question: Karpathy, Johnson and Fei-Fei, "Visualizing and Understanding Recurrent Networks" (2015).
"""

import html
import io
import keyword
import token
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from scripts.keras_models import load_keras
from scripts.plots import subplots
from scripts.textgen.network import CHUNK, empty_states

Floats = NDArray[np.float64]
COLOURS = colormaps["RdBu_r"]
COLUMNS = 88  # characters of a line in the pictures
_OPEN, _CLOSE = "([{", ")]}"


@dataclass(frozen=True)
class Unit:
    """A unit and the property that it goes with.

    Attributes:
        layer: from 1.
        unit: its number in the layer, from 0.
        property: of the characters.
        correlation: Pearson's, over the half of the text by which the unit was not chosen.
    """

    layer: int
    unit: int
    property: str
    correlation: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"correlation": round(self.correlation, 4)}


def hidden_states(model: Any, ids: NDArray[np.int64]) -> list[Floats]:
    """What each layer gives after it has read each character: (n, width) a layer."""
    keras = load_keras()
    outputs = [
        layer.output[0]
        for layer in model.layers
        if isinstance(layer, keras.layers.GRU | keras.layers.LSTM)
    ]
    inner = keras.Model(model.inputs, [*outputs, *model.outputs[1:]])
    states, parts = empty_states(model, 1), []
    for at in range(0, len(ids), CHUNK):
        found = inner([ids[None, at : at + CHUNK].astype(np.int32), *states], training=False)
        states = [np.asarray(state) for state in found[len(outputs) :]]
        parts.append([np.asarray(hidden[0], float) for hidden in found[: len(outputs)]])
    return [np.concatenate(layer) for layer in zip(*parts, strict=True)]


def properties(text: str, code: bool) -> dict[str, Floats]:
    """What can be said of each character of a text, (n,) each: 1 where it holds, else 0; counts for depth and column."""
    known = {
        name: np.zeros(len(text))
        for name in ("line start", "indentation", "column", "bracket depth")
    }
    column, depth, leading = 0, 0, True
    for i, character in enumerate(text):
        leading = character == " " and (leading or column == 0) if column else character == " "
        depth += character in _OPEN
        known["column"][i], known["bracket depth"][i] = column, depth
        known["line start"][i], known["indentation"][i] = column == 0, leading
        depth = max(0, depth - (character in _CLOSE))
        column = 0 if character == "\n" else column + 1
    for name, holds in _OF_ONE.items():
        known[name] = np.array([holds(character) for character in text], float)
    return known | (_of_code(text) if code else {"inside quotes": _inside_quotes(text)})


_OF_ONE = {
    "capital": str.isupper,
    "digit": str.isdigit,
    "white space": str.isspace,
    "vowel": lambda character: character.lower() in "aeiou",
    "punctuation": lambda character: not character.isalnum() and not character.isspace(),
}


def _inside_quotes(text: str) -> Floats:
    return np.cumsum([character == '"' for character in text]) % 2.0


def _of_code(text: str) -> dict[str, Floats]:
    """What Python's tokenizer says, as far as it understands the text."""
    known = {name: np.zeros(len(text)) for name in ("inside string", "keyword", "name", "operator")}
    lines = list(io.StringIO(text))
    begins = np.cumsum([0, *map(len, lines)])
    first = [
        i for i, line in enumerate(lines) if not line[0].isspace()
    ]  # where the tokenizer may begin: the text may be cut anywhere
    while first:
        done = start = first[0]
        rest = iter(lines[start:])
        try:
            for kind, string, (line, column), (end, end_column), _ in tokenize.generate_tokens(
                partial(next, rest, "")
            ):
                name = {token.STRING: "inside string", token.OP: "operator"}.get(kind)
                if kind == token.NAME:
                    name = "keyword" if keyword.iskeyword(string) else "name"
                if name:
                    known[name][
                        begins[start + line - 1] + column : begins[start + end - 1] + end_column
                    ] = 1
                done = start + end - 1
            break
        except (tokenize.TokenError, SyntaxError):
            first = [i for i in first if i > done]
    return known


def correlations(hidden: Floats, values: Floats) -> Floats:
    """Pearson's correlation of each column of hidden (n, units) with values (n,), (units,); 0 where one of both never changes."""
    centred, wanted = hidden - hidden.mean(axis=0), values - values.mean()
    scale = np.linalg.norm(centred, axis=0) * np.linalg.norm(wanted)
    return np.divide(wanted @ centred, scale, out=np.zeros(hidden.shape[1]), where=scale > 1e-12)


def telling_units(layers: Sequence[Floats], known: Mapping[str, Floats]) -> list[Unit]:
    """For each property the unit that goes with it most: chosen by the first half of the text, measured by the second."""
    units, half = [], len(layers[0]) // 2
    for name, values in known.items():
        rows = [correlations(hidden[:half], values[:half]) for hidden in layers]
        if not any(row.any() for row in rows) or not values[half:].any():
            continue
        layer = int(np.argmax([np.abs(row).max() for row in rows]))
        unit = int(np.abs(rows[layer]).argmax())
        again = correlations(layers[layer][half:, [unit]], values[half:])[0]
        units.append(Unit(layer + 1, unit, name, float(again)))
    return sorted(units, key=lambda unit: -abs(unit.correlation))


def chosen(given: str, layers: Sequence[Floats]) -> list[Unit]:
    """Units by number: "1:37,2:5" is unit 37 of layer 1 and unit 5 of layer 2.

    Raises:
        ValueError: "no unit ...".
    """
    units = []
    for name in given.split(","):
        layer, _, unit = name.strip().partition(":")
        if not (
            layer.isdecimal()
            and unit.isdecimal()
            and 1 <= int(layer) <= len(layers)
            and int(unit) < layers[int(layer) - 1].shape[1]
        ):
            sizes = ", ".join(
                f"{number}:0 to {number}:{hidden.shape[1] - 1}"
                for number, hidden in enumerate(layers, start=1)
            )
            raise ValueError(f"no unit {name.strip()!r}: there are {sizes}")
        units.append(Unit(int(layer), int(unit), "", 0.0))
    return units


def passage(text: str, n: int) -> slice:
    """n characters of the second half of a text, as far as it is long enough; after an empty line, if there is one."""
    begin = max(0, min(len(text) // 2, len(text) - n))
    empty = text.find("\n\n", begin, len(text) - n)
    begin = begin if empty < 0 else empty + 2
    return slice(begin, begin + n)


def _caption(unit: Unit) -> str:
    return f"layer {unit.layer}, unit {unit.unit}" + (
        f": {unit.property} (r {unit.correlation:+.2f})" if unit.property else ""
    )


def wrapped(text: str) -> list[tuple[int, int, int]]:
    """(row, column, place) of each character that is drawn, in lines of COLUMNS."""
    places, row, column = [], 0, 0
    for i, character in enumerate(text):
        if column == COLUMNS:
            row, column = row + 1, 0
        places.append((row, column, i))
        row, column = (row + 1, 0) if character == "\n" else (row, column + 1)
    return places


def heat_map(text: str, layers: Sequence[Floats], units: Sequence[Unit]) -> Figure:
    """The text once for each unit, each character on the colour of what the unit gives after it: red above 0, blue below."""
    places = wrapped(text)
    n_rows, n_columns = places[-1][0] + 1, max(column for _, column, _ in places) + 1
    size = (
        (abreast := min(2, len(units))) * n_columns * 0.12,
        (down := -(-len(units) // abreast)) * (0.16 * n_rows + 0.34),
    )
    figure, grid = subplots(down, abreast, figsize=size, layout="constrained", squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, unit in zip(grid.flat, units):
        cells = np.full((n_rows, n_columns), np.nan)
        for row, column, i in places:
            cells[row, column] = layers[unit.layer - 1][i, unit.unit]
            if text[i].isprintable():
                axes.text(
                    column, row, text[i], ha="center", va="center", fontsize=7.5, family="monospace"
                )
        axes.imshow(
            cells, cmap=COLOURS, vmin=-1.4, vmax=1.4, aspect="auto", interpolation="nearest"
        )
        axes.set_title(_caption(unit), loc="left", fontsize=10)
    return figure


def page(text: str, layers: Sequence[Floats], units: Sequence[Unit]) -> str:
    """The same as HTML, for longer texts."""
    style = "pre{font-size:13px;line-height:1.25;white-space:pre-wrap}"
    parts = [
        f"<!doctype html><meta charset='utf-8'><title>Activations</title><style>{style}</style>"
    ]
    for unit in units:
        values = layers[unit.layer - 1][:, unit.unit]
        parts.append(f"<h3>{html.escape(_caption(unit))}</h3><pre>")
        for character, value in zip(text, values[: len(text)], strict=True):
            red, green, blue, _ = COLOURS(0.5 + value / 2.8, bytes=True)
            parts.append(
                f"<span style='background:#{red:02x}{green:02x}{blue:02x}' title='{value:.2f}'>{html.escape(character)}</span>"
            )
        parts.append("</pre>")
    return "".join(parts) + "\n"
