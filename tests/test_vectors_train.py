"""Sentences of texts and sessions, and word2vec trained on them, with checkpoints."""

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import srsly
from gensim.models import Word2Vec

from scripts.pipelines import load_nlp
from scripts.reading import Skipped
from scripts.vectors import train as training
from scripts.vectors.corpus import from_gensim, from_sessions, from_texts, write_sentences
from scripts.vectors.neighbours import nearest_words
from scripts.vectors.options import Settings
from scripts.vectors.train import FIRST_ALPHA, LAST_ALPHA, find_phrases, finish, train_vectors
from scripts.vectors.word_vectors import read_folder
from tests.conftest import ROOT, run_module

TEXTS = ROOT / srsly.read_yaml(ROOT / "project.yml")["vars"]["vectors"]["texts"]
SMALL = Settings(vector_size=16, epochs=3, min_count=2)


@pytest.fixture(scope="module")
def nlp() -> Any:
    nlp = load_nlp("en")
    nlp.add_pipe("sentencizer")
    return nlp


@pytest.fixture(scope="module")
def sentences(nlp: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "sentences.txt"
    write_sentences(path, from_texts(TEXTS, nlp, True, Skipped()))
    return path


def test_texts_become_spacys_tokens_a_sentence_a_line(nlp: Any, tmp_path: Path) -> None:
    srsly.write_jsonl(
        tmp_path / "t.jsonl",
        [{"text": "It's  fine. The Pixel\u00a07 isn't!"}, {"text": ""}, {"text": "Alone"}],
    )
    skipped = Skipped()
    counts = write_sentences(
        tmp_path / "s.txt", from_texts(tmp_path / "t.jsonl", nlp, False, skipped)
    )
    assert (tmp_path / "s.txt").read_text("utf8") == "It 's fine .\nThe Pixel 7 is n't !\n"
    assert counts == {"sentences": 2, "tokens": 10} and skipped.counts() == {"empty": 1}


def test_sessions_are_lists_of_ids(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('["x1", 7, "z"]\n\n["x1", "q"]\n')
    (tmp_path / "b.txt").write_text("x1 z\n")
    assert [line for line in from_sessions(tmp_path) if line] == [
        ["x1", "7", "z"],
        ["x1", "q"],
        ["x1", "z"],
    ]
    for bad in ('{"items": []}', '["a b"]', "[1"):
        (tmp_path / "a.jsonl").write_text(bad)
        with pytest.raises(ValueError, match=r"a\.jsonl:1: not a session"):
            list(from_sessions(tmp_path / "a.jsonl"))


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no sentence of two words or more"):
        write_sentences(tmp_path / "s.txt", [["one"], []])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "s.txt").write_text("a\nb\na\nb\n")
    with pytest.raises(ValueError, match="has two words that come 2 times or more"):
        train_vectors(tmp_path / "s.txt", tmp_path / "checkpoint", SMALL)
    (tmp_path / "s.txt").write_text("a b\n")
    with pytest.raises(ValueError, match="no word comes 2 times or more"):
        train_vectors(tmp_path / "s.txt", tmp_path / "checkpoint", SMALL)


def test_long_sentences_are_cut_at_gensims_limit(tmp_path: Path) -> None:
    assert write_sentences(tmp_path / "s.txt", [["a"] * 25_000]) == {
        "sentences": 3,
        "tokens": 25_000,
    }


def test_texts_bundled_with_gensim_are_real(nlp: Any) -> None:
    sentences = list(islice(from_gensim(nlp, True), 4_000))
    assert sum(map(len, sentences)) > 50_000
    assert sentences[0][:3] == ["hundreds", "of", "people"]


def test_bad_lines_are_named_or_skipped(nlp: Any, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"text": "one two"}\n{"text"\n')
    strict = Skipped(strict=True, var="vars.vectors.bad_lines")
    with pytest.raises(
        ValueError, match=r"t\.jsonl:2: broken JSON.*set vars\.vectors\.bad_lines to skip-bad"
    ):
        list(from_texts(tmp_path / "t.jsonl", nlp, True, strict))
    skipped = Skipped()
    assert list(from_texts(tmp_path / "t.jsonl", nlp, True, skipped)) == [["one", "two"]]
    assert skipped.counts() == {"broken JSON": 1}


def test_phrases_are_joined(tmp_path: Path) -> None:
    other = "".join(f"w{i} v{i}\n" for i in range(300))
    (tmp_path / "s.txt").write_text("we flew to new york today\nnew york is large\n" * 20 + other)
    assert find_phrases(tmp_path / "s.txt", tmp_path / "s.txt", 5) >= 1
    assert "new_york" in (tmp_path / "s.txt").read_text()


def test_trained_vectors_are_gensims(sentences: Path, tmp_path: Path) -> None:
    """Epochs one by one, with checkpoints between, are what gensim does in one go."""
    ours = train_vectors(sentences, tmp_path / "checkpoint", SMALL)
    same = {
        "sg": 1,
        "vector_size": 16,
        "window": 10,
        "epochs": 3,
        "min_count": 2,
        "seed": 0,
        "workers": 1,
    }
    theirs = Word2Vec(corpus_file=str(sentences), **same, alpha=FIRST_ALPHA, min_alpha=LAST_ALPHA)
    assert ours.wv.index_to_key == theirs.wv.index_to_key
    assert np.allclose(ours.wv.vectors, theirs.wv.vectors, atol=1e-4)
    assert len(ours.quicksilver["losses"]) == 3 and ours.quicksilver["losses"] == sorted(
        ours.quicksilver["losses"], reverse=True
    )


def test_a_killed_training_resumes_and_ends_the_same(
    sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = finish_in(tmp_path / "whole", sentences)
    real, calls = training.new_folder, []

    def killed(path: Path, marker: str = "") -> Any:
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(path, marker)

    monkeypatch.setattr(training, "new_folder", killed)
    with pytest.raises(KeyboardInterrupt):
        train_vectors(sentences, tmp_path / "part.checkpoint", SMALL)
    monkeypatch.undo()
    assert (tmp_path / "part.checkpoint/model").exists()
    assert finish_in(tmp_path / "part", sentences) == whole
    assert not (tmp_path / "part.checkpoint").exists()


def finish_in(folder: Path, sentences: Path) -> bytes:
    checkpoint = folder.with_name(f"{folder.name}.checkpoint")
    finish(train_vectors(sentences, checkpoint, SMALL), folder, checkpoint, lang="en", attr="LOWER")
    return (folder / "vocab/vectors").read_bytes()


def test_a_damaged_checkpoint_is_not_taken(sentences: Path, tmp_path: Path) -> None:
    train_vectors(sentences, tmp_path / "c", SMALL)
    path = tmp_path / "c/model"
    path.write_bytes(path.read_bytes()[:100])
    assert train_vectors(sentences, tmp_path / "c", SMALL).quicksilver["epochs"] == 3


def test_a_checkpoint_of_other_settings_is_not_taken(sentences: Path, tmp_path: Path) -> None:
    train_vectors(sentences, tmp_path / "checkpoint", SMALL)
    other = train_vectors(
        sentences, tmp_path / "checkpoint", Settings(vector_size=8, epochs=1, min_count=2)
    )
    assert other.vector_size == 8 and other.quicksilver["epochs"] == 1


def product_names(items: list[int]) -> list[str]:
    return [f"p{item}" for item in items]


def test_products_of_the_same_sessions_are_near(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    lines = [list(random.choice(10, 6) + (10 if number % 2 else 0)) for number in range(2_000)]
    write_sentences(tmp_path / "s.txt", map(product_names, lines))
    model = train_vectors(
        tmp_path / "s.txt", tmp_path / "c", Settings(algorithm="cbow", vector_size=8, epochs=5)
    )
    finish(model, tmp_path / "vectors", tmp_path / "c", lang="xx", attr="ORTH")
    words = [word for word, _ in nearest_words(read_folder(tmp_path / "vectors"), [["p3"]], k=9)]
    assert set(words) == {f"p{item}" for item in range(10)} - {"p3"}


def test_the_command_shows_progress_and_loss(sentences: Path, tmp_path: Path) -> None:
    done = run_module(
        ROOT,
        "scripts.vectors",
        "train",
        str(sentences),
        str(tmp_path / "v"),
        "--epochs",
        "2",
        "--vector-size",
        "8",
        "--window",
        "2",
    )
    assert done.returncode == 0 and "epoch 2 of 2: loss" in done.stdout and "width 8" in done.stdout
