"""The benchmark of `movies` runs and writes every number. How large they are is not for a test."""

from pathlib import Path

import pytest

from tests.conftest import run_benchmark

PEERS = ("generator of pairs, Keras fit",) * 3


@pytest.mark.slow
def test_each_row_has_its_numbers(tmp_path: Path) -> None:
    assert run_benchmark("movies", tmp_path) == PEERS
