"""The commands of the workflow `movies`: each reads, calls a function over plain data, and writes."""

import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.corpus import Skipped
from scripts import plots
from scripts.files import one_line_errors, write_json
from scripts.movies import evaluate as evaluating
from scripts.movies import folder as folders
from scripts.movies import pairs as pairing
from scripts.movies.items import read_items
from scripts.ner.scores import percent

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Items = Annotated[Path, typer.Argument(help="JSONL with a title and links a line, such as wikipedia-extract writes")]
Folder = Annotated[Path, typer.Argument(help="training folder of the workflow; the model lies in its folder model")]
Seed = Annotated[int, typer.Option(help="for the draws")]
SkipBad = Annotated[bool, typer.Option(help="leave out bad lines and count them")]


@app.command()
@one_line_errors
def train(
    items: Items,
    folder: Folder,
    min_count: Annotated[int, typer.Option(help="leave out links that fewer items have", min=1)] = 2,
    share: Annotated[float, typer.Option(help="share of the pairs to hold out to stop by, and to score by")] = 0.1,
    width: Annotated[int, typer.Option(help="numbers in an embedding", min=2)] = 128,
    batch_size: Annotated[int, typer.Option(help="items in a batch", min=1)] = 128,
    learn_rate: Annotated[float, typer.Option(help="of Adam")] = 0.01,
    weight_decay: Annotated[float, typer.Option(help="of the embeddings", min=0)] = 0.3,
    max_epochs: Annotated[int, typer.Option(help="at most", min=1)] = 100,
    patience: Annotated[int, typer.Option(help="epochs without a better recall before training ends", min=1)] = 6,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
) -> None:
    """Train embeddings of items and links so that their cosine says whether the item links there."""
    from scripts.movies import train as training  # imports TensorFlow, which no other step needs
    from scripts.movies.network import Settings

    if not 0 < share < 0.4:
        raise ValueError(f"vars.movies.share is {share}: it must lie between 0 and 0.4")
    skipped, counts = Skipped(), Counter[str]()
    read = read_items(items, skipped if skip_bad else None, counts)
    pairs = pairing.split(*pairing.to_matrix(read, min_count, counts), share, seed)
    for reason, number in {**skipped.counts(), **counts}.items():
        if number:
            print(f"{reason}: {number}")
    print(f"{len(pairs.titles)} items, {len(pairs.links)} links; pairs: {pairs.n_pairs()}")
    settings = Settings(width, batch_size, learn_rate, weight_decay, max_epochs=max_epochs, patience=patience, seed=seed)
    start = time.perf_counter()
    network, log = training.train(pairs, settings, folder / "checkpoint.npz", _print_epoch)
    seconds = time.perf_counter() - start
    calibration = training.calibrate(network.factors(), pairs, seed)
    best = max(log, key=lambda line: line["recall"])
    facts = {"scale": network.scale, "best_epoch": best["epoch"], "dev_recall": best["recall"], "calibration": calibration}
    told = {"items": len(pairs.titles), "links": len(pairs.links), "pairs": pairs.n_pairs(), "counts": dict(counts), "skipped": skipped.counts()}
    model = network.to_bytes(calibration["slope"], calibration["offset"])
    folders.write_trained(folder / "model", pairs, network.factors(), model, {**told, **facts, "seed": seed, "log": log})
    (folder / "checkpoint.npz").unlink(missing_ok=True)
    print(f"{folder / 'model'}: epoch {best['epoch']} of {len(log)}, recall@10 of dev {100 * best['recall']:.1f}%, {seconds:.0f} s")


def _print_epoch(line: dict[str, Any]) -> None:
    print(f"epoch {line['epoch']}: loss {line['loss']:.3f}, recall@10 of dev {100 * line['recall']:.1f}%", flush=True)


@app.command()
@one_line_errors
def evaluate(folder: Folder, seed: Seed = 0) -> None:
    """Recall@10 and MRR of the held-out links, beside popularity, truncated SVD and ALS."""
    trained = folders.read_trained(folder / "model")
    found = evaluating.compare(trained.pairs, trained.factors, seed)
    calibration = trained.facts["calibration"]
    evaluating.print_table(found)
    print(
        f"does it link? AUC {percent(calibration['auc'])} by score, {percent(calibration['auc_cosine'])} by cosine alone; at a probability of "
        f"{calibration['threshold']:.2f} precision {percent(calibration['precision'])}, recall {percent(calibration['recall'])}"
    )
    plots.save(evaluating.draw(found), folder / "scores.png")
    write_json(folder / "metrics.json", {**found["ours"], "methods": found, "calibration": calibration})


if __name__ == "__main__":
    app()
