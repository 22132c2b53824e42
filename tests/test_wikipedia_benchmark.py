"""The benchmark of `wikipedia` runs and writes every number."""

from pathlib import Path

import pytest

from tests.conftest import run_benchmark

PEERS = (
    "SAX, mwparserfromhell on every page",
    "bz2 alone",
    "1 process",
    "mwparserfromhell",
    "mwparserfromhell on the page",
    "1x pages",
)


@pytest.mark.slow
def test_each_row_has_its_numbers(tmp_path: Path) -> None:
    assert run_benchmark("wikipedia", tmp_path) == PEERS
