"""Side-by-side timings: ours next to a peer's, as a table and as JSON.

Each workflow that has a benchmark has it in benchmarks/NOUN.py: a function `run(scale)`.
"""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.measure import Row
from scripts.files import one_line_errors, write_json

if TYPE_CHECKING:
    from rich.table import Table

HERE = Path(__file__).parent
SCRIPTS = HERE.parent / "scripts"
WORKFLOWS = sorted(path.stem for path in HERE.glob("*.py") if (SCRIPTS / path.stem).is_dir())
MAX_LOAD = 0.5  # of a machine that has nothing else to do


def run_of(workflow: str) -> Callable[[float], list[Row]]:
    """The function that runs the benchmark of a workflow, given the share of the full input."""
    run: Callable[[float], list[Row]] = import_module(f"benchmarks.{workflow}").run
    return run


def machine() -> dict[str, Any]:
    """What the numbers depend on besides the code."""
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),  # of the minute before the start
        "system": platform.platform(),
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in ("spacy", "thinc", "numpy")},
    }


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def to_table(rows: list[Row]) -> "Table":
    """The results as a table, with their notes below."""
    from rich.table import Table

    table = Table("what", "ours", "peer", "ratio", "to reach", "reached", caption_justify="left")
    for row in rows:
        ours = f"{_number(row.ours)} {row.unit}"
        peer = f"{_number(row.peer)} {row.unit}\n[dim]{row.peer_name}[/dim]"
        reached = "[green]yes[/green]" if row.reached else "[red]no[/red]"
        table.add_row(row.what, ours, peer, f"{row.ratio:.2f}", row.to_reach, reached)
    notes = [f"{row.what}, {row.peer_name}: {row.note}" for row in rows if row.note]
    table.caption = "\n".join(notes)
    return table


def _warn_if_busy(load: float) -> None:
    if load > MAX_LOAD:
        reason = f"other work on this machine (load {load}) makes these timings worse than they are"
        print(f"Warning: {reason}", file=sys.stderr)


@one_line_errors
def benchmark(
    output: Annotated[Path, typer.Argument(help="JSON file for the numbers")],
    scale: Annotated[
        float,
        typer.Option(help="share of the full input; small ones only show that it runs", min=0.001),
    ] = 1.0,
    only: Annotated[
        list[str] | None,
        typer.Option(help=f"workflow to measure, one of {', '.join(WORKFLOWS)}; may be repeated"),
    ] = None,
) -> None:
    """Measure workflows next to their peers: takes minutes, best on an idle machine."""
    from rich.console import Console

    unknown = sorted(set(only or ()) - set(WORKFLOWS))
    if unknown:
        known = ", ".join(WORKFLOWS)
        raise ValueError(f"no benchmark of {', '.join(unknown)}: there is {known}")
    facts = machine()
    _warn_if_busy(facts["load"])
    rows: list[Row] = []
    records = []
    for noun in WORKFLOWS:
        if not only or noun in only:
            new = run_of(noun)(scale)
            rows += new
            records += [{"workflow": noun, **row.to_json()} for row in new]
    write_json(output, {"machine": facts, "scale": scale, "rows": records})
    Console().print(to_table(rows))


if __name__ == "__main__":
    typer.run(benchmark)
