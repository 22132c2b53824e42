"""Annotation: counts, bytes that do not depend on processes, continued runs, bad patterns."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import Doc

from scripts.entities.patterns import never_match, read_patterns
from scripts.ner.annotate import annotate_files
from scripts.reading import read_docs
from scripts.shards import finished_shards
from tests.conftest import ROOT, run_module

Writer = Callable[[str, list[Any]], Path]
TEXTS = ROOT / "assets/ner/texts.jsonl"
PATTERNS = ROOT / "assets/ner/patterns.jsonl"


def entities(doc: Doc) -> list[tuple[str, str, str]]:
    return [(ent.text, ent.label_, ent.ent_id_) for ent in doc.ents]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_statistics_and_entities(tmp_path: Path, write_jsonl: Writer) -> None:
    texts = [
        "The Pixel 6 beats the pixel",
        "PIXEL  6 again",
        "the pixel 6 beats  the Pixel",
        "nothing here",
        " ",
        "x" * 1_200_000,
        "half \ud83d",
    ]
    patterns = [
        {"label": "LINE", "pattern": [{"LOWER": "pixel"}], "id": "p"},
        {"label": "PHONE", "pattern": [{"LOWER": "pixel"}, {"IS_DIGIT": True}], "id": "p6"},
        {"label": "PHONE", "pattern": "never there"},
        {"label": "EMPTY", "pattern": [{"LOWER": "PIXEL"}]},
    ]
    stats = annotate_files(
        write_jsonl("t.jsonl", [{"text": text} for text in texts]),
        write_jsonl("p.jsonl", patterns),
        tmp_path / "out",
    )
    assert [stats[key] for key in ("texts", "texts_without_match")] == [3, 1]
    assert stats["repeated_texts_dropped"] == 1
    reasons = ("empty", "half of a surrogate pair", "longer than 1000000 characters")
    assert stats["set_aside"] == dict.fromkeys(reasons, 1)
    assert stats["labels"]["LINE"] == {"patterns": 1, "matches": 3, "entities": 2}
    assert stats["labels"]["PHONE"] == {"patterns": 2, "matches": 1, "entities": 1}
    assert stats["labels_without_match"] == ["EMPTY"]
    assert stats["patterns_without_match"] == ["never there", '[{"LOWER":"PIXEL"}]']
    assert (stats["overlaps_resolved"], stats["overlaps_between_labels"]) == (1, 1)
    assert "write 'pixel' for 'PIXEL'" in stats["patterns"][3]["never"]
    docs: list[Doc] = []
    for shard in finished_shards(tmp_path / "out"):
        docs += read_docs(shard, spacy.blank("en"))
    assert list(map(entities, docs)) == [
        [("Pixel 6", "PHONE", "p6"), ("pixel", "LINE", "p")],
        [("PIXEL", "LINE", "p")],
        [],
    ]
    for doc in docs:
        assert all(token.ent_iob_ for token in doc)


def test_bytes_do_not_depend_on_processes(tmp_path: Path) -> None:
    one = annotate_files(TEXTS, PATTERNS, tmp_path / "one", n_process=1, shard_texts=200)
    two = annotate_files(TEXTS, PATTERNS, tmp_path / "two", n_process=2, shard_texts=200)
    assert one == two and one["shards"] == 5
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_memory_zones_do_not_change_the_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotate_files(TEXTS, PATTERNS, tmp_path / "one", shard_texts=300)
    monkeypatch.setattr("scripts.ner.annotate.MAX_VOCAB", 0)
    annotate_files(TEXTS, PATTERNS, tmp_path / "two", shard_texts=300)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_finished_shards_are_kept_and_changed_ones_made_again(
    tmp_path: Path, write_jsonl: Writer
) -> None:
    texts = [{"text": f"text {i} with a Pixel {i}"} for i in range(40)]
    out = tmp_path / "out"
    patterns = write_jsonl("p.jsonl", [{"label": "P", "pattern": [{"LOWER": "pixel"}]}])
    annotate_files(write_jsonl("t.jsonl", texts), patterns, out, shard_texts=10)
    times = {path.name: path.stat().st_mtime_ns for path in out.glob("*.spacy")}
    (out / "shard-00002.spacy").write_bytes(b"damaged")
    texts[0]["text"] = "another text"
    annotate_files(write_jsonl("t.jsonl", texts), patterns, out, shard_texts=10)
    again = {
        path.name for path in out.glob("*.spacy") if path.stat().st_mtime_ns != times[path.name]
    }
    assert again == {"shard-00000.spacy", "shard-00002.spacy"}
    annotate_files(write_jsonl("t.jsonl", texts[:10]), patterns, out, shard_texts=10)
    assert (
        [path.name for path in finished_shards(out)]
        == [path.name for path in out.glob("*.spacy")]
        == ["shard-00000.spacy"]
    )


def test_kill_in_mid_annotate_is_continued(tmp_path: Path) -> None:
    base = [json.loads(line)["text"] for line in TEXTS.read_text("utf8").splitlines()]
    texts = tmp_path / "many.txt"
    lines = [f"{i} {text}" for i, text in itertools.product(range(30), base)]
    texts.write_text("\n".join(lines), encoding="utf8")
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "scripts.ner",
        "annotate",
        str(out),
        str(tmp_path / "stats.json"),
        "--texts",
        str(texts),
    ]
    command += ["--patterns", str(PATTERNS), "--shard-texts", "500", "--n-process", "2"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while process.poll() is None and len(list(out.glob("shard-*.spacy"))) < 4:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    with pytest.raises(ValueError, match="is not finished: run the command that makes it again"):
        finished_shards(out)
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("shard-*.spacy")}
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
    kept = [name for name, changed in before.items() if (out / name).stat().st_mtime_ns == changed]
    assert len(kept) >= 2
    annotate_files(texts, PATTERNS, tmp_path / "whole", shard_texts=500)
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "holds no pattern"),
        ('{"label": "X"}', "1: not a pattern"),
        ('{"label": "X", "pattern": []}', "1: not a pattern"),
        ('{"label": "X", "pattern": [{"LOWR": "a"}]}', "1: not a pattern"),
        ('{"label": "X", "pattern": [{"LOWER": "a", "OP": "{x}"}]}', "1: not a pattern"),
        ('{"label": "X", "pattern": [{"LOWER": {"REGEX": "("}}]}', "1: not a pattern"),
        ('{"label": "X", "pattern": [{"_": {"foo": true}}]}', "1: not a pattern"),
        ("{", "1: broken JSON"),
    ],
)
def test_bad_pattern_files(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(line, encoding="utf8")
    with pytest.raises(ValueError, match=words):
        read_patterns(path)


def test_patterns_that_can_never_match_say_why(write_jsonl: Writer) -> None:
    lines = [
        [{"LOWER": "iPhone"}],
        [{"LOWER": "iphone 12"}],
        [{"ORTH": "iPhone"}],
        [{"LOWER": "APPLE", "OP": "?"}, {"LOWER": "x"}],
        " ",
        [{"LOWER": {"IN": ["Ab"]}}],
    ]
    patterns = read_patterns(
        write_jsonl("p.jsonl", [{"label": "X", "pattern": line} for line in lines])
    )
    reasons = dict(never_match(patterns, spacy.blank("en")))
    assert set(reasons) == {0, 1, 4, 5}
    assert (
        "write 'iphone' for 'iPhone'" in reasons[0]
        and "cuts 'iphone 12' into ['iphone', '12']" in reasons[1]
    )


def test_pattern_that_needs_a_tagger(tmp_path: Path, write_jsonl: Writer) -> None:
    patterns = write_jsonl("p.jsonl", [{"label": "X", "pattern": [{"POS": "NOUN"}]}])
    with pytest.raises(
        ValueError,
        match=r"pattern 1 asks for POS, which a blank pipeline does not set.*vars\.ner\.base",
    ):
        annotate_files(TEXTS, patterns, tmp_path / "out")


def test_command_with_bad_input_ends_with_one_line(tmp_path: Path, write_jsonl: Writer) -> None:
    (tmp_path / "t.jsonl").write_bytes(b'{"text": "a Pixel"}\n{"text": null}\n')
    patterns = write_jsonl("p.jsonl", [{"label": "X", "pattern": "Pixel"}])
    command = [
        "scripts.ner",
        "annotate",
        str(tmp_path / "out"),
        str(tmp_path / "s.json"),
        "--texts",
        str(tmp_path / "t.jsonl"),
    ]
    done = run_module(ROOT, *command, "--patterns", str(patterns))
    assert (
        done.returncode == 1
        and done.stderr.count("\n") == 1
        and 't.jsonl:2: no "text"' in done.stderr
    )
    done = run_module(ROOT, *command, "--patterns", str(patterns), "--skip-bad")
    assert done.returncode == 0 and "bad lines skipped: {'no \"text\"': 1}" in done.stdout
    done = run_module(
        ROOT,
        *command,
        "--patterns",
        str(write_jsonl("q.jsonl", [{"label": "X", "pattern": "Zune"}])),
        "--skip-bad",
    )
    assert done.returncode == 1 and "no pattern matches any of the 1 texts" in done.stderr
    assert "Warning: label X has no match at all" in done.stderr


def test_no_entity_begins_or_ends_with_white_space(tmp_path: Path, write_jsonl: Writer) -> None:
    patterns = write_jsonl(
        "p.jsonl", [{"label": "X", "pattern": [{"LOWER": "ramen"}, {"OP": "?"}]}]
    )
    annotate_files(
        write_jsonl("t.jsonl", [{"text": "I had ramen  and tea"}]), patterns, tmp_path / "out"
    )
    (doc,) = read_docs(finished_shards(tmp_path / "out")[0], spacy.blank("en"))
    assert [ent.text for ent in doc.ents] == ["ramen"]
