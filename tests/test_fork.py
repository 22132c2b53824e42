"""A fork has its workflows and no word of the others, and passes its own project tests."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import srsly

from scripts.fork.files import TEXT_SUFFIXES
from scripts.fork.markdown import filter_page
from scripts.fork.python_text import filter_tests
from scripts.fork.selection import select, workflow_names
from scripts.fork.words import dropped_words, first_word
from tests.conftest import PROJECT, ROOT

WORKFLOWS = workflow_names(PROJECT)
FIRST = PROJECT["vars"]["workflow"]
SEVERAL = [",".join(WORKFLOWS[i] for i in (0, -1))] if len(WORKFLOWS) > 1 else []


def fork(folder: Path, *options: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.fork", str(folder), *options]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def make_fork(folder: Path, workflows: str, root: Path = ROOT) -> Path:
    done = fork(folder, "--workflows", workflows, "--name", "acme_ner", root=root)
    assert done.returncode == 0, done.stderr
    return folder


def leftovers(folder: Path, workflows: str) -> list[str]:
    """Where the files of a fork name what it does not have."""
    names = dropped_words(select(PROJECT, workflows.split(",")))
    found = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        is_text = path.suffix in TEXT_SUFFIXES and relative.parts[0] != "assets"
        if path.is_file() and is_text and (word := first_word(path.read_text("utf8"), names)):
            found.append(f"{relative}: {word}")
    return found


def own_project_tests(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/test_project.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("workflows", [FIRST, *SEVERAL])
def test_fork_names_nothing_of_the_others(tmp_path: Path, workflows: str) -> None:
    folder = make_fork(tmp_path / "fork", workflows)
    assert leftovers(folder, workflows) == []
    project = srsly.read_yaml(folder / "project.yml")
    kept = select(PROJECT, workflows.split(","))
    assert workflow_names(project) == kept.workflows and project["title"] == "acme_ner"
    assert project["workflows"]["all"][0] == "check"


@pytest.mark.slow
@pytest.mark.parametrize("workflows", [*WORKFLOWS, *SEVERAL])
def test_fork_of_each_workflow_passes_its_own_project_tests(tmp_path: Path, workflows: str) -> None:
    folder = make_fork(tmp_path / "fork", workflows)
    assert leftovers(folder, workflows) == []
    done = own_project_tests(folder)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.slow
def test_fork_can_be_forked_again(tmp_path: Path) -> None:
    first = make_fork(tmp_path / "first", ",".join([FIRST, *SEVERAL]))
    again = make_fork(tmp_path / "again", FIRST, root=first)
    straight = make_fork(tmp_path / "straight", FIRST)
    names = [path.relative_to(again) for path in sorted(again.rglob("*")) if path.is_file()]
    assert names == [
        path.relative_to(straight) for path in sorted(straight.rglob("*")) if path.is_file()
    ]
    assert leftovers(again, FIRST) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--workflows", "nothing", "--name", "acme"], "no workflow called 'nothing': there are"),
        (["--workflows", "all", "--name", "acme"], "no workflow called 'all'"),
        (["--workflows", " , ", "--name", "acme"], "no workflow to keep"),
        (["--workflows", FIRST, "--name", "acme-ner"], "'acme-ner' is not a package name"),
        (["--workflows", FIRST, "--name", "class"], "'class' is not a package name"),
    ],
)
def test_bad_options_are_one_line(tmp_path: Path, options: list[str], words: str) -> None:
    done = fork(tmp_path / "fork", *options)
    assert done.returncode == 1 and words in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "fork").exists()


def test_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = fork(tmp_path, "--workflows", FIRST, "--name", "acme")
    assert done.returncode == 1 and "is not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_page_loses_the_parts_that_name_what_is_dropped() -> None:

    page = (
        "# Page\n\nKept `a`.\nSame paragraph.\n\nDropped `b`.\n\nThe command:\n\n    run `b`\n\n"
        "- item `a`\n- item `b`\n  goes on\n- item\n\n"
        "| name | what |\n| --- | --- |\n| `a` | x |\n| `b` | y |\n\n"
        "## About `b`\n\nText.\n\n### Below it\n\nMore.\n\n## Only\n\nOf `b`.\n\n## Last\n\nEnd.\n"
    )
    assert filter_page(page, re.compile("`b`")) == (
        "# Page\n\nKept `a`.\nSame paragraph.\n\n- item `a`\n- item\n\n"
        "| name | what |\n| --- | --- |\n| `a` | x |\n\n## Last\n\nEnd.\n"
    )


def test_tests_that_name_what_is_dropped_go_with_what_only_they_use() -> None:

    text = '''"""Tests."""

import json
from shutil import copy, move

LINE = "kept"


def helper() -> str:
    return json.dumps("dropped_word")


def test_one() -> None:
    move(LINE)


def test_two() -> None:
    copy(helper())
'''
    expected = '''"""Tests."""

from shutil import move

LINE = "kept"


def test_one() -> None:
    move(LINE)
'''
    assert filter_tests(text, re.compile("dropped_word")) == expected
    assert filter_tests(text, re.compile("no such word")) == text
    assert filter_tests(text, re.compile("def test_")) == ""


def test_weasel_clones_the_project_from_a_local_path(tmp_path: Path) -> None:
    git = ["git", "rev-parse", "--abbrev-ref", "HEAD"]
    branch = subprocess.run(git, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    if not (ROOT / ".git").exists() or branch in ("", "HEAD"):
        pytest.skip("the project is not on a branch of a git repository")
    command = [sys.executable, "-m", "weasel", "clone", ".", str(tmp_path / "mine")]
    command += ["--repo", str(ROOT), "--branch", branch]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "Your project is now ready" in done.stdout, done.stdout
    assert (tmp_path / "mine" / "project.yml").exists()
