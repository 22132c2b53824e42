"""From likes and dislikes to a ranked list: a linear SVM on the embeddings (Cortes and Vapnik 1995)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.svm import LinearSVC

from scripts.movies.folder import Trained
from scripts.movies.items import words_of
from scripts.movies.neighbours import Neighbour, best_links
from scripts.movies.pairs import Floats1d, Floats2d, Ints1d
from scripts.scores import percent

OTHERS = 100  # items that stand for dislikes where none are given
STRENGTH = 1.0  # C of the SVM
SMALLEST, MOST_CHECKS = (
    3,
    500,
)  # items of a group that is checked; items that are left out, one at a time
TOP = 10


def direction(items: Floats2d, likes: Ints1d, dislikes: Ints1d, seed: int = 0) -> Floats1d:
    """(width,): what tells liked items from disliked ones; from a sample of all others where there are no dislikes.

    Args:
        items: (n_items, width), of length 1.
        likes: rows.
        dislikes: rows; none are needed.
        seed: for the sample.
    """
    if not len(dislikes):
        others = np.setdiff1d(np.arange(len(items)), likes)
        dislikes = np.random.default_rng(seed).permutation(others)[:OTHERS]
    rows = np.concatenate([likes, dislikes])
    svm = LinearSVC(C=STRENGTH, class_weight="balanced", random_state=seed)
    found: Floats1d = svm.fit(items[rows], np.arange(len(rows)) < len(likes)).coef_[0]
    return found


def recommend(
    trained: Trained, likes: Ints1d, dislikes: Ints1d, k: int, seed: int = 0
) -> list[Neighbour]:
    """The items furthest on the liked side, none of them named, with those of their links that are furthest there too.

    Raises:
        ValueError: "... both liked and disliked", "nothing to recommend ...".
    """
    titles, both = trained.pairs.titles, np.intersect1d(likes, dislikes)
    if not len(likes):
        raise ValueError("nothing is liked: vars.movies.likes takes titles, apart by |")
    if len(both):
        raise ValueError(f"{titles[both[0]]} is both liked and disliked: name it once")
    if len(np.union1d(likes, dislikes)) >= len(titles):
        raise ValueError("nothing to recommend: all items are named")
    way = direction(trained.items, likes, dislikes, seed)
    scores, of_links = trained.items @ way, trained.links @ way
    scores[np.concatenate([likes, dislikes])] = -np.inf
    rows = np.argsort(-scores, kind="stable")[
        : min(k, len(titles) - len(np.union1d(likes, dislikes)))
    ]
    train = trained.pairs.train
    return [
        Neighbour(
            titles[row],
            float(scores[row]),
            best_links(train[row].indices, of_links, trained.pairs.links),
        )
        for row in rows
    ]


def groups_of(values: Sequence[Any]) -> dict[str, Ints1d]:
    """Items that share a value, such as a director: at least three, and no more than half of all. {value: rows}."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, value in enumerate(values):
        for word in dict.fromkeys(words_of(value)):
            rows[word].append(row)
    return {
        word: np.asarray(own)
        for word, own in rows.items()
        if SMALLEST <= len(own) <= len(values) / 2
    }


def _left_out(groups: dict[str, Ints1d], seed: int) -> Iterator[tuple[Ints1d, int]]:
    """(the others of its group, the item that is left out), in an order by chance."""
    all_of = [(group, place) for _, group in sorted(groups.items()) for place in range(len(group))]
    for number in np.random.default_rng(seed).permutation(len(all_of))[:MOST_CHECKS]:
        group, place = all_of[number]
        yield np.delete(group, place), int(group[place])


def check(trained: Trained, groups: dict[str, Ints1d], seed: int = 0) -> dict[str, Any]:
    """Like all of a group but one: how often is that one among the first ten?

    Args:
        trained: the embeddings.
        groups: rows of items that belong together.
        seed: for the draw, where there are too many.

    Returns:
        recall of the SVM, of popularity (the items with the most links), and of chance; groups and items: how many were looked at.
    """
    lengths = np.diff(trained.pairs.train.indptr).astype("f4")
    hits: dict[str, list[float]] = {"recall": [], "popularity": [], "chance": []}
    for likes, missing in _left_out(groups, seed):
        scores = {
            "recall": trained.items @ direction(trained.items, likes, np.zeros(0, "i8"), seed),
            "popularity": lengths.copy(),
        }
        for name, of_items in scores.items():
            of_items[likes] = -np.inf
            better = (
                np.count_nonzero(of_items > of_items[missing])
                + (np.count_nonzero(of_items == of_items[missing]) - 1) / 2
            )
            hits[name].append(float(better < TOP))
        hits["chance"].append(min(TOP / (len(lengths) - len(likes)), 1))
    return {
        **{name: float(np.mean(found)) for name, found in hits.items()},
        "groups": len(groups),
        "items": len(hits["recall"]),
    }


def print_check(told: dict[str, Any]) -> None:
    """Print how often the item that was left out is among the first ten."""
    figures = ", ".join(
        f"{name} {percent(told[key])}"
        for name, key in (("SVM", "recall"), ("popularity", "popularity"), ("chance", "chance"))
    )
    print(
        f"recommend, {told['items']} items left out of {told['groups']} groups by {told['group']}: among the first {TOP}: {figures}"
    )
