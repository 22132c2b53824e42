"""The settings of a training: the sections [model] and [training] of a config."""

import configparser
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Section = TypeVar("Section", bound=BaseModel)


class Shape(BaseModel):
    """[model] of a config."""

    model_config = ConfigDict(extra="forbid")
    cell: Literal["gru", "lstm"]
    layers: int = Field(ge=1, le=16)
    width: int = Field(ge=1, le=16_384)
    embedding: int = Field(ge=1, le=16_384)
    dropout: float = Field(ge=0, lt=1)


class Schedule(BaseModel):
    """[training] of a config."""

    model_config = ConfigDict(extra="forbid")
    batch: int = Field(ge=1, le=65_536)
    chunk: int = Field(ge=2, le=65_536)
    learn_rate: float = Field(gt=0, le=1000)
    warmup: int = Field(ge=0, le=10**9)
    max_steps: int = Field(ge=1, le=10**9)
    eval_frequency: int = Field(ge=1)
    patience: int = Field(ge=0)
    clip: float = Field(gt=0, le=1e9)


def parse_overrides(args: list[str]) -> dict[str, Any]:
    """Settings given on the command line, as {"training.max_steps": 100}.

    Raises:
        ValueError: "can't read ...".
    """
    from click import ClickException
    from spacy.cli._util import parse_config_overrides

    try:
        with redirect_stdout(StringIO()):
            return parse_config_overrides(args)
    except (ClickException, SystemExit):
        raise ValueError(
            f"can't read {' '.join(args)}: "
            "override settings as in --training.max_steps 100 --model.width 256"
        ) from None


def read_settings(path: Path, overrides: Mapping[str, Any]) -> tuple[Shape, Schedule]:
    """The sections [model] and [training] of a config in spaCy's format.

    Raises:
        ValueError: "... training.batch: ...", naming the setting that is wrong.
    """
    from spacy.util import load_config

    try:
        config = load_config(path, dict(overrides), interpolate=True)
    except configparser.Error as error:
        raise ValueError(f"{path} is not a config: {error}") from None
    shape = _parse_section(path, config, "model", Shape)
    return shape, _parse_section(path, config, "training", Schedule)


def _parse_section(
    path: Path, config: Mapping[str, Any], name: str, section: type[Section]
) -> Section:
    try:
        return section.model_validate(config.get(name, {}))
    except ValidationError as error:
        problems = [
            f"{_setting(name, problem['loc'])}: {problem['msg'].lower()}"
            for problem in error.errors()
        ]
        raise ValueError(f"{path}: {'; '.join(problems)}") from None


def _setting(section: str, keys: Sequence[int | str]) -> str:
    return ".".join([section, *map(str, keys)])
