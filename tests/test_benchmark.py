"""The benchmarks run and write every number. How large the numbers are is not for a test to say."""

from pathlib import Path

import pytest
import srsly

from benchmarks.__main__ import benchmark
from benchmarks.ner import COMMENTS, N_PATTERNS, made_up_patterns, made_up_texts
from scripts.reading import read_texts

PEERS = {
    "movies": ["generator of pairs, Keras fit"] * 3,
    "ner": ["spaCy's Matcher", "spaCy's tokenizer alone", "1 process", "1x texts"],
    "questions": ["product and full argsort", "pandas, html.parser", "1x rows"],
    "textcat": ["Keras fit on arrays", "Keras on arrays"] * 2,
    "textgen": ["one-hot, 2 x 512 LSTM", "the whole text again for each"],
    "vectors": [
        "gensim, then spacy init vectors",
        "the table",
        "gunzip to /dev/null",
        "spacy init vectors --prune",
        "gensim most_similar, one by one",
        "gensim's Word2Vec on lists",
    ],
    "wikipedia": [
        "SAX, mwparserfromhell on every page",
        "bz2 alone",
        "1 process",
        "mwparserfromhell",
        "mwparserfromhell on the page",
        "1x pages",
    ],
}


@pytest.mark.parametrize(
    "workflow",
    ["ner", *(pytest.param(noun, marks=pytest.mark.slow) for noun in PEERS if noun != "ner")],
)
def test_each_row_has_its_numbers(
    workflow: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "benchmark.json"
    benchmark(output, scale=0.005, only=[workflow])
    found = srsly.read_json(output)
    assert {"cores", "python", "spacy"} <= set(found["machine"])
    assert [row["peer_name"] for row in found["rows"]] == PEERS[workflow]
    for row in found["rows"]:
        assert row["ours"] > 0 and row["peer"] > 0
        assert row["ratio"] == pytest.approx(row["ours"] / row["peer"])
        assert row["reached"] in (True, False)
    assert "to reach" in capsys.readouterr().out


def test_an_unknown_workflow_is_one_line_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        benchmark(tmp_path / "benchmark.json", only=["nothing"])
    assert (
        capsys.readouterr().err == f"Error: no benchmark of nothing: there is {', '.join(PEERS)}\n"
    )
    assert not (tmp_path / "benchmark.json").exists()


def test_inputs_are_the_same_each_time() -> None:
    comments = [text.text for text in read_texts(COMMENTS)]
    once, again = made_up_texts(comments), made_up_texts(comments)
    texts = [next(once) for _ in range(100)]
    assert texts == [next(again) for _ in range(100)]
    assert len(set(texts)) == 100
    patterns = made_up_patterns(comments)
    assert patterns == made_up_patterns(comments)
    assert len(set(map(str, patterns))) == N_PATTERNS
