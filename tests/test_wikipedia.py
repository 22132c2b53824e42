"""Pages of a dump become records and texts; broken or hostile dumps are reported in one line."""

import bz2
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
import srsly

from scripts.files import write_json
from scripts.reading import read_texts
from scripts.wikipedia import bzip2
from scripts.wikipedia.__main__ import app
from scripts.wikipedia.bzip2 import BLOCK, find_magic, read_blocks
from scripts.wikipedia.dump import (
    is_complete,
    read_header,
    read_namespaces,
    read_pages,
    read_pieces,
    split_file,
    unescape,
)
from scripts.wikipedia.infobox import properties
from scripts.wikipedia.report import summarize
from scripts.wikipedia.templates import render
from scripts.wikipedia.text import plain_text
from scripts.wikipedia.wikitext import Wiki, clean, normal_title, rotten_tomatoes
from tests.conftest import ROOT, copy_project, run_module, weasel

SAMPLE = ROOT / "assets" / "wikipedia" / "sample.xml.bz2"
XML = bz2.decompress(SAMPLE.read_bytes())
HEADER, FOOT = XML.partition(b"  <page>")[0], b"</mediawiki>\n"
WIKI = Wiki({6: "Datei", 14: "Kategorie"})
FILM = (
    "{{Infobox film\n| name = %s\n| director = [[Agnès Varda]]\n}}\n"
    "'''%s''' is a film. [[Category:Films]]"
)
ONE_PROCESS = ("--n-process", 1)
BUNDLED = "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"  # with gensim


def page(title: str, text: str, page_id: int = 1, namespace: int = 0) -> bytes:
    """A page in a dump's format."""
    lines = f"""  <page>
    <title>{escape(title)}</title>
    <ns>{namespace}</ns>
    <id>{page_id}</id>
    <revision>
      <id>{page_id + 1000}</id>
      <timestamp>2024-01-01T00:00:00Z</timestamp>
      <text bytes="1" xml:space="preserve">{escape(text, {'"': "&quot;"})}</text>
    </revision>
  </page>
"""
    return lines.encode("utf8")


def film(number: int, more: str = "") -> bytes:
    name = f"Film {number}"
    return page(name, FILM % (name, name) + more, number)


def noise(number: int) -> str:
    """Words that can't be compressed well, so that a dump of them has many blocks."""
    return " ".join(f"{(number * 7919 + i) * 2654435761 % 2**32:08x}" for i in range(4000))


NOISY_TEXT = "".join(map(noise, range(60))).encode()


def noisy_films(n: int) -> list[bytes]:
    return [film(number, noise(number)) for number in range(1, n + 1)]


def dump(
    folder: Path, *pages: bytes, name: str = "dump.xml", header: bytes = HEADER, foot: bytes = FOOT
) -> Path:
    """A dump of some pages, packed where its name ends in .bz2."""
    path = folder / name
    data = header + b"".join(pages) + foot
    path.write_bytes(bz2.compress(data) if name.endswith(".bz2") else data)
    return path


def multistream(folder: Path, n_streams: int = 8, per_stream: int = 3) -> tuple[Path, Path]:
    """A multistream dump of films, and its index."""
    data, lines = bz2.compress(HEADER), []
    for stream in range(n_streams):
        numbers = range(1 + stream * per_stream, 1 + (stream + 1) * per_stream)
        lines += [f"{len(data)}:{number}:Film {number}\n" for number in numbers]
        data += bz2.compress(b"".join(film(number, noise(number)) for number in numbers))
    path, index = folder / "multi.xml.bz2", folder / "index.txt.bz2"
    path.write_bytes(data + bz2.compress(FOOT))
    index.write_bytes(bz2.compress("".join(lines).encode()))
    return path, index


def run(*args: Any, code: int = 0) -> None:
    """Run a command of the workflow in this process."""
    with pytest.raises(SystemExit) as ended:
        app([str(arg) for arg in args], standalone_mode=True)
    assert (ended.value.code or 0) == code


