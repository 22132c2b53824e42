"""Write the generated parts of project.yml: deps that follow from imports, and guards of vars.

weasel reruns a command when one of its deps changed. For `python -m scripts.NOUN STEP` these are
the module with the steps, what the step imports, directly or not, and the page templates of those
modules. Configs and --code files are deps because the command names them.
"""

import ast
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.files import one_line_errors, write_text
from scripts.overrides import GUARD, guards
from scripts.project_file import WIDTH, dump_yaml, flow_list, load_yaml

ROOT = Path(__file__).parent.parent
GUARDS_COMMENT = "# written by python -m scripts.deps: see scripts/overrides.py"
UNRELATED = "scripts/overrides.py"  # every command imports it, and none gives other results for it
TEMPLATE = re.compile(r"[\w.-]+\.jinja")


def command_sources(script: Iterable[str], root: Path = ROOT) -> list[str]:
    """The source files that the lines of a command's script depend on, sorted, as posix paths."""
    sources: set[Path] = set()
    for line in script:
        words = line.replace(",", " ").split()
        named = [root / word for word in words if word.startswith(("scripts/", "configs/"))]
        for path in filter(Path.is_file, named):
            sources |= imported_files(path, root) if path.suffix == ".py" else {path}
        if words[:2] == ["python", "-m"] and words[2].startswith("scripts"):
            sources |= step_files(words[2], words[3] if len(words) > 3 else "", root)
    names = {path.relative_to(root).as_posix() for path in sources}
    return sorted(names - {UNRELATED})


def step_files(module: str, step: str, root: Path = ROOT) -> set[Path]:
    """The files that a step of a module depends on: imports inside other steps do not count."""
    folder = root / module.replace(".", "/")
    main = folder / "__main__.py" if folder.is_dir() else folder.with_suffix(".py")
    tree = ast.parse(main.read_text("utf8"))
    used = _reachable(tree, step)
    files = {main}
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or node.name in used:
            for path in _imports(node, root):
                files |= imported_files(path, root)
    return files | _templates([main], root)


def _reachable(tree: ast.Module, step: str) -> set[str]:
    """The names of a module's functions that a step uses; of all where there is no such step."""
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    steps = {_step_name(node): name for name, node in functions.items() if node.decorator_list}
    if step not in steps:
        return set(functions)
    used: set[str] = set()
    waiting = [steps[step]]
    while waiting:
        name = waiting.pop()
        used.add(name)
        names = {node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)}
        waiting += sorted(names & functions.keys() - used)
    return used


def _step_name(function: ast.FunctionDef) -> str:
    """The name of a typer command: that of its decorator, or that of the function."""
    for call in function.decorator_list:
        if isinstance(call, ast.Call):
            arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
            names = [part.value for part in arguments if isinstance(part, ast.Constant)]
            if names and isinstance(names[0], str):
                return names[0]
    return function.name.replace("_", "-")


def imported_files(file: Path, root: Path = ROOT) -> set[Path]:
    """A file, the files of scripts/ that it imports, directly or not, and their page templates."""
    files: set[Path] = set()
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path not in files:
            files.add(path)
            waiting += _imports(ast.parse(path.read_text("utf8")), root)
    return files | _templates(files, root)


def _imports(tree: ast.AST, root: Path) -> Iterator[Path]:
    """The files of scripts/ that are imported anywhere in a piece of code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("scripts"):
            module = str(node.module)
            for name in [module, *(f"{module}.{alias.name}" for alias in node.names)]:
                path = root / (name.replace(".", "/") + ".py")
                if path.is_file():
                    yield path


def _templates(sources: Iterable[Path], root: Path) -> set[Path]:
    """The page templates that files name, and those that these extend: in their folder or above."""
    templates: set[Path] = set()
    waiting = [file for file in sources if file.suffix == ".py"]
    while waiting:
        file = waiting.pop()
        for name in TEMPLATE.findall(file.read_text("utf8")):
            for path in (file.parent / name, root / "scripts" / name):
                if path.is_file() and path not in templates and path != file:
                    templates.add(path)
                    waiting.append(path)
    return templates


def _data_deps(deps: Iterable[str]) -> tuple[list[str], list[str]]:
    """(vars, paths) among deps, without the sources."""
    data = [dep for dep in deps if not dep.startswith(("scripts/", "configs/"))]
    variables = [dep for dep in data if dep.startswith("${")]
    return variables, [dep for dep in data if dep not in variables]


def _missing_separators(deps: Iterable[str]) -> int:
    """How many sources it takes to separate the vars among deps."""
    variables, paths = _data_deps(deps)
    return max(0, len(variables) - 1 - len(paths))


def with_sources(deps: Iterable[str], sources: list[str]) -> list[str]:
    """Deps with these sources in place of those that they have.

    Something stands between two vars: weasel's config system reads two neighbours in a list that
    are both a bare variable as one entry.
    """
    variables, paths = _data_deps(deps)
    paths += sources
    merged = []
    for number, variable in enumerate(variables):
        merged += [variable, *paths[number : number + 1]]
    return merged + paths[len(variables) :]


def stale_commands(project: dict[str, Any], root: Path = ROOT) -> dict[str, list[str]]:
    """The deps that commands should have, by command, for those that have others.

    A command that is never skipped needs no sources among its deps, but to separate two vars.
    """
    stale = {}
    for command in project["commands"]:
        sources = command_sources(command["script"], root)
        if command.get("no_skip"):
            sources = sources[: _missing_separators(command.get("deps", []))]
        deps = with_sources(command.get("deps", []), sources)
        if deps != list(command.get("deps", [])):
            stale[command["name"]] = deps
    return stale


def write_sources(project: Any, root: Path = ROOT) -> None:
    """Put the sources of each command among its deps."""
    stale = stale_commands(project, root)
    for command in project["commands"]:
        if names := stale.get(command["name"]):
            command["deps"] = flow_list(names)
        elif command["name"] in stale:
            del command["deps"]


def with_guards(text: str, variables: Mapping[str, Any]) -> str:
    """The text of project.yml with the guards of its vars (see scripts/overrides.py)."""
    text = re.sub(rf"(?m)^(?:{re.escape(GUARDS_COMMENT)}|.*{GUARD}: .*)\n(?: +.*\n)*", "", text)
    lines = [GUARDS_COMMENT]
    for name, content in guards(variables).items():
        line = f"{name}: [{{refers to: '{content}'}}]"
        lines += textwrap.wrap(line, WIDTH, subsequent_indent=" " * 8, break_on_hyphens=False)
    block = "\n".join(lines)
    text = text.replace("\ndirectories:", f"\n\n{block}\n\ndirectories:", 1)
    return re.sub(r"\n{3,}", "\n\n", text)


def generated(path: Path, root: Path = ROOT) -> str:
    """The text of a project.yml with its generated parts as they should be."""
    project = load_yaml(path)
    write_sources(project, root)
    return with_guards(dump_yaml(project), project["vars"])


@one_line_errors
def main(
    check: Annotated[bool, typer.Option(help="only say whether project.yml is up to date")] = False,
) -> None:
    """Write the deps of commands (from imports) and the guards of vars into project.yml."""
    path = ROOT / "project.yml"
    text = generated(path)
    if text == path.read_text("utf8"):
        print("project.yml is up to date")
    elif check:
        raise ValueError("project.yml is out of date: run python -m scripts.deps")
    else:
        write_text(path, text)
        print("project.yml is changed: see git diff project.yml")


if __name__ == "__main__":
    typer.run(main)
