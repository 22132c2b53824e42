"""Pages of a dump become records and texts; what is cut off, broken or hostile says so in one line."""

import bz2
import json
import os
import signal
import subprocess
import sys
import time
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
from scripts.wikipedia.dump import cut, ends_well, feed, namespaces, read_head, read_pages, unescape
from scripts.wikipedia.infobox import properties
from scripts.wikipedia.report import summarize
from scripts.wikipedia.templates import render
from scripts.wikipedia.text import plain_text
from scripts.wikipedia.wikitext import Wiki, clean, normal_title, rotten_tomatoes
from tests.conftest import ROOT, copy_project, run_module, weasel

SAMPLE = ROOT / "assets" / "wikipedia" / "sample.xml.bz2"
XML = bz2.decompress(SAMPLE.read_bytes())
HEAD, FOOT = XML.partition(b"  <page>")[0], b"</mediawiki>\n"
WIKI = Wiki({6: "Datei", 14: "Kategorie"})
FILM = "{{Infobox film\n| name = %s\n| director = [[Agnès Varda]]\n}}\n'''%s''' is a film. [[Category:Films]]"


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


def dump(
    folder: Path, *pages: bytes, name: str = "dump.xml", head: bytes = HEAD, foot: bytes = FOOT
) -> Path:
    """A dump of some pages, packed where its name ends in .bz2."""
    path = folder / name
    data = head + b"".join(pages) + foot
    path.write_bytes(bz2.compress(data) if name.endswith(".bz2") else data)
    return path


def noise(number: int) -> str:
    """Words that can't be packed well, so that a dump of them has many blocks."""
    return " ".join(f"{(number * 7919 + i) * 2654435761 % 2**32:08x}" for i in range(4000))


def multistream(folder: Path, n_streams: int = 8, per_stream: int = 3) -> tuple[Path, Path]:
    """A multistream dump of films with its index."""
    data, lines = bz2.compress(HEAD), []
    for stream in range(n_streams):
        numbers = range(1 + stream * per_stream, 1 + (stream + 1) * per_stream)
        lines += [f"{len(data)}:{number}:Film {number}\n" for number in numbers]
        data += bz2.compress(b"".join(film(number, noise(number)) for number in numbers))
    path, index = folder / "multi.xml.bz2", folder / "index.txt.bz2"
    path.write_bytes(data + bz2.compress(FOOT))
    index.write_bytes(bz2.compress("".join(lines).encode()))
    return path, index


def run(*args: Any, code: int = 0) -> None:
    """A command of the workflow in this process."""
    with pytest.raises(SystemExit) as ended:
        app([str(arg) for arg in args], standalone_mode=True)
    assert (ended.value.code or 0) == code


