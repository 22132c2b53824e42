"""Find items that are similar to an item, and the links that they share."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from scripts.movies.folder import Trained
from scripts.movies.pairs import Floats1d, Ints1d
from scripts.nearest import top_k
from scripts.scores import console

MAX_SUGGESTIONS = 3  # titles to suggest for an unknown one
MAX_REASONS = 4  # links to name for an item


@dataclass(frozen=True)
class Neighbour:
    """An item, its score, and links that explain the score."""

    title: str
    score: float
    links: list[str]


def split_titles(text: str) -> list[str]:
    """Titles separated by |, because titles may have commas in them."""
    return [title.strip() for title in text.split("|") if title.strip()]


def rows_of(titles: Sequence[str], names: Sequence[str]) -> Ints1d:
    """The rows of some titles, (n_names,), upper or lower case.

    Args:
        titles: of all items.
        names: the titles to find.

    Raises:
        ValueError: "no item is called ...", with similar titles.
    """
    exact = {title: row for row, title in enumerate(titles)}
    lower: dict[str, int] = {}
    for row, title in enumerate(titles):
        lower.setdefault(title.casefold(), row)
    rows: list[int] = []
    for name in names:
        match = exact.get(name, lower.get(name.casefold()))
        if match is None:
            similar = difflib.get_close_matches(name.casefold(), lower, n=MAX_SUGGESTIONS)
            suggestions = " or ".join(titles[lower[title]] for title in similar)
            hint = f"did you mean {suggestions}?" if similar else "check the title's spelling"
            raise ValueError(f"no item is called {name!r}: {hint}")
        rows.append(match)
    return np.asarray(rows, "i8")


def shared_links(train: sparse.csr_matrix, row: int, other: int) -> Ints1d:
    """Links that two items share in train, (n_shared,), the rarest first."""
    return np.intersect1d(train[row].indices, train[other].indices)[::-1]


def nearest(trained: Trained, row: int, k: int) -> list[Neighbour]:
    """The items nearest to one by cosine, with the rarest links that they share."""
    k = min(k + 1, len(trained.items))
    rows, cosines = top_k(trained.items, trained.items[[row]], k)
    neighbours = []
    for other, cosine in zip(rows[0].tolist(), cosines[0].tolist()):
        if other != row:
            links = shared_links(trained.pairs.train, row, other)[:MAX_REASONS]
            names = [trained.pairs.links[link] for link in links]
            neighbours.append(Neighbour(trained.pairs.titles[other], float(cosine), names))
    return neighbours[: k - 1]


def all_nearest(trained: Trained, k: int) -> list[dict[str, object]]:
    """The nearest items of each item, as lines of JSONL."""
    k = min(k + 1, len(trained.items))
    all_rows, all_cosines = top_k(trained.items, trained.items, k, "neighbours")
    titles = trained.pairs.titles
    lines: list[dict[str, object]] = []
    for row, (rows, cosines) in enumerate(zip(all_rows.tolist(), all_cosines.tolist())):
        pairs = zip(rows, cosines)
        others = [[titles[other], round(cosine, 4)] for other, cosine in pairs if other != row]
        lines.append({"title": titles[row], "neighbours": others[: k - 1]})
    return lines


def best_links(
    links: Ints1d, scores: Floats1d, names: Sequence[str], n: int = MAX_REASONS
) -> list[str]:
    """The names of the links with the highest scores above 0.

    Args:
        links: (n,), columns to choose from.
        scores: (n_links,), of all links.
        names: of all links.
        n: at most.
    """
    order = links[np.argsort(-scores[links], kind="stable")]
    return [names[link] for link in order[:n] if scores[link] > 0]


def print_neighbours(title: str, neighbours: Sequence[Neighbour], score: str, reasons: str) -> None:
    """Print a ranked list.

    Args:
        title: of the table.
        neighbours: best first.
        score: the heading for scores.
        reasons: the heading for links.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table("item", title=Text(title), title_justify="left")
    table.add_column(score, justify="right")
    table.add_column(reasons)
    for neighbour in neighbours:
        table.add_row(neighbour.title, f"{neighbour.score:.2f}", ", ".join(neighbour.links))
    console().print(table, markup=False)
