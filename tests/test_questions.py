"""A dump becomes questions with their answers; a bad dump gives one line."""

import sqlite3
import sys
import time
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
import srsly

from scripts.files import need
from scripts.questions import dump, extract
from scripts.questions.__main__ import app
from scripts.questions.dump import Rows
from scripts.questions.explore import draw, summarize, to_frames
from scripts.questions.extract import Malformed, extract_dump, parse_row, split_tags
from scripts.questions.text import to_text, words
from tests.conftest import ROOT, run_module, shared_data

SAMPLE = ROOT / "assets" / "questions" / "Posts.xml"
HEAD, FOOT = '\ufeff<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n', "</posts>"
GIGABYTE = 10**9


def row(**attributes: object) -> str:
    """A row as dumps have them."""
    escapes = {"\n": "&#xA;"}
    pairs = [f"{key}={quoteattr(str(value), escapes)}" for key, value in attributes.items()]
    return f"  <row {' '.join(pairs)} />\r\n"


def question(number: int, **others: object) -> str:
    attributes = {
        "Id": number,
        "PostTypeId": 1,
        "CreationDate": "2020-01-02T03:04:05.678",
        "Score": 3,
        "ViewCount": 40,
        "Title": f"Why is coffee {number} sour?",
        "Body": "<p>It is.</p>",
        "Tags": "<taste><sour>",
    }
    return row(**(attributes | others))


def answer(number: int, parent: int, **others: object) -> str:
    attributes = {
        "Id": number,
        "PostTypeId": 2,
        "ParentId": parent,
        "CreationDate": "2020-01-03T03:04:05.678",
        "Score": 1,
        "Body": f"<p>Grind finer, {number}.</p>",
    }
    return row(**(attributes | others))


def posts(folder: Path, *rows: str, foot: str = FOOT, head: str = HEAD) -> Path:
    path = folder / "Posts.xml"
    path.write_text(head + "".join(rows) + foot, encoding="utf8", newline="")
    return path


def pack(path: Path, **members: bytes) -> Path:
    """A .7z with members; "__" in a name stands for "/"."""
    with need("py7zr", "questions").SevenZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(content, name.replace("__", "/").replace("_xml", ".xml"))
    return path


def read(
    path: Path, folder: Path, cap: int = GIGABYTE, limit: int = 0
) -> tuple[list[Any], extract.Result]:
    result = extract_dump(path, folder / "q.jsonl", cap, limit)
    return list(srsly.read_jsonl(folder / "q.jsonl")), result


