"""The pages of a dump that carry an infobox, as records; and the way through a dump that `text` takes too.

A dump is cut into parts of some MB. Each process takes a part at a time and writes a shard for it, and a run that was killed goes on
with the parts that are missing. Whether a page is of interest is seen on its bytes: all but a few pages are never decoded.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import srsly

from scripts.files import digest, progress_bar, remove, replacing
from scripts.shards import MakeShard, Shard, make_shards
from scripts.wikipedia import wikitext
from scripts.wikipedia.dump import (
    Damaged,
    Head,
    Malformed,
    ends_well,
    feed,
    fingerprint,
    namespaces,
    parse_head,
    parse_revision,
    read_head,
    read_pages,
)
from scripts.wikipedia.infobox import parser, properties

PART = 4 * 2**20  # bytes of the dump's file
CODE = digest(
    b"".join(file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py")))
)  # what other code made is not kept
TEMPLATES = 10  # the key of their namespace
REDIRECTS, OTHERS, DISAMBIGUATIONS, MALFORMED = (
    "redirects",
    "other namespaces",
    "disambiguations",
    "malformed",
)
EMPTY_BYTES = 4096  # of a page without text: what else a page has is shorter
KINDS = ("pages", "articles", REDIRECTS, "templates", OTHERS, DISAMBIGUATIONS, "empty", MALFORMED)
UNCLOSED, TOO_LONG = "infobox never closed", "infobox too long"
LONGEST_INFOBOX = (
    50_000  # characters; long ones have 10,000, and the parser takes minutes for 50,000 of malice
)

Record = dict[str, Any]
Make = Callable[
    [Head, bytes, Counter[str]], Iterable[Record]
]  # records of an article's page, with a counter for what is to be told


@dataclass
class Result:
    """What became of a dump."""

    counts: Counter[str] = field(default_factory=Counter)
    last: str = ""  # the title of the last page that was read
    damaged: list[str] = field(
        default_factory=list
    )  # titles of the pages after which something could not be read
    records: int = 0
    whole: bool = True  # whether all of the dump was gone through
    ends_early: bool = False  # whether the dump has no end
    made_of: str = ""  # a fingerprint of the dump, the settings and the code


def template_names(infobox: str, aliases: str) -> list[str]:
    """Names of templates: "film" is Infobox film; aliases are given whole, apart by commas.

    Raises:
        ValueError: "no infobox named ...".
    """
    name = wikitext.template_name(infobox)
    if not name:
        raise ValueError(
            "no infobox named: give one by vars.wikipedia.infobox, such as film, book, album or settlement"
        )
    name = name if name.startswith("Infobox") else f"Infobox {infobox.strip().replace('_', ' ')}"
    return list(
        dict.fromkeys([name, *filter(None, map(wikitext.template_name, aliases.split(",")))])
    )


def pages_with_infobox(infobox: str, names: list[str], of_wiki: dict[int, str]) -> Make:
    """What makes the records of pages that carry one of some templates."""
    parser()
    mention, opening, wiki = (
        wikitext.mention_of(names),
        wikitext.opening_of(names),
        wikitext.Wiki(of_wiki),
    )

    def make(head: Head, page: bytes, counts: Counter[str]) -> Iterator[Record]:
        if not mention.search(page):
            return
        revision = parse_revision(page)
        cleaned = wikitext.clean(revision.text)
        if not opening.search(cleaned):
            return
        template = wikitext.find_template(cleaned, opening)
        if template is None or len(template) > LONGEST_INFOBOX:
            counts[TOO_LONG if template else UNCLOSED] += 1
            return
        yield {
            "title": head.title,
            "infobox": infobox,
            "properties": properties(template),
            "links": wiki.links(cleaned),
            "categories": wiki.categories(cleaned),
            "score": wikitext.rotten_tomatoes(cleaned),
            "length": len(revision.text),
            "page_id": head.page_id,
            "revision_id": revision.revision_id,
            "timestamp": revision.timestamp,
        }

    return make


def shard_maker(path: Path, prepare: Callable[..., Make], args: tuple[Any, ...]) -> MakeShard:
    """What makes a shard, JSONL, of a part of a dump."""
    make = prepare(*args)

    def make_shard(part: tuple[int, int]) -> Shard:
        start, end = part
        counts: Counter[str] = Counter()
        lines: list[str] = []
        last, damaged = "", []
        for page in read_pages(feed(path, start, end), end, path):
            if isinstance(page, Damaged):
                damaged.append(last)
                continue
            try:
                head = parse_head(page)
                kind = kind_of(head, page)
                if kind == "articles":
                    lines += [
                        srsly.json_dumps(record) + "\n" for record in make(head, page, counts)
                    ]
                counts[kind] += 1
            except Malformed:
                counts[MALFORMED] += 1
            else:
                last = head.title
        counts["pages"] = sum(counts[kind] for kind in KINDS[1:])
        told = {
            "counts": dict(counts),
            "records": len(lines),
            "last": last,
            "damaged": damaged,
            "bytes": end - start,
        }
        return "".join(lines).encode("utf8"), told

    return make_shard


def kind_of(head: Head, page: bytes) -> str:
    """Which of KINDS a page is: only articles are looked at further."""
    if head.redirect:
        return REDIRECTS
    if head.namespace:
        return "templates" if head.namespace == TEMPLATES else OTHERS
    if len(page) < EMPTY_BYTES and b"</text>" not in page:
        return "empty"
    return DISAMBIGUATIONS if wikitext.is_disambiguation(page) else "articles"


def go_through(
    path: Path,
    output: Path,
    parts: list[tuple[int, int]],
    prepare: Callable[..., Make],
    args: tuple[Any, ...],
    limit: int = 0,
    n_process: int = -1,
    none_found: str = "gives a record",
) -> Result:
    """Write the records that a dump's pages give to a JSONL file, in the dump's order.

    Args:
        path: the dump.
        output: the file; beside it lies a folder of shards until it is finished, with which a killed run goes on.
        parts: (first byte, byte after the last) of what a process reads at a time; `cut` gives those of a whole dump.
        prepare: called with the names of the wiki's namespaces after `args` in each process; gives what makes records of a page.
        args: plain data; with the dump they decide what is written.
        limit: records at most; 0 for all.
        n_process: processes; -1 for one a core.
        none_found: what to say where nothing is to be written.

    Raises:
        ValueError: for what is no dump, for bombs; "... of ... articles ..." where there is no record, and `output` stays as it was.
    """
    of_wiki = namespaces(read_head(path))
    settings = settings_of(path, prepare, args)
    shards = output.with_name(f"{output.stem}.parts")
    shards.mkdir(parents=True, exist_ok=True)
    result = Result(whole=not limit, made_of=f"{settings} {limit}")
    with (
        progress_bar("read", sum(end - start for start, end in parts), "B") as bar,
        replacing(output) as new,
        new.open("wb") as file,
    ):
        made = make_shards(
            parts,
            shards,
            settings,
            n_process,
            shard_maker,
            (path, prepare, (*args, of_wiki)),
            suffix=".jsonl",
            noun="wikipedia",
        )
        for number, told in enumerate(made):
            bar.update(told["bytes"])
            lines = (shards / f"shard-{number:05}.jsonl").read_bytes().splitlines(keepends=True)
            lines = lines[: limit - result.records] if limit else lines
            file.writelines(lines)
            result.records += len(lines)
            result.counts.update(told["counts"])
            result.damaged += (title or result.last for title in told["damaged"])
            result.last = told["last"] or result.last
            if limit and result.records >= limit:
                break
        else:
            result.whole = True
        made.close()
        result.ends_early = result.whole and not ends_well(path)
        if not result.records:
            remove(shards)
            check(result, path, output)
            raise ValueError(f"{path}: none of {result.counts['articles']:,} articles {none_found}")
    remove(shards)
    return result


def settings_of(path: Path, prepare: Callable[..., Make], args: tuple[Any, ...]) -> str:
    """A fingerprint of all that decides what is written, apart from the limit.

    Raises:
        ValueError: for what is no dump.
    """
    plain = [
        sorted(arg) if isinstance(arg, frozenset) else arg for arg in args
    ]  # sets have an order of their own in each process
    return digest(f"{CODE} {prepare.__name__} {plain} {fingerprint(path)}".encode())


def size_of(path: Path) -> int:
    """Bytes of a dump's file; its head is looked at first.

    Raises:
        ValueError: for what is no dump.
    """
    read_head(path)
    return path.stat().st_size


def check(result: Result, path: Path, output: Path) -> None:
    """See that all of a dump could be read.

    Raises:
        ValueError: "... ends early ..." or "... is damaged ...", with the last good page.
    """
    places = [
        title
        for title in dict.fromkeys(result.damaged)
        if not (result.ends_early and title == result.last)
    ]
    if not result.ends_early and not places:
        return
    what = [f"ends early, behind the page {result.last!r}"] if result.ends_early else []
    what += [f"is damaged behind the page {title!r}" for title in places]
    pages = f"its {result.counts['pages']:,} readable pages"
    written = (
        f"{result.records:,} records of {pages} are in {output}"
        if result.records
        else f"no record is in {pages}"
    )
    raise ValueError(f"{path} {' and '.join(what)}: fetch or copy it again ({written})")


def to_json(result: Result, output: Path) -> dict[str, Any]:
    """The counts, in their order, and what tells `made_before` that the file is what a run would write."""
    counts = {kind: result.counts[kind] for kind in dict.fromkeys((*KINDS, *sorted(result.counts)))}
    places = {
        "last_page": result.last,
        "ends_early": result.ends_early,
        "damaged_behind": result.damaged,
    }
    return {
        "records": result.records,
        **counts,
        **places,
        "made_of": result.made_of,
        "bytes": output.stat().st_size,
    }


def made_before(output: Path, counts: Path, made_of: str) -> bool:
    """Whether a file is there, whole, and made of the same. Weasel can't tell: it reads all of a file into memory to see if it changed."""
    try:
        told = srsly.read_json(counts)
        same = (told["made_of"], told["bytes"]) == (made_of, output.stat().st_size)
        return bool(same and not told["ends_early"] and not told["damaged_behind"])
    except (ValueError, KeyError, TypeError, OSError):
        return False


def print_result(result: Result, output: Path) -> None:
    """Print what was written, and what was left out."""
    left_out = ", ".join(
        f"{result.counts[kind]:,} {kind}"
        for kind in (*KINDS[2:], UNCLOSED, TOO_LONG)
        if result.counts[kind]
    )
    print(f"{output}: {result.records:,} records of {result.counts['articles']:,} articles")
    print(f"{result.counts['pages']:,} pages; left out: {left_out or 'none'}")
