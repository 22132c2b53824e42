"""Items that are like an item, and why."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table
from rich.text import Text
from scipy import sparse

from scripts.movies.folder import Trained
from scripts.movies.pairs import Floats1d, Ints1d
from scripts.nearest import top_k
from scripts.scores import console

ALIKE = 3  # titles to name where one is unknown
REASONS = 4  # links to name for an item


@dataclass(frozen=True)
class Neighbour:
    """An item, how near it is, and links that say why."""

    title: str
    score: float
    links: list[str]


def split_titles(text: str) -> list[str]:
    """Titles that are apart by |, as titles have commas in them."""
    return [title.strip() for title in text.split("|") if title.strip()]


def rows_of(titles: Sequence[str], wanted: Sequence[str]) -> Ints1d:
    """The rows of titles, in any case.

    Raises:
        ValueError: "no item is called ...", with titles that are spelt alike.
    """
    exact = {title: row for row, title in enumerate(titles)}
    lower = {title.casefold(): row for row, title in reversed(list(enumerate(titles)))}
    found = []
    for title in wanted:
        row = exact.get(title, lower.get(title.casefold()))
        if row is None:
            alike = [
                titles[lower[name]]
                for name in difflib.get_close_matches(title.casefold(), list(lower), n=ALIKE)
            ]
            hint = (
                f": did you mean {' or '.join(alike)}?"
                if alike
                else ": it has no links that were trained on, or is spelt otherwise"
            )
            raise ValueError(f"no item is called {title!r}{hint}")
        found.append(row)
    return np.asarray(found, "i8")


def shared_links(train: sparse.csr_matrix, one: int, other: int) -> Ints1d:
    """Links that two items have in training, the rarest first."""
    found: Ints1d = np.intersect1d(train[one].indices, train[other].indices)[::-1]
    return found


def nearest(trained: Trained, row: int, k: int) -> list[Neighbour]:
    """The items nearest to one by cosine, with the rarest links that both have."""
    k = min(k + 1, len(trained.items))
    rows, cosines = top_k(trained.items, trained.items[[row]], k)
    names = trained.pairs.links
    return [
        Neighbour(
            trained.pairs.titles[other],
            float(cosine),
            [names[link] for link in shared_links(trained.pairs.train, row, other)[:REASONS]],
        )
        for other, cosine in zip(rows[0].tolist(), cosines[0].tolist())
        if other != row
    ][: k - 1]


def all_nearest(trained: Trained, k: int) -> list[dict[str, object]]:
    """For each item the nearest ones, as lines of JSONL."""
    k = min(k + 1, len(trained.items))
    rows, cosines = top_k(trained.items, trained.items, k, "neighbours")
    titles = trained.pairs.titles
    return [
        {
            "title": title,
            "neighbours": [
                [titles[other], round(cosine, 4)]
                for other, cosine in zip(others, near)
                if other != row
            ][: k - 1],
        }
        for row, (title, others, near) in enumerate(zip(titles, rows.tolist(), cosines.tolist()))
    ]


def best_links(
    links: Ints1d, scores: Floats1d, names: Sequence[str], n: int = REASONS
) -> list[str]:
    """Of some links the names of those with the highest scores, (n_links,), above 0."""
    order = links[np.argsort(-scores[links], kind="stable")]
    return [names[link] for link in order[:n] if scores[link] > 0]


def print_neighbours(title: str, found: Sequence[Neighbour], score: str, links: str) -> None:
    """Print a ranked list."""
    table = Table(title=Text(title), title_justify="left")
    table.add_column("item")
    table.add_column(score, justify="right")
    table.add_column(links)
    for neighbour in found:
        table.add_row(neighbour.title, f"{neighbour.score:.2f}", ", ".join(neighbour.links))
    console().print(table, markup=False)
