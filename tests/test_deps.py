"""Deps of commands follow from imports: of the step alone, not of other steps of its module."""

from pathlib import Path

import pytest

from scripts.deps import GUARDS_COMMENT, command_sources, imported_files, with_guards, with_sources
from scripts.overrides import check_names, check_values, guards, parse_overrides

MAIN = """
from scripts.shared import light

@app.command()
def first(x):
    from scripts.noun.one import run
    run(helper(x))

@app.command("second-step")
def second():
    from scripts.noun import two

def helper(x):
    from scripts.other import thing
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "noun/__main__.py": MAIN,
        "noun/one.py": "from scripts.deep import f\npage = 'one.html.jinja'",
        "noun/two.py": "",
        "noun/one.html.jinja": '{% extends "page.html.jinja" %}',
        "page.html.jinja": "",
        "deep.py": "def f():\n    from scripts import deeper",
        "deeper.py": "from scripts.deep import f",
        "shared.py": "",
        "other.py": "",
        "unused.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "scripts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/noun.cfg").write_text("")
    return tmp_path


def test_sources_of_a_step_are_what_it_imports(root: Path) -> None:
    names = ["deep.py", "deeper.py", "noun/__main__.py", "noun/one.html.jinja", "noun/one.py"]
    names += ["other.py", "page.html.jinja", "shared.py"]
    sources = command_sources(["python -m scripts.noun first out --x 1"], root)
    assert sources == [f"scripts/{name}" for name in names]
    second = command_sources(["python -m scripts.noun second-step"], root)
    assert second == ["scripts/noun/__main__.py", "scripts/noun/two.py", "scripts/shared.py"]


def test_files_that_a_script_names_are_sources(root: Path) -> None:
    line = "python -m spacy train configs/noun.cfg --code scripts/other.py --output training/noun"
    assert command_sources([line], root) == ["configs/noun.cfg", "scripts/other.py"]
    assert command_sources(["python -m scripts.shared"], root) == ["scripts/shared.py"]


def test_imports_may_go_round(root: Path) -> None:
    files = imported_files(root / "scripts/deep.py", root)
    assert {path.name for path in files} == {"deep.py", "deeper.py"}


def test_bare_variables_do_not_stand_side_by_side() -> None:
    deps = ["scripts/old.py", "${vars.a}", "${vars.b}", "corpus/x"]
    merged = with_sources(deps, ["scripts/a.py", "scripts/b.py"])
    assert merged == ["${vars.a}", "corpus/x", "${vars.b}", "scripts/a.py", "scripts/b.py"]


def test_guards_are_written_once() -> None:
    variables = {"seed": 0, "name": "x", "noun": {"k": 1, "texts": "y"}, "options": {"o": "z"}}
    assert list(guards(variables).values()) == [
        "__SECTION__: ${vars.name}",
        "__SECTION__: ${vars.noun.texts}",
    ]
    text = "title: t\nvars:\n  name: x\n\ndirectories: []\n"
    once = with_guards(text, variables)
    assert once.count(GUARDS_COMMENT) == 1 and with_guards(once, variables) == once
    assert "\n\ndirectories: []\n" in once and "  name: x\n\n# written" in once


def test_overrides_are_read_as_weasel_reads_them() -> None:
    line = "weasel run all . --vars.a 1 --vars.b=x=y --force --vars.flag --vars.c 'a b'"
    words = [*line.split(" --vars.c ")[0].split(), "--vars.c", "a b"]
    expected = {"vars.a": "1", "vars.b": "x=y", "vars.flag": "", "vars.c": "a b"}
    assert parse_overrides(words) == expected


PROJECT = {
    "vars": {"seed": 0, "noun": {"texts": "t", "labels": "l"}, "options": {"train": "--x"}},
    "renamed_vars": {"vars.noun.gold": "vars.noun.labels"},
}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vars.noun.txts", "no var called vars.noun.txts: did you mean vars.noun.texts"),
        ("vars.sead", "did you mean vars.seed"),
        ("vars.noun.gold", "vars.noun.gold is now called vars.noun.labels"),
        ("vars.texts", "did you mean vars.noun.texts"),
        ("vars.noun.zzz", "vars.noun has vars.noun.texts, vars.noun.labels"),
        ("vars.options.train", "no var called vars.options.train"),
    ],
)
def test_unknown_name_is_refused_with_the_nearest(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_names([name], PROJECT)


def test_known_names_and_values_pass() -> None:
    check_names(["vars.seed", "vars.noun.texts"], PROJECT)
    check_values({"vars.noun.texts": "it's/a file.jsonl"})
