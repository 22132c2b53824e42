"""Write the records that the articles of a dump give: infoboxes for `extract`, texts for `text`.

A dump is cut into parts of some MB. Each process takes one part at a time and writes a shard for
it. A run that was killed continues with the parts that are missing.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import srsly

from scripts.files import digest, progress_bar, remove, replacing, write_json
from scripts.shards import MakeShard, Shard, make_shards
from scripts.wikipedia.dump import (
    Damaged,
    Malformed,
    PageHead,
    Part,
    fingerprint,
    is_complete,
    parse_head,
    read_header,
    read_namespaces,
    read_pages,
    read_pieces,
)
from scripts.wikipedia.wikitext import is_disambiguation

TEMPLATE_NAMESPACE = 10
MAX_EMPTY_BYTES = 4096  # of a page without text: what else a page holds is shorter
REDIRECTS, OTHERS, DISAMBIGUATIONS = "redirects", "other namespaces", "disambiguations"
MALFORMED = "malformed"
KINDS = ("pages", "articles", REDIRECTS, "templates", OTHERS, DISAMBIGUATIONS, "empty", MALFORMED)
UNCLOSED, TOO_LONG = "infobox never closed", "infobox too long"

Record = dict[str, Any]
# Makes the records of an article from its head and its page; may add to the counts.
MakeRecords = Callable[[PageHead, bytes, Counter[str]], Iterable[Record]]


@dataclass(frozen=True)
class Extraction:
    """What to make of the articles of a dump.

    Attributes:
        prepare: called once in each process with `args` and the names of the wiki's namespaces by
            key; gives the function that makes records of a page.
        args: plain data; with the dump they decide what is written.
        none_found: the end of the error where no article gives a record.
    """

    prepare: Callable[..., MakeRecords]
    args: tuple[Any, ...]
    none_found: str = "gives a record"

    def settings(self, path: Path) -> str:
        """A digest of everything that decides what is written of a dump, except the limit.

        Raises:
            ValueError: for what is not a dump.
        """
        # A set has another order in each process.
        args = [sorted(arg) if isinstance(arg, frozenset) else arg for arg in self.args]
        return digest(
            f"{_code_digest()} {self.prepare.__name__} {args} {fingerprint(path)}".encode()
        )


def _code_digest() -> str:
    """A digest of this folder's code: what other code has written is not kept."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return digest(b"".join(file.read_bytes() for file in files))


@dataclass
class Result:
    """What was read and written.

    Attributes:
        counts: pages by kind.
        last: the title of the last page that was read.
        damaged: titles of the pages after which the dump could not be read.
        records: how many were written.
        whole: whether the dump was read to its end.
        ends_early: whether the dump lacks its end.
        settings: a digest of the dump, the settings and the code.
    """

    counts: Counter[str] = field(default_factory=Counter)
    last: str = ""
    damaged: list[str] = field(default_factory=list)
    records: int = 0
    whole: bool = True
    ends_early: bool = False
    settings: str = ""

    def add(self, summary: dict[str, Any], n_records: int) -> None:
        """Add a shard, from its summary and the number of its records that were written."""
        self.records += n_records
        self.counts.update(summary["counts"])
        self.damaged += (title or self.last for title in summary["damaged"])
        self.last = summary["last"] or self.last

    def to_json(self, output: Path) -> dict[str, Any]:
        """The counts in their order, and what `is_up_to_date` compares."""
        kinds = dict.fromkeys((*KINDS, *sorted(self.counts)))
        return {
            "records": self.records,
            **{kind: self.counts[kind] for kind in kinds},
            "last_page": self.last,
            "ends_early": self.ends_early,
            "damaged_behind": self.damaged,
            "made_of": self.settings,
            "bytes": output.stat().st_size,
        }


def shard_maker(path: Path, extraction: Extraction, namespaces: dict[int, str]) -> MakeShard:
    """A function that makes a shard (JSONL) of a part of a dump."""
    make_records = extraction.prepare(*extraction.args, namespaces)

    def make_shard(part: Part) -> Shard:
        start, end = part
        counts: Counter[str] = Counter()
        lines: list[str] = []
        last, damaged = "", []
        for page in read_pages(read_pieces(path, start, end), end, path):
            if isinstance(page, Damaged):
                damaged.append(last)
                continue
            try:
                head = parse_head(page)
                kind = kind_of(head, page)
                if kind == "articles":
                    records = make_records(head, page, counts)
                    lines += [srsly.json_dumps(record) + "\n" for record in records]
                counts[kind] += 1
            except Malformed:
                counts[MALFORMED] += 1
            else:
                last = head.title
        counts["pages"] = sum(counts[kind] for kind in KINDS[1:])
        summary = {"counts": dict(counts), "records": len(lines), "last": last}
        summary |= {"damaged": damaged, "bytes": end - start}
        return "".join(lines).encode("utf8"), summary

    return make_shard


def kind_of(head: PageHead, page: bytes) -> str:
    """Which of KINDS a page is: only articles are read further."""
    if head.redirect:
        return REDIRECTS
    if head.namespace:
        return "templates" if head.namespace == TEMPLATE_NAMESPACE else OTHERS
    if len(page) < MAX_EMPTY_BYTES and b"</text>" not in page:
        return "empty"
    return DISAMBIGUATIONS if is_disambiguation(page) else "articles"


