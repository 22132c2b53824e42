"""The layers of a model, Thinc or Keras, with their shapes and numbers of parameters."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from spacy.language import Language
from thinc.api import Model

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Layer:
    """One layer.

    Args:
        depth: how many layers it is nested in.
        name: its name.
        shapes: of its parameters; of its output in Keras.
        parameters: how many it has.
        component: whether it stands for a whole component of a pipeline.
    """

    depth: int
    name: str
    shapes: str
    parameters: int
    component: bool = False


def pipeline_layers(nlp: Language) -> list[Layer]:
    """The components of a pipeline that have a model, each with its layers.

    A layer that occurs twice counts once.
    """
    layers: list[Layer] = []
    seen: set[int] = set()
    for name, pipe in nlp.pipeline:
        model = getattr(pipe, "model", None)
        if isinstance(model, Model):
            inner = list(_thinc_layers(model, 1, seen))
            layers += [Layer(0, name, "", total(inner), component=True), *inner]
    return layers


def _thinc_layers(model: Model[Any, Any], depth: int, seen: set[int]) -> Iterator[Layer]:
    """The layers within a layer.

    A layer that only holds others (chain, residual ...) is left out: its name repeats theirs.
    """
    if model.id in seen:
        return
    seen.add(model.id)
    inner = _inner_layers(model)
    sizes = {
        name: model.get_param(name).shape for name in model.param_names if model.has_param(name)
    }
    if sizes or model.shims or not inner:
        shapes = ", ".join(f"{name} {_shape(size)}" for name, size in sizes.items())
        yield Layer(depth, model.name, shapes, sum(map(prod, sizes.values())))
    for shim in model.shims:
        yield from _shim_layers(shim, depth + 1)
    for layer in inner:
        yield from _thinc_layers(layer, depth, seen)


def _inner_layers(model: Model[Any, Any]) -> list[Model[Any, Any]]:
    """The layers that a layer holds; those of a parser are refs."""
    refs = [model.maybe_get_ref(name) for name in model.ref_names]
    return [*model.layers, *(ref for ref in refs if ref is not None)]


def _shim_layers(shim: Any, depth: int) -> Iterator[Layer]:
    """The layers of another library's network inside a Thinc model."""
    network: Any = getattr(shim, "_model", None)
    if hasattr(network, "named_parameters"):  # PyTorch
        for name, value in network.named_parameters():
            yield Layer(depth, name, _shape(value.shape), prod(value.shape))
    elif hasattr(network, "count_params"):
        yield from keras_layers(network, depth)


def keras_layers(model: Any, depth: int = 0) -> Iterator[Layer]:
    """The layers of a Keras model, with those of nested models below them."""
    for layer in model.layers:
        name = f"{layer.name} ({type(layer).__name__})"
        inner = list(keras_layers(layer, depth + 1)) if hasattr(layer, "layers") else []
        yield Layer(depth, name, _output_shapes(layer), 0 if inner else layer.count_params())
        yield from inner


def _output_shapes(layer: Any) -> str:
    try:
        outputs = layer.output if isinstance(layer.output, (list, tuple)) else [layer.output]
        return ", ".join(_shape(output.shape) for output in outputs)
    except (AttributeError, ValueError):  # a layer that was never called
        return "?"


def _shape(shape: Iterable[int | None]) -> str:
    return "(" + ", ".join("any" if size is None else f"{size:,}" for size in shape) + ")"


def total(layers: list[Layer]) -> int:
    """The number of all parameters. That of a component is the sum of its layers."""
    return sum(layer.parameters for layer in layers if not layer.component)


def to_table(layers: list[Layer], title: str) -> "Table":
    """Layers, indented by depth, and the sum of their parameters."""
    from rich.table import Table

    table = Table("layer", "shapes", title=title, title_justify="left", show_footer=True)
    table.add_column("parameters", justify="right", footer=f"{total(layers):,}")
    for layer in layers:
        parameters = f"{layer.parameters:,}" if layer.parameters else ""
        table.add_row("  " * layer.depth + layer.name, layer.shapes, parameters)
    return table
