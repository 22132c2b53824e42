"""Splits: seeded, by text; hand-labelled dev and test texts never train; true summaries."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy

from scripts.entities.ambiguous import mask_ambiguous
from scripts.ner.annotate import annotate_files
from scripts.ner.split import split_corpus
from scripts.options import MaskUnmatched
from scripts.reading import read_docs, text_key
from scripts.splits import draw_split
from tests.conftest import ROOT

Writer = Callable[[str, list[Any]], Path]
EMPTY = ROOT / "assets/empty.jsonl"
NLP = spacy.blank("en")


@pytest.fixture
def silver(tmp_path: Path, write_jsonl: Writer) -> Path:
    texts = [{"text": f"number {i}: my Pixel {i} beats the Zorp X{i}"} for i in range(100)]
    patterns = write_jsonl(
        "p.jsonl", [{"label": "PHONE", "pattern": [{"LOWER": "pixel"}, {"IS_DIGIT": True}]}]
    )
    annotate_files(write_jsonl("t.jsonl", texts), patterns, tmp_path / "silver", shard_texts=30)
    return tmp_path / "silver"


def texts(path: Path) -> set[bytes]:
    return {text_key(doc.text) for doc in read_docs(path, NLP)}


def annotated(text: str) -> dict[str, Any]:
    """A text with its phone labelled, as Prodigy writes it."""
    match = re.search(r"Pixel \d+", text)
    assert match
    return {"text": text, "spans": [{"start": match.start(), "end": match.end(), "label": "PHONE"}]}


def test_without_gold_dev_and_test_are_drawn_and_said_to_be_silver(
    tmp_path: Path, silver: Path
) -> None:
    summary = split_corpus(silver, tmp_path / "a", labelled=EMPTY, dev=EMPTY, test=EMPTY, share=0.2)
    parts = [texts(tmp_path / "a" / name) for name in ("train", "dev.spacy", "test.spacy")]
    assert [len(part) for part in parts] == list(summary["texts"].values()) and sum(
        map(len, parts)
    ) == len(set.union(*parts)) == 100
    assert 8 <= summary["texts"]["dev"] <= 32 and 8 <= summary["texts"]["test"] <= 32
    assert (summary["dev_is_gold"], summary["test_is_gold"]) == (False, False)


def test_same_seed_same_bytes_another_seed_another_draw(tmp_path: Path, silver: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        split_corpus(silver, tmp_path / name, labelled=EMPTY, dev=EMPTY, test=EMPTY, seed=seed)
    files = ["dev.spacy", "test.spacy", "train/shard-00000.spacy", "split.json"]
    assert all(
        (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
        for file in files
    )
    assert texts(tmp_path / "a" / "test.spacy") != texts(tmp_path / "c" / "test.spacy")


def test_gold_texts_never_train(tmp_path: Path, silver: Path, write_jsonl: Writer) -> None:
    test = write_jsonl(
        "test.jsonl",
        [annotated("number 7: my Pixel 7 beats the Zorp X7"), annotated("a new Pixel 9")],
    )
    dev = write_jsonl(
        "dev.jsonl",
        [
            annotated("NUMBER 7:  my Pixel 7 beats the Zorp X7"),
            annotated("number 8: my Pixel 8 beats the Zorp X8"),
        ],
    )
    summary = split_corpus(silver, tmp_path / "a", labelled=EMPTY, dev=dev, test=test)
    assert summary["texts"] == {"train": 98, "dev": 1, "test": 2} and summary["test_is_gold"]
    assert summary["texts_kept_out_of_train"] == {"in dev already": 1, "in test already": 2}
    assert not texts(tmp_path / "a" / "train") & (
        texts(tmp_path / "a" / "dev.spacy") | texts(tmp_path / "a" / "test.spacy")
    )


def test_hand_labels_alone_and_mixed(tmp_path: Path, silver: Path, write_jsonl: Writer) -> None:
    hand = write_jsonl(
        "hand.jsonl",
        [annotated(f"text {i} of a Pixel {i}") for i in range(10, 50)]
        + [annotated("number 3: my Pixel 3 beats the Zorp X3")],
    )
    alone = split_corpus(
        silver, tmp_path / "a", labelled=hand, dev=EMPTY, test=EMPTY, train_on="labelled", share=0.2
    )
    assert (
        sum(alone["texts"].values()) == 41
        and alone["test_is_gold"]
        and alone["unknown_tokens_in_train"] == 0
    )
    both = split_corpus(
        silver, tmp_path / "b", labelled=hand, dev=EMPTY, test=EMPTY, train_on="both", share=0.2
    )
    assert (
        sum(both["texts"].values()) == 140
        and both["hand_labelled_texts_in_train"] > alone["texts"]["train"]
        and not both["dev_is_gold"]
    )
    with pytest.raises(
        ValueError, match=r"holds no text with labels to train on.*vars\.ner\.labelled"
    ):
        split_corpus(
            silver, tmp_path / "c", labelled=EMPTY, dev=EMPTY, test=EMPTY, train_on="labelled"
        )


def test_misaligned_gold_spans_go_to_a_file(
    tmp_path: Path, silver: Path, write_jsonl: Writer
) -> None:
    bad = {"text": "my Pixel 7a rocks", "spans": [{"start": 3, "end": 10, "label": "PHONE"}]}
    split_corpus(
        silver,
        tmp_path / "a",
        labelled=EMPTY,
        dev=EMPTY,
        test=write_jsonl("g.jsonl", [bad, annotated("a Pixel 6 here")]),
    )
    (record,) = [
        json.loads(line) for line in (tmp_path / "a" / "misaligned.jsonl").read_text().splitlines()
    ]
    assert (record["text"], record["start"], record["end"], record["span"], record["line"]) == (
        bad["text"],
        3,
        10,
        "Pixel 7",
        1,
    )


def test_names_that_no_pattern_matched_are_unknown(tmp_path: Path, silver: Path) -> None:
    masks: dict[MaskUnmatched, set[str]] = {"names": {"X"}, "none": set()}
    for mask, expected in masks.items():
        out = tmp_path / mask
        split_corpus(silver, out, labelled=EMPTY, dev=EMPTY, test=EMPTY, mask_unmatched=mask)
        unknown: list[str] = []
        for doc in read_docs(out / "train", NLP):
            unknown += [token.text for token in doc if token.ent_iob_ == ""]
        assert {text[0] for text in unknown if text.startswith("X")} == expected


def test_what_looks_like_a_name() -> None:
    doc = NLP("Sold my Zune. The Nokia 3310 and s21 won, I think. OK")
    doc.set_ents([doc.char_span(18, 28, label="G")])
    assert mask_ambiguous(doc) == 2
    assert [token.text for token in doc if token.ent_iob_ == ""] == ["Zune", "s21"]
    assert [ent.text for ent in doc.ents] == ["Nokia 3310"]


def test_draw_is_even() -> None:
    drawn = [draw_split(f"text {i}", 3, {"test": 0.1, "dev": 0.2}) for i in range(5000)]
    assert 400 < drawn.count("test") < 600 and 850 < drawn.count("dev") < 1150


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"share": 0.7}, "must lie between 0 and 0.5"),
        ({"share": 0.001}, "and no entity: give more texts"),
    ],
)
def test_settings_that_cannot_work(
    tmp_path: Path, silver: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        split_corpus(silver, tmp_path / "a", labelled=EMPTY, dev=EMPTY, test=EMPTY, **changes)


def test_gold_of_other_labels_is_refused_and_dev_of_other_labels_is_drawn(
    tmp_path: Path, silver: Path, capsys: Any
) -> None:
    other = ROOT / "assets/ner/dev.jsonl"
    summary = split_corpus(silver, tmp_path / "a", labelled=EMPTY, dev=other, test=EMPTY, share=0.2)
    assert (
        not summary["dev_is_gold"]
        and summary["texts"]["dev"] < 40
        and "has the labels ['GADGET'], of which training has none" in capsys.readouterr().err
    )
    with pytest.raises(
        ValueError,
        match=r"none \(\['PHONE'\]\): give texts with the same labels by vars\.ner\.test",
    ):
        split_corpus(silver, tmp_path / "b", labelled=EMPTY, dev=EMPTY, test=other)
    assert not (tmp_path / "b").exists()


def test_conll_gold_never_trains_either(tmp_path: Path, silver: Path) -> None:
    words = ["number", "7", ":", "my", "Pixel", "7", "beats", "the", "Zorp", "X7"]
    tags = ["O"] * 4 + ["B-PHONE", "I-PHONE"] + ["O"] * 4
    (tmp_path / "g.conll").write_text(
        "".join(f"{word} X {tag}\n" for word, tag in zip(words, tags)), encoding="utf8"
    )
    summary = split_corpus(
        silver, tmp_path / "a", labelled=EMPTY, dev=EMPTY, test=tmp_path / "g.conll", share=0.2
    )
    assert (
        summary["texts_kept_out_of_train"] == {"in test already": 1}
        and summary["entities"]["test"] == 1
    )
