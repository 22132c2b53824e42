"""The settings of a training, from spaCy's config."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.util import load_config, registry

from scripts.doctor.training_run import Family, Settings

UNITS = {"batch_by_words": "words", "batch_by_padded": "padded words", "batch_by_sequence": "texts"}
LINEAR = ("TextCatBOW", "SparseLinear")
MAX_STEPS = 1_000_000  # of a schedule
DEFAULT_STEPS = 20_000  # spaCy's max_steps
LIMITS = ("max_steps", "max_epochs", "patience", "eval_frequency")


def read_settings(path: Path) -> Settings:
    """The settings in a training config.

    Raises:
        ValueError: "... is not a training config ...".
    """
    try:
        return from_config(read_config(path))
    except (AttributeError, TypeError, OverflowError) as error:
        reason = f"a section or setting has the wrong type ({error})"
        raise ValueError(f"{path} is not a training config: {reason}") from None


def read_config(path: Path) -> dict[str, Any]:
    """A training config with its variables filled in.

    Raises:
        ValueError: "... is not a training config ...".
    """
    try:
        return dict(load_config(path, interpolate=True))
    # configparser, json and confection each raise their own exceptions
    except Exception as error:
        remedy = f"give the config.cfg of a model ({type(error).__name__})"
        raise ValueError(f"{path} is not a training config: {remedy}") from None


def blocks(config: Any) -> Iterator[dict[str, Any]]:
    """A block of a config and all blocks within it."""
    if isinstance(config, dict):
        yield config
        for value in config.values():
            yield from blocks(value)


def from_config(config: dict[str, Any]) -> Settings:
    """The settings in the content of a config. What it leaves to spaCy's defaults stays unknown."""
    training, components = config.get("training", {}), config.get("components", {})
    optimizer, batcher = training.get("optimizer", {}), training.get("batcher", {})
    n_steps = int(training.get("max_steps") or DEFAULT_STEPS)
    sizes, unit = _values(batcher.get("size"), n_steps), _batch_unit(batcher)
    largest = max(sizes, default=0)
    oversize = largest * (1 + float(batcher.get("tolerance") or 0))
    name, exclusive = _classifier(components)
    reader = config.get("corpora", {}).get("train", {})
    return Settings(
        family=_family(components),
        optimizer=str(optimizer.get("@optimizers", "")),
        learn_rate=max(_values(optimizer.get("learn_rate"), n_steps), default=None),
        batch=(unit, min(sizes), largest) if sizes and unit else None,
        max_length=_max_lengths(components),
        reader_max_length=int(reader.get("max_length") or 0),
        oversize=oversize if batcher.get("discard_oversize") else 0,
        exclusive=exclusive,
        component=name,
        limits={key: int(training.get(key) or 0) for key in LIMITS},
    )


def _batch_unit(batcher: dict[str, Any]) -> str:
    """What a batcher counts, by its registered name ("spacy.batch_by_words.v1"); "" if unknown."""
    parts = str(batcher.get("@batchers", "")).split(".")
    return next((UNITS[part] for part in parts if part in UNITS), "")


def _classifier(components: dict[str, Any]) -> tuple[str, bool | None]:
    """(the first component that labels texts or "", whether its labels exclude each other)."""
    for name, block in components.items():
        factory = str(block.get("factory", ""))
        if factory.startswith("textcat"):
            stated = [
                inner["exclusive_classes"]
                for inner in blocks(block)
                if "exclusive_classes" in inner
            ]
            return name, bool(stated[0]) if stated else factory == "textcat"
    return "", None


def _max_lengths(components: dict[str, Any]) -> dict[str, int]:
    """How many tokens of a text a component reads, for those that have a limit."""
    lengths = {}
    for name, component in components.items():
        for block in blocks(component):
            if block.get("max_length"):
                lengths[name] = block["max_length"]
    return lengths


def _family(components: dict[str, Any]) -> Family:
    text = json.dumps(components, default=str)
    if re.search(r'"(curated_)?transformer"|TransformerModel', text):
        return "transformer"
    return "linear" if any(name in text for name in LINEAR) and "Tok2Vec" not in text else "network"


def _values(value: Any, n_steps: int) -> list[float]:
    """The values of a number or a schedule over the steps of a training; none if unknown."""
    if isinstance(value, (int, float)):
        return [float(value)]
    if not isinstance(value, dict):
        return []
    try:
        schedule = registry.resolve({"schedule": value})["schedule"]
        return [float(step_value) for step_value in islice(schedule, min(n_steps, MAX_STEPS))]
    # a schedule that is registered elsewhere, or wrong settings, which spaCy itself reports
    except Exception:
        return []
