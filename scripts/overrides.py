"""Refuse what weasel takes without a word in `--vars.NAME VALUE`: misspelt names, odd characters.

weasel does not tell a command which overrides it was given, so they are read where weasel reads
them: from its command line (the parent process) and from WEASEL_CONFIG_OVERRIDES.

A double quote or a dollar sign in a value breaks weasel's own reading of project.yml, before any
command runs. For those project.yml holds a guard for each section of vars: a list that stays valid
JSON unless one of the vars in it has such a character. If one has, weasel stops with the name of
the guard, which is the error message.
"""

import difflib
import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PROJECT = Path("project.yml")
ENV_VAR = "WEASEL_CONFIG_OVERRIDES"
GUARD = " cannot hold a double quote or a dollar sign"
SECTION_REFERENCE = "__SECTION__:"  # confection refuses it inside a string, but not inside a list
OPTIONS = "options"  # the section of vars that holds options of several commands


def check_overrides() -> None:
    """Check the overrides that weasel was given, if this process was started by weasel.

    Raises:
        ValueError: as `check_names` and `check_values` do.
    """
    overrides = parse_overrides(given_arguments())
    if overrides and PROJECT.is_file():
        import srsly

        check_names(overrides, srsly.read_yaml(PROJECT))
        check_values(overrides)


def given_arguments() -> list[str]:
    """The arguments with which weasel was started, if it started this process; else none."""
    parent = parent_arguments()
    from_env = shlex.split(os.environ.get(ENV_VAR, ""))
    is_weasel = any(word.endswith("weasel") or word == "project" for word in parent[:4])
    return [*parent, *from_env] if is_weasel else []


def parent_arguments() -> list[str]:
    """The command line of the parent process; nothing where it cannot be read."""
    import psutil

    try:
        parent = psutil.Process().parent()
        return parent.cmdline() if parent else []
    except psutil.Error:
        return []


def parse_overrides(arguments: Iterable[str]) -> dict[str, str]:
    """The overrides in command-line arguments: {"vars.workflow": "x"}."""
    overrides: dict[str, str] = {}
    name = ""
    for argument in arguments:
        if argument.startswith("--"):
            name, _, value = argument[2:].partition("=")
            overrides[name] = value
        elif name:
            overrides[name] = argument
            name = ""
    return {name: value for name, value in overrides.items() if name.startswith("vars.")}


def var_names(variables: Mapping[str, Any], prefix: str = "vars") -> list[str]:
    """The names of all vars that a user may set, such as "vars.workflow"."""
    names = []
    for key, value in variables.items():
        name = f"{prefix}.{key}"
        if not isinstance(value, dict):
            names.append(name)
        elif key != OPTIONS:
            names += var_names(value, name)
    return names


def check_names(names: Iterable[str], project: Mapping[str, Any]) -> None:
    """Refuse names that project.yml does not have.

    Args:
        names: of overridden vars.
        project: the content of project.yml: "vars", and "renamed_vars" (old name: new name).

    Raises:
        ValueError: "no var called ...: did you mean ...?", "... is now called ...".
    """
    known = var_names(project["vars"])
    renamed = project.get("renamed_vars", {})
    for name in names:
        if name in renamed:
            raise ValueError(f"{name} is now called {renamed[name]}: use --{renamed[name]}")
        if name not in known:
            raise ValueError(f"no var called {name}: {_nearest(name, known)}")


def _nearest(name: str, known: list[str]) -> str:
    """What to say of a name that is not known: the most similar one, first of its own section."""
    section, _, last = name.rpartition(".")
    siblings = [other for other in known if other.rpartition(".")[0] == section]
    for candidates in (siblings, known):
        by_last = {other.rpartition(".")[2]: other for other in reversed(candidates)}
        if similar := difflib.get_close_matches(last, by_last, n=1):
            return f"did you mean {by_last[similar[0]]}?"
    return f"{section} has {', '.join(siblings)}" if siblings else "see the vars in project.yml"


def check_values(overrides: Mapping[str, str]) -> None:
    """Refuse values that weasel would change on their way to a command.

    Raises:
        ValueError: "... holds a backslash ...".
    """
    for name, value in overrides.items():
        if "\\" in value:
            raise ValueError(f"{name} holds a backslash, which weasel would drop: write / instead")


def guards(variables: Mapping[str, Any]) -> dict[str, str]:
    """The guards of project.yml: their names and what they hold, for each section with strings."""
    sections = {"vars": variables}
    sections |= {f"vars.{key}": value for key, value in variables.items() if key != OPTIONS}
    held = {}
    for section, values in sections.items():
        if isinstance(values, Mapping):
            names = [f"{section}.{key}" for key, value in values.items() if isinstance(value, str)]
            references = " ".join(f"${{{name}}}" for name in names)
            held[section + GUARD] = f"{SECTION_REFERENCE} {references}"
    return held
