"""The settings of a training, from a .keras file: its config.json is read without TensorFlow."""

import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

from scripts.doctor.training_run import Settings

DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError),
    *(KeyError, AttributeError, TypeError, ValueError),
)


def read_keras_settings(path: Path) -> Settings:
    """Optimizer, learning rate, last activation and loss of a .keras file.

    Raises:
        ValueError: "... is not a .keras file ...".
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _from_json(json.loads(archive.read("config.json")))
    except DAMAGE:
        remedy = "save it again by model.save"
        raise ValueError(f"{path} is not a .keras file, or a damaged one: {remedy}") from None


def _from_json(config: dict[str, Any]) -> Settings:
    compiled = config.get("compile_config") or {}
    optimizer = compiled.get("optimizer") or {}
    optimizer = optimizer if isinstance(optimizer, dict) else {"class_name": optimizer}
    layers = _layer_configs(config["config"])
    last = next((layer for layer in layers if "activation" in layer), {})
    activation = _activation(last.get("activation"))
    units = next((layer["units"] for layer in layers if "units" in layer), 0)
    return Settings(
        family="keras",
        optimizer=str(optimizer.get("class_name", "")),
        learn_rate=_learn_rate(optimizer.get("config", {}).get("learning_rate")),
        exclusive={"softmax": True, "sigmoid": False}.get(activation),
        component=str(last.get("name", "")),
        output=(activation, _loss(compiled.get("loss")), int(units)),
    )


def _layer_configs(model: dict[str, Any]) -> list[dict[str, Any]]:
    """The configs of the layers, last first; none if the model has several outputs."""
    if _n_outputs(model) > 1:
        return []
    return [layer["config"] for layer in reversed(model.get("layers") or [])]


def _n_outputs(model: dict[str, Any]) -> int:
    """The number of outputs: ["name", 0, 0] is one, a list or dict of such lists are several."""
    outputs = model.get("output_layers") or []
    is_several = isinstance(outputs, dict) or (outputs and isinstance(outputs[0], list))
    return len(outputs) if is_several else 1


def _loss(value: Any) -> str:
    """The name of a loss in snake case; "" for the losses of several outputs.

    "NAME from_logits" if it is computed from the values before the activation.
    """
    if not isinstance(value, dict) or "class_name" not in value:
        return value if isinstance(value, str) else ""
    inner = value.get("config")
    if not isinstance(inner, dict):
        return str(inner)
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", value["class_name"]).lower()
    return f"{name} from_logits" if inner.get("from_logits") else name


def _activation(value: Any) -> str:
    """The name of an activation, which Keras stores as a string or as an object."""
    if isinstance(value, dict):
        inner = value.get("config")
        if isinstance(inner, dict) and "name" in inner:
            value = inner["name"]
        else:
            value = inner if isinstance(inner, str) else value.get("class_name")
    return str(value or "")


def _learn_rate(value: Any) -> float | None:
    """A learning rate; of a schedule, the rate that it warms up to, or its first."""
    if isinstance(value, dict):
        inner = value.get("config", {})
        value = inner.get("warmup_target") or inner.get("initial_learning_rate")
    return float(value) if isinstance(value, (int, float)) else None
