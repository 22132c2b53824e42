"""What a fork keeps of project.yml: the workflows asked for, and all that these need."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

ALL = "all"  # the workflow that runs by default
REFERENCE = re.compile(r"\$\{(vars\.[\w.]+)\}")
MADE_BY = re.compile(r"\b(?:training|corpus)/(\w+)")  # the folder that a workflow fills


@dataclass(frozen=True)
class Selection:
    """The kept parts of a project, and the names of those that are dropped.

    A noun is the first part of a workflow's name: that of its folders, its page and its tests.
    """

    requested: list[str]
    workflows: list[str]  # those that others need come first
    commands: list[str]
    variables: set[str]  # their whole names
    nouns: list[str]
    extras: list[str]
    dropped_workflows: list[str]
    dropped_commands: list[str]
    dropped_nouns: list[str]
    dropped_extras: list[str]
    dropped_variables: list[str]
    dropped_packages: list[str]  # names of the packages that dropped workflows make


def noun_of(name: str) -> str:
    """The noun of a workflow, a command or a folder: what stands before the first hyphen."""
    return name.split("-")[0]


def workflow_names(project: Mapping[str, Any]) -> list[str]:
    """The workflows of a project without `all`, which is another name for some of them."""
    return [name for name in project["workflows"] if name != ALL]


def select(project: Mapping[str, Any], requested: Sequence[str]) -> Selection:
    """Choose what a fork with some workflows keeps.

    Args:
        project: the content of project.yml.
        requested: names of workflows.

    Raises:
        ValueError: "no workflow called ...", with the names of those there are.
    """
    known = workflow_names(project)
    for name in requested:
        if name not in known:
            raise ValueError(f"no workflow called {name!r}: there are {', '.join(known)}")
    workflows: list[str] = []
    for name in requested:
        _add_with_needed(name, project, workflows)
    nouns = list(dict.fromkeys(noun_of(name) for name in workflows))
    kept_packages = package_names(project, nouns)
    all_nouns = dict.fromkeys(noun_of(name) for name in known)
    commands = _kept_commands(project, workflows, nouns, set(all_nouns))
    variables = used_variables(project, commands)
    extras = _extras(project, [*workflows, *variables])
    return Selection(
        requested=list(requested),
        workflows=workflows,
        commands=commands,
        variables=variables,
        nouns=nouns,
        extras=extras,
        dropped_workflows=[name for name in known if name not in workflows],
        dropped_commands=[
            command["name"] for command in project["commands"] if command["name"] not in commands
        ],
        dropped_nouns=[noun for noun in all_nouns if noun not in nouns],
        dropped_extras=[
            name for name in _extras(project, project.get("extras", {})) if name not in extras
        ],
        dropped_variables=sorted(set(all_values(project["vars"])) - variables),
        dropped_packages=[
            name for name in package_names(project, all_nouns) if name not in kept_packages
        ],
    )


def _add_with_needed(name: str, project: Mapping[str, Any], workflows: list[str]) -> None:
    """Add a workflow to the list, after those that it needs."""
    for needed in needed_workflows(name, project):
        if needed not in workflows:
            _add_with_needed(needed, project, workflows)
    if name not in workflows:
        workflows.append(name)


def needed_workflows(name: str, project: Mapping[str, Any]) -> list[str]:
    """The workflows that another needs: it runs a command of theirs, or reads what they make.

    A variant (a name with a hyphen) needs the workflow that its page explains first.
    """
    steps = project["workflows"][name]
    values = all_values(project["vars"])
    nouns = [noun_of(step) for step in [name, *steps]]
    for variable in sorted(used_variables(project, steps)):
        nouns += MADE_BY.findall(str(values[variable]))
    known = workflow_names(project)
    return [noun for noun in dict.fromkeys(nouns) if noun in known and noun != name]


def used_variables(project: Mapping[str, Any], commands: Iterable[str]) -> set[str]:
    """The vars that commands use, directly or through other vars."""
    values = all_values(project["vars"])
    wanted = set(commands)
    texts = [str(command) for command in project["commands"] if command["name"] in wanted]
    used: set[str] = set()
    while texts:
        new = set(REFERENCE.findall(texts.pop())) - used
        used |= new
        texts += [str(values[name]) for name in new]
    return used


def package_names(project: Mapping[str, Any], nouns: Iterable[str]) -> list[str]:
    """The names of the packages that workflows make: vars.NOUN.name."""
    sections = [project["vars"].get(noun, {}) for noun in nouns]
    return [section["name"] for section in sections if "name" in section]


def all_values(variables: Mapping[str, Any], prefix: str = "vars") -> dict[str, Any]:
    """The values of all vars by their whole names."""
    values: dict[str, Any] = {}
    for key, value in variables.items():
        name = f"{prefix}.{key}"
        values |= all_values(value, name) if isinstance(value, Mapping) else {name: value}
    return values


def _kept_commands(
    project: Mapping[str, Any], workflows: Sequence[str], nouns: Sequence[str], all_nouns: set[str]
) -> list[str]:
    """The commands of the kept workflows, and those of no workflow that fit to them."""
    in_any = set(chain.from_iterable(project["workflows"].values()))
    kept = set(chain.from_iterable(project["workflows"][name] for name in workflows))
    names = [command["name"] for command in project["commands"]]
    for name in names:
        if name not in in_any and (noun_of(name) in nouns or noun_of(name) not in all_nouns):
            kept.add(name)
    return [name for name in names if name in kept]


def _extras(project: Mapping[str, Any], users: Iterable[str]) -> list[str]:
    """The extra requirements files that workflows and vars need, by name, each once."""
    extras: dict[str, None] = {}
    for name in users:
        extras |= dict.fromkeys(project.get("extras", {}).get(name, []))
    return list(extras)
