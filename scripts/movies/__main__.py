"""The commands of the workflow `movies`: each reads, calls a function over plain data, and writes."""

import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from scripts import plots
from scripts.files import check_new_folder, one_line_errors, write_json, write_jsonl
from scripts.movies import evaluate as evaluating
from scripts.movies import folder as folders
from scripts.movies import neighbours as near
from scripts.movies import pairs as pairing
from scripts.movies import plot as plotting
from scripts.movies import rate as rating
from scripts.movies import recommend as recommending
from scripts.movies.items import number_of, read_items, value_of
from scripts.projection import project
from scripts.reading import Skipped

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Items = Annotated[
    Path,
    typer.Argument(help="JSONL with a title and links a line, such as wikipedia-extract writes"),
]
Folder = Annotated[
    Path, typer.Argument(help="training folder of the workflow; the model lies in its folder model")
]
Seed = Annotated[int, typer.Option(help="for the draws", min=0)]
Count = Annotated[int, typer.Option(help="how many", min=1)]
SkipBad = Annotated[bool, typer.Option(help="leave out bad lines and count them")]


@app.command()
@one_line_errors
def train(
    items: Items,
    folder: Folder,
    min_count: Annotated[
        int, typer.Option(help="leave out links that fewer items have", min=1)
    ] = 2,
    share: Annotated[
        float, typer.Option(help="share of the pairs to hold out to stop by, and to score by")
    ] = 0.1,
    width: Annotated[int, typer.Option(help="numbers in an embedding", min=2)] = 256,
    batch_size: Annotated[
        int, typer.Option(help="items in a batch; 0 for 128 to 512, by how many there are", min=0)
    ] = 0,
    learn_rate: Annotated[float, typer.Option(help="of Adam", min=0)] = 0.01,
    weight_decay: Annotated[float, typer.Option(help="of the embeddings", min=0)] = 0.1,
    max_epochs: Annotated[int, typer.Option(help="at most", min=1)] = 100,
    patience: Annotated[
        int, typer.Option(help="epochs without a better recall before training ends", min=1)
    ] = 6,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
) -> None:
    """Train embeddings of items and links so that their cosine says whether the item links there."""
    from scripts.movies import train as training  # imports TensorFlow, which no other step needs
    from scripts.movies.network import Settings

    if not 0 < share < 0.4:
        raise ValueError(f"vars.movies.share is {share}: it must lie between 0 and 0.4")
    check_new_folder(folder / "model", folders.MARKER)
    skipped, counts = Skipped(), Counter[str]()
    read = read_items(items, skipped if skip_bad else None, counts)
    pairs = pairing.split(*pairing.to_matrix(read, min_count, counts), share, seed)
    for reason, number in {**skipped.counts(), **counts}.items():
        if number:
            print(f"{reason}: {number}")
    print(f"{len(pairs.titles)} items, {len(pairs.links)} links; pairs: {pairs.n_pairs()}")
    settings = Settings(
        width,
        batch_size,
        learn_rate,
        weight_decay,
        max_epochs=max_epochs,
        patience=patience,
        seed=seed,
    )
    start = time.perf_counter()
    network, log = training.train(pairs, settings, folder / "checkpoint.npz", _print_epoch)
    seconds = time.perf_counter() - start
    calibration = training.calibrate(network.factors(), pairs, seed)
    best = training.best_of(log)
    facts = {
        "scale": network.scale,
        "best_epoch": best["epoch"],
        "dev_recall": best["recall"],
        "calibration": calibration,
    }
    told = {
        "items": len(pairs.titles),
        "links": len(pairs.links),
        "pairs": pairs.n_pairs(),
        "counts": dict(counts),
        "skipped": skipped.counts(),
    }
    model = network.to_bytes(calibration["slope"], calibration["offset"])
    folders.write_trained(
        folder / "model",
        pairs,
        network.factors(),
        model,
        {**told, **facts, "seed": seed, "log": log},
    )
    (folder / "checkpoint.npz").unlink(missing_ok=True)
    print(
        f"{folder / 'model'}: epoch {best['epoch']} of {log[-1]['epoch']}, recall@10 of dev {100 * best['recall']:.1f}%, {seconds:.0f} s"
    )


def _print_epoch(line: dict[str, Any]) -> None:
    loss = f", loss {line['loss']:.3f}" if line["epoch"] else ""
    print(f"epoch {line['epoch']}{loss}: recall@10 of dev {100 * line['recall']:.1f}%", flush=True)


@app.command()
@one_line_errors
def evaluate(
    items: Items,
    folder: Folder,
    group: Annotated[
        str,
        typer.Option(
            help="property whose values make groups, to check recommend with; empty for none"
        ),
    ] = "",
    seed: Seed = 0,
    skip_bad: SkipBad = False,
) -> None:
    """Recall@10 and MRR of the held-out links, beside popularity, truncated SVD and ALS; recommend on groups of items."""
    trained = folders.read_trained(folder / "model")
    values = _values(items, trained, group, skip_bad) if group else []
    found = evaluating.compare(trained.pairs, trained.factors, seed)
    told = {**found["ours"], "methods": found, "calibration": trained.facts["calibration"]}
    evaluating.print_table(found)
    evaluating.print_calibration(trained.facts["calibration"])
    if group and not any(value is not None for value in values):
        print(
            f"no item has {group}: recommend is not checked; vars.movies.group names the property"
        )
    if groups := recommending.groups_of(values):
        told["recommend"] = {"group": group, **recommending.check(trained, groups, seed)}
        recommending.print_check(told["recommend"])
    plots.save(evaluating.draw(found), folder / "scores.png")
    write_json(folder / "metrics.json", told)


