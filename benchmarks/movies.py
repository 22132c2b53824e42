"""Timings of the workflow `movies`: embeddings trained on shared negatives beside a generator of single pairs and Keras' fit."""

import random
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Row, in_fresh_process
from scripts.keras_models import tensorflow
from scripts.movies.factors import Factors, measure, ranks
from scripts.movies.items import Item, read_items
from scripts.movies.network import Settings
from scripts.movies.pairs import Pairs, split, to_matrix
from scripts.movies.train import train

ITEMS = Path("assets/movies/films.jsonl")
COPIES = 40  # of the films: 9,600 items
KEPT = 0.7  # of the links of a film, in each copy others
OFTEN, TOGETHER = (
    10,
    4,
)  # links of fewer films are others for every four copies: people change, genres stay
SHARE = 0.1
REPEATS = 3
WIDTH, POSITIVES, NEGATIVES = 50, 512, 10  # the peer's
EPOCHS, MORE_EPOCHS = 5, 100


class Reached(Exception):
    """The recall that was to be reached is reached."""


def enlarge(items: list[Item], n_copies: int, seed: int = 0) -> list[Item]:
    """Copies of items that share frequent links with all others, and rare ones with a few."""
    chance, counts = (
        np.random.default_rng(seed),
        Counter(link for item in items for link in item.links),
    )
    found = []
    for copy in range(n_copies):
        for item in items:
            kept = chance.random(len(item.links)) < KEPT
            links = [
                link if counts[link] >= OFTEN else f"{link} ({copy // TOGETHER})"
                for link, keep in zip(item.links, kept)
                if keep
            ]
            found.append(Item(f"{item.title} ({copy})", tuple(links), {}))
    return found


def made(items: list[Item], seed: int = 0) -> Pairs:
    """The pairs that both sides train on, and are scored by."""
    return split(*to_matrix(items, 2, Counter()), SHARE, seed)


def batches(
    pairs: list[tuple[int, int]], n_items: int, n_links: int, seed: int
) -> Iterator[tuple[dict[str, Any], Any]]:
    """What one would write otherwise: pairs drawn one by one, ten random ones that are not true for each that is."""
    chance, true = random.Random(seed), set(pairs)
    while True:
        rows = [(item, link, 1) for item, link in chance.sample(pairs, min(POSITIVES, len(pairs)))]
        n_rows = len(rows) * (1 + NEGATIVES)
        while len(rows) < n_rows:
            item, link = chance.randrange(n_items), chance.randrange(n_links)
            if (item, link) not in true:
                rows.append((item, link, -1))
        chance.shuffle(rows)
        item_ids, link_ids, labels = np.asarray(rows).T
        yield {"item": item_ids, "link": link_ids}, labels


def train_peer(pairs: Pairs, epochs: int, seed: int = 0) -> tuple[float, float]:
    """(seconds, recall@10 of dev) of so many epochs of a Keras model on that generator: mean squared error, Nadam."""
    tensorflow()
    import keras
    from keras import layers

    n_items, n_links = pairs.train.shape
    start = time.perf_counter()
    keras.utils.set_random_seed(seed)
    item, link = (layers.Input((1,), name=name) for name in ("item", "link"))
    tables = (
        layers.Embedding(n_items, WIDTH, name="items"),
        layers.Embedding(n_links, WIDTH, name="links"),
    )
    cosine = layers.Flatten()(
        layers.Dot(axes=2, normalize=True)([tables[0](item), tables[1](link)])
    )
    model = keras.Model([item, link], cosine)
    model.compile("nadam", "mse")
    true = list(zip(*(part.tolist() for part in pairs.train.nonzero())))
    n_steps = max(len(true) // POSITIVES, 1)
    model.fit(
        batches(true, n_items, n_links, seed), steps_per_epoch=n_steps, epochs=epochs, verbose=0
    )
    seconds = time.perf_counter() - start
    units = [np.asarray(table.embeddings) for table in tables]
    units = [unit / np.linalg.norm(unit, axis=1, keepdims=True) for unit in units]
    recall = measure(
        *ranks(Factors(units[0], units[1], np.zeros(n_links, "f4")), pairs.train, pairs.dev),
        n_resamples=0,
    )["recall"]
    return seconds, recall


def train_ours(pairs: Pairs, wanted: float, seed: int = 0) -> tuple[float, float, int]:
    """(seconds, recall@10 of dev, epochs) until an epoch reaches a recall, looking at dev after each."""
    tensorflow()
    log: list[dict[str, Any]] = []

    def after(line: dict[str, Any]) -> None:
        log.append(line)
        if line["recall"] >= wanted:
            raise Reached

    start = time.perf_counter()
    with suppress(Reached):
        train(pairs, Settings(seed=seed), after=after)
    return time.perf_counter() - start, log[-1]["recall"], log[-1]["epoch"]


def compare(pairs: Pairs, repeats: int = REPEATS, epochs: int = EPOCHS) -> Row:
    """One row: median seconds of both sides, each time in a fresh process, in turn."""
    turns = []
    for _ in range(repeats):  # the seed and so the recall stay the same
        theirs, wanted = in_fresh_process(train_peer, pairs, epochs)
        turns.append((theirs, *in_fresh_process(train_ours, pairs, wanted)))
    peer, seconds = (statistics.median(turn[place] for turn in turns) for place in (0, 1))
    *_, recall, needed = turns[-1]
    n_items, n_links = pairs.train.shape
    what = f"train, {n_items:,} items, {n_links:,} links, {pairs.train.nnz:,} pairs, as good as {epochs} epochs"
    note = (
        f"recall@10 {100 * wanted:.1f} after {epochs} epochs; ours {100 * recall:.1f} after {needed}; both with building the model and "
        "tracing its graph, ours with the recall after each epoch, neither with the import of TensorFlow"
    )
    ratio = seconds / peer
    return Row(
        what,
        "s",
        seconds,
        "generator of pairs, Keras fit",
        peer,
        "ratio <= 0.2",
        ratio <= 0.2 and recall >= wanted,
        note,
    )


def run(scale: float) -> list[Row]:
    """Measure on the films as they are, and on more made of them.

    Args:
        scale: 1 for 9,600 items, some minutes; less for fewer copies.
    """
    films, repeats = read_items(ITEMS), REPEATS if scale >= 0.1 else 1
    more = max(1, round(MORE_EPOCHS * min(scale, 1)))
    return [
        compare(made(films), repeats),
        compare(made(films), 1, more),
        compare(made(enlarge(films, max(1, round(COPIES * scale)))), repeats),
    ]
