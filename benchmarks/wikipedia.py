"""Timings of the workflow `wikipedia`: pages with an infobox out of a dump, beside SAX and a parser, and beside unpacking alone."""

import bz2
import multiprocessing
import re
import resource
import statistics
import tempfile
import time
import xml.sax
import xml.sax.handler
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import srsly

from benchmarks.measure import Row, in_fresh_process, peak_memory
from scripts.files import need
from scripts.wikipedia import extract, infobox, wikitext
from scripts.wikipedia.dump import (
    cut,
    feed,
    namespaces,
    parse_head,
    parse_revision,
    read_head,
    read_pages,
)

BUNDLED = "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"  # 206 pages of Wikipedia that gensim carries
NAMES = ["Infobox film", "Infobox book"]
COPIES = 20  # of the bundled pages: 33 MB of bz2
REPEATS = 3
_TITLE = re.compile(rb"</title>")
_ID = re.compile(rb"(?<=</ns>\n    <id>)\d+")
_INFOBOX = re.compile(r"\{\{\s*[Ii]nfobox[ _][^|{}<\n]*(?=[\n|}])")


def bundled_dump() -> Path:
    """The dump that gensim carries."""
    return Path(need("gensim.test.utils", "vectors").datapath(BUNDLED))


def articles(path: Path) -> Iterator[tuple[str, str]]:
    """(title, wikitext) of the articles of a dump."""
    size = path.stat().st_size
    for page in read_pages(feed(path, 0, size), size, path):
        if (
            isinstance(page, bytes)
            and extract.kind_of(head := parse_head(page), page) == "articles"
        ):
            yield head.title, parse_revision(page).text


def write_dump(path: Path, n_copies: int) -> None:
    """The bundled pages again and again, with titles and ids of their own, as one stream of bz2."""
    head, page, rest = bz2.decompress(bundled_dump().read_bytes()).partition(b"  <page>")
    pages, end = page + rest.removesuffix(b"</mediawiki>\n"), b"</mediawiki>\n"
    with bz2.open(path, "wb") as file:
        file.write(head)
        for copy in range(n_copies):
            titled = _TITLE.sub(b" (%d)</title>" % copy, pages)
            file.write(_ID.sub(lambda found: b"%d" % (int(found[0]) + copy * 10**6), titled))  # noqa: B023
        file.write(end)


def ours(path: Path, output: Path, n_process: int = 1) -> tuple[float, float, int]:
    """(seconds, seconds on cores of all processes, peak memory of this one) of extracting films and books."""
    infobox.parser()
    multiprocessing.set_start_method(
        None, force=True
    )  # a fresh process is spawned, and would spawn its own, which import all again
    parts = cut(path.stat().st_size, extract.PART)
    start, start_on_core = time.perf_counter(), on_cores()
    extract.go_through(
        path, output, parts, extract.pages_with_infobox, ("film", NAMES), n_process=n_process
    )
    return time.perf_counter() - start, on_cores() - start_on_core, peak_memory()


def on_cores() -> float:
    """Seconds that this process and those that it ended have had cores."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def unpack(path: Path) -> float:
    """Seconds on a core of unpacking alone, in Python's bz2 module."""
    unpacker = bz2.BZ2Decompressor()
    start = time.process_time()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            unpacker.decompress(chunk)
    return time.process_time() - start


def unpack_at_once(path: Path, n_process: int) -> float:
    """Seconds by the clock of unpacking a dump in each of some processes: what the machine can do, whatever is unpacked."""
    multiprocessing.set_start_method(None, force=True)
    with ProcessPoolExecutor(n_process) as pool:
        list(pool.map(len, [()] * n_process))  # started
        start = time.perf_counter()
        list(pool.map(unpack, [path] * n_process))
    return time.perf_counter() - start


