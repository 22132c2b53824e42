"""Commands of the workflow `movies`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.files import one_line_errors
from scripts.movies.options import Settings

if TYPE_CHECKING:
    from scripts.movies.folder import Trained
    from scripts.movies.pairs import Pairs
    from scripts.reading import Skipped

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Items = Annotated[
    Path, typer.Argument(help="JSONL with a title and links on each line, plain or gzipped")
]
Folder = Annotated[Path, typer.Argument(help="training folder; the model is in its folder model")]
Seed = Annotated[int, typer.Option(help="same seed, same result", min=0)]
Count = Annotated[int, typer.Option(help="how many items", min=1)]
SkipBad = Annotated[bool, typer.Option(help="skip bad lines and count them")]
DEFAULTS = Settings()


@app.command()
@one_line_errors
def train(
    items: Items,
    folder: Folder,
    min_count: Annotated[int, typer.Option(help="leave out links on fewer items", min=1)] = 2,
    share: Annotated[float, typer.Option(help="share of the pairs for dev, and for test")] = 0.1,
    width: Annotated[int, typer.Option(help="numbers in an embedding", min=2)] = DEFAULTS.width,
    batch_size: Annotated[
        int, typer.Option(help="items in a batch; 0: a twentieth of all, but 128 to 512", min=0)
    ] = DEFAULTS.batch_size,
    learn_rate: Annotated[
        float, typer.Option(help="learning rate of AdamW", min=0)
    ] = DEFAULTS.learn_rate,
    weight_decay: Annotated[
        float, typer.Option(help="weight decay of the embeddings", min=0)
    ] = DEFAULTS.weight_decay,
    max_epochs: Annotated[int, typer.Option(help="at most", min=1)] = DEFAULTS.max_epochs,
    patience: Annotated[
        int, typer.Option(help="epochs without a better recall before training stops", min=1)
    ] = DEFAULTS.patience,
    seed: Seed = DEFAULTS.seed,
    skip_bad: SkipBad = False,
) -> None:
    """Train embeddings of items and links, whose cosine says whether an item has a link."""
    import time

    from scripts.files import check_new_folder
    from scripts.movies.calibration import calibrate
    from scripts.movies.folder import MARKER, write_trained
    from scripts.movies.pairs import check_share
    from scripts.movies.train import best_of, print_epoch, train_embeddings

    check_share(share)
    check_new_folder(folder / "model", MARKER)
    pairs, summary = _read_pairs(items, min_count, share, seed, skip_bad)
    settings = Settings(
        width=width,
        batch_size=batch_size,
        learn_rate=learn_rate,
        weight_decay=weight_decay,
        max_epochs=max_epochs,
        patience=patience,
        seed=seed,
    )
    checkpoint = folder / "checkpoint.npz"
    start = time.perf_counter()
    network, log = train_embeddings(pairs, settings, checkpoint, print_epoch)
    seconds = time.perf_counter() - start
    factors, best = network.factors(), best_of(log)
    calibration = calibrate(factors, pairs, seed)
    model = network.to_bytes(calibration["slope"], calibration["offset"])
    facts = {
        **summary,
        "scale": network.scale,
        "best_epoch": best["epoch"],
        "dev_recall": best["recall"],
        "calibration": calibration,
        "seed": seed,
        "log": log,
    }
    write_trained(folder / "model", pairs, factors, model, facts)
    checkpoint.unlink(missing_ok=True)
    epoch = f"epoch {best['epoch']} of {log[-1]['epoch']}"
    print(f"{folder / 'model'}: {epoch}, recall@10 of dev {best['recall']:.1%}, {seconds:.0f} s")


def _read_pairs(
    path: Path, min_count: int, share: float, seed: int, skip_bad: bool
) -> "tuple[Pairs, dict[str, Any]]":
    """The pairs of a file of items, split, and a summary, which is printed too."""
    from collections import Counter

    from scripts.movies.items import read_items
    from scripts.movies.pairs import split, to_matrix

    skipped, counts = _skipped(skip_bad), Counter[str]()
    matrix = to_matrix(read_items(path, skipped, counts), min_count, counts)
    pairs = split(*matrix, share, seed)
    summary = {
        "items": len(pairs.titles),
        "links": len(pairs.links),
        "pairs": pairs.n_pairs(),
        "counts": dict(counts),
        "skipped": skipped.counts(),
    }
    for reason, count in {**skipped.counts(), **counts}.items():
        if count:
            print(f"{reason}: {count}")
    print(f"{summary['items']} items, {summary['links']} links; pairs: {summary['pairs']}")
    return pairs, summary


def _skipped(skip_bad: bool) -> "Skipped":
    from scripts.reading import Skipped

    return Skipped(strict=not skip_bad, var="vars.movies.bad_lines")


@app.command()
@one_line_errors
def evaluate(
    items: Items,
    folder: Folder,
    group: Annotated[
        str,
        typer.Option(help="dotted path of a property that groups items, to check recommend; or ''"),
    ] = "",
    seed: Seed = 0,
    skip_bad: SkipBad = False,
) -> None:
    """Recall@10 and MRR of held-out links compared with popularity, truncated SVD and ALS."""
    from scripts.files import write_json
    from scripts.movies.evaluate import compare_methods, draw, print_calibration, print_table
    from scripts.movies.folder import read_trained
    from scripts.movies.recommend import check_groups, groups_of, print_check
    from scripts.plots import save

    trained = read_trained(folder / "model")
    values = _values(items, trained, group, skip_bad) if group else []
    calibration = trained.facts["calibration"]
    methods = compare_methods(trained.pairs, trained.factors, seed)
    metrics = {**methods["ours"], "methods": methods, "calibration": calibration}
    print_table(methods)
    print_calibration(calibration)
    if group and all(value is None for value in values):
        remedy = "name another property by vars.movies.group"
        print(f"no item has {group}, so recommend is not checked: {remedy}")
    if groups := groups_of(values):
        metrics["recommend"] = {"group": group, **check_groups(trained, groups, seed)}
        print_check(metrics["recommend"])
    save(draw(methods), folder / "scores.png")
    write_json(folder / "metrics.json", metrics)


def _values(path: Path, trained: "Trained", name: str, skip_bad: bool) -> list[Any]:
    """The value of a property for each trained item; None if there is none."""
    from scripts.movies.items import read_items, values_of

    return values_of(read_items(path, _skipped(skip_bad)), trained.pairs.titles, name)


def _some_values(path: Path, trained: "Trained", name: str, skip_bad: bool) -> list[Any]:
    """The same, but an error if no item has the property."""
    values = _values(path, trained, name, skip_bad)
    if all(value is None for value in values):
        remedy = "check the name, or train on these items (python -m weasel run movies-train)"
        raise ValueError(f"no trained item has {name!r} in {path}: {remedy}")
    return values


@app.command()
@one_line_errors
def neighbours(
    folder: Folder,
    title: Annotated[str, typer.Option(help="title of an item")],
    k: Count = 10,
) -> None:
    """Print the items nearest to one and the links they share; write those of all items."""
    from scripts.files import write_jsonl
    from scripts.movies.folder import read_trained
    from scripts.movies.neighbours import all_nearest, nearest, print_neighbours, rows_of

    trained = read_trained(folder / "model")
    titles = trained.pairs.titles
    row = int(rows_of(titles, [title.strip()])[0])
    neighbours = nearest(trained, row, k)
    path = folder / "neighbours.jsonl"
    write_jsonl(path, all_nearest(trained, k))
    print_neighbours(f"nearest to {titles[row]}", neighbours, "cosine", "both link to")
    print(f"{path}: the {k} nearest of each of {len(titles)} items")


@app.command()
@one_line_errors
def recommend(
    folder: Folder,
    likes: Annotated[str, typer.Option(help="titles, separated by |")],
    dislikes: Annotated[
        str, typer.Option(help="titles, separated by |; if none, random other items")
    ] = "",
    k: Count = 10,
    seed: Seed = 0,
) -> None:
    """Rank items by likes and dislikes, with the links in favour of each."""
    from dataclasses import asdict

    from scripts.files import write_json
    from scripts.movies.folder import read_trained
    from scripts.movies.neighbours import print_neighbours, rows_of, split_titles
    from scripts.movies.recommend import N_OTHERS, recommend_items

    trained = read_trained(folder / "model")
    titles = trained.pairs.titles
    liked = rows_of(titles, split_titles(likes))
    disliked = rows_of(titles, split_titles(dislikes))
    recommended = recommend_items(trained, liked, disliked, k, seed)
    if not len(disliked):
        count = min(N_OTHERS, len(titles) - len(liked))
        print(f"no dislikes: {count} random other items take their place")
    print_neighbours("recommended", recommended, "score", "links in favour")
    content = {
        "likes": [titles[row] for row in liked],
        "dislikes": [titles[row] for row in disliked],
        "items": [asdict(item) for item in recommended],
    }
    write_json(folder / "recommend.json", content)


@app.command()
@one_line_errors
def rate(
    items: Items,
    folder: Folder,
    score: Annotated[
        str, typer.Option(help="dotted path of a number, or of a text whose first number counts")
    ] = "score",
    seed: Seed = 0,
    skip_bad: SkipBad = False,
) -> None:
    """Predict a score by ridge regression, and name the links that go with a high or low one."""
    import numpy as np

    from scripts.files import write_json
    from scripts.movies.folder import read_trained
    from scripts.movies.items import number_of
    from scripts.movies.rate import extreme_links, fit_scores, print_scores

    trained = read_trained(folder / "model")
    numbers = [number_of(value) for value in _some_values(items, trained, score, skip_bad)]
    rows = np.asarray([row for row, number in enumerate(numbers) if number is not None], "i8")
    scores = np.asarray([numbers[row] for row in rows], "f8")
    coefficients, summary = fit_scores(trained.items[rows], scores, seed)
    links = extreme_links(trained, coefficients)
    print_scores(score, summary, links)
    write_json(folder / "rate.json", {"score": score, **summary, "links": links})


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
    import numpy as np

    from scripts.movies.folder import read_trained
    from scripts.movies.plot import draw, items_to_draw
    from scripts.plots import save
    from scripts.projection import project

    trained = read_trained(folder / "model")
    values = _some_values(items, trained, colour, skip_bad)
    rows = items_to_draw(trained)
    points = project(trained.items[rows], seed)
    title = f"{len(rows)} items by their links, coloured by {colour.split('.')[-1]} (t-SNE)"
    titles = [trained.pairs.titles[row] for row in rows]
    n_links = np.diff(trained.pairs.train.indptr)[rows]
    figure = draw(titles, points, [values[row] for row in rows], n_links, title)
    save(figure, folder / "tsne.png")
    print(f"{folder / 'tsne.png'}: {title}")


if __name__ == "__main__":
    app()
