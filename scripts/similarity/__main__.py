"""The commands of the workflow `similarity`: each reads, calls a function over plain data, and writes."""

from pathlib import Path
from typing import Annotated

import spacy
import typer

from scripts import plots
from scripts.files import one_line_errors, restore_folder, write_json, write_jsonl
from scripts.reading import write_docs
from scripts.scores import console
from scripts.similarity import corpus as pairing
from scripts.similarity import evaluate as evaluating
from scripts.similarity import pipeline as composing
from scripts.similarity.pairs import read_pairs

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Seed = Annotated[int, typer.Option(help="for the draws")]


@app.command()
@one_line_errors
def corpus(
    output: Annotated[
        Path,
        typer.Argument(
            help="folder for train.spacy, dev.spacy, pairs of each part, split.json and vectors.json"
        ),
    ],
    train: Annotated[
        Path, typer.Option(help="pairs to train on: JSONL, CSV or TSV with text1, text2 and score")
    ],
    test: Annotated[
        Path,
        typer.Option(
            help="pairs to score by, which never train; an empty file to draw them from the others"
        ),
    ],
    vectors: Annotated[str, typer.Option(help="a pipeline or a vectors folder")],
    range: Annotated[
        str, typer.Option(help="lowest:highest possible score, or found for those that occur")
    ] = "found",
    dev_share: Annotated[
        float, typer.Option(help="share of the training texts to choose by", min=0.01, max=0.5)
    ] = 0.2,
    test_share: Annotated[
        float,
        typer.Option(help="share of the texts to score by, where test is empty", min=0.01, max=0.5),
    ] = 0.2,
    lang: Annotated[str, typer.Option(help="language code")] = "en",
    seed: Seed = 0,
) -> None:
    """Read pairs, scale their scores to 0..1, and split them so that no text is in two parts."""
    table = composing.describe_vectors(vectors)
    made = pairing.make(
        read_pairs(train),
        read_pairs(test),
        given_range=range,
        dev_share=dev_share,
        test_share=test_share,
        seed=seed,
    )
    nlp = spacy.blank(lang)
    docs = {
        name: [pairing.to_doc(pair, nlp) for pair in pairs] for name, pairs in made.parts.items()
    }
    for name, pairs in made.parts.items():
        write_docs(output / f"{name}.spacy", docs[name])
        write_jsonl(output / f"{name}.jsonl", pairing.records(pairs))
    told = made.summary()
    write_json(output / "split.json", {**told, "seed": seed})
    write_json(output / "vectors.json", table)
    print(f"{vectors}: {table['rows']:,} vectors of width {table['width']}")
    print(
        f"scores of {made.low:g} to {made.high:g} ({'as found' if range == 'found' else 'as given'}) become 0 to 1"
    )
    for name in made.parts:
        print(
            f"{name}: {told[name]['pairs']} pairs of {told[name]['texts']} texts, mean score {told[name]['mean score']}"
        )
    for reason, count in made.left_out.items():
        if count:
            print(f"left out, {reason}: {count}")


@app.command()
@one_line_errors
def lee(
    output: Annotated[Path, typer.Argument(help="folder for train.jsonl and test.jsonl")],
    n_test: Annotated[int, typer.Option(help="documents to score by, of 50", min=3, max=40)] = 20,
    seed: Seed = 0,
) -> None:
    """Write the human ratings of 50 news texts that gensim carries as pairs to train on and pairs among other texts to score by."""
    train, test = pairing.split_lee(*pairing.read_lee(), n_test, seed)
    for name, pairs in (("train", train), ("test", test)):
        write_jsonl(output / f"{name}.jsonl", pairing.records(pairs))
        print(f"{output / name}.jsonl: {len(pairs)} pairs")


@app.command()
@one_line_errors
def assemble(
    new: Annotated[Path, typer.Argument(help="output folder of spacy train")],
    folder: Annotated[Path, typer.Argument(help="gets the pipeline")],
) -> None:
    """Move the trained pipeline into place."""
    nlp = composing.compose(new, folder)
    print(f"{folder / 'pipeline'}: {', '.join(nlp.pipe_names)}, {len(nlp.vocab.vectors):,} vectors")


@app.command()
@one_line_errors
def evaluate(
    folder: Annotated[
        Path, typer.Argument(help="training folder; gets metrics.json, scatter.png and worst.jsonl")
    ],
    parts: Annotated[Path, typer.Argument(help="folder that corpus filled")],
    part: Annotated[
        str, typer.Option(help="which pairs to score by: test, or dev while you tune")
    ] = "test",
) -> None:
    """Spearman and Pearson of the trained similarity, of averaged vectors, SIF and tf-idf on the same pairs."""
    restore_folder(folder / "pipeline")
    nlp, _ = composing.load_trained(str(folder / "pipeline"))
    pairs = read_pairs(parts / f"{part}.jsonl")
    texts = sorted(
        {text for pair in read_pairs(parts / "train.jsonl") for text in (pair.text1, pair.text2)}
    )
    metrics, found = evaluating.evaluate(nlp, pairs, texts)
    console().print(evaluating.to_table(metrics))
    print(evaluating.gain_line(metrics))
    plots.save(evaluating.draw(metrics, pairs, found), folder / "scatter.png")
    write_jsonl(folder / "worst.jsonl", evaluating.worst(pairs, found))
    write_json(folder / "metrics.json", {**metrics, "part": part})


if __name__ == "__main__":
    app()
