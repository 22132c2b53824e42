"""Commands of the workflow `similarity`."""

from pathlib import Path
from typing import Annotated

import typer

from scripts.files import one_line_errors

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Seed = Annotated[int, typer.Option(help="for the draws")]


@app.command()
@one_line_errors
def corpus(
    output: Annotated[
        Path,
        typer.Argument(
            help="folder for the pairs of train, dev and test, split.json and vectors.json"
        ),
    ],
    train: Annotated[
        Path, typer.Option(help="training pairs: JSONL, CSV or TSV with text1, text2 and score")
    ],
    test: Annotated[
        Path, typer.Option(help="test pairs; an empty file to draw them from the training pairs")
    ],
    vectors: Annotated[str, typer.Option(help="a pipeline or a vectors folder")],
    range: Annotated[
        str, typer.Option(help="lowest:highest possible score, or found for those that occur")
    ] = "found",
    dev_share: Annotated[
        float, typer.Option(help="share of the training texts for dev", min=0.01, max=0.5)
    ] = 0.2,
    test_share: Annotated[
        float,
        typer.Option(help="share of the texts for test, if test is empty", min=0.01, max=0.5),
    ] = 0.2,
    lang: Annotated[str, typer.Option(help="language code")] = "en",
    seed: Seed = 0,
) -> None:
    """Read pairs, scale their scores to 0..1, and split them so that no text is in two parts."""
    from scripts.files import write_json, write_jsonl
    from scripts.pipelines import describe_vectors, load_nlp
    from scripts.reading import write_docs
    from scripts.similarity.corpus import make_corpus, records, to_doc
    from scripts.similarity.pairs import read_pairs

    remedy = (
        "train some (python -m weasel run vectors-corpus, then vectors-train), or name a pipeline "
        "that has some by vars.similarity.vectors"
    )
    table = describe_vectors(vectors, remedy)
    pairs = make_corpus(
        read_pairs(train),
        read_pairs(test),
        range_option=range,
        dev_share=dev_share,
        test_share=test_share,
        seed=seed,
    )
    nlp = load_nlp(lang)
    docs = {}
    for name, part in pairs.parts.items():
        docs[name] = [to_doc(pair, nlp) for pair in part]
    for name, part in pairs.parts.items():
        write_docs(output / f"{name}.spacy", docs[name])
        write_jsonl(output / f"{name}.jsonl", records(part))
    summary = pairs.summary()
    write_json(output / "split.json", {**summary, "seed": seed})
    write_json(output / "vectors.json", table)
    print(f"{vectors}: {table['rows']:,} vectors of width {table['width']}")
    origin = "as found" if range == "found" else "as given"
    print(f"scores of {pairs.low:g} to {pairs.high:g} ({origin}) become 0 to 1")
    for name in pairs.parts:
        counts = summary[name]
        size = f"{counts['pairs']} pairs of {counts['texts']} texts"
        print(f"{name}: {size}, mean score {counts['mean score']}")
    for reason, count in pairs.left_out.items():
        if count:
            print(f"left out, {reason}: {count}")


@app.command()
@one_line_errors
def lee(
    output: Annotated[Path, typer.Argument(help="folder for train.jsonl and test.jsonl")],
    n_test: Annotated[int, typer.Option(help="test documents, of 50", min=3, max=40)] = 20,
    seed: Seed = 0,
) -> None:
    """Write people's ratings of 50 news texts bundled with gensim as training and test pairs."""
    from scripts.files import write_jsonl
    from scripts.similarity.corpus import read_lee, records, split_lee

    train, test = split_lee(*read_lee(), n_test, seed)
    for name, pairs in (("train", train), ("test", test)):
        write_jsonl(output / f"{name}.jsonl", records(pairs))
        print(f"{output / name}.jsonl: {len(pairs)} pairs")


@app.command()
@one_line_errors
def assemble(
    new: Annotated[Path, typer.Argument(help="output folder of spacy train")],
    folder: Annotated[Path, typer.Argument(help="gets the pipeline")],
) -> None:
    """Move the trained pipeline into place."""
    from scripts.similarity.pipeline import assemble_pipeline

    nlp = assemble_pipeline(new, folder)
    print(f"{folder / 'pipeline'}: {', '.join(nlp.pipe_names)}, {len(nlp.vocab.vectors):,} vectors")


@app.command()
@one_line_errors
def evaluate(
    folder: Annotated[
        Path, typer.Argument(help="training folder; gets metrics.json, scatter.png and worst.jsonl")
    ],
    parts: Annotated[Path, typer.Argument(help="folder that `corpus` filled")],
    part: Annotated[str, typer.Option(help="pairs to score: test, or dev while you tune")] = "test",
) -> None:
    """Spearman and Pearson of the trained similarity, averaged vectors, SIF and tf-idf."""
    from scripts.files import restore_folder, write_json, write_jsonl
    from scripts.plots import save
    from scripts.scores import console
    from scripts.similarity.evaluate import draw, evaluate_systems, gain_line, to_table, worst
    from scripts.similarity.pairs import read_pairs, texts_of
    from scripts.similarity.pipeline import load_trained

    restore_folder(folder / "pipeline")
    nlp = load_trained(str(folder / "pipeline"))
    pairs = read_pairs(parts / f"{part}.jsonl")
    texts = texts_of(read_pairs(parts / "train.jsonl"))
    metrics, similarities = evaluate_systems(nlp, pairs, texts)
    console().print(to_table(metrics))
    print(gain_line(metrics))
    save(draw(metrics, pairs, similarities), folder / "scatter.png")
    write_jsonl(folder / "worst.jsonl", worst(pairs, similarities))
    write_json(folder / "metrics.json", {**metrics, "part": part})


if __name__ == "__main__":
    app()