def records(path: Path) -> list[dict[str, Any]]:
    return list(srsly.read_jsonl(path))


def page_ids(path: Path) -> list[int]:
    return [record["page_id"] for record in records(path)]


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The films of the sample by title."""
    output = tmp_path_factory.mktemp("sample") / "pages.jsonl"
    run("extract", SAMPLE, output, *ONE_PROCESS)
    counts = srsly.read_json(output.with_suffix(".counts.json"))
    assert counts.pop("records") == 14
    assert counts.pop("bytes") == output.stat().st_size
    assert counts.pop("made_of")
    assert counts == {
        "pages": 23,
        "articles": 18,
        "redirects": 2,
        "templates": 1,
        "other namespaces": 1,
        "disambiguations": 1,
        "empty": 0,
        "malformed": 0,
        "last_page": "Ikiru",
        "ends_early": False,
        "damaged_behind": [],
    }
    return {record["title"]: record for record in records(output)}


# Records


def test_a_record_has_what_its_page_says(sample: dict[str, dict[str, Any]]) -> None:
    record = sample["Seven Samurai"]
    keys = "title infobox properties links categories score length page_id revision_id timestamp"
    assert list(record) == keys.split()
    about = [record[key] for key in ("infobox", "page_id", "revision_id", "timestamp")]
    assert about == ["film", 11, 1000, "2024-03-01T10:00:00Z"]
    values = record["properties"]
    assert (values["director"], values["budget"]) == ("Akira Kurosawa", "¥210 million")
    assert values["screenplay"] == ["Akira Kurosawa", "Shinobu Hashimoto", "Hideo Oguni"]
    assert (values["released"], values["runtime"]) == ("1954-04-26", "207 minutes")
    assert record["categories"] == [
        "1954 films",
        "Films directed by Akira Kurosawa",
        "Jidaigeki films",
    ]


def test_the_links_of_a_record(sample: dict[str, dict[str, Any]]) -> None:
    links = sample["Seven Samurai"]["links"]
    assert links[:3] == ["Akira Kurosawa", "Sōjirō Motoki", "Shinobu Hashimoto"]
    assert links[-4:] == [
        "Kurosawa",
        "Rotten Tomatoes",
        "John Sturges",
        "The Magnificent Seven (1960 film)",
    ]
    assert {"Jidaigeki", "February"} <= set(links)
    assert not [title for title in links if ":" in title]


def test_names_of_templates_and_odd_titles(sample: dict[str, dict[str, Any]]) -> None:
    titles = {"Rashomon", "M (1931 film)", "The Third Man", "Thelma & Louise", "8½"}
    assert {*titles, '"Crocodile" Dundee'} <= set(sample)
    assert "Casablanca" not in sample and "Casablanca (film)" in sample
    assert sample["Rashomon"]["properties"]["director"] == "Akira Kurosawa"
    links = sample["M (1931 film)"]["links"]
    assert "Not a link" not in links and "Hidden link" not in links
    assert "gross" not in sample["Princess Mononoke"]["properties"]


def test_scores(sample: dict[str, dict[str, Any]]) -> None:
    scores = {title: record["score"] for title, record in sample.items()}
    assert {title: score for title, score in scores.items() if score is not None} == {
        "Seven Samurai": 100,
        "Rashomon": 98,
        "Casablanca (film)": 99,
        "La Strada": 97,
        '"Crocodile" Dundee': 89,
        "Thelma & Louise": 87,
        "Blade Runner": 89,
        "Spirited Away": 96,
        "Metropolis (1927 film)": 97,
        "Ikiru": 98,
    }


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Its audience score on [[Rotten Tomatoes]] is unknown. 40% of the film is dark.", 40),
        ("On Rotten Tomatoes its audience gave 55%.", None),
        ("Rotten Tomatoes lists it.\n\n12% of the budget went into rain.", None),
        ("Up 300% on Rotten Tomatoes.", None),
        ("<ref>Rotten Tomatoes: 80%</ref>", None),
    ],
)
def test_where_a_score_is_found(text: str, score: int | None) -> None:
    assert rotten_tomatoes(text) == score


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], [0, 1, 2, 3, 4, 5]),
        (["--infobox", "Infobox_films"], [6]),
        (["--aliases", "émission, Infobox films"], [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_names_of_a_template(tmp_path: Path, options: list[str], expected: list[int]) -> None:
    names = ["infobox film", "Infobox_film", " Infobox  film ", "Template:Infobox film"]
    names += ["Infobox film<!-- x -->", "<!-- x -->Infobox Film"]
    names += ["Infobox films", "Émission", "Film infobox"]
    pages = [
        page(f"Page {i}", f"{{{{{name}\n|name=x\n}}}} [[Link]]", i) for i, name in enumerate(names)
    ]
    output = tmp_path / "p.jsonl"
    run("extract", dump(tmp_path, *pages), output, *ONE_PROCESS, *options)
    assert page_ids(output) == expected


def test_links() -> None:
    text = """[[a_b#c|d]] [[:Category:X]] [[Kategorie:Y]]
    [[Datei:f.jpg|thumb|see [[inner]] and [[b|c [d] e]]]] [[de:Wort]] [[#top]]
    [[CSI: Miami]] [[Caf&eacute;]] [[C%2B%2B]] {{x|[[In template]]}} [[a b]] [[open|never closed
    [[Two]]s [[Talk:Z]] [[wikt:word|w]] [[ Spaces  within ]]"""
    expected = ["A b", "Inner", "B", "CSI: Miami", "Café", "C++", "In template", "Two"]
    assert WIKI.links(clean(text)) == [*expected, "Spaces within"]
    categories = "[[Kategorie:Film|x]][[category: film_noir]][[:Category:No]][[Category:Film]]"
    assert WIKI.categories(categories) == ["Film", "Film noir"]
    assert normal_title("_éclair_(food)#History") == "Éclair (food)"


def test_links_are_those_of_a_parser() -> None:
    parser = pytest.importorskip("mwparserfromhell")
    path = Path(pytest.importorskip("gensim.test.utils").datapath(BUNDLED))
    size = path.stat().st_size
    wiki = Wiki(read_namespaces(read_header(path)))
    n_pages = 0
    for raw in read_pages(read_pieces(path, 0, size), size, path):
        assert isinstance(raw, bytes)
        content = raw.partition(b"<text")[2].partition(b">")[2].partition(b"</text>")[0]
        text = unescape(content.decode())
        if len(text) < 30_000 and n_pages < 20:
            n_pages += 1
            parsed = parser.parse(text, skip_style_tags=True).filter_wikilinks()
            titles = dict.fromkeys(wiki.article(str(link.title)) for link in parsed)
            assert wiki.links(clean(text)) == list(filter(None, titles))
    assert n_pages == 20


@pytest.mark.parametrize(
    "opening",
    ["<!--", "<ref>", "<nowiki>", "[http://a b ", "=x" + 9 * "=" + "y", "{{a|", "{|\n", "[[a|b[c"],
)
def test_markup_without_an_end_takes_no_longer(opening: str) -> None:
    """It would take hours if each opening looked for its end to the end of the page."""
    text = opening * (400_000 // len(opening))
    start = time.process_time()
    assert WIKI.links(clean(text)) == []
    plain_text(text, WIKI)
    assert time.process_time() - start < 2
    assert clean("a<!--b--><nowiki>c</nowiki><math>d<!--e-->f") == "a<math>df"


def test_values_of_an_infobox() -> None:
    values = """{{Infobox x
    | a = one<br>two<br/>three <ref name="n">not this</ref> | d = <!-- nothing -->
    | e = '''bold''' &amp; ''it''
    | b = {{ubl|[[A (b)|A]]|{{lang|fr|B}}}} {{hlist|C}}
    | c = {{start date|2001|2|3}} to {{convert|5|to|6|km}}
    | f = [https://example.org a site] [[File:x.jpg|20px]] | g = #1 | a2 = {{unknown|x|y}}
    | h = {{efn|note}}&nbsp; | 1 = {{{p|default}}} | g = #2 | two words = x_y [[u_v]]
    }}"""
    assert properties(values) == {
        "a": ["one", "two", "three"],
        "b": ["A", "B", "C"],
        "c": "2001-02-03 to 5 to 6 km",
        "e": "bold & it",
        "f": "a site",
        "g": "#2",
        "1": "default",
        "two words": "x_y u v",
    }


@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        ("Film date", ["1994", "9", "23", "x"], "1994-09-23"),
        ("US$", ["3 million"], "US$3 million"),
        ("cite web", ["x"], ""),
        ("snd", [], " – "),
    ],
)
def test_templates(name: str, args: list[str], text: str) -> None:
    assert render(name, args) == text


# Text


def test_plain_text() -> None:
    text = """{{Infobox film
| name = x {{a|b}}
}}
'''Bold''' and ''it'' ({{lang|ja|語}}; [[link|shown]]).<ref>gone</ref> It is %s [https://a.b label].
== Heading ==
{| class="x"
| cell || {{b}}
|}
[[File:a.jpg|thumb|a [[caption]]]]* item [[wikt:w|word]]
[[Category:Gone]]<!-- gone --><nowiki>gone</nowiki>
"""
    assert plain_text(text % "{{convert|5|km|mi}} long&nbsp;&ndash;", WIKI) == [
        "Bold and it (語; shown). It is 5 km long – label.",
        "item word",
    ]


def test_texts_of_paragraphs(tmp_path: Path) -> None:
    run("text", SAMPLE, tmp_path / "t.jsonl", *ONE_PROCESS, "--min-chars", 60)
    texts = [text.text for text in read_texts(tmp_path / "t.jsonl")]
    assert len(texts) == 28 and all(len(text) >= 60 for text in texts)
    assert not [text for text in texts if set(text) & set("[]{}|<>")]


def test_texts_of_pages(tmp_path: Path) -> None:
    output, titles = tmp_path / "t.jsonl", tmp_path / "titles.txt"
    run("text", SAMPLE, output, *ONE_PROCESS, "--unit", "page")
    texts = records(output)
    assert len(texts) == 18
    assert texts[0]["meta"] == {"title": "Seven Samurai", "page_id": 11}
    assert texts[0]["text"].count("\n") == 2
    titles.write_text("thelma_& Louise\nIkiru\n\n", "utf8")
    run("text", SAMPLE, output, *ONE_PROCESS, "--unit", "page", "--titles", titles)
    chosen = [record["meta"]["title"] for record in records(output)]
    assert chosen == ["Thelma & Louise", "Ikiru"]


def test_titles_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    titles = tmp_path / "titles.txt"
    titles.write_text("Nobody\n", "utf8")
    run("text", SAMPLE, tmp_path / "t.jsonl", *ONE_PROCESS, "--titles", titles, code=1)
    words = "none of 18 articles gives a wanted text: see vars.wikipedia.titles"
    assert words in capsys.readouterr().err


# Parts of a file


def one_stream(text: bytes, level: int) -> bytes:
    return bz2.compress(text, level)


def many_streams(text: bytes, level: int) -> bytes:
    starts = range(0, len(text), 700_000)
    return b"".join(bz2.compress(text[i : i + 700_000], level) for i in starts)


@pytest.mark.parametrize("level", [1, 9])
@pytest.mark.parametrize("pack", [one_stream, many_streams])
def test_blocks_of_a_file_from_any_place(
    tmp_path: Path, pack: Callable[[bytes, int], bytes], level: int
) -> None:
    path, packed = tmp_path / "x.bz2", pack(NOISY_TEXT, level)
    path.write_bytes(packed)
    with path.open("rb") as file:
        blocks = list(read_blocks(file, 0))
        assert b"".join(block or b"" for _, block in blocks) == NOISY_TEXT and len(blocks) > 2
        for start in (1, 5, len(packed) // 2, len(packed) - 10):
            after = [block for block in blocks if block[0] >= start]
            assert list(read_blocks(file, start)) == after


@pytest.mark.parametrize("shift", range(8))
def test_the_bits_that_begin_a_block(shift: int) -> None:
    data = (BLOCK << 40 - shift).to_bytes(12, "big")
    assert find_magic(data, BLOCK) == [8 + shift]


def test_bits_that_only_look_like_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.bz2").write_bytes(bz2.compress(NOISY_TEXT))

    def with_false_block(data: bytes, magic: int) -> list[int]:
        false = [8 * 400_000] if magic == BLOCK else []
        return sorted([*find_magic(data, magic), *false])

    monkeypatch.setattr(bzip2, "find_magic", with_false_block)
    with (tmp_path / "x.bz2").open("rb") as file:
        blocks = [block for _, block in read_blocks(file, 0)]
    assert b"".join(block or b"" for block in blocks) == NOISY_TEXT


def test_a_hole_in_a_file(tmp_path: Path) -> None:
    packed = bz2.compress(NOISY_TEXT)
    (tmp_path / "x.bz2").write_bytes(packed[:600_000] + bytes(12_000_000) + packed[600_000:])
    with (tmp_path / "x.bz2").open("rb") as file:
        damaged = [block is None for _, block in read_blocks(file, 0)]
    assert damaged.count(True) == 1 and not damaged[0] and not damaged[-1]


@pytest.mark.parametrize("name", ["dump.xml", "dump.xml.bz2"])
def test_the_size_of_parts_changes_nothing(tmp_path: Path, name: str) -> None:
    path = dump(tmp_path, *noisy_films(30), name=name)
    size = path.stat().st_size
    pages = list(read_pages(read_pieces(path, 0, size), size, path))
    assert len(pages) == 30
    for part_bytes in (size // 2, size // 7, 9_999):
        pages_of_parts: list[Any] = []
        for start, end in split_file(size, part_bytes):
            pages_of_parts += read_pages(read_pieces(path, start, end), end, path)
        assert pages_of_parts == pages


def test_one_process_or_two_and_an_index_or_none(tmp_path: Path) -> None:
    path, index = multistream(tmp_path)
    outputs = []
    small = ["--part-mb", 0.05]
    for number, options in enumerate(
        ([*ONE_PROCESS], ["--n-process", 2, *small], [*ONE_PROCESS, *small, "--index", index])
    ):
        output = tmp_path / f"{number}.jsonl"
        run("extract", path, output, *options)
        outputs.append((output.read_bytes(), output.with_suffix(".counts.json").read_bytes()))
        names = sorted(file.name for file in tmp_path.glob(f"{number}*"))
        assert names == [f"{number}.counts.json", f"{number}.jsonl"]
    assert outputs[0] == outputs[1] == outputs[2] and len(records(tmp_path / "0.jsonl")) == 24


def test_an_index_and_titles_choose_the_streams(tmp_path: Path) -> None:
    path, index = multistream(tmp_path)
    output, titles = tmp_path / "t.jsonl", tmp_path / "titles.txt"
    titles.write_text("Film 5\nFilm 22\n", "utf8")
    options = ["--index", index, "--titles", titles, "--unit", "page"]
    run("text", path, output, *options, *ONE_PROCESS)
    assert [record["meta"]["page_id"] for record in records(output)] == [5, 22]
    n_pages = srsly.read_json(tmp_path / "t.counts.json")["pages"]
    assert n_pages == 6, "only the two streams were read"


def test_an_index_of_another_dump(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, index = multistream(tmp_path)
    output = tmp_path / "p.jsonl"
    for line, words in (
        ("7777:1:Film 1\n", "is the index of another dump: no stream begins at byte 7777"),
        ("x\n", "not a line of an index"),
    ):
        index.write_text(line)
        run("extract", path, output, "--index", index, "--part-mb", 0.001, code=1)
        assert words in capsys.readouterr().err
    run("extract", path, output, "--index", tmp_path / "none.txt", code=1)
    assert "does not exist: set vars.wikipedia.index" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize("n_process", [1, 2])
def test_limit(tmp_path: Path, n_process: int) -> None:
    path, output = dump(tmp_path, *map(film, range(1, 31))), tmp_path / "p.jsonl"
    options = ["--limit", 7, "--n-process", n_process, "--part-mb", 0.001]
    run("extract", path, output, *options)
    assert page_ids(output) == list(range(1, 8))
    assert not (tmp_path / "p.parts").exists()


def wait_for_shards(running: "subprocess.Popen[bytes]", folder: Path, n: int) -> None:
    until = time.monotonic() + 60
    while len(list(folder.glob("shard-*.json"))) < n:
        if time.monotonic() > until or running.poll() is not None:
            return
        time.sleep(0.002)


def test_a_killed_run_continues_and_gives_the_same(tmp_path: Path) -> None:
    path, output = dump(tmp_path, *noisy_films(60), name="d.xml.bz2"), tmp_path / "p.jsonl"
    command = [sys.executable, "-m", "scripts.wikipedia", "extract", str(path), "p.jsonl"]
    command += ["--n-process", "1", "--part-mb", "0.02"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(command, cwd=tmp_path, env=environment)
    wait_for_shards(running, tmp_path / "p.parts", 3)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL and not output.exists()
    shards = sorted((tmp_path / "p.parts").glob("shard-*.json"))
    assert len(shards) >= 3
    # A count that no run gives shows that this shard is not made again.
    summary = srsly.read_json(shards[0])
    write_json(shards[0], {**summary, "counts": {**summary["counts"], "redirects": 1000}})
    assert subprocess.run(command, cwd=tmp_path, env=environment).returncode == 0
    assert srsly.read_json(tmp_path / "p.counts.json")["redirects"] == 1000
    run("extract", path, tmp_path / "whole.jsonl", *ONE_PROCESS)
    assert output.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert len(records(output)) == 60


# Bad dumps


def half_of_bz2(packed: bytes) -> bytes:
    return packed[: len(packed) // 2]


def part_of_xml(packed: bytes) -> bytes:
    return bz2.decompress(packed)[:1_000_000]


def almost_all_of_bz2(packed: bytes) -> bytes:
    return packed[:-12]


@pytest.mark.parametrize("n_process", [1, 2])
@pytest.mark.parametrize(
    ("name", "truncate"),
    [("a.xml.bz2", half_of_bz2), ("b.xml", part_of_xml), ("c.xml.bz2", almost_all_of_bz2)],
)
def test_a_truncated_dump_gives_what_was_readable(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    truncate: Callable[[bytes], bytes],
    n_process: int,
) -> None:
    whole = dump(tmp_path, *noisy_films(60), name="d.xml.bz2")
    assert is_complete(whole)
    path, output = tmp_path / name, tmp_path / "p.jsonl"
    path.write_bytes(truncate(whole.read_bytes()))
    run("extract", path, output, "--n-process", n_process, "--part-mb", 0.2, code=1)
    ids = page_ids(output)
    n = len(ids)
    assert 10 < n < 60 and ids == list(range(1, n + 1))
    error = f"Error: {path} ends early, after the page 'Film {n}': fetch or copy it again "
    assert f"{error}({n} records of its" in capsys.readouterr().err


def test_damage_in_the_middle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = dump(tmp_path, *noisy_films(60), name="d.xml.bz2")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 8
    path.write_bytes(data)
    run("extract", path, tmp_path / "p.jsonl", *ONE_PROCESS, code=1)
    numbers = page_ids(tmp_path / "p.jsonl")
    assert numbers[0] == 1 and numbers[-1] == 60 and 30 < len(numbers) < 60
    last = next(number for number in numbers if number + 1 not in numbers)
    assert f"is damaged after the page 'Film {last}'" in capsys.readouterr().err


def test_broken_pages_are_counted(tmp_path: Path) -> None:
    unclosed = film(2).replace(b"  </page>\n", b"")
    strange = film(4).replace(b"</text>", b"&nbsp;</text>")
    latin = film(5).replace("è".encode(), b"\xe8")
    headless = film(6).replace(b"<id>6</id>", b"")
    open_box = page("Open", "{{Infobox film\n| name = x", 7)
    long_box = page("Long", "{{Infobox film\n| name = " + 60_000 * "x" + "}}", 10)
    empty = film(8).replace(b'xml:space="preserve">', b"/>", 1).partition(b"{{")[0]
    empty += b"\n    </revision>\n  </page>\n"
    number = film(9).replace(b"is a film", b"&#955;&#x3bb;&amp;lt;")
    pages = [film(1), unclosed, film(3), strange, latin, headless, open_box, empty, number]
    path, output = dump(tmp_path, *pages, long_box), tmp_path / "p.jsonl"
    run("extract", path, output, *ONE_PROCESS)
    assert page_ids(output) == [1, 9]
    counts = srsly.read_json(tmp_path / "p.counts.json")
    assert (counts["malformed"], counts["empty"], counts["articles"]) == (4, 1, 4)
    assert (counts["infobox never closed"], counts["infobox too long"]) == (1, 1)
    assert unescape("&#955;&#x3bb;&amp;lt;&lt;") == "λλ&lt;<"


@pytest.mark.parametrize("name", ["bomb.xml", "bomb.xml.bz2"])
def test_entities_are_refused(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    doctype = f'<!DOCTYPE mediawiki [<!ENTITY a0 "aaaaaaaaaa">{lines}]>'
    header = f'<?xml version="1.0"?>{doctype}'.encode() + HEADER
    bomb = film(1).replace(b"is a film", b"&a9;")
    path = dump(tmp_path, bomb, name=name, header=header)
    for command in ("extract", "text"):
        run(command, path, tmp_path / "p.jsonl", code=1)
        error = f"Error: {path} declares entities or a DOCTYPE, which no dump does: refused\n"
        assert capsys.readouterr().err == error
    assert not (tmp_path / "p.jsonl").exists()


def test_compression_bombs_are_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zeros = bz2.compress(bytes(60_000_000))
    endless = "no page ends within 16 MB: a compression bomb"
    long_pages = bz2.compress(page("Long", "a" * 10_000_000)) * 8
    for name, data, words in (
        ("a.xml.bz2", zeros, "is not a MediaWiki dump"),
        ("b.xml.bz2", bz2.compress(HEADER + film(1)) + zeros * 3, endless),
        ("c.xml.bz2", bz2.compress(HEADER + film(1)[:-20]) + zeros * 3, endless),
        ("d.xml.bz2", bz2.compress(HEADER) + long_pages, "grows more than 250 times"),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        run("extract", path, tmp_path / "p.jsonl", *ONE_PROCESS, code=1)
        assert words in capsys.readouterr().err and not (tmp_path / "p.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.xml", None, "does not exist: set vars.wikipedia.dump"),
        (".", None, "is a folder"),
        ("text.xml", b"Just a text.", "is neither XML nor bz2"),
        ("empty.xml", b"", "is neither XML nor bz2"),
        ("other.xml", b"<html></html>", "is not a MediaWiki dump"),
        (
            "short.xml.bz2",
            SAMPLE.read_bytes()[:3000],
            "ends early or is damaged before its first page",
        ),
    ],
)
def test_what_is_not_a_dump(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    run("extract", tmp_path / name, tmp_path / "p.jsonl", code=1)
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1 and not (tmp_path / "p.jsonl").exists()


def test_a_dump_without_such_an_infobox(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "p.jsonl"
    output.write_text("{}\n")
    options = ["--infobox", "lighthouse", "--aliases", "Leuchtturm"]
    run("extract", SAMPLE, output, *options, *ONE_PROCESS, code=1)
    assert capsys.readouterr().err == (
        f"Error: {SAMPLE}: none of 18 articles carries "
        "{{Infobox lighthouse}} or {{Leuchtturm}}: "
        "see vars.wikipedia.infobox and vars.wikipedia.aliases\n"
    )
    run("extract", SAMPLE, output, "--infobox", " ", code=1)
    error = "no infobox named: set vars.wikipedia.infobox to one"
    assert error in capsys.readouterr().err
    assert output.read_text() == "{}\n"
    assert [file.name for file in tmp_path.iterdir()] == ["p.jsonl"]


def test_a_truncated_dump_without_such_an_infobox(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, truncated = tmp_path / "p.jsonl", tmp_path / "cut.xml"
    output.write_text("{}\n")
    truncated.write_bytes(XML[: XML.index(b"</mediawiki>")])
    run("extract", truncated, output, "--infobox", "lighthouse", *ONE_PROCESS, code=1)
    error = capsys.readouterr().err
    assert "ends early, after the page 'Ikiru'" in error
    assert "no record is in its 23 readable pages" in error
    assert output.read_text() == "{}\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cut.xml", "p.jsonl"]


def test_a_file_that_is_up_to_date_is_not_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Weasel would read a dump into memory to see whether it changed, so the command does it."""
    path, output = dump(tmp_path, *map(film, range(1, 9))), tmp_path / "p.jsonl"
    run("extract", path, output, *ONE_PROCESS)
    capsys.readouterr()
    run("extract", path, output, *ONE_PROCESS)
    assert capsys.readouterr().out == f"{output}: nothing changed since it was made\n"
    for change in (
        lambda: ["--limit", 3],
        lambda: ["--aliases", "x"],
        lambda: output.write_text("x") and [],
        lambda: dump(tmp_path, *map(film, range(2, 10))) and [],
        lambda: dump(tmp_path, *map(film, range(2, 10)), foot=b"") and [],
    ):
        options, code = change(), int(not path.read_bytes().endswith(FOOT))
        for _ in range(1 + code):  # a dump that is not whole is read again
            run("extract", path, output, *ONE_PROCESS, *options, code=code)
            assert "records of 8 articles" in capsys.readouterr().out


# Report and workflow


def test_report(
    sample: dict[str, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = summarize(sample.values())
    numbers = summary["pages"], summary["with_score"], summary["properties"]["director"]
    assert numbers == (14, 10, 14)
    assert next(iter(summary["links"].items())) == ("Rotten Tomatoes", 4)
    assert summarize([{"title": "x"}])["pages"] == 1
    run("report", tmp_path / "none.jsonl", tmp_path, code=1)
    assert "run wikipedia-extract first" in capsys.readouterr().err


@pytest.mark.slow
def test_the_workflow(tmp_path: Path) -> None:
    folder = copy_project(tmp_path)
    done = weasel(folder, "wikipedia", ".")
    assert "14 records of 18 articles" in done.stdout and "director" in done.stdout
    assert (folder / "training/wikipedia/properties.png").stat().st_size > 10_000
    assert len(records(folder / "corpus/wikipedia/texts.jsonl")) > 20
    again = weasel(folder, "wikipedia", ".").stdout
    assert again.count("nothing changed since it was made") == 2
    assert "Skipping 'wikipedia-report'" in again
    missing = run_module(folder, "scripts.wikipedia", "extract", "nothing.xml", "p.jsonl")
    counts = json.loads((folder / "corpus/wikipedia/pages.counts.json").read_text())
    assert missing.returncode == 1 and counts["records"] == 14
