"""The commands of the workflow `update`: each reads, calls a function, and writes the result."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.files import one_line_errors, restore_folder, write_json, write_jsonl
from scripts.options import MaskUnmatched, PhraseAttr

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Pipeline = Annotated[
    str, typer.Argument(help="the pipeline to update: a folder or an installed package")
]
New = Annotated[Path, typer.Option(help="labelled new examples")]
Patterns = Annotated[
    Path,
    typer.Option(help="EntityRuler JSONL of labels that the pipeline knows; empty file for none"),
]
Attr = Annotated[PhraseAttr, typer.Option(help="what phrases are compared by")]
Test = Annotated[Path, typer.Option(help="hand-labelled texts of the new topic, for scoring only")]
OldTest = Annotated[
    Path, typer.Option(help="hand-labelled texts that the pipeline was scored on, for scoring only")
]
MAX_SHOWN = 5


@app.command()
@one_line_errors
def check(
    pipeline: Pipeline,
    output: Annotated[Path, typer.Argument(help="folder for base.json and unlabelled.jsonl")],
    new: New,
    patterns: Patterns,
    phrase_attr: Attr = "ORTH",
) -> None:
    """Describe the pipeline, and find entities of its labels that new examples leave unlabelled."""
    from scripts.reading import Skipped, read_annotated
    from scripts.update.pipeline import describe, load_with_ner
    from scripts.update.unlabelled import EntityFinder, unlabelled

    nlp = load_with_ner(pipeline)
    docs = list(read_annotated(new, nlp, Skipped()))  # update-corpus reports spans that do not fit
    labels: set[str] = set()
    for doc in docs:
        labels.update(ent.label_ for ent in doc.ents)
    base = describe(nlp, pipeline, labels)
    finder = EntityFinder(nlp, patterns, phrase_attr, base["labels"])
    if finder.ignored_labels:
        ignored = ", ".join(finder.ignored_labels)
        warn(
            f"{patterns} has patterns of labels that {pipeline} does not know: {ignored} (ignored)"
        )
    records = list(unlabelled(finder.find(docs)))
    write_jsonl(output / "unlabelled.jsonl", records)
    write_json(output / "base.json", base)
    known, new_labels = (", ".join(base[key]) or "no label" for key in ("labels", "new_labels"))
    print(f"{pipeline} knows {known}; new: {new_labels}")
    if records:
        print_unlabelled(records, len(docs), output / "unlabelled.jsonl")


def warn(message: str) -> None:
    """Print a warning to stderr."""
    print(f"Warning: {message}", file=sys.stderr)


def print_unlabelled(records: list[dict[str, Any]], n_docs: int, path: Path) -> None:
    """Print how many entities are left unlabelled, the first of them, and where the others are."""
    from collections import Counter

    n_texts = len({record["text"] for record in records})
    kinds = Counter(
        f"{record['label']} by {' and '.join(record['found_by'])}" for record in records
    )
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    warn(f"{n_texts} of {n_docs} new texts leave entities of known labels unlabelled: {counts}")
    for record in records[:MAX_SHOWN]:
        print(f"  {record['label']} {record['span']!r} in: {record['text']}", file=sys.stderr)
    print(f"  all of them: {path}", file=sys.stderr)


@app.command()
@one_line_errors
def corpus(
    pipeline: Pipeline,
    output: Annotated[Path, typer.Argument(help="folder for the .spacy files and mixture.json")],
    new: New,
    texts: Annotated[Path, typer.Option(help="raw texts for rehearsal")],
    test: Test,
    old_test: OldTest,
    patterns: Patterns,
    phrase_attr: Attr = "ORTH",
    rehearsal: Annotated[float, typer.Option(help="raw texts for each new example", min=0)] = 3.0,
    mask_unmatched: Annotated[
        MaskUnmatched, typer.Option(help="unmatched tokens of raw texts to leave unknown")
    ] = "names",
    dev_share: Annotated[float, typer.Option(help="share of the texts for dev")] = 0.2,
    seed: Annotated[int, typer.Option(help="for the draws")] = 0,
) -> None:
    """Mix the new examples with raw texts that the pipeline labels; write them unmixed as well."""
    if not 0 < dev_share < 0.5:
        raise ValueError(f"vars.update.dev_share is {dev_share}: it must lie between 0 and 0.5")
    from scripts.reading import Skipped, read_annotated, read_texts, write_docs
    from scripts.update.corpus import MixtureSettings, mix, summary
    from scripts.update.pipeline import load_with_ner, ner_labels
    from scripts.update.unlabelled import EntityFinder

    nlp = load_with_ner(pipeline)
    rejected = Skipped()
    docs = list(read_annotated(new, nlp, rejected))
    tests = [*read_annotated(test, nlp, Skipped()), *read_annotated(old_test, nlp, Skipped())]
    finder = EntityFinder(nlp, patterns, phrase_attr, ner_labels(nlp))
    settings = MixtureSettings(rehearsal, mask_unmatched == "names", dev_share, seed)
    mixture = mix(finder, docs, (text.text for text in read_texts(texts)), tests, settings)
    for name, part in mixture.docs.items():
        write_docs(output / f"{name}.spacy", part)
    write_jsonl(output / "misaligned.jsonl", rejected.records)
    counts = {**summary(mixture), "seed": seed, "rejected": rejected.counts()}
    write_json(output / "mixture.json", counts)
    print_mixture(counts, rehearsal > 0)
    if rejected.records:
        path = output / "misaligned.jsonl"
        print(f"left out of the new labels, see {path}: {rejected.counts()}")


def print_mixture(counts: dict[str, Any], rehearsal: bool) -> None:
    """Print what is in the mixture, and what was left out."""
    from scripts.update.corpus import LEFT_OUT, UNREADABLE

    added = f"{counts['entities filled in']} entities that the pipeline finds in them"
    print(f"{counts['new texts']} new texts, completed with {added}")
    found = f"{counts['entities rehearsed']} entities that the pipeline finds in them"
    print(f"{counts['raw texts']} raw texts for rehearsal, with {found}")
    if rehearsal and not counts["raw texts"]:
        print("no rehearsal: the new examples show every label that the pipeline knows")
    if counts[LEFT_OUT]:
        print(f"new texts left out (in a test file, or twice): {counts[LEFT_OUT]}")
    if counts[UNREADABLE]:
        print(f"{UNREADABLE}: {counts[UNREADABLE]}")
    for name in ("train", "dev"):
        print(f"{name}: {counts[name]['texts']} texts, entities: {counts[name]['entities']}")


@app.command()
@one_line_errors
def prepare(
    pipeline: Pipeline,
    output: Annotated[Path, typer.Argument(help="folder for the NER that goes on training")],
    base: Annotated[Path, typer.Option(help="base.json that check wrote")],
    lang: Annotated[str, typer.Option(help="language code of the training")] = "en",
) -> None:
    """Extract the NER of the pipeline, with its own tok2vec, and add the new labels."""
    import srsly

    from scripts.pipelines import save_pipeline
    from scripts.update.pipeline import extract_ner, load_with_ner

    if not base.exists():
        raise ValueError(f"{base} does not exist: run update-check first")
    nlp = extract_ner(load_with_ner(pipeline), srsly.read_json(base)["new_labels"], lang)
    save_pipeline(nlp, output, Path(nlp.path or ""))


@app.command()
@one_line_errors
def assemble(
    new: Annotated[Path, typer.Argument(help="output folder of spacy train")],
    folder: Annotated[Path, typer.Argument(help="folder that gets pipeline and log.jsonl")],
    pipeline: Annotated[
        str,
        typer.Option(help="the pipeline that gets the trained NER; empty for the trained one"),
    ] = "",
) -> None:
    """Put the trained NER into the pipeline, and move the pipeline into place."""
    from scripts.update.pipeline import install_ner, load_with_ner, ner_labels

    nlp = install_ner(new, folder, load_with_ner(pipeline) if pipeline else None)
    components, labels = ", ".join(nlp.pipe_names), ", ".join(ner_labels(nlp))
    print(f"{folder / 'pipeline'}: {components}; labels: {labels}")


@app.command()
@one_line_errors
def evaluate(
    pipeline: Pipeline,
    folder: Annotated[Path, typer.Argument(help="training folder")],
    test: Test,
    old_test: OldTest,
) -> None:
    """Compare F-scores by label: the pipeline before and after, the naive update, the baseline."""
    from scripts.reading import Skipped, read_annotated
    from scripts.update.evaluate import NEW, OLD, TRAINED, draw, evaluate_systems, print_table
    from scripts.update.pipeline import NO_TRAINED, load_with_ner

    restore_folder(folder / "pipeline")
    systems = {"before": load_with_ner(pipeline)}
    for name, subfolder in TRAINED.items():
        systems[name] = load_with_ner(str(folder / subfolder / "pipeline"), NO_TRAINED)
    rejected = Skipped()
    tests = {}
    for name, file in ((OLD, old_test), (NEW, test)):
        tests[name] = list(read_annotated(file, systems["before"], rejected))
    if rejected.records:
        warn(f"left out of the test labels: {rejected.counts()}")
    metrics = evaluate_systems(systems, tests)
    print_table(metrics)
    draw(metrics, folder / "scores.png")
    write_json(folder / "metrics.json", metrics)


if __name__ == "__main__":
    app()
