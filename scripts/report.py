"""The figures of all workflows that ran, in one table and on one page."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.figures import Entry
from scripts.files import one_line_errors, write_json, write_text

ROOT = Path(__file__).parent.parent
TITLE = "Where this project stands"
COLUMNS = ("workflow", "what", "score", "compared with", "made")
NOT_RUN = "not run"


@dataclass(frozen=True)
class Row:
    """One line of the table; without a value the workflow did not run."""

    workflow: str
    what: str
    score: str = ""
    value: float | None = None
    baseline: str = ""
    baseline_value: float | None = None
    unit: str = ""
    made: str = ""
    file: str = ""


def all_entries() -> list[tuple[str, Entry]]:
    """(workflow, entry) of all workflows that declare figures, in the order of project.yml."""
    import srsly

    workflows = list(srsly.read_yaml(ROOT / "project.yml")["workflows"])
    nouns = dict.fromkeys(name.split("-")[0] for name in workflows)
    entries: list[tuple[str, Entry]] = []
    for noun in nouns:
        if (ROOT / "scripts" / noun / "figures.py").is_file():
            family = [name for name in workflows if name.split("-")[0] == noun]
            for entry in import_module(f"scripts.{noun}.figures").FIGURES:
                entries += _expanded(entry, noun, family)
    return entries


def _expanded(entry: Entry, noun: str, family: list[str]) -> Iterator[tuple[str, Entry]]:
    """An entry for each workflow of the noun if {workflow} stands in its file, else as it is."""
    if "{workflow}" not in entry.file:
        yield noun, entry
        return
    for workflow in family:
        yield workflow, replace(entry, file=entry.file.format(workflow=workflow))


def collect(folder: Path, entries: list[tuple[str, Entry]]) -> list[Row]:
    """A row for each file of figures, and one for each workflow that did not run.

    Raises:
        ValueError: "... is a file ...", "FILE: not a file of figures ...".
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file: give the folder of the trainings")
    rows: list[Row] = []
    for workflow, entry in entries:
        files = sorted(folder.glob(entry.file))
        rows += [_row(workflow, entry, file) for file in files]
        if not files and "*" not in entry.file:
            rows.append(Row(workflow, entry.what))
    return rows


def _row(workflow: str, entry: Entry, file: Path) -> Row:
    value, baseline_value = _values(workflow, entry, file)
    return Row(
        workflow=workflow,
        what=f"{entry.what} {file.parent.name}" if "*" in entry.file else entry.what,
        score=entry.score,
        value=value,
        baseline=entry.baseline[0] if entry.baseline and baseline_value is not None else "",
        baseline_value=baseline_value,
        unit=entry.unit,
        made=datetime.fromtimestamp(file.stat().st_mtime).strftime("%Y-%m-%d %H:%M"),
        file=str(file),
    )


def _values(workflow: str, entry: Entry, file: Path) -> tuple[float | None, float | None]:
    """(the score, that of the baseline); None for one that the file does not have."""
    import srsly

    try:
        metrics = dict(srsly.read_json(file))
        value = entry.value(metrics)
        baseline_value = entry.baseline[1](metrics) if entry.baseline else None
        if not (_is_score(value) and _is_score(baseline_value)):
            raise TypeError("a figure is not a number")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        reason = f"not a file of figures, or a damaged one ({type(error).__name__})"
        remedy = f"make it again by python -m weasel run {workflow}"
        raise ValueError(f"{file}: {reason}: {remedy}") from None
    return value, baseline_value


def _is_score(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and math.isfinite(value))


def show(value: float | None, unit: str) -> str:
    """A score as the table shows it."""
    if value is None:
        return "-"
    shown = {"share": f"{100 * value:.1f}%", "percent": f"{value:.1f}%", "count": f"{value:,.0f}"}
    return shown.get(unit, f"{value:.3f} {unit}".strip())


def cells(rows: list[Row]) -> Iterator[tuple[str, ...]]:
    """The lines of the table, a string for each column."""
    for row in rows:
        baseline = f"{row.baseline} {show(row.baseline_value, row.unit)}" if row.baseline else ""
        score = f"{row.score} {show(row.value, row.unit)}" if row.made else NOT_RUN
        yield row.workflow, row.what, score, baseline, row.made


def to_markdown(lines: list[tuple[str, ...]]) -> str:
    """The table as Markdown."""
    text = f"| {' | '.join(COLUMNS)} |\n| {' | '.join(['---'] * len(COLUMNS))} |\n"
    for line in lines:
        escaped = [cell.replace("|", "\\|") for cell in line]
        text += f"| {' | '.join(escaped)} |\n"
    return text


def print_table(lines: list[tuple[str, ...]]) -> None:
    """Print the table; workflows that did not run are dim."""
    from rich.table import Table

    from scripts.scores import console

    table = Table(*COLUMNS, title=TITLE, title_justify="left")
    for line in lines:
        table.add_row(*line, style="dim" if line[2] == NOT_RUN else "")
    console().print(table)


app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """The figures of all workflows that ran."""


@app.command("collect")
@one_line_errors
def collect_all(
    training: Annotated[Path, typer.Argument(help="folder with a folder for each workflow")],
    output: Annotated[
        Path, typer.Argument(help="folder for report.html, report.md and report.json")
    ],
) -> None:
    """Print all figures in one table, and write it as HTML, Markdown and JSON."""
    from scripts import pages

    rows = collect(training, all_entries())
    lines = list(cells(rows))
    print_table(lines)
    write_json(output / "report.json", [asdict(row) for row in rows])
    write_text(output / "report.md", to_markdown(lines))
    template = Path(__file__).with_name("overview.html.jinja")
    page = pages.render(template, title=TITLE, columns=COLUMNS, lines=lines)
    write_text(output / "report.html", page)
    print(f"Look at {output / 'report.html'}")


if __name__ == "__main__":
    app()