def fails(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    """The one line on stderr of a command that must fail."""
    with pytest.raises(SystemExit) as error:
        app([str(arg) for arg in args], standalone_mode=False)
    assert error.value.code == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("Error: ")
    return lines[0]


def test_questions_come_with_their_answers_wherever_these_stand(tmp_path: Path) -> None:
    path = posts(
        tmp_path,
        answer(9, 2),
        question(2, AcceptedAnswerId=9, Tags="|milk|foam|"),
        question(1),
        answer(4, 1),
        answer(3, 2),
    )
    questions, result = read(path, tmp_path)
    assert [one["id"] for one in questions] == [1, 2]
    assert [answer["id"] for answer in questions[0]["answers"]] == [4]
    assert [answer["id"] for answer in questions[1]["answers"]] == [3, 9]
    assert questions[1] == {
        "id": 2,
        "title": "Why is coffee 2 sour?",
        "body": "It is.",
        "score": 3,
        "date": "2020-01-02T03:04:05.678",
        "tags": ["milk", "foam"],
        "views": 40,
        "accepted": 9,
        "answers": [
            {
                "id": 3,
                "text": "Grind finer, 3.",
                "score": 1,
                "date": "2020-01-03T03:04:05.678",
                "accepted": False,
            },
            {
                "id": 9,
                "text": "Grind finer, 9.",
                "score": 1,
                "date": "2020-01-03T03:04:05.678",
                "accepted": True,
            },
        ],
    }
    assert questions[0]["accepted"] is None and questions[0]["tags"] == ["taste", "sour"]
    assert not result.ends_early and result.last == "3"


def test_the_sample_is_read_whole_plain_and_packed(tmp_path: Path) -> None:
    plain, result = read(SAMPLE, tmp_path)
    assert (result.counts["rows"], len(plain), result.counts["answers"]) == (407, 170, 237)
    assert SAMPLE.read_bytes().startswith(b"\xef\xbb\xbf") and b"\r\n" in SAMPLE.read_bytes()
    packed = pack(
        tmp_path / "site.7z", PostHistory_xml=b"<posthistory/>" * 9, Posts_xml=SAMPLE.read_bytes()
    )
    assert read(packed, tmp_path)[0] == plain
    assert "\r" not in "".join(one["body"] for one in plain)


def test_rows_are_the_same_wherever_the_file_is_cut(tmp_path: Path) -> None:
    data = posts(
        tmp_path, question(1), question(2, Body="<p>x &lt; y &amp; z</p>"), answer(3, 1)
    ).read_bytes()
    whole = Rows(Path("p"))
    expected = [*whole.feed(data), *whole.close()]
    assert [one["Id"] for one in expected] == ["1", "2", "3"]
    for size in (1, 7, 100):
        rows = Rows(Path("p"))
        parsed = []
        for start in range(0, len(data), size):
            parsed += rows.feed(data[start : start + size])
        assert [*parsed, *rows.close()] == expected and not rows.ends_early


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One &amp; two &#8211; three.</p>\n\n<p>Next</p>\n", "One & two – three.\n\nNext"),
        ("<ul>\n<li>a</li>\n<li><p>b</p></li>\n</ul><p>end</p>", "- a\n- b\n\nend"),
        ("<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"),
        (
            "<p>see</p><pre><code>if x &lt; 1:\n    y = 2\n</code></pre><p>then</p>",
            "see\n\nif x < 1:\n    y = 2\n\nthen",
        ),
        (
            '<a href="http://x.y">link</a> <em>and</em><br>line <img src="i.png" alt="a cup">',
            "link and\nline a cup",
        ),
        ("<p>unclosed <b>tag", "unclosed tag"),
        ("<script>alert(1)</script>a<style>b</style>", "a"),
        ("plain", "plain"),
        ("a &unknown; b <", "a &unknown; b <"),
        ("<!-- language: lang-c --><p>a <b", "a <b"),
        ("<!DOCTYPE x>a", "<!DOCTYPE x>a"),
    ],
)
def test_html_to_text(html: str, text: str) -> None:
    assert to_text(html) == text


@pytest.mark.parametrize("piece", ["<a ", '<a b="', "<p", "<!--", "</", "<ul>", "<", "&#"])
def test_markup_that_never_ends_takes_no_longer_than_other(piece: str) -> None:
    start = time.process_time()
    to_text(piece * (60_000 // len(piece)) + "<b>x</b>")
    to_text(piece * (60_000 // len(piece)))
    assert time.process_time() - start < 5


def test_words_and_tags() -> None:
    assert words("Crème-brûlée, 93 °C; ÉCLAIR's") == ["crème", "brûlée", "93", "c", "éclair", "s"]
    assert split_tags("<a><b-c>") == split_tags("|a|b-c|") == ["a", "b-c"]
    assert split_tags("") == []


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"Id": ""}, "no Id"),
        ({"Id": "x1"}, "Id is not a number"),
        ({"Score": "many"}, "Score is not a number"),
        ({"Id": str(2**64)}, "out of range"),
        ({"Title": " "}, "no body, title or date"),
        ({"Body": ""}, "no body, title or date"),
        ({"Body": "x" * 200_001}, "too long"),
        ({"CreationDate": "yesterday"}, "no body, title or date"),
        ({"PostTypeId": "?"}, "no Id or PostTypeId"),
    ],
)
def test_a_row_that_is_not_a_post_says_why(broken: dict[str, str], why: str) -> None:
    good = {
        "Id": "1",
        "PostTypeId": "1",
        "Title": "t",
        "Body": "b",
        "CreationDate": "2020-01-01",
        "Score": "1",
    }
    assert parse_row(good)
    with pytest.raises(Malformed, match=why):
        parse_row({key: value for key, value in (good | broken).items() if value or key != "Id"})


