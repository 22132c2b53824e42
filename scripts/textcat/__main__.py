"""The commands of the workflow `textcat`: each reads, calls a function over plain data, and writes."""

import itertools
import pickle
import shutil
import time
from pathlib import Path
from typing import Annotated, Any

import spacy
import srsly
import typer
from spacy.cli._util import parse_config_overrides

from scripts import plots
from scripts.files import (
    digest,
    new_folder,
    one_line_errors,
    progress_bar,
    restore_folder,
    write_json,
    write_jsonl,
)
from scripts.pipelines import load_nlp
from scripts.reading import Skipped, read_docs, write_docs
from scripts.textcat import baseline as linear
from scripts.textcat import compare as comparing
from scripts.textcat import evaluate as evaluating
from scripts.textcat import folds as folding
from scripts.textcat import split as splitting
from scripts.textcat import train as training
from scripts.textcat.labelled import Labelled, read_labelled

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Corpus = Annotated[
    Path, typer.Argument(help="folder with train.spacy, dev.spacy, test.spacy and split.json")
]
Code = Annotated[
    list[Path], typer.Option(help="file with registered functions; give it again for more")
]
Seed = Annotated[int, typer.Option(help="for the draws")]
Wanted = Annotated[
    float,
    typer.Option(
        help="share of the accepted texts that must be right, for the threshold", min=0, max=1
    ),
]
ANY_SETTING = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command()
@one_line_errors
def corpus(
    output: Corpus,
    texts: Annotated[Path, typer.Option(help="labelled texts to train on, and to draw from")],
    dev: Annotated[
        Path, typer.Option(help="labelled texts to choose by; an empty file to draw them")
    ],
    test: Annotated[
        Path, typer.Option(help="labelled texts to score by; an empty file to draw them")
    ],
    labels: Annotated[
        splitting.Labels,
        typer.Option(help="one label a text (single), any number (multi), or auto"),
    ] = "auto",
    balance: Annotated[
        splitting.Balance, typer.Option(help="what to do about labels with more texts than others")
    ] = "none",
    share: Annotated[
        float, typer.Option(help="share of the texts to draw for dev, and for test")
    ] = 0.15,
    text_field: Annotated[str, typer.Option(help="key or column of the text")] = "text",
    label_field: Annotated[str, typer.Option(help="key or column of the label")] = "label",
    encoding: Annotated[str, typer.Option(help="of CSV files and folders for each class")] = "utf8",
    lang: Annotated[str, typer.Option(help="language code")] = "en",
    seed: Seed = 0,
    skip_bad: Annotated[bool, typer.Option(help="leave out bad lines and count them")] = False,
) -> None:
    """Split labelled texts into train, dev and test, without duplicates across them."""
    if not 0 < share < 0.5:
        raise ValueError(f"vars.textcat.share is {share}: it must lie between 0 and 0.5")
    nlp, skipped = load_nlp(lang), Skipped()

    def read(path: Path) -> list[Labelled]:
        fields = {"text_field": text_field, "label_field": label_field, "encoding": encoding}
        return splitting.readable(
            read_labelled(path, skipped if skip_bad else None, **fields), nlp, skipped
        )

    made = splitting.split(
        read(texts), read(dev), read(test), labels=labels, shares=(share, share), seed=seed
    )
    told = splitting.summary(made)
    weights = splitting.balance(made, balance, seed)
    for name, part in made.parts.items():
        write_docs(output / f"{name}.spacy", splitting.to_docs(part, made, nlp))
    write_jsonl(output / "skipped.jsonl", skipped.records)
    told |= {"balance": balance, "weights": weights, "seed": seed, "skipped": skipped.counts()}
    write_json(output / "split.json", told)
    print(
        f"{len(made.labels)} labels, {'one a text' if made.exclusive else 'any number a text'}: {', '.join(made.labels)}"
    )
    for name in splitting.PARTS:
        print(f"{name}: {told[name]['texts']} texts {told[name]['labels']}")
    if balance != "none":
        print(f"after {balance}: {weights or made.per_label('train')}")
    for reason, n_texts in {**told["left_out"], **told["skipped"]}.items():
        print(f"{reason}: {n_texts}")


