"""Reading texts and labelled spans: exact, or refused with file and line."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span

from scripts.pipelines import load_nlp
from scripts.reading import (
    Skipped,
    read_annotated,
    read_docs,
    read_texts,
    text_key,
    why_unreadable,
    write_docs,
)

Writer = Callable[[str, list[Any]], Path]
NLP = spacy.blank("en")


def texts(path: Path, skipped: Skipped | None = None) -> list[str]:
    return [text.text for text in read_texts(path, skipped)]


def entities(doc: Doc) -> list[tuple[str, str]]:
    return [(ent.text, ent.label_) for ent in doc.ents]


def test_every_kind_of_file_and_a_folder_of_them(tmp_path: Path, write_jsonl: Writer) -> None:
    write_jsonl("a.jsonl", [{"text": "one", "meta": {"id": 1}}])
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"text": "two"}\n'))
    (tmp_path / "c.txt").write_text("three\nfour 🙂\n", encoding="utf8")
    (tmp_path / "d.txt.gz").write_bytes(gzip.compress("fünf".encode()))
    DocBin(docs=[NLP("six it is")]).to_disk(tmp_path / "e.spacy")
    assert texts(tmp_path) == ["one", "two", "three", "four 🙂", "fünf", "six it is"]
    assert [text.line for text in read_texts(tmp_path / "c.txt")] == [1, 2]


def test_byte_order_mark_and_blank_lines_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "one"}\r\n\r\n{"text": "two"}\n')
    assert texts(tmp_path / "a.jsonl") == ["one", "two"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "cut', "broken JSON"),
        ('{"text": "Café"}'.encode("latin1"), "not UTF-8"),
        (b'{"title": "no text"}', 'no "text"'),
        (b'{"text": null}', 'no "text"'),
        (b'["a list"]', "not an object"),
    ],
)
def test_bad_line_is_named_or_skipped_and_counted(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "good"}\n' + line + b'\n{"text": "good too"}\n')
    strict = Skipped(strict=True, var="vars.NOUN.bad_lines")
    advice = "or set vars.NOUN.bad_lines to skip-bad"
    for option, remedy in ((None, ""), (strict, advice)):
        with pytest.raises(ValueError, match=rf"a\.jsonl:2: {reason}.*{remedy}$"):
            texts(path, option)
    skipped = Skipped()
    assert texts(path, skipped) == ["good", "good too"]
    assert skipped.counts() == {reason: 1} and skipped.records[0]["line"] == 2


def test_truncated_gzip_is_refused_even_when_bad_lines_are_skipped(tmp_path: Path) -> None:
    whole = gzip.compress(
        "".join(json.dumps({"text": f"text {i} {i * 7919}"}) + "\n" for i in range(2000)).encode()
    )
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"a\.jsonl\.gz: ends early or is damaged after line"):
        texts(tmp_path / "a.jsonl.gz", Skipped())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.jsonl", "does not exist"),
        ("a.pdf", "don't know how to read"),
        ("empty", "no file to read in"),
    ],
)
def test_paths_that_hold_nothing(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "a.pdf").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=words):
        texts(tmp_path / name)


def test_what_is_set_aside() -> None:
    assert why_unreadable("fine", NLP) is None
    assert why_unreadable(" \n", NLP) == "empty"
    assert why_unreadable("x" * 1_200_000, NLP) == "longer than 1000000 characters"
    assert why_unreadable("half \ud83d", NLP) == "half of a surrogate pair"


def test_same_text_whatever_case_and_space() -> None:
    assert text_key("My  phone\n") == text_key("my phone") != text_key("my phones")
    assert len(text_key("half \ud83d")) == 8


def test_damaged_docbin_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.spacy"
    write_docs(path, [NLP("A whole text")])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"a\.spacy: not a DocBin, or a damaged one"):
        list(read_docs(path, NLP))


def test_unknown_language() -> None:
    with pytest.raises(ValueError, match="no language or pipeline called 'klingon'"):
        load_nlp("klingon")


def test_prodigy_spans_with_emoji_and_combining_characters_are_exact(write_jsonl: Writer) -> None:
    text = "😅😅 my Cafe\u0301 Phone 3 👍🏽 rocks"
    start = text.index("Cafe")
    end = text.index(" 👍")
    path = write_jsonl(
        "labelled.jsonl", [{"text": text, "spans": [{"start": start, "end": end, "label": "G"}]}]
    )
    (doc,) = read_annotated(path, NLP, Skipped())
    assert [(ent.text, ent.start_char, ent.label_) for ent in doc.ents] == [
        ("Cafe\u0301 Phone 3", start, "G")
    ]


def test_spans_that_do_not_fit_are_rejected_with_text_and_offsets(write_jsonl: Writer) -> None:
    text = "😀 a Pixel 6 here"  # offsets in UTF-16 units are one too high after the emoji
    spans = [
        {"start": 5, "end": 12, "label": "G", "text": "Pixel 6"},
        {"start": 4, "end": 8, "label": "G"},
        {"start": 90, "end": 95, "label": "G"},
        {"start": 4, "end": 11, "label": "G"},
        {"start": 4, "end": 9, "label": "G"},
    ]
    rejected = Skipped()
    (doc,) = read_annotated(
        write_jsonl("labelled.jsonl", [{"text": text, "spans": spans}]), NLP, rejected
    )
    assert [ent.text for ent in doc.ents] == ["Pixel 6"]
    assert rejected.counts() == {"span does not fit the tokens": 3, "span overlaps another": 1}
    assert (
        rejected.records[0] | {"start": 5, "end": 12, "span": "ixel 6 ", "line": 1}
        == rejected.records[0]
    )


def test_span_whose_text_differs_is_rejected(write_jsonl: Writer) -> None:
    record = {
        "text": "one two three",
        "spans": [{"start": 4, "end": 7, "label": "G", "text": "three"}],
    }
    rejected = Skipped()
    (doc,) = read_annotated(write_jsonl("labelled.jsonl", [record]), NLP, rejected)
    assert not doc.ents and rejected.counts() == {"span's offsets and text differ": 1}


def test_prodigy_answers_other_than_accept_are_left_out(write_jsonl: Writer) -> None:
    records = [
        {"text": "a", "spans": [], "answer": answer} for answer in ("accept", "reject", "ignore")
    ]
    rejected = Skipped()
    assert len(list(read_annotated(write_jsonl("labelled.jsonl", records), NLP, rejected))) == 1
    assert rejected.counts() == {"answer is ignore": 1, "answer is reject": 1}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"spans": []}, "not an annotated text"),
        ({"text": "a", "spans": [{"start": "0"}]}, "a span needs"),
        ({"text": "a", "spans": ["x"]}, "a span needs"),
    ],
)
def test_line_that_is_not_an_annotated_text(
    write_jsonl: Writer, record: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=rf"labelled\.jsonl:1: {words}"):
        list(read_annotated(write_jsonl("labelled.jsonl", [record]), NLP, Skipped()))


def test_conll(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text(
        "Redondo\tB-location\nBeach\tI-location\nrocks\tO\n\nyes\tO\n", encoding="utf8"
    )
    docs = list(read_annotated(tmp_path / "a.conll", NLP, Skipped()))
    assert [entities(doc) for doc in docs] == [[("Redondo Beach", "location")], []]
    assert all(doc.has_annotation("ENT_IOB") for doc in docs)
    (tmp_path / "b.conll").write_text("a O\nbroken\n", encoding="utf8")
    with pytest.raises(ValueError, match=r"b\.conll:2: not CoNLL"):
        list(read_annotated(tmp_path / "b.conll", NLP, Skipped()))


def test_docs_keep_entities_ids_and_unknown_tokens(tmp_path: Path) -> None:
    doc = Doc(NLP.vocab, words=["a", "Pixel", "6", "or", "Zorp"])
    doc.set_ents(
        [Span(doc, 1, 3, label="G", span_id="pixel")], missing=[doc[4:5]], default="outside"
    )
    write_docs(tmp_path / "a.spacy", [doc])
    (back,) = read_docs(tmp_path / "a.spacy", spacy.blank("en"))
    assert [(ent.text, ent.label_, ent.ent_id_) for ent in back.ents] == [("Pixel 6", "G", "pixel")]
    assert [token.ent_iob_ for token in back] == ["O", "B", "I", "O", ""]


def test_iob_with_a_sentence_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.iob").write_text(
        "I|PRP|O sold|VBD|O a|DT|O Zune|NNP|B-G HD|NNP|I-G\nyes|O\n", encoding="utf8"
    )
    docs = list(read_annotated(tmp_path / "a.iob", NLP, Skipped()))
    assert [entities(doc) for doc in docs] == [[("Zune HD", "G")], []]
