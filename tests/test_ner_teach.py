"""The teacher: its features, what it learns from few names, and the terms of a user."""

import random
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import srsly
from spacy.tokens import Doc, Span

from scripts.ner.features import N_HASHED, Encoder, word_features
from scripts.ner.sources import read_sources
from scripts.ner.teach import make_features, teach_corpus
from scripts.ner.teacher import (
    HAND_WEIGHT,
    Teacher,
    find_spans,
    fold_of,
    token_labels,
    unknown_runs,
)
from scripts.ner.terms import Decisions, accepted, read_terms
from scripts.reading import read_docs, write_docs
from tests.conftest import run_module

NLP = spacy.blank("en")
KNOWN = ["Zorp", "Blip", "Quux", "Fnord", "Wibble", "Plugh"]
HIDDEN = ["Xyzzy", "Grault", "Corge", "Thud", "Waldo", "Barfoo"]
CITIES = ["Paris", "Oslo", "Rome", "Cairo", "Lima", "Delhi"]


def texts() -> list[Doc]:
    """Phones after "bought a", cities after "flew to".

    The patterns know half of the phones, and every name looks ambiguous.
    """
    rng, docs = random.Random(0), []
    for number in range(240):
        phone, city = rng.choice(KNOWN + HIDDEN), rng.choice(CITIES)
        model = rng.randint(2, 9)
        text = f"Number {number} : we bought a {phone} {model} then flew to {city} with it ."
        words = text.split()
        doc = Doc(NLP.vocab, words=words)
        at = words.index(phone)
        missing = [doc[i : i + 1] for i in (at, at + 1, words.index(city))]
        spans = [Span(doc, at, at + 2, label="PHONE")] if phone in KNOWN else []
        doc.set_ents(
            spans,
            missing=[token for token in missing if not spans or token[0].i > at + 1],
            default="outside",
        )
        docs.append(doc)
    return docs


def corpus(folder: Path, docs: list[Doc], dev_is_gold: bool = False) -> Path:
    (folder / "train").mkdir(parents=True)
    write_docs(folder / "train" / "shard-00000.spacy", docs[40:])
    write_docs(folder / "dev.spacy", docs[:40])
    srsly.write_json(
        folder / "split.json", {"texts": {"train": len(docs) - 40}, "dev_is_gold": dev_is_gold}
    )
    return folder


def names(path: Path) -> list[str]:
    """The first words of all entities in a file or folder."""
    first_words: list[str] = []
    for doc in read_docs(path, NLP):
        first_words += [ent.text.split()[0] for ent in doc.ents]
    return first_words


@pytest.fixture(scope="module")
def relabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teach")
    teach_corpus(
        corpus(folder / "in", texts()), folder / "out", NLP, make_features("words", "", -1)
    )
    return folder


def test_the_teacher_finds_the_names_that_no_pattern_knows(relabelled: Path) -> None:
    train = list(read_docs(relabelled / "out/train", NLP))
    tokens = list(chain.from_iterable(train))
    right = sum(token.text in KNOWN + HIDDEN for token in tokens)
    found = names(relabelled / "out/train")
    assert set(HIDDEN) <= set(found) and not set(CITIES) & set(found)
    assert len(found) > 0.95 * right
    for doc in train:
        assert all(len(ent) == 2 for ent in doc.ents)
    assert not any(token.ent_iob == 0 for token in tokens)
    summary = srsly.read_json(relabelled / "out/teach.json")
    assert summary["entities_after"] == len(found) > summary["entities_before"]
    assert 0 < summary["confidence"] < 1
    assert set(HIDDEN) <= set(names(relabelled / "out/dev.spacy"))


def test_the_same_seed_gives_the_same_bytes(relabelled: Path, tmp_path: Path) -> None:
    teach_corpus(relabelled / "in", tmp_path / "out", NLP, make_features("words", "", -1))
    for name in ("train/shard-00000.spacy", "dev.spacy", "terms.jsonl", "teach.json"):
        assert (tmp_path / "out" / name).read_bytes() == (relabelled / "out" / name).read_bytes()


