"""The benchmark of `ner` runs and writes every number. How large they are is not for a test."""

from pathlib import Path

from benchmarks.made_up import made_up_texts
from benchmarks.ner import COMMENTS, N_PATTERNS, made_up_patterns
from scripts.reading import read_texts
from tests.conftest import run_benchmark

PEERS = ("spaCy's Matcher", "spaCy's tokenizer alone", "1 process", "1x texts")


def test_each_row_has_its_numbers(tmp_path: Path) -> None:
    assert run_benchmark("ner", tmp_path) == PEERS


def test_inputs_are_the_same_each_time() -> None:
    comments = [text.text for text in read_texts(COMMENTS)]
    once, again = made_up_texts(comments), made_up_texts(comments)
    texts = [next(once) for _ in range(100)]
    assert texts == [next(again) for _ in range(100)]
    assert len(set(texts)) == 100
    patterns = made_up_patterns(comments)
    assert patterns == made_up_patterns(comments)
    assert len(set(map(str, patterns))) == N_PATTERNS