def update_records(
    path: Path,
    output: Path,
    extraction: Extraction,
    parts: Callable[[], list[Part]],
    limit: int,
    n_process: int,
) -> None:
    """Write the records of a dump and their counts, and print them, unless they are up to date.

    Args:
        path: the dump.
        output: JSONL file for the records; the counts go next to it.
        extraction: what to make of the articles.
        parts: chooses the parts of the dump to read; called only if there is something to do.
        limit: number of records at most; 0 for all.
        n_process: processes; -1 for one per core.

    Raises:
        ValueError: as `write_records` does, and for a dump that is not whole.
    """
    counts = output.with_suffix(".counts.json")
    if is_up_to_date(path, output, counts, extraction, limit):
        print(f"{output}: nothing changed since it was made")
        return
    result = write_records(path, output, parts(), extraction, limit, n_process)
    write_json(counts, result.to_json(output))
    print_result(result, output)
    check_complete(result, path, output)


def write_records(
    path: Path,
    output: Path,
    parts: list[Part],
    extraction: Extraction,
    limit: int = 0,
    n_process: int = -1,
) -> Result:
    """Write the records that a dump's articles give to a JSONL file, in the dump's order.

    Args:
        path: the dump.
        output: the file. A folder of shards lies next to it until it is finished; with it a run
            that was killed continues.
        parts: of the dump; a process reads one at a time.
        extraction: what to make of the articles.
        limit: number of records at most; 0 for all.
        n_process: processes; -1 for one per core.

    Raises:
        ValueError: for what is not a dump, and for bombs; "... none of ... articles ..." where no
            article gives a record, and then `output` stays as it was.
    """
    namespaces = read_namespaces(read_header(path))
    settings = extraction.settings(path)
    shards = output.with_name(f"{output.stem}.parts")
    shards.mkdir(parents=True, exist_ok=True)
    result = Result(settings=f"{settings} {limit}")
    n_bytes = sum(end - start for start, end in parts)
    with (
        progress_bar("read", n_bytes, "B") as bar,
        replacing(output) as new,
        new.open("wb") as file,
    ):
        summaries = make_shards(
            parts,
            shards,
            settings,
            n_process,
            shard_maker,
            (path, extraction, namespaces),
            suffix=".jsonl",
        )
        for number, summary in enumerate(summaries):
            bar.update(summary["bytes"])
            n_left = limit - result.records if limit else None
            n_written = _append(file, shards / f"shard-{number:05}.jsonl", n_left)
            result.add(summary, n_written)
            if limit and result.records >= limit:
                result.whole = False
                break
        summaries.close()
        result.ends_early = result.whole and not is_complete(path)
        if not result.records:
            remove(shards)
            check_complete(result, path, output)
            n_articles = f"{result.counts['articles']:,}"
            raise ValueError(f"{path}: none of {n_articles} articles {extraction.none_found}")
    remove(shards)
    return result


def _append(file: BinaryIO, shard: Path, n: int | None) -> int:
    """Write the first `n` lines of a shard (None for all) to a file. Returns how many."""
    lines = shard.read_bytes().splitlines(keepends=True)[:n]
    file.writelines(lines)
    return len(lines)


def check_complete(result: Result, path: Path, output: Path) -> None:
    """Check that all of a dump could be read.

    Raises:
        ValueError: "... ends early ..." or "... is damaged ...", with the last good page.
    """
    damage = [f"ends early, after the page {result.last!r}"] if result.ends_early else []
    for title in dict.fromkeys(result.damaged):
        if not (result.ends_early and title == result.last):
            damage.append(f"is damaged after the page {title!r}")
    if not damage:
        return
    pages = f"its {result.counts['pages']:,} readable pages"
    if result.records:
        written = f"{result.records:,} records of {pages} are in {output}"
    else:
        written = f"no record is in {pages}"
    raise ValueError(f"{path} {' and '.join(damage)}: fetch or copy it again ({written})")


def is_up_to_date(
    path: Path, output: Path, counts: Path, extraction: Extraction, limit: int
) -> bool:
    """Whether a run would write what is there already.

    Weasel cannot check that: it would read the whole dump into memory to see if it changed.

    Raises:
        ValueError: for what is not a dump.
    """
    settings = f"{extraction.settings(path)} {limit}"
    try:
        earlier = srsly.read_json(counts)
        same = (earlier["made_of"], earlier["bytes"]) == (settings, output.stat().st_size)
        return bool(same and not earlier["ends_early"] and not earlier["damaged_behind"])
    except (ValueError, KeyError, TypeError, OSError):
        return False


def print_result(result: Result, output: Path) -> None:
    """Print what was written, and what was left out."""
    kinds = [kind for kind in (*KINDS[2:], UNCLOSED, TOO_LONG) if result.counts[kind]]
    left_out = ", ".join(f"{result.counts[kind]:,} {kind}" for kind in kinds)
    print(f"{output}: {result.records:,} records of {result.counts['articles']:,} articles")
    print(f"{result.counts['pages']:,} pages; left out: {left_out or 'none'}")