def test_bad_rows_are_counted_and_the_others_kept(tmp_path: Path) -> None:
    bad_utf8 = "BAD-BYTES"
    path = posts(
        tmp_path,
        question(1),
        question(2, Title=""),
        "  <row Id=&quot;3&quot; PostTypeId=1 />\r\n",
        question(4, Body="CONTROL").replace("CONTROL", "a &#x1; b"),
        question(5, Body=bad_utf8),
        question(6, Body="x &undefined; y").replace("&amp;undefined", "&undefined"),
        answer(7, 99),
        answer(8, 1, Score="one"),
        row(Id=9, PostTypeId=5, Body="wiki"),
        question(1, Title="Again"),
        question(10),
    )
    path.write_bytes(path.read_bytes().replace(bad_utf8.encode(), b"caf\xe9"))
    questions, result = read(path, tmp_path)
    counts = result.counts
    assert [one["id"] for one in questions] == [1, 10]
    assert questions[0]["title"] == "Why is coffee 1 sour?"
    assert counts["malformed"] == 6 and counts["rows"] == 11
    assert counts[extract.ORPHANS] == counts[extract.OTHERS] == counts[extract.DUPLICATES] == 1


def test_what_was_left_out_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = posts(tmp_path, question(1), question(2, Score="x"), answer(3, 9))
    app(["extract", str(path), str(tmp_path / "q.jsonl")], standalone_mode=False)
    assert (
        "3 rows; left out: 1 malformed, 1 answers without their question" in capsys.readouterr().out
    )
    app(["extract", str(path), str(tmp_path / "q.jsonl")], standalone_mode=False)
    assert "nothing has changed since it was made" in capsys.readouterr().out


def test_a_dump_cut_in_a_row_gives_what_came_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = posts(tmp_path, question(1), answer(2, 1), question(3)).read_bytes()
    (tmp_path / "Posts.xml").write_bytes(data[:-60])
    line = fails(capsys, "extract", tmp_path / "Posts.xml", tmp_path / "q.jsonl")
    assert "ends early, after the row with Id 2: fetch or copy it again (1 questions are in" in line
    assert [one["id"] for one in srsly.read_jsonl(tmp_path / "q.jsonl")] == [1]
    assert "ends early" in fails(capsys, "extract", tmp_path / "Posts.xml", tmp_path / "q.jsonl"), (
        "a cut file is never taken for done"
    )
    (tmp_path / "Posts.xml").write_bytes(data[: -len(FOOT)])
    assert "after the row with Id 3" in fails(
        capsys, "extract", tmp_path / "Posts.xml", tmp_path / "q.jsonl"
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (HEAD + answer(1, 2) + FOOT, "holds no question (1 rows, 0 of them malformed)"),
        ("<posts />", "holds no question (0 rows"),
        (
            '<!DOCTYPE posts [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><posts>' + question(1) + FOOT,
            "DOCTYPE or entities",
        ),
        ("<html><body>sign in</body></html>", "is not a Posts.xml of a Stack Exchange dump"),
        ('<?xml version="1.0"?><users>' + row(Id=1) + "</users>", "is not a Posts.xml"),
        (
            '<?xml version="1.0" encoding="iso-8859-1"?><posts>' + question(1) + FOOT,
            "is in iso-8859-1: convert it to UTF-8",
        ),
        ("Id,Title", "is neither XML nor 7z"),
        ("", "is empty"),
    ],
)
def test_what_is_not_a_dump_is_refused_in_one_line(
    content: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "Posts.xml"
    path.write_text(content, encoding="utf8", newline="")
    assert why in fails(capsys, "extract", path, tmp_path / "out" / "q.jsonl")
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and file != path], (
        "something was left behind"
    )


def test_a_row_without_end_is_a_bomb(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump, "MAX_ROW_BYTES", 2**20)
    path = posts(tmp_path, question(1), '<row Id="2" Body="' + "x" * 3 * 2**20)
    assert "no row ends within 1 MB: an XML bomb" in fails(
        capsys, "extract", path, tmp_path / "q.jsonl"
    )
    assert not (tmp_path / "q.jsonl").exists()


def test_an_old_result_stays_where_a_new_dump_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "q.jsonl"
    app(["extract", str(posts(tmp_path, question(1))), str(output)], standalone_mode=False)
    before = output.read_bytes()
    fails(capsys, "extract", posts(tmp_path, answer(1, 2)), output)
    assert output.read_bytes() == before


