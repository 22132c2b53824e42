"""Timings of the workflow `wikipedia`: pages with an infobox out of a dump.

They are compared with SAX and a parser, and with unpacking alone.
"""

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import srsly

from benchmarks.measure import Row, in_fresh_process, peak_memory
from scripts.files import need
from scripts.wikipedia import infobox, wikitext
from scripts.wikipedia.dump import (
    parse_head,
    parse_revision,
    read_header,
    read_namespaces,
    read_pages,
    read_pieces,
    split_file,
)
from scripts.wikipedia.extract import pages_with_infobox
from scripts.wikipedia.options import PART_MB
from scripts.wikipedia.records import Extraction, kind_of, write_records

# 206 pages of Wikipedia that are bundled with gensim.
BUNDLED = "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
NAMES = ["Infobox film", "Infobox book"]
COPIES = 20  # of the bundled pages: 33 MB of bz2
REPEATS = 3
_TITLE = re.compile(rb"</title>")
_ID = re.compile(rb"(?<=</ns>\n    <id>)\d+")
_INFOBOX = re.compile(r"\{\{\s*[Ii]nfobox[ _][^|{}<\n]*(?=[\n|}])")


def bundled_dump() -> Path:
    """The dump that is bundled with gensim."""
    return Path(need("gensim.test.utils", "vectors").datapath(BUNDLED))


def articles(path: Path) -> Iterator[str]:
    """The wikitext of the articles of a dump."""
    size = path.stat().st_size
    for page in read_pages(read_pieces(path, 0, size), size, path):
        if isinstance(page, bytes) and kind_of(parse_head(page), page) == "articles":
            yield parse_revision(page).text


def write_dump(path: Path, n_copies: int) -> None:
    """Write the bundled pages again and again, with other titles and ids, as one stream of bz2."""
    header, page, rest = bz2.decompress(bundled_dump().read_bytes()).partition(b"  <page>")
    end = b"</mediawiki>\n"
    pages = page + rest.removesuffix(end)
    with bz2.open(path, "wb") as file:
        file.write(header)
        for copy in range(n_copies):
            file.write(_with_other_ids(pages, copy))
        file.write(end)


def _with_other_ids(pages: bytes, copy: int) -> bytes:
    titled = _TITLE.sub(b" (%d)</title>" % copy, pages)
    return _ID.sub(lambda match: b"%d" % (int(match[0]) + copy * 10**6), titled)


@dataclass(frozen=True)
class Usage:
    """What a run took.

    Attributes:
        seconds: by the clock.
        core_seconds: on the cores, of all processes.
        memory: most bytes that this process held.
    """

    seconds: float
    core_seconds: float
    memory: int


def ours(path: Path, output: Path, n_process: int = 1) -> Usage:
    """Extract films and books."""
    infobox.parser()
    # A fresh process is spawned, and would spawn its own, which import everything again.
    multiprocessing.set_start_method(None, force=True)
    parts = split_file(path.stat().st_size, round(PART_MB * 2**20))
    start, start_on_cores = time.perf_counter(), seconds_on_cores()
    extraction = Extraction(pages_with_infobox, ("film", NAMES))
    write_records(path, output, parts, extraction, n_process=n_process)
    seconds = time.perf_counter() - start
    return Usage(seconds, seconds_on_cores() - start_on_cores, peak_memory())


def seconds_on_cores() -> float:
    """Processor seconds of this process and of those that it ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def unpack(path: Path) -> float:
    """Processor seconds of unpacking alone, by Python's bz2 module."""
    unpacker = bz2.BZ2Decompressor()
    start = time.process_time()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            unpacker.decompress(chunk)
    return time.process_time() - start


def unpack_at_once(path: Path, n_process: int) -> float:
    """Seconds by the clock of unpacking a dump in each of several processes at once.

    It shows what the machine can do, whatever is unpacked.
    """
    multiprocessing.set_start_method(None, force=True)
    with ProcessPoolExecutor(n_process) as pool:
        list(pool.map(len, [()] * n_process))  # start the processes
        start = time.perf_counter()
        list(pool.map(unpack, [path] * n_process))
    return time.perf_counter() - start