def test_terms_are_patterns_with_score_and_example(relabelled: Path) -> None:
    terms = read_terms(relabelled / "out/terms.jsonl")
    words = {term["pattern"][0]["LOWER"] for term in terms}
    assert (
        words <= {name.lower() for name in KNOWN + HIDDEN}
        and {name.lower() for name in HIDDEN} <= words
    )
    assert all(0 < term["score"] <= 1 and term["places"] >= 1 and term["example"] for term in terms)
    nlp = spacy.blank("en")
    ruler: Any = nlp.add_pipe("entity_ruler")
    ruler.from_disk(relabelled / "out/terms.jsonl")
    assert nlp(terms[0]["example"]).ents


def test_what_a_user_decides_of_terms_holds(relabelled: Path, tmp_path: Path) -> None:
    reject = [
        {"label": "PHONE", "pattern": [{"LOWER": "thud"}, {"LOWER": str(i)}], "answer": "reject"}
        for i in range(2, 10)
    ]
    accept = [{"label": "CITY", "pattern": [{"LOWER": "oslo"}]}]
    decisions = [*reject, *accept]
    teach_corpus(
        relabelled / "in", tmp_path / "out", NLP, make_features("words", "", -1), decisions
    )
    found = names(tmp_path / "out/train")
    assert "Thud" not in found and "Corge" in found and "Oslo" in found
    terms = read_terms(tmp_path / "out/terms.jsonl")
    assert terms[: len(decisions)] == decisions and len(accepted(terms)) == len(terms) - len(reject)


def test_without_a_teacher_or_with_too_few_entities_the_corpus_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docs = texts()
    corpus(tmp_path / "in", docs, dev_is_gold=True)
    before = (tmp_path / "in/train/shard-00000.spacy").read_bytes()
    teach_corpus(tmp_path / "in", tmp_path / "none", NLP, {})
    assert (tmp_path / "none/train/shard-00000.spacy").read_bytes() == before and not read_terms(
        tmp_path / "none/terms.jsonl"
    )
    corpus(tmp_path / "few", docs[:80])
    teach_corpus(tmp_path / "few", tmp_path / "out", NLP, make_features("words", "", -1))
    assert "needs at least 40 texts with entities" in capsys.readouterr().err
    assert set(names(tmp_path / "out/train")) <= set(KNOWN)


def test_hand_labels_and_a_dev_by_hand_stay_as_they_are(tmp_path: Path) -> None:
    docs = texts()
    corpus(tmp_path / "in", docs, dev_is_gold=True)
    write_docs(tmp_path / "in/train/labelled.spacy", docs[:20])
    teach_corpus(tmp_path / "in", tmp_path / "out", NLP, make_features("words", "", -1))
    assert names(tmp_path / "out/dev.spacy") == names(tmp_path / "in/dev.spacy")
    for number in range(HAND_WEIGHT):  # they count more than silver ones
        assert names(tmp_path / f"out/train/{number}-labelled.spacy") == names(
            tmp_path / "in/train/labelled.spacy"
        )


def test_judges_have_not_seen_the_text() -> None:
    docs = texts()
    teacher = Teacher(make_features("words", "", -1)).fit(docs)
    doc = next(doc for doc in docs if doc.ents)
    own = teacher.judge([doc])[0]
    rows = teacher.rows("words", [doc])
    assert np.allclose(own, teacher._models["words", fold_of(doc)].predict_proba(rows))
    assert own.shape == (len(doc), len(teacher.classes)) and np.allclose(own.sum(axis=1), 1)


def test_spans_begin_where_sure_and_grow_where_likely() -> None:
    doc = Doc(NLP.vocab, words=["the", "Galaxy", "Note", "10", "+", "!", "Zorp"])
    doc.set_ents([Span(doc, 2, 3, label="G")], default="outside")
    scores = np.array([0.0, 0.2, 0.9, 0.3, 0.2, 0.6, 0.1])
    spans = find_spans(doc, np.stack([scores, 1 - scores], axis=1), ["G", "O"], 0.5, 0.15)
    assert [(span.text, span.label_) for span in spans] == [("Galaxy Note 10 +", "G")]
    doc.set_ents([Span(doc, 1, 3, label="G"), Span(doc, 3, 5, label="G")])
    spans = find_spans(doc, np.zeros((7, 2)), ["G", "O"], 0.5, 0.15)
    assert [span.text for span in spans] == ["Galaxy Note", "10 +"]


def test_word_features_see_neighbours_of_the_same_text_only() -> None:
    one, two = Doc(NLP.vocab, words=["my", "Pixel", "6"]), Doc(NLP.vocab, words=["a", "dog"])
    both = word_features([one, two])
    assert both.shape == (5, N_HASHED)
    assert (both[3:] != word_features([two])).nnz == 0 and (
        both[:3] != word_features([one])
    ).nnz == 0


