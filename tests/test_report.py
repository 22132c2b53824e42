"""All figures in one table: what is there, what is not, what is damaged."""

import json
import os
from pathlib import Path
from typing import Any

from typer.testing import CliRunner
from weasel.util.config import load_project_config

from scripts.report import ENTRIES, Row, app, cells, collect, show
from tests.conftest import ROOT

PROJECT = load_project_config(ROOT)

NER = {"ents_f": 0.726, "patterns_alone": {"ents_f": 0.484}}
TEXTCAT = {"cats_macro_f": 0.6, "variants": {"baseline": {"cats_macro_f": 0.59}}}


def write(folder: Path, name: str, metrics: Any) -> None:
    path = folder / name / "metrics.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(metrics))
    os.utime(path, (1_700_000_000, 1_700_000_000))


def test_rows_of_what_ran_and_of_what_did_not(tmp_path: Path) -> None:
    write(tmp_path, "ner", NER)
    write(tmp_path, "ner-trf", {**NER, "patterns_alone": None})
    write(tmp_path, "textcat", TEXTCAT)
    write(tmp_path, "textcat/bow", {"cats_macro_f": 0.58})
    rows = {(row.workflow, row.what): row for row in collect(tmp_path)}
    ner = rows["ner", "entities, shipped pipeline"]
    assert (ner.value, ner.baseline, ner.baseline_value) == (
        0.726,
        "patterns alone",
        0.484,
    ) and ner.made.startswith("2023-11-1")
    assert rows["ner-trf", "entities, shipped pipeline"].baseline == ""
    assert rows["textcat", "variant bow"].value == 0.58
    assert rows["vectors", "analogies"] == Row("vectors", "analogies")
    assert {entry.workflow for entry in ENTRIES} == {row.workflow for row in rows.values()}


def test_cells_show_units(tmp_path: Path) -> None:
    write(tmp_path, "ner", NER)
    write(
        tmp_path,
        "similarity",
        {"similarity_spearman": 0.583, "systems": {"averaged vectors": {"spearman": 0.471}}},
    )
    (tmp_path / "wikipedia").mkdir()
    (tmp_path / "wikipedia" / "report.json").write_text('{"pages": 12345}')
    shown = {line[0]: line for line in cells(collect(tmp_path))}
    assert shown["ner"][2:4] == ("F 72.6%", "patterns alone 48.4%")
    assert shown["similarity"][2:4] == ("Spearman 0.583", "averaged vectors 0.471")
    assert shown["wikipedia"][2] == "pages 12,345" and shown["refine"][2] == "not run"


def test_the_command_writes_the_table_three_times(tmp_path: Path) -> None:
    write(tmp_path / "training", "ner", NER)
    done = CliRunner().invoke(app, ["collect", str(tmp_path / "training"), str(tmp_path / "out")])
    assert done.exit_code == 0 and "72.6%" in done.output and "not run" in done.output
    assert (
        "| ner | entities, shipped pipeline | F 72.6% | patterns alone 48.4% |"
        in (tmp_path / "out" / "report.md").read_text()
    )
    assert "<td>F 72.6%</td>" in (tmp_path / "out" / "report.html").read_text()
    assert json.loads((tmp_path / "out" / "report.json").read_text())[0]["value"] == 0.726


def test_damaged_figures_are_one_line(tmp_path: Path) -> None:
    for text in ('{"ents_f": 0.', "[1]"):
        write(tmp_path, "ner", {})
        (tmp_path / "ner" / "metrics.json").write_text(text)
        done = CliRunner().invoke(app, ["collect", str(tmp_path), str(tmp_path / "out")])
        assert (
            done.exit_code == 1
            and "not a file of figures, or a damaged one: run ner again" in done.stderr
        )
        assert done.stderr.count("\n") == 1 and not (tmp_path / "out").exists()


def test_every_file_of_scores_that_a_workflow_leaves_has_a_line() -> None:
    outputs = {
        path
        for command in PROJECT["commands"]
        for path in command.get("outputs", [])
        if path.endswith("/metrics.json")
    }
    known = {entry.file for entry in ENTRIES}
    missing = [
        path
        for path in sorted(outputs)
        if not any(Path(path).match(f"training/{file}") for file in known)
    ]
    assert missing == [], "add a line to ENTRIES in scripts/report.py"
    assert {entry.workflow for entry in ENTRIES} <= set(PROJECT["workflows"])


def test_units() -> None:
    assert [show(0.726, unit) for unit in ("share", "percent", "count", "", "bits")] == [
        "72.6%",
        "0.7%",
        "1",
        "0.726",
        "0.726 bits",
    ]


def test_with_nothing_there_all_is_not_run(tmp_path: Path) -> None:
    assert all(row.made == "" for row in collect(tmp_path))
