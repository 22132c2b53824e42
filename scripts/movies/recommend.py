"""Rank items by likes and dislikes: a linear SVM on the embeddings (Cortes and Vapnik 1995)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from scripts.movies.factors import TOP
from scripts.movies.folder import Trained
from scripts.movies.items import words_of
from scripts.movies.neighbours import Neighbour, best_links
from scripts.movies.pairs import Floats1d, Floats2d, Ints1d
from scripts.scores import percent

N_OTHERS = 100  # random items that serve as dislikes if there are none
PENALTY = 1.0  # C of the SVM
MIN_GROUP = 3  # items of a group to check with
MAX_CHECKS = 500  # items that are left out, one at a time


def direction(items: Floats2d, likes: Ints1d, dislikes: Ints1d, seed: int = 0) -> Floats1d:
    """The direction, (width,), from disliked to liked items.

    Args:
        items: (n_items, width), of length 1.
        likes: (n_likes,), rows.
        dislikes: (n_dislikes,), rows; if there are none, random other items take their place.
        seed: for these.
    """
    from sklearn.svm import LinearSVC

    if not len(dislikes):
        others = np.setdiff1d(np.arange(len(items)), likes)
        dislikes = np.random.default_rng(seed).permutation(others)[:N_OTHERS]
    rows = np.concatenate([likes, dislikes])
    labels = np.arange(len(rows)) < len(likes)
    svm = LinearSVC(C=PENALTY, class_weight="balanced", random_state=seed)
    return np.asarray(svm.fit(items[rows], labels).coef_[0])


def recommend_items(
    trained: Trained, likes: Ints1d, dislikes: Ints1d, k: int, seed: int = 0
) -> list[Neighbour]:
    """The items furthest in the direction of the likes, with their links that are furthest too.

    Args:
        trained: the embeddings.
        likes: (n_likes,), rows.
        dislikes: (n_dislikes,), rows. No liked or disliked item is recommended.
        k: how many.
        seed: for the SVM.

    Raises:
        ValueError: "nothing is liked ...", "... is both liked and disliked ...",
            "nothing to recommend ...".
    """
    titles, links = trained.pairs.titles, trained.pairs.links
    if not len(likes):
        raise ValueError("nothing is liked: name titles, separated by |, by vars.movies.likes")
    if len(both := np.intersect1d(likes, dislikes)):
        raise ValueError(f"{titles[both[0]]} is both liked and disliked: name it once")
    named = np.union1d(likes, dislikes)
    if len(named) >= len(titles):
        raise ValueError("nothing to recommend: all items are named; name fewer")
    to_likes = direction(trained.items, likes, dislikes, seed)
    scores, link_scores = trained.items @ to_likes, trained.links @ to_likes
    scores[named] = -np.inf
    recommended = []
    for row in np.argsort(-scores, kind="stable")[: min(k, len(titles) - len(named))]:
        reasons = best_links(trained.pairs.train[row].indices, link_scores, links)
        recommended.append(Neighbour(titles[row], float(scores[row]), reasons))
    return recommended


def groups_of(values: Sequence[Any]) -> dict[str, Ints1d]:
    """Rows of items that share a value, such as a director, by value.

    A group has at least three items, and at most half of all.
    """
    rows: dict[str, list[int]] = defaultdict(list)
    for row, value in enumerate(values):
        for word in dict.fromkeys(words_of(value)):
            rows[word].append(row)
    groups = {word: np.asarray(group) for word, group in rows.items()}
    limit = len(values) / 2
    return {word: group for word, group in groups.items() if MIN_GROUP <= len(group) <= limit}


def check_groups(trained: Trained, groups: dict[str, Ints1d], seed: int = 0) -> dict[str, Any]:
    """Like all items of a group except one: how often is that one among the first ten?

    Args:
        trained: the embeddings.
        groups: rows of items that belong together, by name.
        seed: for the draw, if there are too many items to try them all.

    Returns:
        recall (of the SVM), popularity (recall of the items with the most links), chance, and the
        number of groups and of items that were left out.
    """
    n_links = np.diff(trained.pairs.train.indptr).astype("f4")
    no_dislikes = np.zeros(0, "i8")
    hits: dict[str, list[float]] = {"recall": [], "popularity": [], "chance": []}
    for likes, missing in _leave_one_out(groups, seed):
        scores = trained.items @ direction(trained.items, likes, no_dislikes, seed)
        hits["recall"].append(_is_in_top(scores, likes, missing))
        hits["popularity"].append(_is_in_top(n_links.copy(), likes, missing))
        hits["chance"].append(min(TOP / (len(n_links) - len(likes)), 1))
    recalls = {name: float(np.mean(values)) for name, values in hits.items()}
    return {**recalls, "groups": len(groups), "items": len(hits["recall"])}


def _leave_one_out(groups: dict[str, Ints1d], seed: int) -> Iterator[tuple[Ints1d, int]]:
    """(the other items of its group, the item that is left out), in random order."""
    cases = []
    for _, group in sorted(groups.items()):
        cases += [
            (np.delete(group, position), int(group[position])) for position in range(len(group))
        ]
    for number in np.random.default_rng(seed).permutation(len(cases))[:MAX_CHECKS]:
        yield cases[number]


def _is_in_top(scores: Floats1d, likes: Ints1d, row: int) -> float:
    """1 if an item is among the first ten by scores, (n_items,), without the likes; else 0."""
    scores[likes] = -np.inf
    better = np.count_nonzero(scores > scores[row])
    same = np.count_nonzero(scores == scores[row]) - 1
    return float(better + same / 2 < TOP)


def print_check(check: dict[str, Any]) -> None:
    """Print how often the item that was left out is among the first ten."""
    items = f"{check['items']} items left out of {check['groups']} groups by {check['group']}"
    svm, popular = percent(check["recall"]), percent(check["popularity"])
    recalls = f"SVM {svm}, popularity {popular}, chance {percent(check['chance'])}"
    print(f"recommend, {items}: among the first {TOP}: {recalls}")
