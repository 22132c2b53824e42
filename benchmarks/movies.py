"""Timings of the workflow `movies`: its training compared with single pairs and Keras' fit."""

import random
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Row, in_fresh_process
from scripts.keras_models import load_keras, tensorflow
from scripts.movies.factors import Factors, measure, ranks
from scripts.movies.items import Item, read_items
from scripts.movies.options import Settings
from scripts.movies.pairs import Pairs, split, to_matrix
from scripts.movies.train import train_embeddings

ITEMS = Path("assets/movies/films.jsonl")
N_COPIES = 40  # of the films: 9,600 items
KEPT_SHARE = 0.7  # of the links of a film; each copy keeps others
MIN_SHARED = 10  # links on fewer films are renamed in the copies: people change, genres stay
COPIES_TOGETHER = 4  # so many copies in a row use the same new name
SHARE = 0.1
REPEATS = 3
WIDTH, POSITIVES, NEGATIVES = 50, 512, 10  # settings of the peer
EPOCHS, MORE_EPOCHS = 5, 100
MAX_RATIO = 0.2


class Reached(Exception):
    """The recall of the peer is reached."""


def enlarge(items: list[Item], n_copies: int, seed: int = 0) -> list[Item]:
    """Copies of items that share frequent links with all others, and rare ones with a few."""
    chance = np.random.default_rng(seed)
    counts = Counter(chain.from_iterable(item.links for item in items))
    copies = []
    for copy in range(n_copies):
        suffix = f" ({copy // COPIES_TOGETHER})"
        for item in items:
            kept = chance.random(len(item.links)) < KEPT_SHARE
            links = [link for link, keep in zip(item.links, kept) if keep]
            renamed = [link if counts[link] >= MIN_SHARED else link + suffix for link in links]
            copies.append(Item(f"{item.title} ({copy})", tuple(renamed), {}))
    return copies


def to_pairs(items: list[Item], seed: int = 0) -> Pairs:
    """The pairs that both sides are trained and scored with."""
    return split(*to_matrix(items, 2, Counter()), SHARE, seed)


def batches(
    pairs: list[tuple[int, int]], n_items: int, n_links: int, seed: int
) -> Iterator[tuple[dict[str, Any], Any]]:
    """What one would write otherwise: true pairs drawn one by one, each with ten false ones."""
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


def peer_model(n_items: int, n_links: int) -> Any:
    """Two embeddings and their cosine, trained with mean squared error and Nadam."""
    keras = load_keras()
    layers = keras.layers
    item, link = layers.Input((1,), name="item"), layers.Input((1,), name="link")
    items = layers.Embedding(n_items, WIDTH, name="items")(item)
    links = layers.Embedding(n_links, WIDTH, name="links")(link)
    cosine = layers.Flatten()(layers.Dot(axes=2, normalize=True)([items, links]))
    model = keras.Model([item, link], cosine)
    model.compile("nadam", "mse")
    return model


def train_peer(pairs: Pairs, epochs: int, seed: int = 0) -> tuple[float, float]:
    """(seconds, recall@10 of dev) of the peer's model on the peer's generator."""
    keras = load_keras()
    n_items, n_links = pairs.train.shape
    start = time.perf_counter()
    keras.utils.set_random_seed(seed)
    model = peer_model(n_items, n_links)
    rows, columns = pairs.train.nonzero()
    true = list(zip(rows.tolist(), columns.tolist()))
    n_steps = max(len(true) // POSITIVES, 1)
    generator = batches(true, n_items, n_links, seed)
    model.fit(generator, steps_per_epoch=n_steps, epochs=epochs, verbose=0)
    seconds = time.perf_counter() - start
    items, links = _directions(model, "items"), _directions(model, "links")
    factors = Factors(items, links, np.zeros(n_links, "f4"))
    dev = measure(*ranks(factors, pairs.train, pairs.dev), n_resamples=0)
    return seconds, dev["recall"]


def _directions(model: Any, name: str) -> Any:
    """The embeddings of a layer with length 1, (n_rows, width)."""
    rows = np.asarray(model.get_layer(name).embeddings)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def train_ours(pairs: Pairs, peer_recall: float, seed: int = 0) -> tuple[float, float, int]:
    """(seconds, recall@10 of dev, epochs) until a recall is reached; dev is scored each epoch."""
    tensorflow()
    log: list[dict[str, Any]] = []

    def after_epoch(line: dict[str, Any]) -> None:
        log.append(line)
        if line["recall"] >= peer_recall:
            raise Reached

    start = time.perf_counter()
    with suppress(Reached):
        train_embeddings(pairs, Settings(seed=seed), after_epoch=after_epoch)
    return time.perf_counter() - start, log[-1]["recall"], log[-1]["epoch"]


def compare(pairs: Pairs, repeats: int = REPEATS, epochs: int = EPOCHS) -> Row:
    """One row: median seconds of both sides in turn, each time in a fresh process.

    The seed, and so the recall, is the same each time.
    """
    peer_times, times = [], []
    for _ in range(repeats):
        peer_seconds, peer_recall = in_fresh_process(train_peer, pairs, epochs)
        seconds, recall, epochs_needed = in_fresh_process(train_ours, pairs, peer_recall)
        peer_times.append(peer_seconds)
        times.append(seconds)
    seconds, peer_seconds = statistics.median(times), statistics.median(peer_times)
    n_items, n_links = pairs.train.shape
    size = f"{n_items:,} items, {n_links:,} links, {pairs.train.nnz:,} pairs"
    recalls = (
        f"recall@10 {100 * peer_recall:.1f} after {epochs} epochs; "
        f"ours {100 * recall:.1f} after {epochs_needed}"
    )
    timed = (
        "both with building the model and tracing its graph, ours with the recall after each "
        "epoch, neither with the import of TensorFlow"
    )
    return Row(
        what=f"train, {size}, as good as {epochs} epochs",
        unit="s",
        ours=seconds,
        peer_name="generator of pairs, Keras fit",
        peer=peer_seconds,
        to_reach=f"ratio <= {MAX_RATIO}",
        reached=seconds / peer_seconds <= MAX_RATIO and recall >= peer_recall,
        note=f"{recalls}; {timed}",
    )


def run(scale: float) -> list[Row]:
    """Measure on the films as they are, and on altered copies of them.

    Args:
        scale: 1 for 9,600 items, which takes minutes; less for fewer copies.
    """
    films, repeats = read_items(ITEMS), REPEATS if scale >= 0.1 else 1
    epochs = max(1, round(MORE_EPOCHS * min(scale, 1)))
    copies = enlarge(films, max(1, round(N_COPIES * scale)))
    return [
        compare(to_pairs(films), repeats),
        compare(to_pairs(films), 1, epochs),
        compare(to_pairs(copies), repeats),
    ]
