"""Make a new project of some workflows: `python -m scripts.fork FOLDER --workflows a,b`."""

import keyword
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.files import new_folder, one_line_errors

ROOT = Path(__file__).parents[2]


@one_line_errors
def main(
    folder: Annotated[Path, typer.Argument(help="folder of the new project, which must be empty")],
    workflows: Annotated[str, typer.Option(help="workflows to keep, comma-separated")],
    name: Annotated[str, typer.Option(help="name of the new project and of its package")],
) -> None:
    """Make a new project that holds some workflows of this one, and all that these need."""
    import srsly

    from scripts.fork.selection import select

    check_name(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not empty: give a folder that is empty or does not exist")
    requested = [word.strip() for word in workflows.split(",") if word.strip()]
    if not requested:
        raise ValueError("no workflow to keep: give some by --workflows, comma-separated")
    project = srsly.read_yaml(ROOT / "project.yml")
    selection = select(project, requested)
    with new_folder(folder) as part:
        write_fork(part, project, selection, name)
    needed = [workflow for workflow in selection.workflows if workflow not in requested]
    print(f"{folder}: a project with the workflows {', '.join(selection.workflows)}")
    if needed:
        print(f"{', '.join(needed)}: kept because the others build on it")
    print(f"Next: cd {folder} && git init && make run")


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a Python package.

    Raises:
        ValueError: "... is not a package name ...".
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        rule = "lower-case letters, digits and _, with a letter first"
        raise ValueError(f"{name!r} is not a package name: use {rule}, such as acme_ner")


def new_names(project: Any, requested: list[str], kept: list[str], name: str) -> dict[str, str]:
    """New package names by old ones: NAME for the first noun that has one, NAME_NOUN for others."""
    from scripts.fork.selection import noun_of

    nouns = [noun_of(word) for word in [*requested, *kept]]
    packages = [noun for noun in nouns if "name" in project["vars"].get(noun, {})]
    names = {}
    for noun in dict.fromkeys(packages):
        names[project["vars"][noun]["name"]] = name if noun == packages[0] else f"{name}_{noun}"
    return names


def write_fork(folder: Path, project: Any, selection: Any, name: str) -> None:
    """Write all files of a fork into an empty folder."""
    from scripts.fork import files

    renamed = new_names(project, selection.requested, selection.nouns, name)
    plan = files.plan_fork(ROOT, project, selection, renamed)
    commands = [item for item in project["commands"] if item["name"] in selection.commands]
    sources = files.source_files(plan, project, commands)
    for path, text in files.test_files(plan, sources):
        files.put(folder / path.relative_to(ROOT), files.changed(plan, text))
    kept = [*sources, *files.kept_benchmarks(plan)]
    kept += files.named_files(plan, project, commands, "configs/")
    kept += [ROOT / path for path in plan.relocated if (ROOT / path).is_file()]
    kept += [*(ROOT / ".github").rglob("*.yml"), ROOT / ".ci" / "run"]
    for path in sorted(set(filter(Path.is_file, kept))):
        files.copy(plan, path, folder)
    write_pages(plan, folder, name)
    write_settings(plan, folder)
    write_project(plan, folder, name)


def write_pages(plan: Any, folder: Path, name: str) -> None:
    """Write README.md, CONTRIBUTING.md, the pages in docs/ and their pictures."""
    from scripts.fork import files
    from scripts.fork.markdown import filter_page

    pages = dict(files.documentation(plan))
    for top in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / top).read_text("utf8")
        for old, new in own_commands(plan, name).items():
            text = re.sub(old, new, text)
        pages[ROOT / top] = filter_page(text, plan.dropped)
    for path, text in pages.items():
        text = files.changed(plan, text)
        if path.name == "README.md":
            heading = f"# {name}\n\n{introduction(plan)}"
            text = re.sub(r"\A# .*\n\n(?:.+\n)+", heading, text)
        files.put(folder / path.relative_to(ROOT), text)
        for image in files.images(text):
            files.copy(plan, path.parent / image, folder)


def own_commands(plan: Any, name: str) -> dict[str, str]:
    """How commands on the first page change: patterns, and what takes their place."""
    files = [f"-r requirements-{extra}.txt" for extra in plan.selection.extras]
    first = plan.selection.requested[0]
    return {
        r"--workflows [a-z]\S* --name \w+": f"--workflows {first} --name {name}",
        r"quicksilver && cd quicksilver": f"{name} && cd {name}",
        r"-r requirements\.txt": " ".join(files) or "-r requirements.txt",
    }


def introduction(plan: Any) -> str:
    """The first sentence of the README of a fork."""
    names = ", ".join(f"`{name}`" for name in plan.selection.workflows)
    return f"A spaCy project with the workflows {names}, made from the template Quicksilver.\n"


def write_settings(plan: Any, folder: Path) -> None:
    """Write the requirements files, Makefile, LICENSE and the settings of tools."""
    from scripts.fork import files

    extras = plan.selection.extras
    for path in sorted(ROOT.glob("requirements*.txt")):
        extra = path.stem.partition("-")[2]
        if extra in ("", "test", *extras):
            files.put(folder / path.name, files.requirements(plan, path))
    for name in files.TOP:
        lines = (ROOT / name).read_text("utf8").splitlines(keepends=True)
        kept = [line for line in lines if not plan.dropped.search(line)]
        files.put(folder / name, files.changed(plan, "".join(kept)))
    if extras:
        makefile = (folder / "Makefile").read_text("utf8")
        needed = " ".join(f"requirements-{extra}.txt" for extra in extras)
        makefile = makefile.replace("REQUIREMENTS := requirements.txt", f"REQUIREMENTS := {needed}")
        files.put(folder / "Makefile", makefile)
    if not files.kept_benchmarks(plan):
        settings = (folder / "pyproject.toml").read_text("utf8")
        files.put(folder / "pyproject.toml", settings.replace(', "benchmarks"', ""))


def write_project(plan: Any, folder: Path, name: str) -> None:
    """Write project.yml, and what weasel makes of it into README.md."""
    from scripts.deps import generated
    from scripts.fork import files, project_text

    text = (ROOT / "project.yml").read_text("utf8")
    text = project_text.prune(text, plan.selection, list(plan.relocated))
    text = project_text.without_dropped_words(text, plan.dropped)
    text = re.sub(r"(?m)^title: .*", f'title: "{name}"', files.changed(plan, text))
    text = re.sub(r"(?m)^  workflow: .*", f'  workflow: "{plan.selection.requested[0]}"', text)
    files.put(folder / "project.yml", text)
    files.put(folder / "project.yml", generated(folder / "project.yml", folder))
    command = [sys.executable, "-m", "weasel", "document", "--output", "README.md"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"weasel document failed: {(done.stdout + done.stderr).strip()[-300:]}")


if __name__ == "__main__":
    typer.run(main)
