"""Find the workflow that a training belongs to, so that advice can name its vars."""

from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2] / "project.yml"


@cache
def read_project() -> dict[str, Any]:
    """The content of project.yml."""
    import srsly

    project: dict[str, Any] = srsly.read_yaml(PROJECT)
    return project


def workflow_of(path: Path) -> str:
    """The workflow of project.yml that fills a folder (training/WORKFLOW ...); "" if none does."""
    workflows = read_project()["workflows"]
    parts = path.resolve().parts
    folders = [name for above, name in pairwise(parts) if above == "training"]
    return next((name for name in reversed(folders) if name in workflows), "")


def variables_of(paths: Iterable[Path]) -> dict[str, str]:
    """The vars of the workflow that one of these paths belongs to, by their last names.

    A workflow may have a var for one of its variants: {"max_steps": "vars.NOUN.trf_max_steps"} for
    a path in training/NOUN-trf or training/NOUN/trf.
    """
    for path in paths:
        noun, _, variant = workflow_of(path).partition("-")
        section = read_project()["vars"].get(noun, {})
        if section:
            variants = {variant, *path.resolve().parts}
            return _by_last_name(noun, section, variants)
    return {}


def _by_last_name(noun: str, section: dict[str, Any], variants: set[str]) -> dict[str, str]:
    names = {key: f"vars.{noun}.{key}" for key in section}
    for key in section:
        variant, _, rest = key.partition("_")
        if variant in variants and rest in section:
            names[rest] = f"vars.{noun}.{key}"
    return names
