"""Commands of the workflow `textcat`."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.files import one_line_errors
from scripts.textcat.options import Balance, Labels

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

CorpusFolder = Annotated[
    Path, typer.Argument(help="folder with train.spacy, dev.spacy, test.spacy and split.json")
]
Code = Annotated[str, typer.Option(help="files with registered functions, comma-separated")]
Encoding = Annotated[
    str, typer.Option(help="of CSV and TSV files, and of folders and files for each class")
]
Lang = Annotated[str, typer.Option(help="language code")]
Seed = Annotated[int, typer.Option(help="for the draws")]
MinAccuracy = Annotated[
    float,
    typer.Option(
        "--accept",
        help="share of the accepted texts that must be right, for the threshold",
        min=0,
        max=1,
    ),
]
ANY_SETTING = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command()
@one_line_errors
def corpus(
    output: CorpusFolder,
    texts: Annotated[Path, typer.Option(help="labelled texts for train")],
    dev: Annotated[Path, typer.Option(help="labelled texts for dev; an empty file to draw them")],
    test: Annotated[Path, typer.Option(help="labelled texts for test; an empty file to draw them")],
    labels: Annotated[
        Labels, typer.Option(help="one label per text (single), any number (multi), or auto")
    ] = "auto",
    balance: Annotated[
        Balance, typer.Option(help="what to do if some labels have more texts than others")
    ] = "none",
    share: Annotated[
        float, typer.Option(help="share of the texts to draw for dev, and for test")
    ] = 0.15,
    text_field: Annotated[str, typer.Option(help="key or column of the text")] = "text",
    label_field: Annotated[str, typer.Option(help="key or column of the label")] = "label",
    encoding: Encoding = "utf8",
    lang: Lang = "en",
    seed: Seed = 0,
    skip_bad: Annotated[bool, typer.Option(help="leave out bad lines and count them")] = False,
) -> None:
    """Split labelled texts into train, dev and test, without duplicates across them."""
    from scripts.files import write_json, write_jsonl
    from scripts.pipelines import load_nlp
    from scripts.reading import Skipped, write_docs
    from scripts.textcat.labelled import Labelled, read_labelled
    from scripts.textcat.split import (
        make_split,
        print_summary,
        readable,
        rebalance,
        summarize,
        to_docs,
    )

    if not 0 < share < 0.5:
        raise ValueError(f"vars.textcat.share is {share}: it must lie between 0 and 0.5")
    nlp = load_nlp(lang)
    skipped = Skipped(strict=not skip_bad, var="vars.textcat.bad_lines")

    def read(path: Path) -> list[Labelled]:
        fields = {"text_field": text_field, "label_field": label_field, "encoding": encoding}
        return readable(read_labelled(path, skipped, **fields), nlp, skipped)

    pool, dev_texts, test_texts = read(texts), read(dev), read(test)
    shares = (share, share)
    split = make_split(pool, dev_texts, test_texts, labels=labels, shares=shares, seed=seed)
    summary = summarize(split)
    weights = rebalance(split, balance, seed)
    for name, part in split.parts.items():
        write_docs(output / f"{name}.spacy", to_docs(part, split, nlp))
    write_jsonl(output / "skipped.jsonl", skipped.records)
    settings = {"balance": balance, "weights": weights, "seed": seed, "skipped": skipped.counts()}
    write_json(output / "split.json", {**summary, **settings})
    print_summary(summary, skipped.counts())
    if balance != "none":
        print(f"after {balance}: {weights or split.per_label('train')}")


@app.command(context_settings=ANY_SETTING)
@one_line_errors
def train(
    context: typer.Context,
    config: Annotated[
        Path, typer.Argument(help="for spacy train; further options override its settings")
    ],
    folder: Annotated[Path, typer.Argument(help="gets pipeline, log.jsonl and train.json")],
    corpus_folder: CorpusFolder,
    code: Code,
    gpu_id: Annotated[int, typer.Option(help="-1 for the CPU")] = -1,
) -> None:
    """Train one variant by `spacy train`."""
    _keep_tensorflow_out()
    from spacy.cli._util import parse_config_overrides

    from scripts.files import split_paths
    from scripts.pipelines import import_code
    from scripts.textcat.corpus import read_split
    from scripts.textcat.train import corpus_settings, train_variant

    import_code(split_paths([code]))
    settings = corpus_settings(read_split(corpus_folder), corpus_folder)
    settings |= parse_config_overrides(context.args)
    seconds = train_variant(config, folder, settings, gpu_id)
    print(f"{folder / 'pipeline'}: trained in {seconds:.0f} s")


def _keep_tensorflow_out() -> None:
    """Let transformers not import TensorFlow where it is installed: that takes seconds."""
    os.environ.setdefault("USE_TF", "0")


@app.command()
@one_line_errors
def baseline(
    corpus_folder: CorpusFolder,
    folder: Annotated[Path, typer.Argument(help="gets metrics.json and calibration.png")],
    min_accuracy: MinAccuracy = 0.9,
) -> None:
    """Train and score tf-idf + logistic regression on the same texts."""
    import pickle
    import time

    from scripts.textcat.baseline import choose, predict
    from scripts.textcat.corpus import read_corpus, read_split
    from scripts.textcat.evaluate import compute_metrics

    texts = read_corpus(corpus_folder)
    balanced = read_split(corpus_folder)["balance"] == "weights"
    start = time.perf_counter()
    model, strength = choose(texts, balanced)
    costs: dict[str, Any] = {"train_seconds": round(time.perf_counter() - start, 1)}
    costs |= {"megabytes": len(pickle.dumps(model)) / 1e6, "gpu": False, "C": strength}
    n_labels = len(texts.labels)
    metrics = compute_metrics(lambda batch: predict(model, batch, n_labels), texts, min_accuracy)
    _write_metrics(folder, {**metrics, **costs}, "baseline")


@app.command()
@one_line_errors
def evaluate(
    folder: Annotated[Path, typer.Argument(help="training folder of the variant")],
    corpus_folder: CorpusFolder,
    code: Code,
    min_accuracy: MinAccuracy = 0.9,
) -> None:
    """Score one variant: scores per label, calibration, threshold, speed and size."""
    _keep_tensorflow_out()
    import spacy
    import srsly

    from scripts.files import restore_folder, split_paths
    from scripts.pipelines import load_pipeline
    from scripts.textcat.corpus import read_corpus
    from scripts.textcat.evaluate import compute_metrics, folder_size, predictor

    pipeline, remedy = folder / "pipeline", f"run textcat-{folder.name}-train first"
    restore_folder(pipeline)
    if not pipeline.exists() or not (folder / "train.json").exists():
        raise ValueError(f"{pipeline} does not exist: {remedy}")
    texts = read_corpus(corpus_folder)
    training: Any = srsly.read_json(folder / "train.json")
    if training["gpu"]:
        spacy.require_gpu()
    nlp = load_pipeline(str(pipeline), remedy, split_paths([code]))
    metrics = compute_metrics(predictor(nlp, texts.labels), texts, min_accuracy)
    costs = {"train_seconds": training["seconds"]}
    costs |= {"megabytes": folder_size(pipeline) / 1e6, "gpu": training["gpu"]}
    _write_metrics(folder, {**metrics, **costs}, folder.name)


def _write_metrics(folder: Path, metrics: dict[str, Any], name: str) -> None:
    from scripts.files import write_json
    from scripts.plots import save
    from scripts.textcat.report import draw_metrics, print_report

    print_report(name, metrics)
    save(draw_metrics(metrics, name), folder / "calibration.png")
    write_json(folder / "metrics.json", metrics)


@app.command()
@one_line_errors
def compare(
    folder: Annotated[Path, typer.Argument(help="training folder of the workflow")],
    ship: Annotated[
        str, typer.Option(help="the variant that becomes FOLDER/pipeline; auto for the best on dev")
    ] = "auto",
) -> None:
    """Compare all trained variants with the baseline; the best on dev becomes FOLDER/pipeline."""
    import shutil

    import srsly

    from scripts.files import new_folder, write_json
    from scripts.plots import save
    from scripts.textcat.compare import (
        below_baseline,
        choose_variant,
        decision,
        draw_scores,
        print_table,
        table_row,
    )

    paths = sorted(folder.glob("*/metrics.json"))
    metrics: dict[str, Any] = {path.parent.name: srsly.read_json(path) for path in paths}
    rows = {name: table_row(values) for name, values in metrics.items()}
    chosen = choose_variant(rows, ship)
    print_table(rows)
    save(draw_scores(rows), folder / "scores.png")
    with new_folder(folder / "pipeline", marker="meta.json") as copy:
        shutil.copytree(folder / chosen / "pipeline", copy, dirs_exist_ok=True)
    summary = {"variant": chosen, "variants": rows}
    summary["below_baseline"] = below_baseline(rows)
    write_json(folder / "metrics.json", {**metrics[chosen], **summary})
    print(f"{folder / 'pipeline'}: {decision(rows, chosen, ship)}")


@app.command(context_settings=ANY_SETTING)
@one_line_errors
def folds(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(help="gets metrics.json; a fold that is done is not done again")
    ],
    texts: Annotated[Path, typer.Option(help="labelled texts")],
    variants: Annotated[str, typer.Option(help="names of variants, or baseline; comma-separated")],
    code: Code,
    n_folds: Annotated[int, typer.Option(help="parts, each of which is the test once", min=2)] = 10,
    first: Annotated[int, typer.Option(help="how many of the folds to do", min=1)] = 10,
    encoding: Encoding = "utf8",
    lang: Lang = "en",
    seed: Seed = 0,
) -> None:
    """Cross-validate variants on one corpus. Further options are settings of the training."""
    import itertools

    from scripts.files import digest, progress_bar, write_json
    from scripts.pipelines import load_nlp
    from scripts.reading import Skipped
    from scripts.textcat.folds import (
        clear_other_settings,
        make_folds,
        print_folds,
        run_variant,
        summarize_folds,
        write_fold,
    )
    from scripts.textcat.labelled import read_labelled
    from scripts.textcat.split import readable
    from scripts.textcat.variants import parse_variants

    names, nlp = parse_variants(variants), load_nlp(lang)
    labelled = readable(read_labelled(texts, encoding=encoding), nlp, Skipped())
    content = digest("".join(text.text for text in labelled).encode())
    made_with = {"texts": content, "n_folds": n_folds, "seed": seed, "others": context.args}
    clear_other_settings(folder, made_with)
    settings = ["--nlp.lang", lang, "--system.seed", str(seed), *context.args]
    scores: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    splits = itertools.islice(make_folds(labelled, n_folds, seed), first)
    with progress_bar("folds", min(first, n_folds) * len(names), "training") as bar:
        for number, split in enumerate(splits):
            fold = folder / str(number)
            write_fold(split, fold / "corpus", nlp)
            for name in names:
                values = run_variant(name, fold / name, fold / "corpus", code, settings)
                scores[name].append(values)
                accuracy = 100 * values["accuracy"]
                print(f"fold {number + 1}, {name}: accuracy {accuracy:.1f}", flush=True)
                bar.update()
    results = summarize_folds(scores)
    print_folds(results, n_folds)
    write_json(folder / "metrics.json", {"n_folds": n_folds, "folds": results})


if __name__ == "__main__":
    app()