class _Handler(xml.sax.handler.ContentHandler):
    """What one would write otherwise: collect title and text of each page, parse every text, keep those with the template."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], list[str]]] = []
        self._parser = infobox.parser()
        self._values: dict[str, str] = {}
        self._tag, self._buffer = "", list[str]()

    def startElement(self, name: str, attrs: Any) -> None:
        if name in ("title", "text"):
            self._tag, self._buffer = name, []

    def characters(self, content: str) -> None:
        if self._tag:
            self._buffer.append(content)

    def endElement(self, name: str) -> None:
        if name == self._tag:
            self._values[name], self._tag = "".join(self._buffer), ""
        if name == "page":
            code = self._parser.parse(self._values["text"])
            for template in code.filter_templates():
                if wikitext.template_name(template.name.strip_code()) in NAMES:
                    values = {
                        param.name.strip_code().strip(): param.value.strip_code().strip()
                        for param in template.params
                    }
                    self.found.append(
                        (
                            self._values["title"],
                            values,
                            [str(link.title) for link in code.filter_wikilinks()],
                        )
                    )
                    break


def by_sax(path: Path) -> tuple[float, list[str]]:
    """(seconds on a core, titles) of SAX over the lines of the unpacked dump, and mwparserfromhell on every page."""
    handler = _Handler()
    start = time.process_time()
    reader = xml.sax.make_parser()
    reader.setContentHandler(handler)
    with bz2.open(path) as lines:
        for line in lines:
            reader.feed(line)  # type: ignore[attr-defined]
    return time.process_time() - start, [title for title, _, _ in handler.found]


def same_links(path: Path, **options: Any) -> tuple[int, int]:
    """(articles, those of them whose links are the parser's, in the same order)."""
    wiki = wikitext.Wiki(namespaces(read_head(path)))
    same = []
    for _, text in articles(path):
        theirs = (
            wiki.article(str(link.title))
            for link in infobox.parser().parse(text, **options).filter_wikilinks()
        )
        same.append(wiki.links(wikitext.clean(text)) == list(filter(None, dict.fromkeys(theirs))))
    return len(same), sum(same)


def same_values(path: Path) -> tuple[int, int]:
    """(infoboxes of any kind, those of them with the same values whether they are cut out first or the whole page is parsed)."""
    n, same = 0, 0
    for _, text in articles(path):
        templates = (
            infobox.parser().parse(text, skip_style_tags=True).filter_templates(recursive=False)
        )
        theirs = [template for template in templates if _INFOBOX.match(str(template))]
        if theirs:
            cut_out = wikitext.find_template(wikitext.clean(text), _INFOBOX)
            n += 1
            same += cut_out is not None and infobox.properties(cut_out) == infobox.of_template(
                theirs[0]
            )
    return n, same


def run(scale: float) -> list[Row]:
    """Measure `extract`, each time in a fresh process.

    Args:
        scale: 1 for 33 MB of bz2, some minutes; less for fewer copies, whose numbers mean little.
    """
    copies = max(1, round(COPIES * scale))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, n_copies in (("one", 1), ("all", copies), ("ten", max(1, copies // 10))):
            write_dump(folder / f"{file}.xml.bz2", n_copies)
        return [*_speed_rows(folder, scale), *_same_rows(), _memory_row(folder)]


def _speed_rows(folder: Path, scale: float) -> list[Row]:
    path, one = folder / "all.xml.bz2", folder / "one.xml.bz2"
    turns = []
    for _ in range(REPEATS if scale >= 0.1 else 1):  # in turn: noise hits all
        runs = [in_fresh_process(ours, path, folder / "p.jsonl", n) for n in (1, 2)]
        bare = [in_fresh_process(unpack_at_once, path, n) for n in (1, 2)]
        turns.append(
            (
                runs[0][1],
                runs[1][1],
                in_fresh_process(unpack, path),
                runs[0][0],
                runs[1][0],
                2 * bare[0] / bare[1],
            )
        )
    alone, both, unpacking, by_one, by_two, possible = map(statistics.median, zip(*turns))
    otherwise, titles = in_fresh_process(by_sax, one)
    in_fresh_process(ours, one, folder / "p.jsonl")
    if titles != [record["title"] for record in srsly.read_jsonl(folder / "p.jsonl")]:
        raise ValueError(
            "SAX and a parser find other pages than extract, so their speeds can't be compared"
        )
    size, small = path.stat().st_size / 1e3, one.stat().st_size / 1e3
    what, unit, fast = (
        f"extract, {size / 1e3:.0f} MB of bz2, 1 core",
        "kB of bz2/s",
        (size / alone) / (small / otherwise),
    )
    peer = ("SAX, mwparserfromhell on every page", small / otherwise, "ratio >= 8", fast >= 8)
    note = f"the same {len(titles)} pages of {small / 1e3:.1f} MB; seconds are those on the core"
    two = f"by the clock; by seconds on cores {2 * alone / both:.2f}; unpacking alone by 2 processes, by the clock: {possible:.2f}"
    return [
        Row(what, unit, size / alone, *peer, note),
        Row(
            what,
            unit,
            size / alone,
            "bz2 alone",
            size / unpacking,
            "ratio >= 0.6",
            unpacking / alone >= 0.6,
        ),
        Row(
            "extract, 2 processes",
            unit,
            size / by_two,
            "1 process",
            size / by_one,
            "ratio >= 1.7",
            by_one / by_two >= 1.7,
            two,
        ),
    ]


def _same_rows() -> list[Row]:
    path = bundled_dump()
    n, same = same_links(path, skip_style_tags=True)
    strict = same_links(path)[1]
    boxes, same_boxes = same_values(path)
    note = (
        f"{strict} of {n} where it minds unclosed italics, and loses the links that they begin in"
    )
    return [
        Row(
            "links",
            "articles with the same",
            same,
            "mwparserfromhell",
            n,
            "ratio >= 0.995",
            same / n >= 0.995,
            note,
        ),
        Row(
            "infobox values",
            "infoboxes with the same",
            same_boxes,
            "mwparserfromhell on the page",
            boxes,
            "ratio 1",
            same_boxes == boxes,
        ),
    ]


def _memory_row(folder: Path) -> Row:
    small, large = (
        in_fresh_process(ours, folder / f"{name}.xml.bz2", folder / "p.jsonl")[2]
        for name in ("ten", "all")
    )
    return Row(
        "extract, peak memory at 10x pages",
        "MB",
        large / 1e6,
        "1x pages",
        small / 1e6,
        "ratio <= 1.15",
        large / small <= 1.15,
    )