def _values(path: Path, trained: folders.Trained, name: str, skip_bad: bool) -> list[Any]:
    """Of each item that was trained the value of a property; None where there is none."""
    of_title = {
        item.title: value_of(item.record, name)
        for item in read_items(path, Skipped() if skip_bad else None)
    }
    return [of_title.get(title) for title in trained.pairs.titles]


def _some_values(path: Path, trained: folders.Trained, name: str, skip_bad: bool) -> list[Any]:
    values = _values(path, trained, name, skip_bad)
    if all(value is None for value in values):
        raise ValueError(
            f"no item that was trained has {name!r} in {path}: check the property's name, or run movies-train with these items"
        )
    return values


@app.command()
@one_line_errors
def neighbours(
    folder: Folder,
    title: Annotated[str, typer.Option(help="an item")],
    k: Count = 10,
) -> None:
    """The items nearest to one, with the rarest links they share; those of all items go to a file."""
    trained = folders.read_trained(folder / "model")
    row = int(near.rows_of(trained.pairs.titles, [title.strip()])[0])
    found = near.nearest(trained, row, k)
    write_jsonl(folder / "neighbours.jsonl", near.all_nearest(trained, k))
    near.print_neighbours(
        f"nearest to {trained.pairs.titles[row]}", found, "cosine", "both link to"
    )
    print(
        f"{folder / 'neighbours.jsonl'}: the {k} nearest of each of {len(trained.pairs.titles)} items"
    )


@app.command()
@one_line_errors
def recommend(
    folder: Folder,
    likes: Annotated[str, typer.Option(help="titles, apart by |")],
    dislikes: Annotated[
        str, typer.Option(help="titles, apart by |; none: a sample of all others stands for them")
    ] = "",
    k: Count = 10,
    seed: Seed = 0,
) -> None:
    """Rank items by likes and dislikes, with the links that speak for each."""
    trained = folders.read_trained(folder / "model")
    liked, disliked = (
        near.rows_of(trained.pairs.titles, near.split_titles(text)) for text in (likes, dislikes)
    )
    found = recommending.recommend(trained, liked, disliked, k, seed)
    if not len(disliked):
        print(
            f"no dislikes: {min(recommending.OTHERS, len(trained.items) - len(liked))} other items, drawn by chance, stand for them"
        )
    near.print_neighbours("recommended", found, "score", "for it speak")
    named = {
        name: [trained.pairs.titles[row] for row in rows]
        for name, rows in (("likes", liked), ("dislikes", disliked))
    }
    write_json(folder / "recommend.json", {**named, "items": [asdict(one) for one in found]})


@app.command()
@one_line_errors
def rate(
    items: Items,
    folder: Folder,
    score: Annotated[
        str,
        typer.Option(
            help="dotted path of a number in the records; of a text its first number counts"
        ),
    ] = "score",
    seed: Seed = 0,
    skip_bad: SkipBad = False,
) -> None:
    """Predict a score by ridge regression, beside the mean, and name the links that speak for more or less."""
    trained = folders.read_trained(folder / "model")
    numbers = [number_of(value) for value in _some_values(items, trained, score, skip_bad)]
    scored = np.asarray([row for row, number in enumerate(numbers) if number is not None], "i8")
    coefficients, told = rating.rate(
        trained.items[scored], np.asarray([numbers[row] for row in scored], "f8"), seed
    )
    links = rating.telling_links(trained, coefficients)
    rating.print_rating(score, told, links)
    write_json(folder / "rate.json", {"score": score, **told, "links": links})


@app.command()
@one_line_errors
def plot(
    items: Items,
    folder: Folder,
    colour: Annotated[
        str, typer.Option(help="dotted path of the property that colours the items")
    ] = "properties.country",
    seed: Seed = 0,
    skip_bad: SkipBad = False,
) -> None:
    """Draw the items as points of a plane (t-SNE), coloured by a property."""
    trained = folders.read_trained(folder / "model")
    values = _some_values(items, trained, colour, skip_bad)
    weights = np.diff(trained.pairs.train.indptr)
    rows = np.sort(np.argsort(-weights, kind="stable")[: plotting.MOST_DRAWN])
    if len(rows) < plotting.FEWEST:
        raise ValueError(f"{len(rows)} items are too few to draw: {plotting.FEWEST} are needed")
    places = project(trained.items[rows], seed)
    title = f"{len(rows)} items by their links, coloured by {colour.split('.')[-1]} (t-SNE)"
    titles = [trained.pairs.titles[row] for row in rows]
    plots.save(
        plotting.draw(titles, places, [values[row] for row in rows], weights[rows], title),
        folder / "tsne.png",
    )
    print(f"{folder / 'tsne.png'}: {title}")


if __name__ == "__main__":
    app()
