"""The benchmark of `textcat` runs and writes every number. How large they are is not for a test."""

from pathlib import Path

import pytest

from tests.conftest import run_benchmark

PEERS = ("Keras fit on arrays", "Keras on arrays") * 2


@pytest.mark.slow
def test_each_row_has_its_numbers(tmp_path: Path) -> None:
    assert run_benchmark("textcat", tmp_path) == PEERS
