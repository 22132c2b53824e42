"""The commands of the workflow `ner`: each reads, calls a function over plain data, and writes."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from scripts.files import one_line_errors
from scripts.ner.options import SHARD_TEXTS, TeacherFeatures, TrainOn, UseRuler
from scripts.options import MaskUnmatched, PhraseAttr

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

EMPTY = Path("assets/empty.jsonl")
CorpusFolder = Annotated[Path, typer.Argument(help="folder that ner-split wrote")]
TrainingFolder = Annotated[Path, typer.Argument(help="training folder")]
PatternsFile = Annotated[Path, typer.Option(help="EntityRuler JSONL")]
TrainOnOption = Annotated[TrainOn, typer.Option(help="labels to train on")]
PhraseAttrOption = Annotated[
    PhraseAttr, typer.Option(help="what phrases are compared by: ORTH (exact) or LOWER")
]
Base = Annotated[
    str, typer.Option(help="language code, or a pipeline if patterns need its annotation")
]


@app.command()
@one_line_errors
def annotate(
    output: Annotated[Path, typer.Argument(help="folder for the shards")],
    stats: Annotated[Path, typer.Argument(help="JSON file for the statistics")],
    texts: Annotated[
        Path, typer.Option(help=".jsonl, .txt or .spacy, gzipped or not, or a folder of them")
    ],
    patterns: PatternsFile,
    base: Base = "en",
    phrase_attr: PhraseAttrOption = "ORTH",
    n_process: Annotated[int, typer.Option(help="processes; -1 for one per core")] = 1,
    shard_texts: Annotated[int, typer.Option(help="texts in a shard", min=1)] = SHARD_TEXTS,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad/--no-skip-bad", help="leave out bad lines and count them")
    ] = False,
    train_on: TrainOnOption = "silver",
) -> None:
    """Match the patterns in the texts: DocBin shards with silver labels, and statistics."""
    from scripts.files import write_json
    from scripts.ner.annotate import annotate_files
    from scripts.ner.statistics import NO_PATTERNS, print_statistics

    if train_on == "labelled":
        output.mkdir(parents=True, exist_ok=True)
        write_json(stats, NO_PATTERNS)
        print("vars.ner.train_on is labelled: no patterns are matched")
        return
    results = annotate_files(
        texts,
        patterns,
        output,
        base=base,
        phrase_attr=phrase_attr,
        n_process=n_process,
        skip_bad=skip_bad,
        shard_texts=shard_texts,
    )
    write_json(stats, results)
    print_statistics(results, stats)
    if not any(label["matches"] for label in results["labels"].values()):
        raise ValueError(
            f"no pattern matches any of the {results['texts']} texts: see {stats} for each "
            f"pattern, and fix {patterns}"
        )


@app.command()
@one_line_errors
def split(
    silver: Annotated[Path, typer.Argument(help="folder that ner-annotate wrote")],
    output: Annotated[Path, typer.Argument(help="folder for train/, dev.spacy, test.spacy")],
    labelled: Annotated[Path, typer.Option(help="hand-labelled texts for training")],
    dev: Annotated[Path, typer.Option(help="hand-labelled texts for dev")],
    test: Annotated[Path, typer.Option(help="hand-labelled texts for test")],
    train_on: TrainOnOption = "silver",
    mask_unmatched: Annotated[
        MaskUnmatched, typer.Option(help="unmatched tokens to leave unknown in training")
    ] = "names",
    base: Base = "en",
    share: Annotated[
        float, typer.Option(help="share of texts for dev and test without hand-labelled texts")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="for the draw")] = 0,
) -> None:
    """Split by text into train, dev and test; dev and test texts are never trained on."""
    from scripts.ner.split import print_summary, split_corpus

    summary = split_corpus(
        silver,
        output,
        labelled=labelled,
        dev=dev,
        test=test,
        train_on=train_on,
        mask_unmatched=mask_unmatched,
        base=base,
        share=share,
        seed=seed,
    )
    print_summary(summary, output / "misaligned.jsonl")


@app.command()
@one_line_errors
def teach(
    corpus: CorpusFolder,
    output: Annotated[Path, typer.Argument(help="folder for train/, dev.spacy and terms.jsonl")],
    teacher: Annotated[
        TeacherFeatures,
        typer.Option(help="what the teacher looks at: words, encoder (and words), or none"),
    ] = "words",
    terms: Annotated[Path, typer.Option(help="terms that you have accepted or rejected")] = EMPTY,
    sources: Annotated[
        Path, typer.Option(help="other sources of silver labels, with their weights")
    ] = EMPTY,
    encoder: Annotated[str, typer.Option(help="hub name or folder, for --teacher encoder")] = "",
    gpu_id: Annotated[int, typer.Option(help="for the encoder; -1 for the CPU")] = -1,
    base: Base = "en",
    seed: Annotated[int, typer.Option(help="for the names that replace mentions")] = 0,
) -> None:
    """Let a teacher relabel the corpus: it finds entities that the patterns missed."""
    from scripts.ner.sources import read_sources
    from scripts.ner.teach import make_features, teach_corpus
    from scripts.ner.terms import read_terms
    from scripts.pipelines import load_nlp

    nlp = load_nlp(base)
    features = make_features(teacher, encoder, gpu_id)
    decisions, others = read_terms(terms), read_sources(sources, nlp)
    summary = teach_corpus(corpus, output, nlp, features, decisions, others, seed)
    print(f"{summary['entities_before']} silver entities before, {summary['entities_after']} after")
    print(f"{summary['terms_found']} terms found: read them in {output / 'terms.jsonl'}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@one_line_errors
def debug(
    context: typer.Context, output: Annotated[Path, typer.Argument(help="file for its output")]
) -> None:
    """Run `spacy debug data` with the arguments after OUTPUT; print and save its output."""
    from scripts.files import write_text

    command = [sys.executable, "-m", "spacy", "debug", "data", *context.args, "--no-format"]
    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(process.stdout)
    if process.returncode and "Summary" not in process.stdout:
        raise ValueError("spacy debug data could not load the config or the corpus: see above")
    if process.returncode:
        print(
            "Warning: spacy debug data found an error in the corpus (see above): training goes "
            "on, but do not expect much",
            file=sys.stderr,
        )
    write_text(output, process.stdout)


@app.command()
@one_line_errors
def assemble(
    new: Annotated[Path, typer.Argument(help="output folder of spacy train")],
    folder: Annotated[Path, typer.Argument(help="gets model-best, log.jsonl and pipeline")],
    relabelled: Annotated[Path, typer.Argument(help="folder that the teach step wrote")],
    patterns: PatternsFile,
    phrase_attr: PhraseAttrOption = "ORTH",
    ruler: Annotated[UseRuler, typer.Option(help="what to put around the model")] = "auto",
    train_on: TrainOnOption = "silver",
) -> None:
    """Move a training into place, and make the pipeline to package from it."""
    import srsly

    from scripts.entities.patterns import read_patterns
    from scripts.ner.pipeline import TITLES, assemble_pipeline
    from scripts.ner.terms import accepted, read_terms
    from scripts.pipelines import load_nlp
    from scripts.reading import read_docs

    choice = assemble_pipeline(
        new,
        folder,
        dev=list(read_docs(relabelled / "dev.spacy", load_nlp("xx"))),
        patterns=[] if train_on == "labelled" else read_patterns(patterns),
        terms=accepted(read_terms(relabelled / "terms.jsonl")),
        phrase_attr=phrase_attr,
        use_ruler=ruler,
        by_dev=srsly.read_json(relabelled / "teach.json")["dev_is_gold"],
    )
    for name, scores in choice["dev"].items():
        print(f"F on dev, {TITLES[name]}: {100 * scores['ents_f']:.1f}")
    print(f"{folder / 'pipeline'}: {TITLES[choice['ruler']]}")


@app.command()
@one_line_errors
def evaluate(
    folder: TrainingFolder,
    corpus: CorpusFolder,
    patterns: PatternsFile,
    base: Base = "en",
    phrase_attr: PhraseAttrOption = "ORTH",
    train_on: TrainOnOption = "silver",
) -> None:
    """Score the pipeline, compared with the patterns alone, on the test split."""
    from spacy.tokens import DocBin

    from scripts.entities.patterns import read_patterns
    from scripts.files import restore_folder, write_bytes, write_json
    from scripts.ner.annotate import Annotator
    from scripts.ner.evaluate import draw, evaluate_pipeline, print_table
    from scripts.pipelines import load_nlp

    restore_folder(folder / "pipeline")
    annotator = None
    if train_on != "labelled":
        annotator = Annotator(load_nlp(base), read_patterns(patterns), phrase_attr)
    metrics, examples = evaluate_pipeline(folder, corpus, annotator)
    print_table(metrics)
    draw(metrics, folder / "scores.png")
    predictions = DocBin(docs=[example.predicted for example in examples])
    write_bytes(folder / "predictions.spacy", predictions.to_bytes())
    write_json(folder / "metrics.json", metrics)


@app.command()
@one_line_errors
def report(
    folder: TrainingFolder,
    corpus: CorpusFolder,
    stats: Annotated[Path, typer.Argument(help="statistics that ner-annotate wrote")],
    title: Annotated[str, typer.Option(help="heading of the page")] = "ner",
) -> None:
    """Write report.html: scores, training curve, errors and pattern statistics on one page."""
    import srsly

    from scripts.files import write_text
    from scripts.ner.report import render

    path = folder / "report.html"
    write_text(path, render(folder, corpus, srsly.read_json(stats), title))
    print(f"Look at {path}")


if __name__ == "__main__":
    app()
