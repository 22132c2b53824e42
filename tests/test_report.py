"""All figures in one table: what is there, what is not, what is damaged."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import srsly
from typer.testing import CliRunner
from weasel.util.config import load_project_config

from scripts import report
from scripts.figures import Entry, value_at
from scripts.report import Row, all_entries, app, cells, collect, show
from tests.conftest import ROOT

PROJECT = load_project_config(ROOT)
BASELINE = ("patterns alone", value_at("patterns_alone", "ents_f"))
ENTRIES = [
    ("one", Entry("one/metrics.json", "entities", "F", value_at("ents_f"), BASELINE)),
    ("one-more", Entry("one-more/metrics.json", "entities", "F", value_at("ents_f"), BASELINE)),
    ("two", Entry("two/*/metrics.json", "variant", "macro F", value_at("cats_macro_f"))),
    ("three", Entry("three/metrics.json", "pairs", "Spearman", value_at("rho"), unit="")),
    ("four", Entry("four/report.json", "pages", "pages", value_at("pages"), unit="count")),
    ("five", Entry("five/metrics.json", "links", "recall", value_at("recall"))),
]
SCORES = {"ents_f": 0.726, "patterns_alone": {"ents_f": 0.484}}


@pytest.fixture
def made_up_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "all_entries", lambda: ENTRIES)


def write(folder: Path, name: str, metrics: Any, file: str = "metrics.json") -> None:
    path = folder / name / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(metrics))
    os.utime(path, (1_700_000_000, 1_700_000_000))


def test_rows_of_what_ran_and_of_what_did_not(tmp_path: Path) -> None:
    write(tmp_path, "one", SCORES)
    write(tmp_path, "one-more", {**SCORES, "patterns_alone": None})
    write(tmp_path, "two/bow", {"cats_macro_f": 0.58})
    rows = {(row.workflow, row.what): row for row in collect(tmp_path, ENTRIES)}
    one = rows["one", "entities"]
    assert (one.value, one.baseline, one.baseline_value) == (0.726, "patterns alone", 0.484)
    assert one.made.startswith("2023-11-1")
    assert rows["one-more", "entities"].baseline == ""
    assert rows["two", "variant bow"].value == 0.58
    assert rows["five", "links"] == Row("five", "links")
    assert {workflow for workflow, _ in ENTRIES} == {row.workflow for row in rows.values()}


def test_cells_show_units(tmp_path: Path) -> None:
    write(tmp_path, "one", SCORES)
    write(tmp_path, "three", {"rho": 0.583})
    write(tmp_path, "four", {"pages": 12345}, "report.json")
    shown = {line[0]: line for line in cells(collect(tmp_path, ENTRIES))}
    assert shown["one"][2:4] == ("F 72.6%", "patterns alone 48.4%")
    assert shown["three"][2:4] == ("Spearman 0.583", "")
    assert shown["four"][2] == "pages 12,345" and shown["five"][2] == "not run"


@pytest.mark.usefixtures("made_up_entries")
def test_the_command_writes_the_table_three_times(tmp_path: Path) -> None:
    write(tmp_path / "training", "one", SCORES)
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["collect", str(tmp_path / "training"), str(out)])
    assert done.exit_code == 0 and "72.6%" in done.output and "not run" in done.output
    line = "| one | entities | F 72.6% | patterns alone 48.4% |"
    assert line in (out / "report.md").read_text()
    assert "<td>F 72.6%</td>" in (out / "report.html").read_text()
    assert srsly.read_json(out / "report.json")[0]["value"] == 0.726


@pytest.mark.usefixtures("made_up_entries")
@pytest.mark.parametrize("text", ['{"ents_f": 0.', "[1]", '{"ents_f": "high"}'])
def test_damaged_figures_are_one_line(tmp_path: Path, text: str) -> None:
    write(tmp_path, "one", {})
    (tmp_path / "one" / "metrics.json").write_text(text)
    done = CliRunner().invoke(app, ["collect", str(tmp_path), str(tmp_path / "out")])
    assert done.exit_code == 1 and "not a file of figures, or a damaged one" in done.stderr
    assert "make it again by python -m weasel run one" in done.stderr
    assert done.stderr.count("\n") == 1 and not (tmp_path / "out").exists()


def metrics_files() -> Iterator[str]:
    """The files of scores that commands leave."""
    for command in PROJECT["commands"]:
        yield from (path for path in command.get("outputs", []) if path.endswith("/metrics.json"))


def test_every_file_of_scores_that_a_workflow_leaves_has_an_entry() -> None:
    entries = all_entries()
    patterns = [f"training/{entry.file}" for _, entry in entries]
    missing = [path for path in metrics_files() if not any(map(Path(path).match, patterns))]
    assert missing == [], "add an entry to scripts/NOUN/figures.py"
    assert {workflow for workflow, _ in entries} <= set(PROJECT["workflows"])


def test_units() -> None:
    shown = [show(0.726, unit) for unit in ("share", "percent", "count", "", "bits")]
    assert shown == ["72.6%", "0.7%", "1", "0.726", "0.726 bits"]


def test_with_nothing_there_all_is_not_run(tmp_path: Path) -> None:
    rows = collect(tmp_path, all_entries())
    assert all(row.made == "" for row in rows)
