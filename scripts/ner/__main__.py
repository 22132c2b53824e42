"""The commands of the workflow `ner`: each reads, calls a function over plain data, and writes."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import srsly
import typer
from spacy.tokens import DocBin

from scripts.entities.patterns import read_patterns
from scripts.files import one_line_errors, restore_folder, write_bytes, write_json, write_text
from scripts.ner import annotate as annotating
from scripts.ner import evaluate as evaluating
from scripts.ner import pipeline as composing
from scripts.ner import report as reporting
from scripts.ner import split as splitting
from scripts.ner import teach as teaching
from scripts.ner.sources import read_sources
from scripts.ner.terms import accepted, read_terms
from scripts.options import MaskUnmatched
from scripts.options import PhraseAttr as PhraseAttribute
from scripts.pipelines import load_nlp
from scripts.reading import read_docs

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

TrainOn = Annotated[splitting.TrainOn, typer.Option(help="labels to train on")]
PatternsFile = Annotated[Path, typer.Option(help="EntityRuler JSONL")]
PhraseAttr = Annotated[PhraseAttribute, typer.Option(help="what phrases are compared by")]
EMPTY = Path("assets/empty.jsonl")
Base = Annotated[
    str, typer.Option(help="language code, or a pipeline where patterns need its annotation")
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
    phrase_attr: PhraseAttr = "ORTH",
    n_process: Annotated[int, typer.Option(help="processes; -1 for one a core")] = 1,
    shard_texts: Annotated[
        int, typer.Option(help="texts in a shard", min=1)
    ] = annotating.SHARD_TEXTS,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad/--no-skip-bad", help="leave out bad lines and count them")
    ] = False,
    train_on: TrainOn = "silver",
) -> None:
    """Match patterns in texts: DocBin shards with silver labels, and statistics."""
    if train_on == "labelled":
        write_json(
            stats,
            {
                "labels": {},
                "patterns": [],
                "note": "trained on hand labels alone: no patterns were matched",
            },
        )
        output.mkdir(parents=True, exist_ok=True)
        print("vars.ner.train_on is labelled: no patterns are matched")
        return
    found = annotating.annotate_files(
        texts,
        patterns,
        output,
        base=base,
        phrase_attr=phrase_attr,
        n_process=n_process,
        skip_bad=skip_bad,
        shard_texts=shard_texts,
    )
    write_json(stats, found)
    annotating.print_statistics(found, stats)
    if not any(label["matches"] for label in found["labels"].values()):
        raise ValueError(
            f"no pattern matches any of the {found['texts']} texts: see {stats} for each pattern, and mend {patterns}"
        )


@app.command()
@one_line_errors
def split(
    silver: Annotated[Path, typer.Argument(help="folder that annotate filled")],
    output: Annotated[Path, typer.Argument(help="folder for train/, dev.spacy, test.spacy")],
    labelled: Annotated[Path, typer.Option(help="hand-labelled texts to train on")],
    dev: Annotated[Path, typer.Option(help="hand-labelled texts to choose by")],
    test: Annotated[Path, typer.Option(help="hand-labelled texts to score by")],
    train_on: TrainOn = "silver",
    mask_unmatched: Annotated[
        MaskUnmatched, typer.Option(help="unmatched tokens to leave unknown in training")
    ] = "names",
    base: Base = "en",
    share: Annotated[
        float, typer.Option(help="share of texts for dev and for test where there is no gold file")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="for the draw")] = 0,
) -> None:
    """Split by text into train, dev and test; gold texts never train."""
    done = splitting.split_corpus(
        silver,
        output,
        labelled=labelled,
        dev=dev,
        test=test,
        train_on=train_on,
        doubt=mask_unmatched,
        base=base,
        share=share,
        seed=seed,
    )
    for name in ("train", "dev", "test"):
        kind = (
            done["train_on"] if name == "train" else "gold" if done[f"{name}_is_gold"] else "silver"
        )
        print(f"{name}: {done['texts'][name]} texts, {done['entities'][name]} entities ({kind})")
    print(
        f"{done['unknown_tokens_in_train']} unmatched tokens look like names: they are unknown in training, not O"
    )
    if done["gold_rejected"]:
        print(
            f"left out of the gold labels, see {output / 'misaligned.jsonl'}: {done['gold_rejected']}"
        )
    if not done["test_is_gold"]:
        print(
            "No gold file was given (vars.ner.test): scores will be against silver labels, which the patterns made."
        )


@app.command()
@one_line_errors
def teach(
    corpus: Annotated[Path, typer.Argument(help="folder that split filled")],
    output: Annotated[Path, typer.Argument(help="folder for train/, dev.spacy and terms.jsonl")],
    teacher: Annotated[
        teaching.Teach,
        typer.Option(help="what the teacher looks at: words, encoder (words too), or none"),
    ] = "words",
    terms: Annotated[Path, typer.Option(help="terms that you have accepted or rejected")] = EMPTY,
    sources: Annotated[
        Path, typer.Option(help="sources of silver labels beside the patterns, with their weights")
    ] = EMPTY,
    encoder: Annotated[str, typer.Option(help="hub name or folder, for --teacher encoder")] = "",
    gpu_id: Annotated[int, typer.Option(help="for the encoder; -1 for the CPU")] = -1,
    base: Base = "en",
    seed: Annotated[int, typer.Option(help="for the names that mentions are swapped for")] = 0,
) -> None:
    """Let a teacher label what the patterns missed in the training texts."""
    nlp = load_nlp(base)
    features = teaching.features_of(teacher, encoder, gpu_id)
    done = teaching.teach_corpus(
        corpus, output, nlp, features, read_terms(terms), read_sources(sources, nlp), seed
    )
    print(f"{done['entities_before']} silver entities before, {done['entities_after']} after")
    print(f"{done['terms_found']} terms found: read them in {output / 'terms.jsonl'}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@one_line_errors
def debug(
    context: typer.Context, output: Annotated[Path, typer.Argument(help="file for what spaCy says")]
) -> None:
    """Run `spacy debug data` with the arguments given after OUTPUT, print what it says, and keep it in a file."""
    command = [sys.executable, "-m", "spacy", "debug", "data", *context.args, "--no-format"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    if done.returncode and "Summary" not in done.stdout:
        raise ValueError("spacy debug data could not load the config or the corpus: see above")
    if done.returncode:
        print(
            "Warning: spacy debug data found an error in the corpus (see above): training goes on, do not expect much",
            file=sys.stderr,
        )
    write_text(output, done.stdout)


@app.command()
@one_line_errors
def assemble(
    new: Annotated[Path, typer.Argument(help="output folder of spacy train")],
    folder: Annotated[Path, typer.Argument(help="gets model-best, log.jsonl and pipeline")],
    relabelled: Annotated[Path, typer.Argument(help="folder that teach filled")],
    patterns: PatternsFile,
    phrase_attr: PhraseAttr = "ORTH",
    ruler: Annotated[
        composing.UseRuler, typer.Option(help="what to put around the model")
    ] = "auto",
    train_on: TrainOn = "silver",
) -> None:
    """Move a training into place and make the pipeline to package from it."""
    wanted = read_patterns(patterns) if train_on != "labelled" else []
    terms = accepted(read_terms(relabelled / "terms.jsonl"))
    gold = srsly.read_json(relabelled / "teach.json")["dev_is_gold"]
    dev = list(read_docs(relabelled / "dev.spacy", load_nlp("xx")))
    choice = composing.compose(new, folder, dev, wanted, terms, phrase_attr, ruler, by_dev=gold)
    for name, scores in choice["dev"].items():
        print(f"F on dev, {composing.TITLES[name]}: {100 * scores['ents_f']:.1f}")
    print(f"{folder / 'pipeline'}: {composing.TITLES[choice['ruler']]}")


@app.command()
@one_line_errors
def evaluate(
    folder: Annotated[Path, typer.Argument(help="training folder")],
    corpus: Annotated[Path, typer.Argument(help="folder that split filled")],
    patterns: PatternsFile,
    base: Base = "en",
    phrase_attr: PhraseAttr = "ORTH",
    train_on: TrainOn = "silver",
) -> None:
    """Score the pipeline and the patterns alone on the test split."""
    restore_folder(folder / "pipeline")
    annotator = (
        None
        if train_on == "labelled"
        else annotating.Annotator(load_nlp(base), read_patterns(patterns), phrase_attr)
    )
    metrics, examples = evaluating.evaluate(
        folder, corpus, annotator, srsly.read_json(corpus / "split.json")
    )
    evaluating.print_table(metrics)
    evaluating.draw(metrics, folder / "scores.png")
    write_bytes(
        folder / "predictions.spacy",
        DocBin(docs=[example.predicted for example in examples]).to_bytes(),
    )
    write_json(folder / "metrics.json", metrics)


@app.command()
@one_line_errors
def report(
    folder: Annotated[Path, typer.Argument(help="training folder")],
    corpus: Annotated[Path, typer.Argument(help="folder that split filled")],
    stats: Annotated[Path, typer.Argument(help="statistics that annotate wrote")],
    title: Annotated[str, typer.Option(help="heading of the page")] = "ner",
) -> None:
    """Write report.html: scores, training curve, errors and pattern statistics on one page."""
    path = folder / "report.html"
    write_text(path, reporting.render(folder, corpus, srsly.read_json(stats), title))
    print(f"Look at {path}")


if __name__ == "__main__":
    app()
