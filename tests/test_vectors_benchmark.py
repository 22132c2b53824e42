"""The benchmark of `vectors` runs and writes every number. How large they are is not for a test."""

from pathlib import Path

import pytest

from tests.conftest import run_benchmark

PEERS = (
    "gensim, then spacy init vectors",
    "the table",
    "gunzip to /dev/null",
    "spacy init vectors --prune",
    "gensim most_similar, one by one",
    "gensim's Word2Vec on lists",
)


@pytest.mark.slow
def test_each_row_has_its_numbers(tmp_path: Path) -> None:
    assert run_benchmark("vectors", tmp_path) == PEERS
