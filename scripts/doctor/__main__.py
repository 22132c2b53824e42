"""The commands of the workflow `doctor`: each reads, calls a function over plain data, and writes."""

from pathlib import Path
from typing import Annotated

import srsly
import typer

from scripts import plots
from scripts.doctor import layers as layering
from scripts.doctor import model as asking
from scripts.doctor import report as telling
from scripts.doctor.case import Case, Settings
from scripts.doctor.checks import examine as check
from scripts.doctor.logs import read_log
from scripts.doctor.places import Places, find, model_of
from scripts.doctor.settings import from_config, from_keras, read_config
from scripts.doctor.texts import read_part
from scripts.files import one_line_errors, split_paths, write_json, write_text
from scripts.keras_models import read_keras
from scripts.reading import read_docs

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

FOUND_SERIOUS = 3  # exit code; 1 is bad input, 2 a wrong option
Given = Annotated[
    str, typer.Option(help="in place of what the training folder holds; empty: look there")
]
Training = Annotated[
    str,
    typer.Argument(help="folder that a training left; empty: give what there is by the options"),
]
Code = Annotated[
    list[str] | None,
    typer.Option(
        help="files with registered functions that are not of this project; several apart by commas"
    ),
]


def _path(given: str) -> Path | None:
    return Path(given) if given else None


@app.command()
@one_line_errors
def examine(
    training: Training = "",
    output: Annotated[
        str,
        typer.Option(help="folder for report.html, findings.json and curve.png; empty: print only"),
    ] = "",
    log: Given = "",
    model: Given = "",
    config: Given = "",
    train: Given = "",
    dev: Given = "",
    code: Code = None,
    json: Annotated[bool, typer.Option("--json", help="print the findings as JSON")] = False,
) -> None:
    """Say what is wrong with a training, and what to try. Exit code 3: something serious was found."""
    places = find(_path(training), Places(*map(_path, (log, model, config, train, dev))))
    case, found = _look(places, split_paths(code))
    findings = check(case)
    told, notes = telling.looked_at(case, places), case.curve.notes if case.curve else []
    data = telling.as_data(findings, told, notes)
    if output:
        folder = Path(output)
        if case.curve:
            plots.save(telling.draw(case.curve), folder / "curve.png")
        page = telling.render(
            data,
            folder / "curve.png" if case.curve else None,
            found,
            f"Findings: {training or log or model}",
        )
        write_json(folder / "findings.json", data)
        write_text(folder / "report.html", page)
    if json:
        print(srsly.json_dumps(data, indent=2))
    else:
        telling.print_findings(findings, told, notes)
        if output:
            print(f"Look at {Path(output) / 'report.html'}")
    if any(finding.severity == "serious" for finding in findings):
        raise SystemExit(FOUND_SERIOUS)


def _settings(config: Path) -> Settings:
    try:
        return from_config(read_config(config))
    except (AttributeError, TypeError, OverflowError) as error:
        raise ValueError(
            f"{config} is no training config: a section or setting has the wrong type ({error})"
        ) from None


def _look(places: Places, code: list[Path]) -> tuple[Case, list[layering.Layer]]:
    """Read what is there. A .keras file is not loaded: its settings can be read without TensorFlow."""
    curve = read_log(places.log) if places.log else None
    settings = _settings(places.config) if places.config else None
    train, dev = (read_part(path) if path else None for path in (places.train, places.dev))
    layers: list[layering.Layer] = []
    predictions = None
    if places.model and places.model.suffix == ".keras":
        settings = settings or from_keras(places.model)
    elif places.model:
        nlp = asking.load(str(places.model), code)
        layers = layering.of_pipeline(nlp)
        if places.train and places.dev:
            predictions = asking.predict(
                nlp, *(list(read_docs(path, nlp)) for path in (places.train, places.dev))
            )
    return Case(curve, settings or Settings(), train, dev, predictions), layers


@app.command()
@one_line_errors
def layers(
    model: Annotated[
        str,
        typer.Argument(
            help="a pipeline (folder or installed package), a .keras file, or a training folder"
        ),
    ],
    code: Code = None,
) -> None:
    """Print the layers of a model with their shapes and numbers of parameters."""
    path = Path(model)
    if path.is_dir() and not (path / "config.cfg").exists():
        path = model_of(path) or path
    if path.suffix == ".keras":
        found = list(layering.of_keras(read_keras(path)))
    else:
        found = layering.of_pipeline(asking.load(str(path), split_paths(code)))
    telling.console().print(layering.to_table(found, str(path)))


if __name__ == "__main__":
    app()
