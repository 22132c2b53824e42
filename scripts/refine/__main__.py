"""The commands of the workflow `refine`: each reads, calls a function over plain data, and writes."""

import sys
from pathlib import Path
from typing import Annotated

import spacy
import typer

from scripts.files import new_folder, one_line_errors, remove, restore_folder, write_json
from scripts.pipelines import keep_vectors_attr, load_nlp
from scripts.reading import Skipped, read_gold
from scripts.refine import build as building
from scripts.refine import evaluate as evaluating
from scripts.refine import labels as comparing
from scripts.refine.contexts import By

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)


@app.command()
@one_line_errors
def build(
    pipeline: Annotated[str, typer.Argument(help="folder of a pipeline, or an installed one")],
    output: Annotated[Path, typer.Argument(help="folder for the pipeline with the refiner")],
    table: Annotated[Path, typer.Option(help="JSONL, a row a line")],
    window: Annotated[
        int, typer.Option(help="tokens on either side in which contexts are looked for", min=1)
    ] = 5,
) -> None:
    """Put a table behind the NER of a pipeline."""
    restore_folder(Path(pipeline))
    if "/" in pipeline and not Path(pipeline).exists():
        raise ValueError(
            f"{pipeline} does not exist: make it (python -m weasel run ner), or give another by vars.refine.pipeline"
        )
    rows, names = building.read_table(table)
    nlp = load_nlp(pipeline)
    refiner = building.add_refiner(nlp, rows, names, window)
    for line in building.hopeless(refiner, nlp):
        print(f"Warning: {line}", file=sys.stderr)
    with new_folder(output, "meta.json") as folder:
        nlp.to_disk(folder)
        keep_vectors_attr(folder, Path(nlp.path or ""))
    for line in building.summary(refiner):
        print(line)
    print(f"{output}: {' -> '.join(nlp.pipe_names)}, {len(rows)} rows")


@app.command()
@one_line_errors
def evaluate(
    pipeline: Annotated[Path, typer.Argument(help="folder that build wrote")],
    output: Annotated[Path, typer.Argument(help="folder for metrics.json and scores.png")],
    test: Annotated[Path, typer.Option(help="texts with specific labels")],
) -> None:
    """Score the specific labels end to end and with given borders, beside simpler ways."""
    restore_folder(pipeline)
    nlp = spacy.load(pipeline)
    rejected = Skipped()
    docs = list(read_gold(test, nlp, rejected))
    if rejected.records:
        print(f"left out of the gold labels: {rejected.counts()}, first {rejected.records[0]}")
    if not docs:
        print(f"{test} holds no gold text (vars.refine.test): nothing is scored")
        remove(output / "scores.png")
        write_json(
            output / "metrics.json",
            {"ents_p": None, "ents_r": None, "ents_f": None, "ents_per_type": {}},
        )
        return
    metrics = evaluating.evaluate(nlp, docs)
    evaluating.print_tables(metrics)
    evaluating.draw(metrics, output / "scores.png")
    write_json(output / "metrics.json", metrics)


@app.command()
@one_line_errors
def labels(
    labelled: Annotated[
        Path, typer.Argument(help="labelled texts: .jsonl, .spacy, CoNLL, or a folder")
    ],
    output: Annotated[Path, typer.Argument(help="folder for labels.json and labels.png")],
    by: Annotated[By, typer.Option(help="what to compare")] = "label",
    min_mentions: Annotated[int, typer.Option(help="fewest mentions of a label", min=2)] = 20,
    lang: Annotated[str, typer.Option(help="language code: its tokenizer cuts the texts")] = "en",
    seed: Annotated[int, typer.Option(help="for folds and intervals")] = 0,
) -> None:
    """Say which labels can't be told apart by their contexts."""
    report = comparing.compare_labels(
        read_gold(labelled, load_nlp(lang), Skipped()), by, min_mentions, seed
    )
    for line in comparing.in_words(report):
        print(line)
    comparing.draw(report, output / "labels.png")
    write_json(output / "labels.json", report)


if __name__ == "__main__":
    app()
