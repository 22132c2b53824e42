"""The commands of the workflow `doctor`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.files import one_line_errors

if TYPE_CHECKING:
    from spacy.language import Language

    from scripts.doctor.layers import Layer
    from scripts.doctor.paths import RunPaths
    from scripts.doctor.training_run import TrainingRun

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

EXIT_SERIOUS = 3  # exit code; 1 is bad input, 2 a wrong option
InsteadOfFolder = Annotated[
    str, typer.Option(help="used instead of what the training folder has; empty to look there")
]
Training = Annotated[
    str,
    typer.Argument(help="folder of a training; empty to name its files by the options"),
]
Code = Annotated[
    list[str] | None,
    typer.Option(help="files with registered functions of other projects, comma-separated"),
]


def _path(value: str) -> Path | None:
    return Path(value) if value else None


@app.command()
@one_line_errors
def examine(
    training: Training = "",
    output: Annotated[
        str,
        typer.Option(help="folder for report.html, findings.json and curve.png; empty: print only"),
    ] = "",
    log: InsteadOfFolder = "",
    model: InsteadOfFolder = "",
    config: InsteadOfFolder = "",
    train: InsteadOfFolder = "",
    dev: InsteadOfFolder = "",
    code: Code = None,
    json: Annotated[bool, typer.Option("--json", help="print the findings as JSON")] = False,
) -> None:
    """Say what is wrong with a training, and what to try. Exit code 3: something is serious."""
    import srsly

    from scripts.doctor.checks import find_problems
    from scripts.doctor.paths import RunPaths, find_paths
    from scripts.doctor.report import as_data, describe_sources, print_findings
    from scripts.files import split_paths

    options = RunPaths(*map(_path, (log, model, config, train, dev)))
    paths = find_paths(_path(training), options)
    run, layers = _read_run(_path(training), paths, split_paths(code))
    findings = find_problems(run)
    sources, notes = describe_sources(run, paths), run.curve.notes if run.curve else []
    data = as_data(findings, sources, notes)
    if output:
        title = f"Findings: {training or log or model}"
        _write_report(Path(output), data, run, layers, title)
    if json:
        print(srsly.json_dumps(data, indent=2))
    else:
        print_findings(findings, sources, notes)
        if output:
            print(f"Look at {Path(output) / 'report.html'}")
    if any(finding.severity == "serious" for finding in findings):
        raise SystemExit(EXIT_SERIOUS)


def _write_report(
    folder: Path, data: dict[str, object], run: "TrainingRun", layers: "list[Layer]", title: str
) -> None:
    from scripts import plots
    from scripts.doctor.report import draw, render
    from scripts.files import write_json, write_text

    image = folder / "curve.png" if run.curve else None
    if run.curve and image:
        plots.save(draw(run.curve), image)
    page = render(data, image, layers, title)
    write_json(folder / "findings.json", data)
    write_text(folder / "report.html", page)


def _read_run(
    folder: Path | None, paths: "RunPaths", code: list[Path]
) -> "tuple[TrainingRun, list[Layer]]":
    """Read what there is. Of a .keras file only the settings are read, without TensorFlow."""
    from scripts.doctor.keras_settings import read_keras_settings
    from scripts.doctor.layers import pipeline_layers
    from scripts.doctor.logs import read_log
    from scripts.doctor.model import predict
    from scripts.doctor.settings import read_settings
    from scripts.doctor.texts import read_dataset
    from scripts.doctor.training_run import Settings, TrainingRun
    from scripts.reading import read_docs

    curve = read_log(paths.log) if paths.log else None
    settings = read_settings(paths.config) if paths.config else None
    train, dev = (read_dataset(path) if path else None for path in (paths.train, paths.dev))
    layers: list[Layer] = []
    predictions = None
    if paths.model and paths.model.suffix == ".keras":
        settings = settings or read_keras_settings(paths.model)
    elif paths.model:
        nlp = _load(str(paths.model), code)
        layers = pipeline_layers(nlp)
        if paths.train and paths.dev:
            train_docs, dev_docs = (list(read_docs(path, nlp)) for path in (paths.train, paths.dev))
            predictions = predict(nlp, train_docs, dev_docs)
    variables = _variables(folder, paths)
    run = TrainingRun(curve, settings or Settings(), train, dev, predictions, variables)
    return run, layers


def _variables(folder: Path | None, paths: "RunPaths") -> dict[str, str]:
    """The vars of the workflow that left the training, by their last names."""
    from scripts.doctor.paths import paths_section
    from scripts.doctor.workflow import variables_of

    log = paths_section(paths.config).get("log")
    named = Path(log) if isinstance(log, str) else None
    return variables_of(filter(None, (folder, paths.log, paths.model, named)))


def _load(name: str, code: list[Path]) -> "Language":
    from scripts.pipelines import load_pipeline

    remedy = "give a folder with a config.cfg, an installed pipeline, or a .keras file"
    return load_pipeline(name, remedy, code)


@app.command("layers")
@one_line_errors
def print_layers(
    model: Annotated[
        str,
        typer.Argument(
            help="a pipeline (folder or installed package), a .keras file, or a training folder"
        ),
    ],
    code: Code = None,
) -> None:
    """Print the layers of a model with their shapes and numbers of parameters."""
    from scripts.doctor.layers import keras_layers, pipeline_layers, to_table
    from scripts.doctor.paths import model_in
    from scripts.doctor.report import console
    from scripts.files import split_paths
    from scripts.keras_models import read_keras

    path = Path(model)
    if path.is_dir() and not (path / "config.cfg").exists():
        path = model_in(path) or path
    if path.suffix == ".keras":
        layers = list(keras_layers(read_keras(path)))
    else:
        layers = pipeline_layers(_load(str(path), split_paths(code)))
    console().print(to_table(layers, str(path)))


if __name__ == "__main__":
    app()
