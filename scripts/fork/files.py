"""Copy the files of a project that a fork keeps."""

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from scripts.deps import imported_files
from scripts.fork.markdown import filter_page
from scripts.fork.python_text import filter_tests
from scripts.fork.selection import Selection, all_values
from scripts.fork.words import dropped_words, replace_all

TOP = ("LICENSE", "Makefile", "constraints.txt", "pyproject.toml", ".gitignore")
TEXT_SUFFIXES = (".py", ".md", ".yml", ".cfg", ".toml", ".txt", ".jinja", "")
TOOLS = ("assets", "check", "deps", "fork", "package", "report")  # commands that no workflow owns
IMAGE = re.compile(r"\]\(((?:docs/)?img/[^)\s]+)\)")


@dataclass(frozen=True)
class Plan:
    """The files of a fork by their paths in the project, and how their text changes."""

    root: Path
    selection: Selection
    dropped: re.Pattern[str]
    relocated: dict[str, str]  # assets of dropped nouns that kept vars name, and where they go
    renamed: dict[str, str]  # strings that change in every text
    users: dict[str, list[str]]  # the kept workflows that need an extra requirements file, by extra


def asset_paths(project: Any, selection: Selection) -> dict[str, str]:
    """The assets that a fork keeps, with where each goes: to the noun that uses it.

    An asset is kept if it lies in the folder of a kept noun, or if a kept var names it.
    """
    used: dict[str, str] = {}
    for name in sorted(selection.variables):
        parts = name.split(".")
        if len(parts) == 3:
            for path in str(project["vars"][parts[1]][parts[2]]).split(","):
                used.setdefault(path, parts[1])
    paths = {}
    for asset in project["assets"]:
        dest = PurePosixPath(asset["dest"])
        folder = dest.parts[1] if len(dest.parts) > 2 else ""
        if not folder or folder in selection.nouns:
            paths[asset["dest"]] = asset["dest"]
        elif asset["dest"] in used:
            paths[asset["dest"]] = f"assets/{used[asset['dest']]}/{dest.name}"
    return paths


def named_files(plan: Plan, project: Any, commands: Iterable[Any], folder: str) -> list[Path]:
    """The files of a folder that the scripts of commands or the values of kept vars name."""
    lines = " ".join(chain.from_iterable(command["script"] for command in commands))
    words = lines.replace(",", " ").split()
    values = all_values(project["vars"])
    words += [str(values[name]) for name in sorted(plan.selection.variables)]
    return [plan.root / word for word in words if word.startswith(folder)]


def source_files(plan: Plan, project: Any, commands: Iterable[Any]) -> set[Path]:
    """The files of scripts/ that a fork needs: of its nouns and tools, and what these import."""
    scripts = plan.root / "scripts"
    kept: set[Path] = set()
    for noun in (*plan.selection.nouns, *TOOLS):
        folder = scripts / noun
        kept |= set(folder.rglob("*.py")) if folder.is_dir() else {folder.with_suffix(".py")}
    kept |= set(named_files(plan, project, commands, "scripts/"))
    kept = {path for path in kept if path.is_file()}
    for path in [*sorted(kept), *kept_benchmarks(plan)]:
        kept |= {file for file in imported_files(path, plan.root) if file.is_relative_to(scripts)}
    return kept | {path.parent / "__init__.py" for path in kept}


def test_files(plan: Plan, sources: set[Path]) -> Iterator[tuple[Path, str]]:
    """(path, text) of the tests that a fork keeps: they name nothing that is dropped.

    A file goes if its name has a dropped noun, or if it imports what is not there.
    """
    scripts = plan.root / "scripts"
    for path in sorted((plan.root / "tests").glob("*.py")):
        nouns = set(path.stem.split("_")) & set(plan.selection.dropped_nouns)
        needed = {file for file in imported_files(path, plan.root) if file.is_relative_to(scripts)}
        if nouns or not needed <= sources:
            continue
        if text := filter_tests(path.read_text("utf8"), plan.dropped):
            yield path, text


def documentation(plan: Plan) -> Iterator[tuple[Path, str]]:
    """(path, text) of the pages of the kept nouns and tools, filtered."""
    for path in sorted((plan.root / "docs").glob("*.md")):
        if path.stem not in plan.selection.dropped_nouns:
            yield path, filter_page(path.read_text("utf8"), plan.dropped)


def copy(plan: Plan, path: Path, folder: Path) -> None:
    """Copy a file into the fork, its text with the fork's names."""
    relative = path.relative_to(plan.root).as_posix()
    destination = folder / plan.relocated.get(relative, relative)
    if path.suffix in TEXT_SUFFIXES and not relative.startswith("assets/"):
        put(destination, changed(plan, path.read_text("utf8")))
        shutil.copymode(path, destination)
    else:
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, destination)


def put(path: Path, text: str) -> None:
    """Write a text file of the fork, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf8")


def changed(plan: Plan, text: str) -> str:
    """A text with the fork's names and paths."""
    moved = {old: new for old, new in plan.relocated.items() if old != new}
    return replace_all(text, [*moved.items(), *plan.renamed.items()])


def images(page: str) -> set[str]:
    """The pictures that a page shows, as paths from the folder of the page."""
    return set(IMAGE.findall(page))


def plan_fork(root: Path, project: Any, selection: Selection, renamed: dict[str, str]) -> Plan:
    """The plan of a fork."""
    relocated = asset_paths(project, selection)
    users: dict[str, list[str]] = {extra: [] for extra in selection.extras}
    for workflow, extras in project.get("extras", {}).items():
        for extra in extras if workflow in selection.workflows else ():
            users[extra].append(workflow)
    return Plan(root, selection, dropped_words(selection), relocated, renamed, users)


def kept_benchmarks(plan: Plan) -> list[Path]:
    """The files of benchmarks/, or none where no kept noun has one."""
    files = sorted((plan.root / "benchmarks").glob("*.py"))
    own = [path for path in files if path.stem in plan.selection.nouns]
    nouns = {*plan.selection.nouns, *plan.selection.dropped_nouns}
    shared = [path for path in files if path.stem not in nouns]
    return [*shared, *own] if own else []


def requirements(plan: Plan, path: Path) -> str:
    """A requirements file of the fork: without files that are dropped, and with its own users."""
    lines = []
    for line in path.read_text("utf8").splitlines(keepends=True):
        if line.startswith("# For workflows: "):
            extra = path.stem.partition("-")[2]
            line = f"# For workflows: {', '.join(plan.users[extra])}\n"
        if not plan.dropped.search(line):
            lines.append(line)
    return "".join(lines)
