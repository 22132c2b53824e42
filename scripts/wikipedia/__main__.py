"""The commands of the workflow `wikipedia`: each reads, calls a function, and writes the result."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from scripts.files import one_line_errors, write_json
from scripts.wikipedia.options import PART_MB, Unit

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Dump = Annotated[
    Path, typer.Argument(help="pages-articles dump: .xml or .xml.bz2, one stream or many")
]
Index = Annotated[
    Path | None,
    typer.Option(help="index of a multistream dump, packed or not; an empty file for none"),
]
Limit = Annotated[int, typer.Option(help="stop after this many records; 0 for all", min=0)]
Processes = Annotated[int, typer.Option(help="processes; -1 for one per core")]
PartMb = Annotated[
    float,
    typer.Option(
        help="MB of the dump that a process reads at a time; a kill loses them", min=0.001
    ),
]


@app.command()
@one_line_errors
def extract(
    dump: Dump,
    output: Annotated[Path, typer.Argument(help="JSONL file for the pages; counts go next to it")],
    index: Index = None,
    infobox: Annotated[
        str, typer.Option(help="infobox that pages must carry: film, book, album, settlement ...")
    ] = "film",
    aliases: Annotated[
        str, typer.Option(help="other whole names of its template, comma-separated")
    ] = "",
    limit: Limit = 0,
    n_process: Processes = -1,
    part_mb: PartMb = PART_MB,
) -> None:
    """Write the pages that carry an infobox: properties, links, categories, review score."""
    from scripts.wikipedia.extract import pages_with_infobox, template_names
    from scripts.wikipedia.index import choose_parts
    from scripts.wikipedia.infobox import parser
    from scripts.wikipedia.records import Extraction, update_records

    parser()  # if it is not installed, the error comes from here and not from another process
    names = template_names(infobox, aliases)
    templates = " or ".join(f"{{{{{name}}}}}" for name in names)
    extraction = Extraction(
        pages_with_infobox,
        (infobox.strip(), names),
        f"carries {templates}: see vars.wikipedia.infobox and vars.wikipedia.aliases",
    )
    parts = partial(choose_parts, dump, index, frozenset(), _n_bytes(part_mb))
    update_records(dump, output, extraction, parts, limit, n_process)


@app.command()
@one_line_errors
def text(
    dump: Dump,
    output: Annotated[Path, typer.Argument(help="JSONL file for the texts; counts go next to it")],
    index: Index = None,
    titles: Annotated[
        Path | None,
        typer.Option(help="titles of the pages to write, one per line; an empty file for all"),
    ] = None,
    unit: Annotated[Unit, typer.Option(help="a text for each paragraph, or page")] = "paragraph",
    min_chars: Annotated[int, typer.Option(help="leave out texts of fewer characters", min=1)] = 1,
    limit: Limit = 0,
    n_process: Processes = -1,
    part_mb: PartMb = PART_MB,
) -> None:
    """Write the plain text of articles, as JSONL with a text per line."""
    from scripts.wikipedia.index import choose_parts
    from scripts.wikipedia.records import Extraction, update_records
    from scripts.wikipedia.text import article_texts, read_titles

    wanted = read_titles(titles) if titles else frozenset()
    extraction = Extraction(
        article_texts,
        (unit, min_chars, wanted),
        "gives a wanted text: see vars.wikipedia.titles and vars.wikipedia.min_chars",
    )
    parts = partial(choose_parts, dump, index, wanted, _n_bytes(part_mb))
    update_records(dump, output, extraction, parts, limit, n_process)


def _n_bytes(mb: float) -> int:
    return round(mb * 2**20)


@app.command()
@one_line_errors
def report(
    pages: Annotated[Path, typer.Argument(help="JSONL file that extract wrote")],
    output: Annotated[Path, typer.Argument(help="folder for report.json and properties.png")],
) -> None:
    """Count how many pages have which property, and what they link to most."""
    from scripts.plots import save
    from scripts.reading import read_jsonl
    from scripts.wikipedia.report import draw, print_summary, summarize

    if not pages.exists():
        raise ValueError(f"{pages} does not exist: run wikipedia-extract first")
    summary = summarize(record for _, record in read_jsonl(pages))
    print_summary(summary)
    save(draw(summary), output / "properties.png")
    write_json(output / "report.json", summary)


if __name__ == "__main__":
    app()
