"""Settings of a training: from spaCy's config, or from a .keras file (a zip whose config.json says it all, without TensorFlow)."""

import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.util import load_config, registry

from scripts.doctor.case import Family, Settings

UNITS = {"batch_by_words": "words", "batch_by_padded": "padded words", "batch_by_sequence": "texts"}
LINEAR = ("TextCatBOW", "SparseLinear")
MOST_STEPS = 1_000_000  # of a schedule


def read_config(path: Path) -> dict[str, Any]:
    """A training config with its variables filled in.

    Raises:
        ValueError: "... is no training config ...".
    """
    try:
        return dict(load_config(path, interpolate=True))
    except Exception as error:  # configparser, json and confection each raise their own
        raise ValueError(
            f"{path} is no training config: give the config.cfg of a model ({type(error).__name__})"
        ) from None


def blocks(config: Any) -> Iterator[dict[str, Any]]:
    """A block and all within it."""
    if isinstance(config, dict):
        yield config
        for value in config.values():
            yield from blocks(value)


def from_config(config: dict[str, Any]) -> Settings:
    """What of a spaCy config the doctor looks at. What a config leaves to spaCy's defaults stays unknown."""
    training, components = config.get("training", {}), config.get("components", {})
    steps = int(training.get("max_steps") or 20_000)
    optimizer, batcher = training.get("optimizer", {}), training.get("batcher", {})
    sizes, unit = (
        _over(batcher.get("size"), steps),
        UNITS.get(str(batcher.get("@batchers", "")).split(".")[-2:][0], ""),
    )
    classifiers = {
        name: block
        for name, block in components.items()
        if str(block.get("factory", "")).startswith("textcat")
    }
    name = next(iter(classifiers), "")
    block = classifiers.get(name, {})
    exclusive = [
        inner["exclusive_classes"] for inner in blocks(block) if "exclusive_classes" in inner
    ]
    size = max(sizes, default=0)
    return Settings(
        family=_family(components),
        optimizer=str(optimizer.get("@optimizers", "")),
        learn_rate=max(_over(optimizer.get("learn_rate"), steps), default=None),
        batch=(unit, min(sizes), size) if sizes and unit else None,
        max_length={
            name: inner["max_length"]
            for name, block in components.items()
            for inner in blocks(block)
            if inner.get("max_length")
        },
        reader_max_length=int(config.get("corpora", {}).get("train", {}).get("max_length") or 0),
        oversize=size * (1 + float(batcher.get("tolerance") or 0))
        if batcher.get("discard_oversize")
        else 0,
        exclusive=bool(exclusive[0])
        if exclusive
        else str(block["factory"]) == "textcat"
        if block
        else None,
        component=name,
        ends={
            key: int(training.get(key) or 0)
            for key in ("max_steps", "max_epochs", "patience", "eval_frequency")
        },
    )


def _family(components: dict[str, Any]) -> Family:
    text = json.dumps(components, default=str)
    if re.search(r'"(curated_)?transformer"|TransformerModel', text):
        return "transformer"
    return "linear" if any(name in text for name in LINEAR) and "Tok2Vec" not in text else "network"


def _over(value: Any, steps: int) -> list[float]:
    """The values of a number or a schedule over the steps of a training; none where it is unknown."""
    if isinstance(value, (int, float)):
        return [float(value)]
    if not isinstance(value, dict):
        return []
    try:
        schedule = registry.resolve({"schedule": value})["schedule"]
        return [float(rate) for rate in islice(schedule, min(steps, MOST_STEPS))]
    except (
        Exception
    ):  # a schedule of somebody else's, or one with wrong settings, which spaCy itself names
        return []


def from_keras(path: Path) -> Settings:
    """What a .keras file says of its training: optimizer, learning rate, last activation, loss.

    Raises:
        ValueError: "... is no .keras file ...".
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _of_keras(json.loads(archive.read("config.json")))
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        KeyError,
        AttributeError,
        TypeError,
        ValueError,
    ):
        raise ValueError(
            f"{path} is no .keras file, or a damaged one: save it again by model.save"
        ) from None


def _of_keras(config: dict[str, Any]) -> Settings:
    compiled = config.get("compile_config") or {}
    optimizer = compiled.get("optimizer") or {}
    optimizer = optimizer if isinstance(optimizer, dict) else {"class_name": optimizer}
    layers = (
        []
        if _n_outputs(config["config"]) > 1
        else [layer["config"] for layer in config["config"].get("layers") or []]
    )
    last: dict[str, Any] = next((layer for layer in reversed(layers) if "activation" in layer), {})
    units = next((layer["units"] for layer in reversed(layers) if "units" in layer), 0)
    exclusive = {"softmax": True, "sigmoid": False}.get(_name(last.get("activation")))
    return Settings(
        family="keras",
        optimizer=str(optimizer.get("class_name", "")),
        learn_rate=_keras_rate(optimizer.get("config", {}).get("learning_rate")),
        exclusive=exclusive,
        component=str(last.get("name", "")),
        output=(_name(last.get("activation")), _loss(compiled.get("loss")), int(units)),
    )


def _n_outputs(model: dict[str, Any]) -> int:
    """How many outputs a Keras model has: ["name", 0, 0] for one, a list or dict of such for several."""
    outputs = model.get("output_layers") or []
    return (
        len(outputs)
        if isinstance(outputs, dict) or (outputs and isinstance(outputs[0], list))
        else 1
    )


def _loss(value: Any) -> str:
    """The name of a loss in snake case, "... from_logits" where it takes scores before the activation; "" for one of several outputs."""
    if isinstance(value, dict) and "class_name" in value:
        inner = value.get("config")
        name = (
            re.sub(r"(?<!^)(?=[A-Z])", "_", value["class_name"]).lower()
            if isinstance(inner, dict)
            else str(inner)
        )
        return (
            f"{name} from_logits" if isinstance(inner, dict) and inner.get("from_logits") else name
        )
    return value if isinstance(value, str) else ""


def _name(value: Any) -> str:
    """The name of an activation, which Keras stores as a string or as an object."""
    if isinstance(value, dict):
        inner = value.get("config")
        value = (
            inner.get("name")
            if isinstance(inner, dict) and "name" in inner
            else inner
            if isinstance(inner, str)
            else value.get("class_name")
        )
    return str(value or "")


def _keras_rate(value: Any) -> float | None:
    """A learning rate, or that of a schedule: what it warms up to, or its first."""
    if isinstance(value, dict):
        inner = value.get("config", {})
        value = inner.get("warmup_target") or inner.get("initial_learning_rate")
    return float(value) if isinstance(value, (int, float)) else None