@app.command(context_settings=ANY_SETTING)
@one_line_errors
def train(
    context: typer.Context,
    config: Annotated[
        Path, typer.Argument(help="for spacy train; further options override its settings")
    ],
    folder: Annotated[Path, typer.Argument(help="gets pipeline, log.jsonl and train.json")],
    corpus: Corpus,
    code: Code,
    gpu_id: Annotated[int, typer.Option(help="-1 for the CPU")] = -1,
) -> None:
    """Train one variant by `spacy train`."""
    training.import_code(code)
    paths = {f"paths.{name}": str(corpus / f"{name}.spacy") for name in ("train", "dev")}
    settings = {
        **training.overrides(_split_of(corpus)),
        **paths,
        **parse_config_overrides(context.args),
    }
    seconds = training.train(config, folder, settings, gpu_id)
    print(f"{folder / 'pipeline'}: trained in {seconds:.0f} s")


def _split_of(corpus: Path) -> dict[str, Any]:
    path = corpus / "split.json"
    if not path.exists():
        raise ValueError(f"{path} does not exist: run textcat-corpus first")
    return srsly.read_json(path)  # type: ignore[return-value]


def _parts_of(corpus: Path) -> tuple[dict[str, Any], dict[str, evaluating.Part]]:
    split, vocab = _split_of(corpus), spacy.blank("xx")
    return split, {
        name: evaluating.to_part(list(read_docs(corpus / f"{name}.spacy", vocab)), split["labels"])
        for name in splitting.PARTS
    }


def _write(folder: Path, metrics: dict[str, Any], name: str) -> None:
    evaluating.print_report(name, metrics)
    plots.save(evaluating.draw(metrics, name), folder / "calibration.png")
    write_json(folder / "metrics.json", metrics)


@app.command()
@one_line_errors
def baseline(
    corpus: Corpus,
    folder: Annotated[Path, typer.Argument(help="gets metrics.json")],
    accept: Wanted = 0.9,
) -> None:
    """Train and score tf-idf + logistic regression on the same texts."""
    split, parts = _parts_of(corpus)
    labels, exclusive = split["labels"], split["exclusive"]
    start = time.perf_counter()
    train, dev = ((parts[name].texts, parts[name].gold) for name in ("train", "dev"))
    model, strength = linear.choose(train, dev, labels, exclusive, split["balance"] == "weights")
    seconds = time.perf_counter() - start
    metrics = evaluating.evaluate(
        lambda texts: linear.predict(model, texts, len(labels)),
        parts["dev"],
        parts["test"],
        labels,
        exclusive,
        accept,
    )
    size = len(pickle.dumps(model)) / 1e6
    _write(
        folder,
        {
            **metrics,
            "train_seconds": round(seconds, 1),
            "megabytes": size,
            "gpu": False,
            "C": strength,
        },
        "baseline",
    )


@app.command()
@one_line_errors
def evaluate(
    folder: Annotated[Path, typer.Argument(help="what train made")],
    corpus: Corpus,
    code: Code,
    accept: Wanted = 0.9,
) -> None:
    """Score one variant: by label, calibration, threshold, speed and size."""
    restore_folder(folder / "pipeline")
    if not (folder / "pipeline").exists() or not (folder / "train.json").exists():
        raise ValueError(
            f"{folder / 'pipeline'} does not exist: run textcat-{folder.name}-train first"
        )
    training.import_code(code)
    split, parts = _parts_of(corpus)
    took = srsly.read_json(folder / "train.json")
    if took["gpu"]:
        spacy.require_gpu()
    predict = evaluating.predictor(spacy.load(folder / "pipeline"), split["labels"])
    metrics = evaluating.evaluate(
        predict, parts["dev"], parts["test"], split["labels"], split["exclusive"], accept
    )
    size = evaluating.folder_size(folder / "pipeline") / 1e6
    _write(
        folder,
        {**metrics, "train_seconds": took["seconds"], "megabytes": size, "gpu": took["gpu"]},
        folder.name,
    )


