"""The layers of a model with their shapes and numbers of parameters: Thinc and Keras alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table
from spacy.language import Language
from thinc.api import Model


@dataclass(frozen=True)
class Layer:
    """One layer: how deep it lies, its name, the shapes of its parameters (of its output in Keras), and how many parameters it has."""

    depth: int
    name: str
    shapes: str
    parameters: int
    component: bool = False


def of_pipeline(nlp: Language) -> list[Layer]:
    """The components of a pipeline that have a model, each with its layers. A layer that occurs twice counts once."""
    found: list[Layer] = []
    seen: set[int] = set()
    for name, pipe in nlp.pipeline:
        model = getattr(pipe, "model", None)
        if isinstance(model, Model):
            layers = list(_walk(model, 1, seen))
            found += [Layer(0, name, "", total(layers), component=True), *layers]
    return found


def _walk(model: Model[Any, Any], depth: int, seen: set[int]) -> Iterator[Layer]:
    """The layers within a layer. What only holds others (chain, residual ...) is left out: its name repeats theirs."""
    if model.id in seen:
        return
    seen.add(model.id)
    params = [
        (name, model.get_param(name).shape) for name in model.param_names if model.has_param(name)
    ]
    inner = [
        *model.layers,
        *(ref for name in model.ref_names if (ref := model.maybe_get_ref(name)) is not None),
    ]  # a parser's are refs
    if params or model.shims or not inner:
        shapes = ", ".join(f"{name} {_shape(shape)}" for name, shape in params)
        yield Layer(depth, model.name, shapes, sum(int(np.prod(shape)) for _, shape in params))
    for shim in model.shims:
        yield from _of_shim(shim, depth + 1)
    for layer in inner:
        yield from _walk(layer, depth, seen)


def _of_shim(shim: Any, depth: int) -> Iterator[Layer]:
    """The layers of another library's network inside a Thinc model."""
    inner: Any = getattr(shim, "_model", None)
    if hasattr(inner, "named_parameters"):  # PyTorch
        for name, value in inner.named_parameters():
            yield Layer(depth, name, _shape(value.shape), int(np.prod(value.shape)))
    elif hasattr(inner, "count_params"):
        yield from of_keras(inner, depth)


def of_keras(model: Any, depth: int = 0) -> Iterator[Layer]:
    """The layers of a Keras model, those of nested models below them."""
    for layer in model.layers:
        try:
            outputs = layer.output if isinstance(layer.output, (list, tuple)) else [layer.output]
            shape = ", ".join(_shape(output.shape) for output in outputs)
        except (AttributeError, ValueError):  # a layer that was never called
            shape = "?"
        inner = list(of_keras(layer, depth + 1)) if hasattr(layer, "layers") else []
        yield Layer(
            depth,
            f"{layer.name} ({type(layer).__name__})",
            shape,
            0 if inner else layer.count_params(),
        )
        yield from inner


def _shape(shape: Any) -> str:
    return "(" + ", ".join("any" if size is None else f"{size:,}" for size in shape) + ")"


def total(layers: list[Layer]) -> int:
    """All parameters. The line of a component is the sum of its layers."""
    return sum(layer.parameters for layer in layers if not layer.component)


def to_table(layers: list[Layer], title: str) -> Table:
    """Layers, indented by depth, and the sum of their parameters."""
    table = Table("layer", "shapes", title=title, title_justify="left", show_footer=True)
    table.add_column("parameters", justify="right", footer=f"{total(layers):,}")
    for layer in layers:
        table.add_row(
            "  " * layer.depth + layer.name,
            layer.shapes,
            f"{layer.parameters:,}" if layer.parameters else "",
        )
    return table
