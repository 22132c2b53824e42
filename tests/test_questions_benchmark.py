"""The benchmark of `questions` runs and writes every number."""

from pathlib import Path

import pytest

from tests.conftest import run_benchmark

PEERS = ("product and full argsort", "pandas, html.parser", "1x rows")


@pytest.mark.slow
def test_each_row_has_its_numbers(tmp_path: Path) -> None:
    assert run_benchmark("questions", tmp_path) == PEERS