@app.command()
@one_line_errors
def compare(
    folder: Annotated[Path, typer.Argument(help="training folder of the workflow")],
    ship: Annotated[
        str, typer.Option(help="the variant that becomes FOLDER/pipeline; auto for the best on dev")
    ] = "auto",
) -> None:
    """All variants that are trained, and the baseline, in one table; the best becomes FOLDER/pipeline."""
    metrics = {
        path.parent.name: srsly.read_json(path) for path in sorted(folder.glob("*/metrics.json"))
    }
    rows = {name: comparing.row(values) for name, values in metrics.items()}
    chosen = comparing.choose(rows, ship)
    comparing.print_table(rows)
    plots.save(
        comparing.draw(rows, "Text classification: variants beside the baseline"),
        folder / "scores.png",
    )
    with new_folder(folder / "pipeline", marker="meta.json") as copy:
        shutil.copytree(folder / chosen / "pipeline", copy, dirs_exist_ok=True)
    write_json(
        folder / "metrics.json",
        {
            **metrics[chosen],
            "variant": chosen,
            "variants": rows,
            "below_baseline": comparing.losers(rows),
        },
    )
    print(
        f"{folder / 'pipeline'}: {comparing.NAMES.get(chosen, chosen)} ({'best on dev' if ship == 'auto' else 'vars.textcat.ship'})"
    )


@app.command(context_settings=ANY_SETTING)
@one_line_errors
def folds(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(help="gets metrics.json; a fold that is done is not done again")
    ],
    texts: Annotated[Path, typer.Option(help="labelled texts")],
    variants: Annotated[
        str, typer.Option(help="of baseline, bow, cnn, vectors, keras, torch, trf; apart by commas")
    ],
    code: Code,
    n_folds: Annotated[int, typer.Option(help="parts, each of which is the test once", min=2)] = 10,
    first: Annotated[int, typer.Option(help="folds to do of them", min=1)] = 10,
    encoding: Annotated[str, typer.Option(help="of CSV files and folders for each class")] = "utf8",
    lang: Annotated[str, typer.Option(help="language code")] = "en",
    seed: Seed = 0,
) -> None:
    """Cross-validate variants on one corpus; settings of the training may follow."""
    nlp, skipped = load_nlp(lang), Skipped()
    read = splitting.readable(read_labelled(texts, encoding=encoding), nlp, skipped)
    settings = {
        "texts": digest("".join(text.text for text in read).encode()),
        "n_folds": n_folds,
        "seed": seed,
        "others": context.args,
    }
    folding.fresh(folder, settings)
    own = ["--nlp.lang", lang, "--system.seed", str(seed), *context.args]
    names = [name.strip() for name in variants.split(",") if name.strip()]
    results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with progress_bar("folds", min(first, n_folds) * len(names), "training") as bar:
        for number, made in enumerate(
            itertools.islice(folding.make_folds(read, n_folds, seed), first)
        ):
            corpus = folder / str(number) / "corpus"
            for name, part in made.parts.items():
                write_docs(corpus / f"{name}.spacy", splitting.to_docs(part, made, nlp))
            write_json(
                corpus / "split.json", {**splitting.summary(made), "balance": "none", "weights": {}}
            )
            for name in names:
                results[name].append(
                    folding.run_variant(name, folder / str(number) / name, corpus, code, own)
                )
                print(
                    f"fold {number + 1}, {name}: accuracy {100 * results[name][-1]['accuracy']:.1f}",
                    flush=True,
                )
                bar.update()
    told = folding.summary(results)
    folding.print_table(told, n_folds)
    write_json(folder / "metrics.json", {"n_folds": n_folds, "folds": told})


if __name__ == "__main__":
    app()
