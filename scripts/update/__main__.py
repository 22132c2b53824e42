"""The commands of the workflow `update`: each reads, calls a function over plain data, and writes."""

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import srsly
import typer

from scripts.files import new_folder, one_line_errors, restore_folder, write_json, write_jsonl
from scripts.options import MaskUnmatched, PhraseAttr
from scripts.reading import Skipped, read_gold, read_texts, write_docs
from scripts.update import corpus as mixing
from scripts.update import evaluate as evaluating
from scripts.update import pipeline as composing
from scripts.update.known import Known, unlabelled

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Pipeline = Annotated[
    str, typer.Argument(help="the pipeline to update: a folder or an installed package")
]
New = Annotated[Path, typer.Option(help="labelled new examples")]
Patterns = Annotated[
    Path,
    typer.Option(
        help="EntityRuler JSONL of labels that the pipeline knows; an empty file for none"
    ),
]
Attr = Annotated[PhraseAttr, typer.Option(help="what phrases are compared by")]
SHOWN = 5


@app.command()
@one_line_errors
def check(
    pipeline: Pipeline,
    output: Annotated[Path, typer.Argument(help="folder for base.json and unlabelled.jsonl")],
    new: New,
    patterns: Patterns,
    phrase_attr: Attr = "ORTH",
) -> None:
    """Name the new texts that leave an entity of a known label unlabelled, and say which pipeline this is."""
    nlp = composing.load_pipeline(pipeline)
    docs = list(read_gold(new, nlp, Skipped()))  # update-corpus tells what does not fit
    told = composing.describe(nlp, pipeline, {ent.label_ for doc in docs for ent in doc.ents})
    known = Known(nlp, patterns, phrase_attr, told["labels"])
    if known.passed_over:
        print(
            f"Warning: {patterns} has labels that {pipeline} has not, they are passed over: {known.passed_over}",
            file=sys.stderr,
        )
    records = list(unlabelled(known.find(docs)))
    write_jsonl(output / "unlabelled.jsonl", records)
    write_json(output / "base.json", told)
    print(
        f"{pipeline} knows {', '.join(told['labels']) or 'no label'}; new: {', '.join(told['new_labels']) or 'no label'}"
    )
    if records:
        n_texts = len({record["text"] for record in records})
        kinds = Counter(
            f"{record['label']} by {' and '.join(record['found_by'])}" for record in records
        )
        what = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        print(
            f"Warning: {n_texts} of {len(docs)} new texts leave entities of known labels unlabelled: {what}",
            file=sys.stderr,
        )
        for record in records[:SHOWN]:
            print(f"  {record['label']} {record['span']!r} in: {record['text']}", file=sys.stderr)
        print(f"  all of them: {output / 'unlabelled.jsonl'}", file=sys.stderr)


@app.command()
@one_line_errors
def corpus(
    pipeline: Pipeline,
    output: Annotated[Path, typer.Argument(help="folder for the .spacy files and mixture.json")],
    new: New,
    texts: Annotated[Path, typer.Option(help="raw texts for rehearsal")],
    test: Annotated[
        Path, typer.Option(help="labelled texts of the new topic to score by, which never train")
    ],
    old_test: Annotated[
        Path, typer.Option(help="labelled texts that the pipeline was scored by, which never train")
    ],
    patterns: Patterns,
    phrase_attr: Attr = "ORTH",
    rehearsal: Annotated[float, typer.Option(help="raw texts for each new example", min=0)] = 3.0,
    mask_unmatched: Annotated[
        MaskUnmatched, typer.Option(help="unfound tokens of raw texts to leave unknown in training")
    ] = "names",
    dev_share: Annotated[float, typer.Option(help="share of the texts to choose by")] = 0.2,
    seed: Annotated[int, typer.Option(help="for the draws")] = 0,
) -> None:
    """Mix the new examples with the pipeline's own predictions, and keep them as they are beside it."""
    if not 0 < dev_share < 0.5:
        raise ValueError(f"vars.update.dev_share is {dev_share}: it must lie between 0 and 0.5")
    nlp = composing.load_pipeline(pipeline)
    rejected = Skipped()
    docs = list(read_gold(new, nlp, rejected))
    golds = [doc for file in (test, old_test) for doc in read_gold(file, nlp, Skipped())]
    known = Known(nlp, patterns, phrase_attr, composing.labels(nlp))
    raw = (text.text for text in read_texts(texts))
    mixture = mixing.mix(
        known,
        docs,
        raw,
        golds,
        rehearsal=rehearsal,
        mask_unmatched=mask_unmatched == "names",
        dev_share=dev_share,
        seed=seed,
    )
    for name, part in mixture.docs.items():
        write_docs(output / f"{name}.spacy", part)
    write_jsonl(output / "misaligned.jsonl", rejected.records)
    told = {**mixing.summary(mixture), "seed": seed, "rejected": rejected.counts()}
    write_json(output / "mixture.json", told)
    print(
        f"{told['new texts']} new texts, completed with {told['entities filled in']} entities that the pipeline finds in them"
    )
    print(
        f"{told['raw texts']} raw texts for rehearsal, in which the pipeline finds {told['entities rehearsed']} entities"
    )
    if rehearsal and not told["raw texts"]:
        print("nothing is rehearsed: the new examples show every label that the pipeline knows")
    for reason in (mixing.LEFT_OUT, mixing.UNREADABLE):
        if told[reason]:
            print(f"{reason}: {told[reason]}")
    for name in ("train", "dev"):
        print(f"{name}: {told[name]['texts']} texts, entities: {told[name]['entities']}")
    if rejected.records:
        print(f"left out of the new labels, see {output / 'misaligned.jsonl'}: {told['rejected']}")


