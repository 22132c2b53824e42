"""Side-by-side timings: ours beside a peer's, as a table and as JSON."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import movies, ner, questions, textcat, textgen, vectors, wikipedia
from benchmarks.measure import Row
from scripts.files import one_line_errors, write_json

WORKFLOWS: dict[str, Callable[[float], list[Row]]] = {
    "movies": movies.run,
    "ner": ner.run,
    "questions": questions.run,
    "textcat": textcat.run,
    "textgen": textgen.run,
    "vectors": vectors.run,
    "wikipedia": wikipedia.run,
}
QUIET = 0.5  # load of a machine with nothing else to do


def machine() -> dict[str, Any]:
    """What the numbers depend on besides the code."""
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),  # of the minute before the start
        "system": platform.platform(),
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in ("spacy", "thinc", "numpy")},
    }


def to_table(rows: list[Row]) -> Table:
    """What was measured, as a user reads it."""

    def told(value: float) -> str:
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

    table = Table("what", "ours", "peer", "ratio", "to reach", "reached", caption_justify="left")
    for row in rows:
        ours, peer = (
            f"{told(row.ours)} {row.unit}",
            f"{told(row.peer)} {row.unit}\n[dim]{row.peer_name}[/dim]",
        )
        reached = "[green]yes[/green]" if row.reached else "[red]no[/red]"
        table.add_row(row.what, ours, peer, f"{row.ratio:.2f}", row.to_reach, reached)
    table.caption = "\n".join(
        f"{row.what}, {row.peer_name}: {row.note}" for row in rows if row.note
    )
    return table


@one_line_errors
def benchmark(
    output: Annotated[Path, typer.Argument(help="JSON file for the numbers")],
    scale: Annotated[
        float,
        typer.Option(help="share of the full input; small ones only show that it runs", min=0.001),
    ] = 1.0,
    only: Annotated[
        list[str] | None,
        typer.Option(help=f"workflow to measure, of {', '.join(WORKFLOWS)}; may be repeated"),
    ] = None,
) -> None:
    """Measure workflows beside their peers: minutes, best on a machine with nothing else to do."""
    unknown = set(only or ()) - set(WORKFLOWS)
    if unknown:
        raise ValueError(
            f"no benchmark of {', '.join(sorted(unknown))}: there is {', '.join(WORKFLOWS)}"
        )
    facts = machine()
    if facts["load"] > QUIET:
        print(
            f"Warning: other work on this machine (load {facts['load']}) makes these timings worse than they are",
            file=sys.stderr,
        )
    rows = {noun: run(scale) for noun, run in WORKFLOWS.items() if not only or noun in only}
    found = [
        {"workflow": noun, **row.to_json()} for noun, of_noun in rows.items() for row in of_noun
    ]
    write_json(output, {"machine": facts, "scale": scale, "rows": found})
    Console().print(to_table([row for of_noun in rows.values() for row in of_noun]))


if __name__ == "__main__":
    typer.run(benchmark)
