"""Find the units of the network that go with a property of the text.

Source of the question: Karpathy, Johnson and Fei-Fei, "Visualizing and Understanding Recurrent
Networks" (2015).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.keras_models import load_keras
from scripts.textgen.network import CHUNK, empty_states

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Unit:
    """A unit and the property that it goes with.

    Attributes:
        layer: from 1.
        unit: its number in the layer, from 0.
        property: of the characters; "" for a unit that was chosen by number.
        correlation: Pearson's, over the half of the text by which the unit was not chosen.
    """

    layer: int
    unit: int
    property: str = ""
    correlation: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"correlation": round(self.correlation, 4)}

    def caption(self) -> str:
        name = f"layer {self.layer}, unit {self.unit}"
        return f"{name}: {self.property} (r {self.correlation:+.2f})" if self.property else name


def hidden_states(model: Any, ids: NDArray[np.int64]) -> list[Floats]:
    """The output of each recurrent layer after each character: (n, width) for each layer."""
    keras = load_keras()
    recurrent = keras.layers.GRU | keras.layers.LSTM
    outputs = [layer.output[0] for layer in model.layers if isinstance(layer, recurrent)]
    inner = keras.Model(model.inputs, [*outputs, *model.outputs[1:]])
    states, chunks = empty_states(model, 1), []
    for at in range(0, len(ids), CHUNK):
        chunk = ids[None, at : at + CHUNK].astype(np.int32)
        values = inner([chunk, *states], training=False)
        states = [np.asarray(state) for state in values[len(outputs) :]]
        chunks.append([np.asarray(hidden[0], float) for hidden in values[: len(outputs)]])
    return [np.concatenate(layer) for layer in zip(*chunks, strict=True)]


def correlations(hidden: Floats, values: Floats) -> Floats:
    """Pearson's correlation of each column of `hidden` with `values`.

    Args:
        hidden: of a layer, (n, units).
        values: of a property, (n,).

    Returns:
        (units,); 0 where either of both never changes.
    """
    centred, wanted = hidden - hidden.mean(axis=0), values - values.mean()
    scale = np.linalg.norm(centred, axis=0) * np.linalg.norm(wanted)
    return np.divide(wanted @ centred, scale, out=np.zeros(hidden.shape[1]), where=scale > 1e-12)


def units_of_properties(layers: Sequence[Floats], properties: Mapping[str, Floats]) -> list[Unit]:
    """The unit that correlates most with each property, the highest correlation first.

    The first half of the text chooses the unit; the second half measures its correlation.

    Args:
        layers: from `hidden_states`, (n, width) each.
        properties: values by name, (n,) each.
    """
    units = [_unit_of(layers, name, values) for name, values in properties.items()]
    return sorted(filter(None, units), key=lambda unit: -abs(unit.correlation))


def _unit_of(layers: Sequence[Floats], name: str, values: Floats) -> Unit | None:
    """The unit of a property; None where the property never holds or never changes."""
    half = len(layers[0]) // 2
    rows = [correlations(hidden[:half], values[:half]) for hidden in layers]
    if not any(row.any() for row in rows) or not values[half:].any():
        return None
    layer = int(np.argmax([np.abs(row).max() for row in rows]))
    unit = int(np.abs(rows[layer]).argmax())
    measured = correlations(layers[layer][half:, [unit]], values[half:])[0]
    return Unit(layer + 1, unit, name, float(measured))


def parse_units(names: str, layers: Sequence[Floats]) -> list[Unit]:
    """Units by number: "1:37,2:5" is unit 37 of layer 1 and unit 5 of layer 2.

    Raises:
        ValueError: "no unit ...".
    """
    widths = [hidden.shape[1] for hidden in layers]
    return [_parse_unit(name.strip(), widths) for name in names.split(",")]


def _parse_unit(name: str, widths: Sequence[int]) -> Unit:
    layer, _, unit = name.partition(":")
    is_number = layer.isdecimal() and unit.isdecimal()
    if is_number and 1 <= int(layer) <= len(widths) and int(unit) < widths[int(layer) - 1]:
        return Unit(int(layer), int(unit))
    ranges = [f"{number}:0 to {number}:{width - 1}" for number, width in enumerate(widths, 1)]
    raise ValueError(f"no unit {name!r}: there are {', '.join(ranges)}")