def test_missing_files_and_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "does not exist: give a Posts.xml" in fails(
        capsys, "extract", tmp_path / "none.xml", tmp_path / "q.jsonl"
    )
    assert "is a folder" in fails(capsys, "extract", tmp_path, tmp_path / "q.jsonl")
    for step in (("explore",), ("train",), ("folds",)):
        assert "run python -m weasel run questions-extract" in fails(
            capsys, *step, tmp_path / "none.jsonl", tmp_path / "out"
        )


# Archives


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"Users_xml": b"<users/>"}, "holds no Posts.xml: give a site's .7z (it holds Users.xml)"),
        (
            {"a__Posts_xml": b"<posts/>", "b__Posts_xml": b"<posts/>"},
            "holds 2 files called Posts.xml",
        ),
    ],
)
def test_archives_without_one_posts_are_refused(
    members: dict[str, bytes], why: str, tmp_path: Path, capsys: Any
) -> None:
    assert why in fails(
        capsys, "extract", pack(tmp_path / "site.7z", **members), tmp_path / "q.jsonl"
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [("xx/Posts.xml", "its path has '..' in it"), ("/tmpPosts.xml", "its path is absolute")],
)
def test_members_that_lead_out_are_refused(
    name: str, why: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """py7zr writes no such name, so it is put in where the archive is listed."""
    path = pack(tmp_path / "site.7z", evil=b"x", Posts_xml=SAMPLE.read_bytes())
    with need("py7zr", "questions").SevenZipFile(path) as archive:
        kind = type(next(iter(archive.files)))
    names = {"evil": name.replace("xx", "..")}
    monkeypatch.setattr(
        kind,
        "filename",
        property(lambda self: names.get(self._file_info["filename"], self._file_info["filename"])),
    )
    line = fails(capsys, "extract", path, tmp_path / "q.jsonl")
    assert f"refused, {why}" in line and not (tmp_path / "q.jsonl").exists()


def test_links_in_archives_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Posts.xml").symlink_to(SAMPLE)
    with need("py7zr", "questions").SevenZipFile(tmp_path / "site.7z", "w") as archive:
        archive.write(tmp_path / "Posts.xml", "Posts.xml")
    assert "refused, it is a link" in fails(
        capsys, "extract", tmp_path / "site.7z", tmp_path / "q.jsonl"
    )


def test_a_bomb_is_stopped_at_the_cap_by_what_it_says_and_by_what_it_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    xml = (HEAD + "".join(question(n) for n in range(20)) + " " * 3_000_000 + FOOT).encode("utf8")
    path = pack(tmp_path / "site.7z", Posts_xml=xml)
    assert path.stat().st_size < 10_000
    line = fails(capsys, "extract", path, tmp_path / "q.jsonl", "--cap-gb", "0.001")
    assert "unpacks to 0.003 GB, more than 0.001: raise vars.questions.cap_gb" in line
    monkeypatch.setattr(dump, "_check_members", lambda *args: None)  # as if it had declared less
    assert "unpacks to more than 0.001 GB" in fails(
        capsys, "extract", path, tmp_path / "q.jsonl", "--cap-gb", "0.001"
    )
    assert [file.name for file in tmp_path.iterdir()] == ["site.7z"]


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_a_cut_archive_is_refused_and_nothing_is_left(
    keep: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pack(tmp_path / "site.7z", Posts_xml=SAMPLE.read_bytes())
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    assert "is damaged or cut short" in fails(capsys, "extract", path, tmp_path / "q.jsonl")
    assert [file.name for file in tmp_path.iterdir()] == ["site.7z"]


def test_an_archive_with_other_bytes_in_the_middle_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pack(tmp_path / "site.7z", Posts_xml=SAMPLE.read_bytes())
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 8] = b"\x00" * 8
    path.write_bytes(data)
    assert "is damaged or cut short" in fails(capsys, "extract", path, tmp_path / "q.jsonl")
    assert [file.name for file in tmp_path.iterdir()] == ["site.7z"]


def test_without_py7zr_the_remedy_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack(tmp_path / "site.7z", Posts_xml=SAMPLE.read_bytes())
    monkeypatch.setitem(sys.modules, "py7zr", None)
    assert "py7zr is not installed: pip install -r requirements-questions.txt" in fails(
        capsys, "extract", path, tmp_path / "q.jsonl"
    )


# What is in a dump


def test_limit_stops_after_so_many_posts(tmp_path: Path) -> None:
    questions, result = read(SAMPLE, tmp_path, limit=10)
    assert result.counts["questions"] + result.counts["answers"] == 10 and not result.ends_early
    assert len(questions) == result.counts["questions"]


def test_summary_counts_what_the_dump_holds(tmp_path: Path) -> None:
    path = posts(
        tmp_path,
        question(1, AcceptedAnswerId=2, ViewCount=10),
        answer(2, 1, Score=5),
        question(3, CreationDate="2021-05-05T00:00:00", ViewCount=30, Tags="<taste>"),
        answer(4, 3, Score=-1),
        row(
            Id=5,
            PostTypeId=1,
            CreationDate="2021-01-01T00:00:00",
            Title="No views, no tags",
            Body="x",
        ),
    )
    frames = to_frames(read(path, tmp_path)[0])
    summary = summarize(*frames)
    assert (summary["questions"], summary["answers"]) == (3, 2)
    assert (round(summary["answered"], 1), round(summary["accepted"], 1)) == (66.7, 33.3)
    assert summary["most_used_tags"] == {"taste": 2, "sour": 1}
    assert summary["by_year"] == {"2020": 1, "2021": 2}
    assert [line["id"] for line in summary["most_viewed"]] == [3, 1]
    assert summary["answer_score"] == {"least": -1, "25%": 0.5, "median": 2, "75%": 3.5, "most": 5}
    assert len(draw(*frames, summary).axes) == 4


def test_a_dump_without_answers_can_be_explored(tmp_path: Path) -> None:
    frames = to_frames(read(posts(tmp_path, question(1)), tmp_path)[0])
    summary = summarize(*frames)
    assert summary["answer_words"] is None and summary["answers"] == 0
    draw(*frames, summary)


def test_extract_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = run_module(
        ROOT, "scripts.questions", "extract", str(tmp_path / "none.xml"), str(tmp_path / "q.jsonl")
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


def test_a_dump_that_was_fixed_in_the_middle_is_read_again(tmp_path: Path) -> None:
    dump = tmp_path / "Posts.xml"
    dump.write_bytes(SAMPLE.read_bytes())
    before = extract.fingerprint(dump, GIGABYTE, 0)
    assert extract.fingerprint(dump, GIGABYTE, 0) == before
    time.sleep(0.02)
    dump.write_bytes(SAMPLE.read_bytes())
    assert extract.fingerprint(dump, GIGABYTE, 0) != before


def test_a_full_disk_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(extract.Store, "_flush", full)
    assert "twice the dump's size must be free" in fails(
        capsys, "extract", SAMPLE, tmp_path / "q.jsonl"
    )
    assert list(tmp_path.iterdir()) == []


def test_dates_of_several_zones_can_be_explored(tmp_path: Path) -> None:
    dates = ["2020-01-01T00:00:00", "2021-01-01T00:00:00+05:00", "1999"]
    records, _ = read(
        posts(tmp_path, *(question(i, CreationDate=date) for i, date in enumerate(dates, start=1))),
        tmp_path,
    )
    assert sum(summarize(*to_frames(records))["by_year"].values()) == 3


def test_a_database_that_a_killed_run_left_does_no_harm(tmp_path: Path) -> None:
    left = tmp_path / ".q.sqlite.part"
    with sqlite3.connect(left) as base:
        base.execute("CREATE TABLE questions (x)")
    assert len(read(SAMPLE, tmp_path)[0]) == 170
    assert not left.exists()


def test_the_dump_of_a_real_site(tmp_path: Path) -> None:
    path = shared_data() / "questions" / "Posts.xml"
    if not path.exists():
        pytest.skip("needs shared/data")
    questions, result = read(path, tmp_path)
    counts = result.counts
    assert (len(questions), counts["answers"]) == (663, 1572)
    assert (counts[extract.OTHERS], counts["malformed"]) == (119, 0)
    first = questions[0]
    assert first["title"] == "What is a citra hop, and how does it differ from other hops?"
    assert first["tags"] == ["hops"] and sum(one["accepted"] for one in first["answers"]) == 1
    assert not [one for one in questions if "<p>" in one["body"] or "&lt;" in one["body"]]