class _Handler(xml.sax.handler.ContentHandler):
    """The usual way: collect each page, parse every text, keep those with the template."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[tuple[str, dict[str, str], list[str]]] = []
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
            self._add_page()

    def _add_page(self) -> None:
        code = self._parser.parse(self._values["text"])
        for template in code.filter_templates():
            if wikitext.template_name(template.name.strip_code()) in NAMES:
                links = [str(link.title) for link in code.filter_wikilinks()]
                self.pages.append((self._values["title"], _values(template), links))
                break


def _values(template: Any) -> dict[str, str]:
    return {
        param.name.strip_code().strip(): param.value.strip_code().strip()
        for param in template.params
    }


def by_sax(path: Path) -> tuple[float, list[str]]:
    """(processor seconds, titles) of SAX on the unpacked dump, and a parser on every page."""
    handler = _Handler()
    start = time.process_time()
    reader = xml.sax.make_parser()
    reader.setContentHandler(handler)
    with bz2.open(path) as lines:
        for line in lines:
            reader.feed(line)  # type: ignore[attr-defined]
    return time.process_time() - start, [title for title, _, _ in handler.pages]


def same_links(path: Path, **options: Any) -> tuple[int, int]:
    """(articles, those of them whose links are the parser's, in the same order)."""
    wiki = wikitext.Wiki(read_namespaces(read_header(path)))
    same = []
    for text in articles(path):
        parsed = infobox.parser().parse(text, **options).filter_wikilinks()
        titles = dict.fromkeys(wiki.article(str(link.title)) for link in parsed)
        same.append(wiki.links(wikitext.clean(text)) == list(filter(None, titles)))
    return len(same), sum(same)


def same_values(path: Path) -> tuple[int, int]:
    """(infoboxes of any kind, those with the same values if the whole page is parsed)."""
    same = []
    for text in articles(path):
        parsed = infobox.parser().parse(text, skip_style_tags=True)
        templates = parsed.filter_templates(recursive=False)
        peer = [template for template in templates if _INFOBOX.match(str(template))]
        if peer:
            template = wikitext.find_template(wikitext.clean(text), _INFOBOX)
            values = infobox.parsed_properties(peer[0])
            same.append(template is not None and infobox.properties(template) == values)
    return len(same), sum(same)


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
        medians = _medians(folder, REPEATS if scale >= 0.1 else 1)
        rows = [_sax_row(folder, medians), _unpack_row(folder, medians)]
        rows += [_processes_row(folder, medians), *_same_rows(), _memory_row(folder)]
        return rows


def _medians(folder: Path, repeats: int) -> dict[str, float]:
    """Median seconds of several runs; the runs take turns, so that noise hits all of them."""
    path = folder / "all.xml.bz2"
    turns = []
    for _ in range(repeats):
        one, two = (in_fresh_process(ours, path, folder / "p.jsonl", n) for n in (1, 2))
        unpack_one, unpack_two = (in_fresh_process(unpack_at_once, path, n) for n in (1, 2))
        turns.append(
            {
                "one, on cores": one.core_seconds,
                "two, on cores": two.core_seconds,
                "one": one.seconds,
                "two": two.seconds,
                "unpack": in_fresh_process(unpack, path),
                "unpack ratio": 2 * unpack_one / unpack_two,
            }
        )
    return {name: _median(turns, name) for name in turns[0]}


def _median(turns: list[dict[str, float]], name: str) -> float:
    return statistics.median(turn[name] for turn in turns)


def _kilobytes(folder: Path, name: str) -> float:
    return (folder / f"{name}.xml.bz2").stat().st_size / 1e3


def _sax_row(folder: Path, medians: dict[str, float]) -> Row:
    one = folder / "one.xml.bz2"
    seconds, titles = in_fresh_process(by_sax, one)
    in_fresh_process(ours, one, folder / "p.jsonl")
    if titles != [record["title"] for record in srsly.read_jsonl(folder / "p.jsonl")]:
        raise ValueError(
            "SAX and a parser find other pages than extract, so their speeds can't be compared"
        )
    size, small = _kilobytes(folder, "all"), _kilobytes(folder, "one")
    speed, peer_speed = size / medians["one, on cores"], small / seconds
    return Row(
        f"extract, {size / 1e3:.0f} MB of bz2, 1 core",
        "kB of bz2/s",
        speed,
        "SAX, mwparserfromhell on every page",
        peer_speed,
        "ratio >= 8",
        speed / peer_speed >= 8,
        f"the same {len(titles)} pages of {small / 1e3:.1f} MB; seconds are those on the core",
    )


def _unpack_row(folder: Path, medians: dict[str, float]) -> Row:
    size = _kilobytes(folder, "all")
    return Row(
        f"extract, {size / 1e3:.0f} MB of bz2, 1 core",
        "kB of bz2/s",
        size / medians["one, on cores"],
        "bz2 alone",
        size / medians["unpack"],
        "ratio >= 0.6",
        medians["unpack"] / medians["one, on cores"] >= 0.6,
    )


def _processes_row(folder: Path, medians: dict[str, float]) -> Row:
    size = _kilobytes(folder, "all")
    on_cores = 2 * medians["one, on cores"] / medians["two, on cores"]
    return Row(
        "extract, 2 processes",
        "kB of bz2/s",
        size / medians["two"],
        "1 process",
        size / medians["one"],
        "ratio >= 1.7",
        medians["one"] / medians["two"] >= 1.7,
        f"by the clock; by seconds on cores {on_cores:.2f}; "
        f"unpacking alone by 2 processes, by the clock: {medians['unpack ratio']:.2f}",
    )


def _same_rows() -> list[Row]:
    path = bundled_dump()
    n, same = same_links(path, skip_style_tags=True)
    _, same_with_style = same_links(path)
    n_boxes, same_boxes = same_values(path)
    return [
        Row(
            "links",
            "articles with the same",
            same,
            "mwparserfromhell",
            n,
            "ratio >= 0.995",
            same / n >= 0.995,
            f"{same_with_style} of {n} where it parses unclosed italics too, "
            "and loses the links that they begin in",
        ),
        Row(
            "infobox values",
            "infoboxes with the same",
            same_boxes,
            "mwparserfromhell on the page",
            n_boxes,
            "ratio 1",
            same_boxes == n_boxes,
        ),
    ]


def _memory_row(folder: Path) -> Row:
    small, large = (
        in_fresh_process(ours, folder / f"{name}.xml.bz2", folder / "p.jsonl").memory
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