def records(path: Path) -> list[dict[str, Any]]:
    return list(srsly.read_jsonl(path))


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The films of the sample by title."""
    output = tmp_path_factory.mktemp("sample") / "pages.jsonl"
    run("extract", SAMPLE, output, "--n-process", 1)
    counts = srsly.read_json(output.with_suffix(".counts.json"))
    assert (
        counts.pop("records") == 14
        and counts.pop("bytes") == output.stat().st_size
        and counts.pop("made_of")
    )
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
    found = sample["Seven Samurai"]
    assert list(found) == [
        *(
            "title",
            "infobox",
            "properties",
            "links",
            "categories",
            "score",
            "length",
            "page_id",
            "revision_id",
            "timestamp",
        ),
    ]
    assert (found["infobox"], found["page_id"], found["revision_id"], found["timestamp"]) == (
        "film",
        11,
        1000,
        "2024-03-01T10:00:00Z",
    )
    assert (
        found["properties"]["director"] == "Akira Kurosawa"
        and found["properties"]["budget"] == "¥210 million"
    )
    assert found["properties"]["screenplay"] == [
        "Akira Kurosawa",
        "Shinobu Hashimoto",
        "Hideo Oguni",
    ]
    assert (found["properties"]["released"], found["properties"]["runtime"]) == (
        "1954-04-26",
        "207 minutes",
    )
    assert found["links"][:3] == ["Akira Kurosawa", "Sōjirō Motoki", "Shinobu Hashimoto"]
    assert found["links"][-4:] == [
        "Kurosawa",
        "Rotten Tomatoes",
        "John Sturges",
        "The Magnificent Seven (1960 film)",
    ]
    assert {"Jidaigeki", "February"} <= set(found["links"]) and not [
        title for title in found["links"] if ":" in title
    ]
    assert found["categories"] == [
        "1954 films",
        "Films directed by Akira Kurosawa",
        "Jidaigeki films",
    ]


def test_names_of_templates_and_odd_titles(sample: dict[str, dict[str, Any]]) -> None:
    assert {
        "Rashomon",
        "M (1931 film)",
        "The Third Man",
        '"Crocodile" Dundee',
        "Thelma & Louise",
        "8½",
    } <= set(sample)
    assert "Casablanca" not in sample and "Casablanca (film)" in sample
    assert sample["Rashomon"]["properties"]["director"] == "Akira Kurosawa"
    assert (
        "Not a link" not in sample["M (1931 film)"]["links"]
        and "Hidden link" not in sample["M (1931 film)"]["links"]
    )
    assert "gross" not in sample["Princess Mononoke"]["properties"]


def test_scores(sample: dict[str, dict[str, Any]]) -> None:
    scores = {
        title: record["score"] for title, record in sample.items() if record["score"] is not None
    }
    assert scores == {
        **{
            "Seven Samurai": 100,
            "Rashomon": 98,
            "Casablanca (film)": 99,
            "La Strada": 97,
            '"Crocodile" Dundee': 89,
        },
        **{
            "Thelma & Louise": 87,
            "Blade Runner": 89,
            "Spirited Away": 96,
            "Metropolis (1927 film)": 97,
            "Ikiru": 98,
        },
    }
    assert (
        rotten_tomatoes(
            "Its audience score on [[Rotten Tomatoes]] is unknown. In all, 40% of the film is dark."
        )
        == 40
    )
    assert rotten_tomatoes("On Rotten Tomatoes its audience gave 55%.") is None
    assert rotten_tomatoes("Rotten Tomatoes lists it.\n\n12% of the budget went into rain.") is None
    assert rotten_tomatoes("Up 300% on Rotten Tomatoes.") is None
    assert rotten_tomatoes("<ref>Rotten Tomatoes: 80%</ref>") is None


def test_names_of_a_template(tmp_path: Path) -> None:
    names = [
        "infobox film",
        "Infobox_film",
        " Infobox  film ",
        "Template:Infobox film",
        "Infobox film<!-- x -->",
        "<!-- x -->Infobox Film",
    ]
    names += ["Infobox films", "Émission", "Film infobox"]
    pages = [
        page(f"Page {i}", f"{{{{{name}\n|name=x\n}}}} [[Link]]", i) for i, name in enumerate(names)
    ]
    output = tmp_path / "p.jsonl"
    for options, found in (
        ([], [0, 1, 2, 3, 4, 5]),
        (["--infobox", "Infobox_films"], [6]),
        (["--aliases", "émission, Infobox films"], [0, 1, 2, 3, 4, 5, 6, 7]),
    ):
        run("extract", dump(tmp_path, *pages), output, "--n-process", 1, *options)
        assert [record["page_id"] for record in records(output)] == found


def test_links() -> None:
    text = """[[a_b#c|d]] [[:Category:X]] [[Kategorie:Y]] [[Datei:f.jpg|thumb|see [[inner]] and [[b|c [d] e]]]] [[de:Wort]] [[#top]]
    [[CSI: Miami]] [[Caf&eacute;]] [[C%2B%2B]] {{x|[[In template]]}} [[a b]] [[open|never closed
    [[Two]]s [[Talk:Z]] [[wikt:word|w]] [[ Spaces  within ]]"""
    assert WIKI.links(clean(text)) == [
        "A b",
        "Inner",
        "B",
        "CSI: Miami",
        "Café",
        "C++",
        "In template",
        "Two",
        "Spaces within",
    ]
    assert WIKI.categories(
        "[[Kategorie:Film|x]][[category: film_noir]][[:Category:No]][[Category:Film]]"
    ) == ["Film", "Film noir"]
    assert normal_title("_éclair_(food)#History") == "Éclair (food)"


def test_links_are_those_of_a_parser() -> None:
    parser = pytest.importorskip("mwparserfromhell")
    datapath = pytest.importorskip("gensim.test.utils").datapath
    path = Path(datapath("enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"))
    size = path.stat().st_size
    wiki = Wiki(namespaces(read_head(path)))
    n_pages = 0
    for raw in read_pages(feed(path, 0, size), size, path):
        assert isinstance(raw, bytes)
        text = unescape(
            raw.partition(b"<text")[2].partition(b">")[2].partition(b"</text>")[0].decode()
        )
        if len(text) < 30_000 and n_pages < 20:
            n_pages += 1
            parsed = parser.parse(text, skip_style_tags=True).filter_wikilinks()
            assert wiki.links(clean(text)) == list(
                filter(None, dict.fromkeys(wiki.article(str(link.title)) for link in parsed))
            )
    assert n_pages == 20


@pytest.mark.parametrize(
    "opening",
    ["<!--", "<ref>", "<nowiki>", "[http://a b ", "=x" + 9 * "=" + "y", "{{a|", "{|\n", "[[a|b[c"],
)
def test_markup_without_an_end_takes_no_longer(opening: str) -> None:
    text = opening * (400_000 // len(opening))
    start = time.process_time()
    assert WIKI.links(clean(text)) == []
    plain_text(text, WIKI)
    assert (
        time.process_time() - start < 2
    )  # hours, where each opening looks for its end to the end of the page
    assert clean("a<!--b--><nowiki>c</nowiki><math>d<!--e-->f") == "a<math>df"


def test_values_of_an_infobox() -> None:
    values = """{{Infobox x
    | a = one<br>two<br/>three <ref name="n">not this</ref> | d = <!-- nothing --> | e = '''bold''' &amp; ''it''
    | b = {{ubl|[[A (b)|A]]|{{lang|fr|B}}}} {{hlist|C}} | c = {{start date|2001|2|3}} to {{convert|5|to|6|km}}
    | f = [https://example.org a site] [[File:x.jpg|20px]] | g = #1 | a2 = {{unknown|x|y}} | h = {{efn|note}}&nbsp; | 1 = {{{p|default}}}
    | g = #2 | two words = x_y [[u_v]]
    }}"""
    assert properties(values) == {
        **{
            "a": ["one", "two", "three"],
            "b": ["A", "B", "C"],
            "c": "2001-02-03 to 5 to 6 km",
            "e": "bold & it",
        },
        **{"f": "a site", "g": "#2", "1": "default", "two words": "x_y u v"},
    }
    assert [
        render("Film date", ["1994", "9", "23", "x"]),
        render("US$", ["3 million"]),
        render("cite web", ["x"]),
        render("snd", []),
    ] == [
        *("1994-09-23", "US$3 million", "", " – "),
    ]


# Text


def test_plain_text() -> None:
    text = """{{Infobox film
| name = x {{a|b}}
}}
'''Bold''' and ''it'' ({{lang|ja|語}}; [[link|shown]]).<ref>gone</ref> It is {{convert|5|km|mi}} long&nbsp;&ndash; [https://a.b label].
== Heading ==
{| class="x"
| cell || {{b}}
|}
[[File:a.jpg|thumb|a [[caption]]]]* item [[wikt:w|word]]
[[Category:Gone]]<!-- gone --><nowiki>gone</nowiki>
"""
    assert plain_text(text, WIKI) == [
        "Bold and it (語; shown). It is 5 km long – label.",
        "item word",
    ]


def test_texts_are_what_ner_reads(tmp_path: Path) -> None:
    run("text", SAMPLE, tmp_path / "t.jsonl", "--n-process", 1, "--least", 60)
    texts = [text.text for text in read_texts(tmp_path / "t.jsonl")]
    assert (
        len(texts) == 28
        and all(len(text) >= 60 for text in texts)
        and not [text for text in texts if set(text) & set("[]{}|<>")]
    )
    run("text", SAMPLE, tmp_path / "t.jsonl", "--n-process", 1, "--unit", "page")
    found = records(tmp_path / "t.jsonl")
    assert (
        len(found) == 18
        and found[0]["meta"] == {"title": "Seven Samurai", "page_id": 11}
        and found[0]["text"].count("\n") == 2
    )
    (tmp_path / "titles.txt").write_text("thelma_& Louise\nIkiru\n\n", "utf8")
    run(
        "text",
        SAMPLE,
        tmp_path / "t.jsonl",
        "--n-process",
        1,
        "--unit",
        "page",
        "--titles",
        tmp_path / "titles.txt",
    )
    assert [record["meta"]["title"] for record in records(tmp_path / "t.jsonl")] == [
        "Thelma & Louise",
        "Ikiru",
    ]


def test_titles_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "titles.txt").write_text("Nobody\n", "utf8")
    run(
        "text",
        SAMPLE,
        tmp_path / "t.jsonl",
        "--n-process",
        1,
        "--titles",
        tmp_path / "titles.txt",
        code=1,
    )
    assert (
        "none of 18 articles gives a text that is wanted: see vars.wikipedia.titles"
        in capsys.readouterr().err
    )


# Parts of a file


@pytest.mark.parametrize("level", [1, 9])
def test_blocks_of_a_file_from_any_place(tmp_path: Path, level: int) -> None:
    text = "".join(map(noise, range(60))).encode()
    path = tmp_path / "x.bz2"
    for packed in (
        bz2.compress(text, level),
        b"".join(bz2.compress(text[i : i + 700_000], level) for i in range(0, len(text), 700_000)),
    ):
        path.write_bytes(packed)
        with path.open("rb") as file:
            blocks = list(read_blocks(file, 0))
            assert b"".join(block or b"" for _, block in blocks) == text and len(blocks) > 2
            for start in (1, 5, len(packed) // 2, len(packed) - 10):
                assert list(read_blocks(file, start)) == [
                    block for block in blocks if block[0] >= start
                ]
    for shift in range(8):
        data = (BLOCK << 40 - shift).to_bytes(12, "big")
        assert find_magic(data, BLOCK) == [8 + shift]


def test_bits_that_only_look_like_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(map(noise, range(60))).encode()
    (tmp_path / "x.bz2").write_bytes(bz2.compress(text))
    false = 8 * 400_000
    monkeypatch.setattr(
        bzip2,
        "find_magic",
        lambda data, magic: sorted(
            [*find_magic(data, magic), *([false] if magic == BLOCK else [])]
        ),
    )
    with (tmp_path / "x.bz2").open("rb") as file:
        blocks = [block for _, block in read_blocks(file, 0)]
    assert b"".join(block or b"" for block in blocks) == text


def test_a_hole_in_a_file(tmp_path: Path) -> None:
    packed = bz2.compress("".join(map(noise, range(60))).encode())
    (tmp_path / "x.bz2").write_bytes(packed[:600_000] + bytes(12_000_000) + packed[600_000:])
    with (tmp_path / "x.bz2").open("rb") as file:
        found = [block is None for _, block in read_blocks(file, 0)]
    assert found.count(True) == 1 and not found[0] and not found[-1]


@pytest.mark.parametrize("name", ["dump.xml", "dump.xml.bz2"])
def test_the_size_of_parts_changes_nothing(tmp_path: Path, name: str) -> None:
    path = dump(tmp_path, *(film(number, noise(number)) for number in range(1, 31)), name=name)
    size = path.stat().st_size
    pages = list(read_pages(feed(path, 0, size), size, path))
    assert len(pages) == 30
    for part in (size // 2, size // 7, 9_999):
        assert [
            page
            for start, end in cut(size, part)
            for page in read_pages(feed(path, start, end), end, path)
        ] == pages


def test_one_process_or_two_and_an_index_or_none(tmp_path: Path) -> None:
    path, index = multistream(tmp_path)
    outputs = []
    small = ["--part-mb", 0.05]
    for number, more in enumerate(
        (
            ["--n-process", 1],
            ["--n-process", 2, *small],
            ["--n-process", 1, *small, "--index", index],
        )
    ):
        output = tmp_path / f"{number}.jsonl"
        run("extract", path, output, *more)
        outputs.append((output.read_bytes(), output.with_suffix(".counts.json").read_bytes()))
        assert sorted(file.name for file in tmp_path.glob(f"{number}*")) == [
            f"{number}.counts.json",
            f"{number}.jsonl",
        ]
    assert outputs[0] == outputs[1] == outputs[2] and len(records(tmp_path / "0.jsonl")) == 24
    (tmp_path / "titles.txt").write_text("Film 5\nFilm 22\n", "utf8")
    run(
        "text",
        path,
        tmp_path / "t.jsonl",
        "--index",
        index,
        "--titles",
        tmp_path / "titles.txt",
        "--n-process",
        1,
        "--unit",
        "page",
    )
    assert [record["meta"]["page_id"] for record in records(tmp_path / "t.jsonl")] == [5, 22]
    assert srsly.read_json(tmp_path / "t.counts.json")["pages"] == 6, (
        "only the two streams were read"
    )


def test_an_index_of_another_dump(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, index = multistream(tmp_path)
    for line, words in (
        ("7777:1:Film 1\n", "is the index of another dump: no stream begins at byte 7777"),
        ("x\n", "no line of an index"),
    ):
        index.write_text(line)
        run("extract", path, tmp_path / "p.jsonl", "--index", index, "--part-mb", 0.001, code=1)
        assert words in capsys.readouterr().err
    run("extract", path, tmp_path / "p.jsonl", "--index", tmp_path / "none.txt", code=1)
    assert (
        "does not exist: give the index" in capsys.readouterr().err
        and not (tmp_path / "p.jsonl").exists()
    )


def test_limit(tmp_path: Path) -> None:
    path = dump(tmp_path, *map(film, range(1, 31)))
    for n in (1, 2):
        run(
            "extract",
            path,
            tmp_path / "p.jsonl",
            "--limit",
            7,
            "--n-process",
            n,
            "--part-mb",
            0.001,
        )
        assert [record["page_id"] for record in records(tmp_path / "p.jsonl")] == list(range(1, 8))
        assert not (tmp_path / "p.parts").exists()


def test_a_killed_run_goes_on_and_gives_the_same(tmp_path: Path) -> None:
    path = dump(
        tmp_path, *(film(number, noise(number)) for number in range(1, 61)), name="d.xml.bz2"
    )
    command = [
        sys.executable,
        "-m",
        "scripts.wikipedia",
        "extract",
        str(path),
        "p.jsonl",
        "--n-process",
        "1",
        "--part-mb",
        "0.02",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(command, cwd=tmp_path, env=environment)
    until = time.monotonic() + 60
    while (
        len(list((tmp_path / "p.parts").glob("shard-*.json"))) < 3
        and time.monotonic() < until
        and running.poll() is None
    ):
        time.sleep(0.002)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL and not (tmp_path / "p.jsonl").exists()
    shards = sorted((tmp_path / "p.parts").glob("shard-*.json"))
    assert len(shards) >= 3
    told = srsly.read_json(shards[0])
    write_json(
        shards[0], {**told, "counts": {**told["counts"], "redirects": 1000}}
    )  # to see that this shard is not made again
    assert subprocess.run(command, cwd=tmp_path, env=environment).returncode == 0
    assert srsly.read_json(tmp_path / "p.counts.json")["redirects"] == 1000
    run("extract", path, tmp_path / "whole.jsonl", "--n-process", 1)
    assert (tmp_path / "p.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes() and len(
        records(tmp_path / "p.jsonl")
    ) == 60


# Bad dumps


def test_a_truncated_dump_gives_what_was_readable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = dump(
        tmp_path, *(film(number, noise(number)) for number in range(1, 61)), name="d.xml.bz2"
    )
    assert ends_well(whole)
    data = whole.read_bytes()
    for name, cut_data in (
        ("a.xml.bz2", data[: len(data) // 2]),
        ("b.xml", bz2.decompress(data)[:1_000_000]),
        ("c.xml.bz2", data[:-12]),
    ):
        path = tmp_path / name
        path.write_bytes(cut_data)
        for n_process in (1, 2):
            run(
                "extract",
                path,
                tmp_path / "p.jsonl",
                "--n-process",
                n_process,
                "--part-mb",
                0.2,
                code=1,
            )
            found = records(tmp_path / "p.jsonl")
            assert 10 < len(found) < 60 and [record["page_id"] for record in found] == list(
                range(1, len(found) + 1)
            )
            told = f"Error: {path} ends early, behind the page 'Film {len(found)}': fetch or copy it again ({len(found)} records of its"
            assert told in capsys.readouterr().err


def test_damage_in_the_middle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = dump(
        tmp_path, *(film(number, noise(number)) for number in range(1, 61)), name="d.xml.bz2"
    )
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 8
    path.write_bytes(data)
    run("extract", path, tmp_path / "p.jsonl", "--n-process", 1, code=1)
    numbers = [record["page_id"] for record in records(tmp_path / "p.jsonl")]
    assert numbers[0] == 1 and numbers[-1] == 60 and 30 < len(numbers) < 60
    last = next(number for number in numbers if number + 1 not in numbers)
    assert f"is damaged behind the page 'Film {last}'" in capsys.readouterr().err


def test_broken_pages_are_counted(tmp_path: Path) -> None:
    unclosed = film(2).replace(b"  </page>\n", b"")
    strange = film(4).replace(b"</text>", b"&nbsp;</text>")
    latin = film(5).replace("è".encode(), b"\xe8")
    headless = film(6).replace(b"<id>6</id>", b"")
    open_box = page("Open", "{{Infobox film\n| name = x", 7)
    long_box = page("Long", "{{Infobox film\n| name = " + 60_000 * "x" + "}}", 10)
    empty = (
        film(8).replace(b'xml:space="preserve">', b"/>", 1).partition(b"{{")[0]
        + b"\n    </revision>\n  </page>\n"
    )
    number = film(9).replace(b"is a film", b"&#955;&#x3bb;&amp;lt;")
    path = dump(
        tmp_path,
        film(1),
        unclosed,
        film(3),
        strange,
        latin,
        headless,
        open_box,
        empty,
        number,
        long_box,
    )
    run("extract", path, tmp_path / "p.jsonl", "--n-process", 1)
    assert [record["page_id"] for record in records(tmp_path / "p.jsonl")] == [1, 9]
    counts = srsly.read_json(tmp_path / "p.counts.json")
    assert (counts["malformed"], counts["empty"], counts["articles"]) == (4, 1, 4)
    assert (counts["infobox never closed"], counts["infobox too long"]) == (1, 1)
    assert unescape("&#955;&#x3bb;&amp;lt;&lt;") == "λλ&lt;<"


@pytest.mark.parametrize("name", ["bomb.xml", "bomb.xml.bz2"])
def test_entities_are_refused(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    head = (
        f'<?xml version="1.0"?><!DOCTYPE mediawiki [<!ENTITY a0 "aaaaaaaaaa">{lines}]>'.encode()
        + HEAD
    )
    path = dump(tmp_path, film(1).replace(b"is a film", b"&a9;"), name=name, head=head)
    for command in ("extract", "text"):
        run(command, path, tmp_path / "p.jsonl", code=1)
        assert (
            capsys.readouterr().err
            == f"Error: {path} declares entities or a DOCTYPE, which no dump does: refused\n"
        )
    assert not (tmp_path / "p.jsonl").exists()


def test_compression_bombs_are_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zeros = bz2.compress(bytes(60_000_000))
    for name, data, words in (
        ("a.xml.bz2", zeros, "is no MediaWiki dump"),
        (
            "b.xml.bz2",
            bz2.compress(HEAD + film(1)) + zeros * 3,
            "no page ends within 16 MB: a compression bomb",
        ),
        (
            "c.xml.bz2",
            bz2.compress(HEAD + film(1)[:-20]) + zeros * 3,
            "no page ends within 16 MB: a compression bomb",
        ),
        (
            "d.xml.bz2",
            bz2.compress(HEAD) + bz2.compress(page("Long", "a" * 10_000_000)) * 8,
            "grows more than 250 times",
        ),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        run("extract", path, tmp_path / "p.jsonl", "--n-process", 1, code=1)
        assert words in capsys.readouterr().err and not (tmp_path / "p.jsonl").exists()


def test_what_is_no_dump(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.xml").write_text("Just a text.")
    (tmp_path / "other.xml").write_text("<html></html>")
    (tmp_path / "empty.xml").write_text("")
    (tmp_path / "short.xml.bz2").write_bytes(SAMPLE.read_bytes()[:3000])
    for name, words in (
        ("none.xml", "does not exist: give a dump by vars.wikipedia.dump"),
        (".", "is a folder"),
        ("text.xml", "is neither XML nor bz2"),
        ("empty.xml", "is neither XML nor bz2"),
        ("other.xml", "is no MediaWiki dump"),
        ("short.xml.bz2", "ends early or is damaged before its first page"),
    ):
        run("extract", tmp_path / name, tmp_path / "p.jsonl", code=1)
        err = capsys.readouterr().err
        assert words in err and err.count("\n") == 1 and not (tmp_path / "p.jsonl").exists()


def test_a_dump_without_such_an_infobox(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, cut_off = tmp_path / "p.jsonl", tmp_path / "cut.xml"
    output.write_text("{}\n")
    run(
        "extract",
        SAMPLE,
        output,
        "--infobox",
        "lighthouse",
        "--aliases",
        "Leuchtturm",
        "--n-process",
        1,
        code=1,
    )
    assert capsys.readouterr().err == (
        f"Error: {SAMPLE}: none of 18 articles carries {{{{Infobox lighthouse}}}} or {{{{Leuchtturm}}}}: "
        "see vars.wikipedia.infobox and aliases\n"
    )
    cut_off.write_bytes(XML[: XML.index(b"</mediawiki>")])
    run("extract", cut_off, output, "--infobox", "lighthouse", "--n-process", 1, code=1)
    assert (
        "ends early, behind the page 'Ikiru'" in (said := capsys.readouterr().err)
        and "no record is in its 23 readable pages" in said
    )
    assert output.read_text() == "{}\n" and sorted(file.name for file in tmp_path.iterdir()) == [
        "cut.xml",
        "p.jsonl",
    ]
    run("extract", SAMPLE, output, "--infobox", " ", code=1)
    assert "no infobox named: give one by vars.wikipedia.infobox" in capsys.readouterr().err


def test_what_is_made_is_not_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Weasel would read a dump into memory to see whether it changed, so the command does it."""
    path, output = dump(tmp_path, *map(film, range(1, 9))), tmp_path / "p.jsonl"
    run("extract", path, output, "--n-process", 1)
    capsys.readouterr()
    run("extract", path, output, "--n-process", 1)
    assert capsys.readouterr().out == f"{output}: nothing changed since it was made\n"
    for change in (
        lambda: ["--limit", 3],
        lambda: ["--aliases", "x"],
        lambda: output.write_text("x") and [],
        lambda: dump(tmp_path, *map(film, range(2, 10))) and [],
        lambda: dump(tmp_path, *map(film, range(2, 10)), foot=b"") and [],
    ):
        options, code = change(), int(not path.read_bytes().endswith(FOOT))
        for _ in range(1 + code):  # what is not whole is read again
            run("extract", path, output, "--n-process", 1, *options, code=code)
            assert "records of 8 articles" in capsys.readouterr().out


# Report and workflow


def test_report(
    sample: dict[str, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = summarize(sample.values())
    assert (found["pages"], found["with_score"], found["properties"]["director"]) == (14, 10, 14)
    assert next(iter(found["links"].items())) == ("Rotten Tomatoes", 4)
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
    assert (
        again.count("nothing changed since it was made") == 2
        and "Skipping 'wikipedia-report'" in again
    )
    missing = run_module(folder, "scripts.wikipedia", "extract", "nothing.xml", "p.jsonl")
    assert (
        missing.returncode == 1
        and json.loads((folder / "corpus/wikipedia/pages.counts.json").read_text())["records"] == 14
    )
