"""What must hold of project.yml, the README and the files they name, whatever workflow is added."""

import ast
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import srsly
from weasel.util.config import load_project_config

from tests.conftest import ROOT

RAW = srsly.read_yaml(ROOT / "project.yml")
PROJECT = load_project_config(ROOT)
COMMANDS = {command["name"]: command for command in PROJECT["commands"]}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
each_command = pytest.mark.parametrize("command", PROJECT["commands"], ids=list(COMMANDS))


def imported(file: Path, found: set[Path]) -> set[Path]:
    """All files of scripts/ that a file imports, directly or not."""
    for node in ast.walk(ast.parse(file.read_text("utf8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            path = ROOT / (name.replace(".", "/") + ".py")
            if name.startswith("scripts") and path.exists() and path not in found:
                found.add(path)
                imported(path, found)
    return found


def flat(vars: dict[str, Any], prefix: str = "vars") -> list[str]:
    return [
        leaf
        for key, value in vars.items()
        for leaf in (
            flat(value, f"{prefix}.{key}") if isinstance(value, dict) else [f"{prefix}.{key}"]
        )
    ]


@each_command
def test_command_has_help_and_keys_that_weasel_knows(command: dict[str, Any]) -> None:
    assert len(command["help"]) > 20
    assert set(command) <= {
        "name",
        "help",
        "script",
        "deps",
        "outputs",
        "outputs_no_cache",
        "no_skip",
    }
    assert command.get("outputs") or command.get("no_skip"), (
        "without outputs a command is never skipped: say so by no_skip"
    )


@each_command
def test_deps_name_the_script_the_config_and_the_code(command: dict[str, Any]) -> None:
    for line in command["script"]:
        words = shlex.split(line)
        assert words[:2] == ["python", "-m"] and not {"|", ">", "&&", ";"} & set(words)
        if words[2].startswith("scripts."):
            module = ROOT / words[2].replace(".", "/")
            assert (
                str(
                    (
                        module / "__main__.py" if module.is_dir() else module.with_suffix(".py")
                    ).relative_to(ROOT)
                )
                in command["deps"]
            )
            step = module / f"{words[3]}.py"
            assert not step.exists() or str(step.relative_to(ROOT)) in command["deps"]
        named = [word for word in words if word.startswith(("configs/", "scripts/"))]
        assert set(named) <= set(command["deps"]), (
            f"{set(named) - set(command['deps'])} is used but no dep"
        )


@each_command
def test_deps_are_whole(command: dict[str, Any]) -> None:
    """Each dep is there or is made by an earlier command; list entries are one path each (a trap of the config system)."""
    made = {output for other in PROJECT["commands"] for output in other.get("outputs", [])}
    made |= {asset["dest"] for asset in PROJECT["assets"] if asset.get("url")}
    for dep in command.get("deps", []):
        assert ", " not in dep, "two bare variables stand side by side in the list"
        assert dep in made or (ROOT / dep).exists(), f"{dep} is neither there nor made by a command"


@each_command
def test_deps_name_all_that_a_step_imports(command: dict[str, Any]) -> None:
    """A changed file reruns what depends on it: each step's module and whatever that imports are deps."""
    for module, step in re.findall(r"python -m (scripts[\w.]*) (\w*)", " ".join(command["script"])):
        folder = ROOT / module.replace(".", "/")
        file = (
            folder / f"{'pipeline' if step == 'compose' else step}.py"
            if folder.is_dir()
            else folder.with_suffix(".py")
        )
        if file.exists():
            assert {str(path.relative_to(ROOT)) for path in imported(file, {file})} <= set(
                command["deps"]
            )


def test_every_var_is_used() -> None:
    text = (ROOT / "project.yml").read_text("utf8")
    assert [name for name in flat(RAW["vars"]) if f"${{{name}}}" not in text] == []


def test_workflows_name_commands_and_are_documented() -> None:
    for name, steps in PROJECT["workflows"].items():
        assert set(steps) <= set(COMMANDS), name
        noun = steps[0].split("-")[0]
        assert (ROOT / "docs" / f"{noun}.md").exists() and (ROOT / "assets" / noun).is_dir()
    assert PROJECT["workflows"]["all"] == PROJECT["workflows"]["ner"]


def test_assets_are_there_or_extra_and_say_what_they_are() -> None:
    for asset in PROJECT["assets"]:
        assert asset["description"]
        if asset.get("url"):
            assert asset["extra"] is True and re.search(r"\d+ (bytes|MB|GB)", asset["description"])
        else:
            assert (ROOT / asset["dest"]).is_file()


def test_directories_are_those_of_the_design() -> None:
    assert set(PROJECT) <= {
        "title",
        "description",
        "vars",
        "env",
        "directories",
        "assets",
        "workflows",
        "commands",
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_on_pages_exist(page: Path) -> None:
    known = set(COMMANDS) | set(PROJECT["workflows"])
    vars_known = set(flat(RAW["vars"]))
    for line in re.findall(
        r"python -m weasel run ([^`\n]*(?:\\\n[^`\n]*)*)", page.read_text("utf8")
    ):
        words = line.replace("\\\n", " ").split()
        assert words[0] in known, f"{page.name}: weasel run {words[0]}"
        if len(words) > 1 and words[1].startswith("--vars"):
            raise AssertionError(f"{page.name}: overrides need the folder first: {line}")
        for var in re.findall(r"--(vars\.[\w.]+)", line):
            assert var in vars_known, f"{page.name}: --{var}"
    for module in re.findall(r"python -m (scripts[\w.]*|benchmarks)", page.read_text("utf8")):
        assert (ROOT / module.replace(".", "/")).is_dir() or (
            ROOT / (module.replace(".", "/") + ".py")
        ).exists()


def test_the_generated_part_of_the_readme_is_up_to_date(tmp_path: Path) -> None:
    shutil.copy(ROOT / "project.yml", tmp_path)
    shutil.copy(ROOT / "README.md", tmp_path)
    for asset in PROJECT["assets"]:
        if not asset.get("url"):
            (tmp_path / asset["dest"]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / asset["dest"], tmp_path / asset["dest"])
    subprocess.run(
        [sys.executable, "-m", "weasel", "document", "--output", "README.md"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "README.md").read_text("utf8") == (ROOT / "README.md").read_text("utf8"), (
        "run weasel document --output README.md"
    )


def test_docs_name_every_var_of_their_workflow() -> None:
    for noun, own in RAW["vars"].items():
        if isinstance(own, dict):
            page = (ROOT / "docs" / f"{noun}.md").read_text("utf8")
            assert [name for name in flat(own, f"vars.{noun}") if f"`{name}`" not in page] == []


def test_files_that_pages_link_to_exist() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf8")):
            assert target.startswith("http") or (page.parent / target).exists(), (
                f"{page.name}: {target}"
            )


def test_components_import_nothing_of_the_project() -> None:
    for file in (ROOT / "scripts" / "components").glob("*.py"):
        assert imported(file, set()) == set()


def test_modules_are_short() -> None:
    for file in [*(ROOT / "scripts").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]:
        most = (
            410 if file.parent.name == "components" else 310
        )  # a component is one file, whatever it needs
        assert len(file.read_text("utf8").splitlines()) <= most, file
