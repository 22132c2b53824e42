"""The commands of the workflow `wikipedia`: each reads, calls a function over plain data, and writes."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.files import one_line_errors, write_json
from scripts.plots import save
from scripts.reading import read_jsonl, read_lines
from scripts.wikipedia import extract as extracting
from scripts.wikipedia import index as indexing
from scripts.wikipedia import report as reporting
from scripts.wikipedia import text as plain
from scripts.wikipedia.dump import cut
from scripts.wikipedia.infobox import parser

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Dump = Annotated[
    Path, typer.Argument(help="pages-articles dump: .xml or .xml.bz2, one stream or many")
]
Index = Annotated[
    Path | None,
    typer.Option(help="index of a multistream dump, packed or not; an empty file for none"),
]
Limit = Annotated[int, typer.Option(help="stop after so many records; 0 for all", min=0)]
Processes = Annotated[int, typer.Option(help="processes; -1 for one a core")]
PartMb = Annotated[
    float,
    typer.Option(help="MB of the dump for a process at a time: what a kill may lose", min=0.001),
]
Part = tuple[int, int]  # first byte, byte after the last
Prepare = Callable[..., extracting.Make]
DEFAULT_PART = extracting.PART / 2**20


def _parts(
    dump: Path, index: Path | None, part_mb: float, titles: frozenset[str] = frozenset()
) -> list[Part]:
    """The bytes of the dump between which to read."""
    size = round(part_mb * 2**20)
    total = extracting.size_of(dump)
    if index is None or (index.exists() and not index.stat().st_size):
        return cut(total, size)
    return (
        indexing.streams_of(index, titles, dump)
        if titles
        else indexing.cut_at_streams(index, dump, size)
    )


def _write(
    dump: Path,
    output: Path,
    parts: Callable[[], list[Part]],
    make: tuple[Prepare, tuple[Any, ...]],
    limit: int,
    n_process: int,
    none: str,
) -> None:
    """Write the records of a dump and their counts, unless that is done, and end with an error where the dump is not whole."""
    counts = output.with_suffix(".counts.json")
    if extracting.made_before(output, counts, f"{extracting.settings_of(dump, *make)} {limit}"):
        print(f"{output}: nothing changed since it was made")
        return
    result = extracting.go_through(dump, output, parts(), *make, limit, n_process, none)
    write_json(counts, extracting.to_json(result, output))
    extracting.print_result(result, output)
    extracting.check(result, dump, output)


@app.command()
@one_line_errors
def extract(
    dump: Dump,
    output: Annotated[Path, typer.Argument(help="JSONL file for the pages; counts go beside it")],
    index: Index = None,
    infobox: Annotated[
        str,
        typer.Option(help="the infobox that pages must carry: film, book, album, settlement ..."),
    ] = "film",
    aliases: Annotated[
        str, typer.Option(help="other names of its template, whole, apart by commas")
    ] = "",
    limit: Limit = 0,
    n_process: Processes = -1,
    part_mb: PartMb = DEFAULT_PART,
) -> None:
    """Write the pages that carry an infobox: properties, links, categories, review score."""
    parser()  # its absence should be said here, not by a process
    names = extracting.template_names(infobox, aliases)
    called = " or ".join(f"{{{{{name}}}}}" for name in names)
    none = f"carries {called}: see vars.wikipedia.infobox and aliases"
    make = (extracting.pages_with_infobox, (infobox.strip(), names))
    _write(dump, output, partial(_parts, dump, index, part_mb), make, limit, n_process, none)


@app.command()
@one_line_errors
def text(
    dump: Dump,
    output: Annotated[Path, typer.Argument(help="JSONL file for the texts; counts go beside it")],
    index: Index = None,
    titles: Annotated[
        Path | None,
        typer.Option(help="titles of the pages to write, one a line; an empty file for all"),
    ] = None,
    unit: Annotated[
        plain.Unit, typer.Option(help="a text for each paragraph, or for each page")
    ] = "paragraph",
    min_chars: Annotated[int, typer.Option(help="leave out texts of fewer characters", min=1)] = 1,
    limit: Limit = 0,
    n_process: Processes = -1,
    part_mb: PartMb = DEFAULT_PART,
) -> None:
    """Write the plain text of articles, as raw texts for ner and vectors."""
    wanted = (
        frozenset(plain.title_of_line(line) for _, line in read_lines(titles) if line.strip())
        if titles
        else frozenset()
    )
    none = "gives a text that is wanted: see vars.wikipedia.titles and vars.wikipedia.min_chars"
    make = (plain.texts_of_pages, (unit, min_chars, wanted))
    _write(
        dump, output, partial(_parts, dump, index, part_mb, wanted), make, limit, n_process, none
    )


@app.command()
@one_line_errors
def report(
    pages: Annotated[Path, typer.Argument(help="JSONL file that extract wrote")],
    output: Annotated[Path, typer.Argument(help="folder for report.json and properties.png")],
) -> None:
    """Say how many pages give which property, and what they link to most."""
    if not pages.exists():
        raise ValueError(f"{pages} does not exist: run wikipedia-extract first")
    found = reporting.summarize(record for _, record in read_jsonl(pages))
    reporting.print_summary(found)
    save(reporting.draw(found), output / "properties.png")
    write_json(output / "report.json", found)


if __name__ == "__main__":
    app()
