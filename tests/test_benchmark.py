"""The command that runs the benchmarks of workflows; each workflow tests its own."""

from pathlib import Path

import pytest

from benchmarks.__main__ import WORKFLOWS, benchmark, run_of


def test_every_benchmark_can_be_run() -> None:
    assert WORKFLOWS and all(callable(run_of(workflow)) for workflow in WORKFLOWS)


def test_an_unknown_workflow_is_one_line_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        benchmark(tmp_path / "benchmark.json", only=["nothing"])
    known = ", ".join(WORKFLOWS)
    assert capsys.readouterr().err == f"Error: no benchmark of nothing: there is {known}\n"
    assert not (tmp_path / "benchmark.json").exists()
