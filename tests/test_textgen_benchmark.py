"""The benchmark of `textgen` runs and writes every number. How large they are is not for a test."""

from pathlib import Path

import pytest

from tests.conftest import run_benchmark

PEERS = ("one-hot, 2 x 512 LSTM", "the whole text again for each")


@pytest.mark.slow
def test_each_row_has_its_numbers(tmp_path: Path) -> None:
    assert run_benchmark("textgen", tmp_path) == PEERS