def test_labels_and_unknown_runs() -> None:
    doc = next(doc for doc in texts() if doc.ents)
    assert set(token_labels(doc)) == {"PHONE", "O", ""} and [
        run[0] in CITIES for run in unknown_runs(doc)
    ] == [True]


def test_encoder_gives_each_token_a_row_also_in_long_texts(tiny_bert: Path) -> None:
    encoder = Encoder(str(tiny_bert))
    long = Doc(NLP.vocab, words=["pixel", "\n", "works"] * 200)
    short = Doc(NLP.vocab, words=["pixel", "works"])
    rows = encoder([long, short])
    assert (
        rows.shape == (602, 64)
        and np.isfinite(rows).all()
        and not rows[1].any()
        and rows[0].any()
        and rows[-1].any()
    )
    assert np.allclose(encoder([short]), rows[600:], atol=1e-2)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"label": "A", "pattern": "phrase"}', r"terms.jsonl:1: not a term: a line needs"),
        (
            '{"label": "A", "pattern": [{"LOWER": "x"}], "answer": "maybe"}',
            "terms.jsonl:1: not a term",
        ),
        ("{", "terms.jsonl:1: broken JSON"),
    ],
)
def test_terms_that_are_none(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "terms.jsonl").write_text(line)
    with pytest.raises(ValueError, match=words):
        read_terms(tmp_path / "terms.jsonl")


def test_decided_terms_overlap_the_longest_wins() -> None:
    doc = Doc(NLP.vocab, words=["Galaxy", "Note", "10"])
    doc.set_ents([Span(doc, 0, 1, label="G")])
    term: dict[str, Any] = {"label": "G", "pattern": [{"LOWER": "galaxy"}, {"LOWER": "note"}]}
    Decisions(NLP.vocab, [term]).apply(doc)
    assert [ent.text for ent in doc.ents] == ["Galaxy Note"]


def test_sources_add_up_and_unlikely_ones_are_unknown(
    write_jsonl: Callable[[str, list[Any]], Path], tmp_path: Path
) -> None:
    other = spacy.blank("en")
    other.add_pipe("entity_ruler").add_patterns(
        [{"label": "ORG", "pattern": word} for word in ("Gap", "Coach")]
    )  # type: ignore[attr-defined]
    other.to_disk(tmp_path / "other")
    gazetteer = write_jsonl(
        "gazetteer.jsonl", [{"label": "BRAND", "pattern": word} for word in ("Gap", "Guess")]
    )
    lines = [{"id": "weak", "weight": 0.3}, {"patterns": str(gazetteer), "weight": 0.4}]
    lines.append({"pipeline": str(tmp_path / "other"), "labels": {"ORG": "BRAND"}, "weight": 0.4})
    sources = read_sources(write_jsonl("sources.jsonl", lines), NLP)
    doc = Doc(NLP.vocab, words=["Gap", "Guess", "Coach", "Nike", "Polo", "shirt"])
    doc.set_ents([Span(doc, 3, 4, label="BRAND"), Span(doc, 4, 5, label="BRAND", span_id="weak")])
    sources.apply(doc)
    assert [ent.text for ent in doc.ents] == ["Gap", "Nike"]  # 1 - 0.6 * 0.6 is more than a half
    assert [token.ent_iob_ for token in doc] == ["B", "", "", "B", "", "O"]


@pytest.mark.parametrize(
    "line", [{"weight": 0.5}, {"id": "x", "weight": 2}, {"pipeline": "en", "weight": 0.5}]
)
def test_sources_that_are_none(
    write_jsonl: Callable[[str, list[Any]], Path], line: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"sources\.jsonl:1: not a source"):
        read_sources(write_jsonl("sources.jsonl", [line]), NLP)


def test_an_encoder_that_is_none_is_one_line(tmp_path: Path) -> None:
    corpus(tmp_path / "in", texts())
    done = run_module(
        Path.cwd(),
        "scripts.ner",
        "teach",
        str(tmp_path / "in"),
        str(tmp_path / "out"),
        "--teacher",
        "encoder",
        "--encoder",
        "./nowhere",
    )
    assert (
        done.returncode == 1
        and "no encoder called './nowhere'" in done.stderr
        and "Traceback" not in done.stderr
    )
    assert not (tmp_path / "out").exists()