@app.command()
@one_line_errors
def prepare(
    pipeline: Pipeline,
    output: Annotated[Path, typer.Argument(help="folder for the NER to train on")],
    base: Annotated[Path, typer.Option(help="base.json that check wrote")],
    lang: Annotated[str, typer.Option(help="language code of the training")] = "en",
) -> None:
    """Cut the NER out of the pipeline, with its own tok2vec and with room for the new labels."""
    if not base.exists():
        raise ValueError(f"{base} does not exist: run update-check first")
    nlp = composing.extract_ner(
        composing.load_pipeline(pipeline), srsly.read_json(base)["new_labels"], lang
    )
    with new_folder(output) as folder:
        nlp.to_disk(folder)


@app.command()
@one_line_errors
def assemble(
    new: Annotated[Path, typer.Argument(help="output folder of spacy train")],
    folder: Annotated[Path, typer.Argument(help="gets pipeline and log.jsonl")],
    pipeline: Annotated[
        str,
        typer.Option(
            help="the pipeline that gets the trained NER; none to keep the training's own"
        ),
    ] = "",
) -> None:
    """Put the trained NER into the pipeline, and move it into place."""
    made = composing.compose(new, folder, composing.load_pipeline(pipeline) if pipeline else None)
    print(
        f"{folder / 'pipeline'}: {', '.join(made.pipe_names)}; labels: {', '.join(composing.labels(made))}"
    )


@app.command()
@one_line_errors
def evaluate(
    pipeline: Pipeline,
    folder: Annotated[Path, typer.Argument(help="training folder")],
    test: Annotated[Path, typer.Option(help="labelled texts of the new topic")],
    old_test: Annotated[Path, typer.Option(help="labelled texts that the pipeline was scored by")],
) -> None:
    """F by label on the old and the new gold: the pipeline before and after, the naive update, the new labels alone."""
    restore_folder(folder / "pipeline")
    for path in evaluating.TRAINED.values():
        if not (folder / path / "pipeline").exists():
            raise ValueError(
                f"{folder / path / 'pipeline'} does not exist: run update-train, update-naive and update-alone first"
            )
    names = {
        "before": pipeline,
        **{name: str(folder / path / "pipeline") for name, path in evaluating.TRAINED.items()},
    }
    systems = {name: composing.load_pipeline(path) for name, path in names.items()}
    rejected = Skipped()
    golds = {
        name: list(read_gold(file, systems["before"], rejected))
        for name, file in (("old gold", old_test), ("new gold", test))
    }
    if rejected.records:
        print(f"Warning: left out of the gold labels: {rejected.counts()}", file=sys.stderr)
    metrics = evaluating.evaluate(systems, golds)
    evaluating.print_table(metrics)
    evaluating.draw(metrics, folder / "scores.png")
    write_json(folder / "metrics.json", metrics)


if __name__ == "__main__":
    app()
