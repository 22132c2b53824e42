"""The figures of all workflows that ran, in one table and on one page: where this project stands."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from rich.table import Table

from scripts import pages
from scripts.files import one_line_errors, write_json, write_text
from scripts.scores import console

Value = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Entry:
    """What to read from one file of figures.

    Args:
        workflow: what makes the file (`python -m weasel run ...`).
        file: below the training folder; with a * it may be several.
        what: what is scored.
        score: the name of the score.
        value: the score, of what the file holds.
        baseline: (its name, its score), where there is one.
        unit: "share" (of 1, shown as percent), "percent", "count", or what stands behind the number; "" for none.
    """

    workflow: str
    file: str
    what: str
    score: str
    value: Value
    baseline: tuple[str, Value] | None = None
    unit: str = "share"


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


def path(*keys: str) -> Value:
    """A value deep in a file of figures, by its keys from the outermost on; None where a key is not there."""

    def value(metrics: Any) -> Any:
        for key in keys:
            metrics = metrics.get(key) if isinstance(metrics, dict) else None
        return metrics

    return value


def mean_of(system: str) -> Value:
    """The mean F over the rows of update that have one of this system."""

    def value(metrics: dict[str, Any]) -> float | None:
        found = [row[system] for row in metrics["rows"] if row[system] is not None]
        return sum(found) / len(found) if found else None

    return value


F = path("ents_f")
PATTERNS = ("patterns alone", path("patterns_alone", "ents_f"))
NER = ("ner", "ner-vectors", "ner-encoder", "ner-trf")
# To add a workflow, add its line. A file may have several.
ENTRIES: tuple[Entry, ...] = (
    *(
        Entry(name, f"{name}/metrics.json", "entities, shipped pipeline", "F", F, PATTERNS)
        for name in NER
    ),
    Entry(
        "refine",
        "refine/metrics.json",
        "specific labels",
        "F",
        F,
        ("names alone", path("names_alone", "ents_f")),
    ),
    Entry(
        "textcat",
        "textcat/metrics.json",
        "best variant on dev",
        "macro F",
        path("cats_macro_f"),
        ("tf-idf", path("variants", "baseline", "cats_macro_f")),
    ),
    Entry("textcat", "textcat/*/metrics.json", "variant", "macro F", path("cats_macro_f")),
    Entry(
        "update",
        "update/metrics.json",
        "labels of both golds, mean",
        "F",
        mean_of("updated"),
        ("naive update", mean_of("naive")),
    ),
    Entry(
        "opinions",
        "opinions/metrics.json",
        "entities with their sentiment",
        "F",
        F,
        ("commonest label", path("commonest_label", "ents_f")),
    ),
    Entry(
        "similarity",
        "similarity/metrics.json",
        "pairs of texts",
        "Spearman",
        path("similarity_spearman"),
        ("averaged vectors", path("systems", "averaged vectors", "spearman")),
        unit="",
    ),
    Entry(
        "vectors",
        "vectors/metrics.json",
        "analogies",
        "accuracy",
        path("analogies", "all", "accuracy"),
    ),
    Entry(
        "vectors",
        "vectors/metrics.json",
        "WordSim-353",
        "Spearman",
        path("similarities", "WordSim-353", "spearman"),
        unit="",
    ),
    Entry(
        "wikipedia",
        "wikipedia/report.json",
        "pages with the infobox",
        "pages",
        path("pages"),
        unit="count",
    ),
    Entry(
        "movies",
        "movies/metrics.json",
        "held-out links",
        "recall@10",
        path("recall"),
        ("popularity", path("methods", "popularity", "recall")),
    ),
    Entry(
        "questions",
        "questions/metrics.json",
        "right answer among all",
        "MRR",
        path("systems", "hybrid", "mrr"),
        ("BM25", path("systems", "BM25", "mrr")),
        unit="percent",
    ),
    Entry(
        "questions",
        "questions-folds/metrics.json",
        "the same, each held out once",
        "MRR",
        path("systems", "hybrid", "mrr"),
        unit="percent",
    ),
    Entry(
        "textgen",
        "textgen/metrics.json",
        "dev text",
        "per character",
        path("dev_bits"),
        ("n-grams", path("ngram_bits")),
        unit="bits",
    ),
)


def collect(folder: Path) -> list[Row]:
    """A row for each file that is there and each workflow that has none.

    Raises:
        ValueError: "FILE: not a file of figures ...".
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file: give the folder of the trainings")
    rows: list[Row] = []
    for entry in ENTRIES:
        files = sorted(folder.glob(entry.file))
        rows += [_row(entry, file) for file in files]
        if not files and "*" not in entry.file:
            rows.append(Row(entry.workflow, entry.what))
    return rows


def _row(entry: Entry, file: Path) -> Row:
    try:
        metrics = dict(srsly.read_json(file))
        values = [entry.value(metrics), entry.baseline[1](metrics) if entry.baseline else None]
        if not all(
            value is None or (isinstance(value, (int, float)) and math.isfinite(value))
            for value in values
        ):
            raise TypeError("a figure is no number")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(
            f"{file}: not a file of figures, or a damaged one: run {entry.workflow} again ({type(error).__name__})"
        ) from None
    made = datetime.fromtimestamp(file.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
    what = f"{entry.what} {file.parent.name}" if "*" in entry.file else entry.what
    baseline = entry.baseline[0] if entry.baseline and values[1] is not None else ""
    return Row(
        entry.workflow,
        what,
        entry.score,
        values[0],
        baseline,
        values[1],
        entry.unit,
        made,
        str(file),
    )


def show(value: float | None, unit: str) -> str:
    """A score as the table has it."""
    if value is None:
        return "-"
    shown = {"share": f"{100 * value:.1f}%", "percent": f"{value:.1f}%", "count": f"{value:,.0f}"}
    return shown.get(unit, f"{value:.3f} {unit}".strip())


def cells(rows: list[Row]) -> Iterator[tuple[str, ...]]:
    """The columns of the table, filled in."""
    for row in rows:
        beside = f"{row.baseline} {show(row.baseline_value, row.unit)}" if row.baseline else ""
        score = f"{row.score} {show(row.value, row.unit)}" if row.made else "not run"
        yield row.workflow, row.what, score, beside, row.made


COLUMNS = ("workflow", "what", "score", "beside it", "made")
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
    """Print all figures in one table, and write it as a page, as Markdown and as JSON."""
    rows = collect(training)
    lines = list(cells(rows))
    table = Table(*COLUMNS, title="Where this project stands", title_justify="left")
    for line in lines:
        table.add_row(*line, style="dim" if line[2] == "not run" else "")
    console().print(table)
    write_json(output / "report.json", [asdict(row) for row in rows])
    markdown = [
        COLUMNS,
        ("---",) * len(COLUMNS),
        *([cell.replace("|", "\\|") for cell in line] for line in lines),
    ]
    write_text(output / "report.md", "".join(f"| {' | '.join(line)} |\n" for line in markdown))
    template = Path(__file__).with_name("report.html.jinja")
    write_text(
        output / "report.html",
        pages.render(template, title="Where this project stands", columns=COLUMNS, lines=lines),
    )
    print(f"Look at {output / 'report.html'}")


if __name__ == "__main__":
    app()
