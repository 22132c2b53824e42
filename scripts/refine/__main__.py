"""The commands of the workflow `refine`: each reads, calls a function, and writes the result."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from scripts.files import check_new_folder, one_line_errors, remove, restore_folder, write_json
from scripts.refine.options import By

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)


@app.command()
@one_line_errors
def build(
    pipeline: Annotated[str, typer.Argument(help="folder of a pipeline, or an installed one")],
    output: Annotated[Path, typer.Argument(help="folder for the pipeline with the refiner")],
    table: Annotated[Path, typer.Option(help="JSONL, a row of the table per line")],
    window: Annotated[
        int, typer.Option(help="tokens on either side in which contexts are looked for", min=1)
    ] = 5,
) -> None:
    """Add a table after the NER of a pipeline."""
    from scripts.pipelines import load_pipeline, save_pipeline
    from scripts.refine.build import add_refiner, impossible_patterns, read_table, summary

    check_new_folder(output, "meta.json")
    restore_folder(Path(pipeline))
    rows, names = read_table(table)
    nlp = load_pipeline(
        pipeline,
        "give a folder or an installed package by vars.refine.pipeline "
        "(python -m weasel run ner makes the default)",
    )
    refiner = add_refiner(nlp, rows, names, window)
    for line in impossible_patterns(refiner, nlp):
        print(f"Warning: {line}", file=sys.stderr)
    save_pipeline(nlp, output, Path(nlp.path or ""))
    for line in summary(refiner):
        print(line)
    print(f"{output}: {' -> '.join(nlp.pipe_names)}, {len(rows)} rows")


@app.command()
@one_line_errors
def evaluate(
    pipeline: Annotated[Path, typer.Argument(help="folder that build wrote")],
    output: Annotated[Path, typer.Argument(help="folder for metrics.json and scores.png")],
    test: Annotated[Path, typer.Option(help="hand-labelled texts with specific labels")],
) -> None:
    """Score the specific labels end to end and with given borders, next to two baselines."""
    from scripts.pipelines import load_pipeline
    from scripts.reading import Skipped, read_annotated
    from scripts.refine.evaluate import draw, evaluate_refiner, print_tables

    restore_folder(pipeline)
    nlp = load_pipeline(str(pipeline), "run refine-build first")
    rejected = Skipped()
    docs = list(read_annotated(test, nlp, rejected))
    if rejected.records:
        print(f"left out of the test labels: {rejected.counts()}, first {rejected.records[0]}")
    if not docs:
        print(f"{test} holds no labelled text (vars.refine.test): nothing is scored")
        remove(output / "scores.png")
        unknown = dict.fromkeys(("ents_p", "ents_r", "ents_f"))
        write_json(output / "metrics.json", {**unknown, "ents_per_type": {}})
        return
    metrics = evaluate_refiner(nlp, docs)
    print_tables(metrics)
    draw(metrics, output / "scores.png")
    write_json(output / "metrics.json", metrics)


@app.command()
@one_line_errors
def labels(
    labelled: Annotated[
        Path, typer.Argument(help="labelled texts: .jsonl, .spacy, CoNLL, or a folder")
    ],
    output: Annotated[Path, typer.Argument(help="folder for labels.json and labels.png")],
    by: Annotated[By, typer.Option(help="what to compare")] = "label",
    min_mentions: Annotated[
        int, typer.Option(help="labels with fewer mentions are not compared", min=2)
    ] = 20,
    lang: Annotated[str, typer.Option(help="language code: its tokenizer cuts the texts")] = "en",
    seed: Annotated[int, typer.Option(help="for folds and intervals")] = 0,
) -> None:
    """Report which labels can't be distinguished by their contexts."""
    from scripts.pipelines import load_nlp
    from scripts.reading import Skipped, read_annotated
    from scripts.refine.labels import compare_labels, describe, draw

    docs = read_annotated(labelled, load_nlp(lang), Skipped())
    report = compare_labels(docs, by, min_mentions, seed)
    for line in describe(report):
        print(line)
    draw(report, output / "labels.png")
    write_json(output / "labels.json", report)


if __name__ == "__main__":
    app()
