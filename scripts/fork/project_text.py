"""Cut project.yml down to what a fork keeps: as text, so that comments stay with their lines."""

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from scripts.fork.selection import ALL, Selection
from scripts.project_file import WIDTH, dump_yaml, flow_list, parse_yaml

Keep = Callable[[str], bool]
BANNER = re.compile(r"  # -{9,}.*\n")


def prune(text: str, selection: Selection, asset_paths: Sequence[str]) -> str:
    """The text of project.yml with the kept parts.

    Args:
        text: of the whole project.yml.
        selection: what is kept.
        asset_paths: the `dest` of each kept asset.
    """
    pruned = ""
    for key, entry in entries(text, 0):
        if key == "vars":
            entry = _prune_variables(entry, selection)
        elif key == "renamed_vars":
            entry = _prune_renamed(entry, selection)
        elif key == "extras":
            users = {*selection.workflows, *selection.variables}
            entry = _keep_entries(entry, 2, users.__contains__)
        elif key == "assets":
            entry = _keep_entries(entry, 2, lambda name: name in asset_paths)
        elif key == "workflows":
            entry = _workflows(entry, selection)
        elif key == "commands":
            entry = _prune_commands(entry, selection)
        pruned += entry
    return re.sub(r"\n{3,}", "\n\n", pruned)


def entries(text: str, indent: int) -> Iterator[tuple[str, str]]:
    """(name, lines) of each entry at an indentation, with the comments and blank lines before it.

    The name of an entry is its key, or for an item of a list its `name` or `dest`.
    """
    begins = re.compile(rf" {{{indent}}}(?:- .*?\b(?:name|dest): |(?=[\w\"']))[\"']?([^\"':,}}]+)")
    comments: list[str] = []
    lines: list[str] = []
    name = ""
    for line in text.splitlines(keepends=True):
        outside = not line.strip() or line.startswith(" " * indent + "#")
        if match := begins.match(line):
            if lines:
                yield name, "".join(lines)
            name, lines, comments = match[1].strip(), [*comments, line], []
        elif outside:
            comments.append(line)
        else:
            lines += [*comments, line]
            comments = []
    yield name, "".join([*lines, *comments])


def _head_and_body(entry: str) -> tuple[str, str]:
    """An entry up to the line of its key, and the lines below that."""
    match = re.match(r"(?:\s*(?:#.*)?\n)*.*\n", entry)
    end = match.end() if match else len(entry)
    return entry[:end], entry[end:]


def _keep_entries(entry: str, indent: int, keep: Keep) -> str:
    """An entry with some of its own entries; nothing where none is kept."""
    head, body = _head_and_body(entry)
    kept = [lines for name, lines in entries(body, indent) if keep(name)]
    return head + "".join(kept) if kept else ""


def _prune_variables(entry: str, selection: Selection) -> str:
    head, body = _head_and_body(entry)
    for name, lines in entries(body, 2):
        if f"vars.{name}" in selection.variables:
            head += lines
        else:
            head += _keep_entries(lines, 4, _is_used(name, selection))
    return head


def _is_used(section: str, selection: Selection) -> Keep:
    return lambda name: f"vars.{section}.{name}" in selection.variables


def _prune_renamed(entry: str, selection: Selection) -> str:
    """Old names of vars that are kept under their new ones."""
    head, body = _head_and_body(entry)
    lines = body.splitlines(keepends=True)
    return _if_any(head, [line for line in lines if _new_name(line) in selection.variables])


def _new_name(line: str) -> str:
    return line.rpartition(":")[2].strip().strip("\"'")


def _if_any(head: str, lines: Sequence[str]) -> str:
    return head + "".join(lines) if lines else ""


def _workflows(entry: str, selection: Selection) -> str:
    """The kept workflows as they are, and before them `all`: what the requested ones run, once."""
    head, _ = _head_and_body(entry)
    workflows = parse_yaml(entry)["workflows"]
    steps = {name: list(map(str, workflows[name])) for name in selection.workflows}
    order = dict.fromkeys(chain.from_iterable(steps.values()))
    lines = [flow_line(ALL, list(order))]
    lines += [flow_line(name, steps[name]) for name in selection.workflows]
    return head + "".join(lines) + "\n"


def flow_line(name: str, steps: Sequence[str]) -> str:
    """A workflow as project.yml has it: `  name: [step, step]`, wrapped."""
    line = f"  {name}: [{', '.join(steps)}]"
    options: dict[str, Any] = {"break_on_hyphens": False, "subsequent_indent": " " * 8}
    return "\n".join(textwrap.wrap(line, WIDTH, **options, drop_whitespace=True)) + "\n"


def _prune_commands(entry: str, selection: Selection) -> str:
    """The kept commands, each under the banner of its group."""
    pruned, body = _head_and_body(entry)
    banner = ""
    for name, lines in entries(body, 2):
        if banners := BANNER.findall(lines):
            banner = banners[-1]
        if name in selection.commands:
            pruned += "\n" + banner + BANNER.sub("", lines).lstrip("\n")
            banner = ""
    return pruned


def without_dropped_words(text: str, dropped: re.Pattern[str]) -> str:
    """The text without comment lines that name something dropped, and without such deps."""
    lines = [line for line in text.splitlines(keepends=True) if not _is_comment_of(line, dropped)]
    project = parse_yaml("".join(lines))
    for command in project["commands"]:
        deps = [dep for dep in command.get("deps", []) if not dropped.search(dep)]
        if len(deps) < len(command.get("deps", [])):
            command["deps"] = flow_list(deps)
    return dump_yaml(project)


def _is_comment_of(line: str, dropped: re.Pattern[str]) -> bool:
    return line.lstrip().startswith("#") and bool(dropped.search(line))
