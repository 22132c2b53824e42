"""Which texts share words, or groups of letters, with a query: tf-idf and BM25 as an inverted index of plain arrays."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import srsly

from scripts.questions.text import words

Floats1d = npt.NDArray[np.float32]
Floats2d = npt.NDArray[np.float32]
LETTERS = (3, 4, 5)  # lengths of the groups of letters
ARRAYS = ("starts", "rows", "values", "factors")


def terms_of(kind: str, stop: frozenset[str]) -> Callable[[str], list[str]]:
    """What cuts a text into terms: "words", "pairs" (words, and pairs of neighbours) or "letters" (3 to 5 of a word with its ends).

    Stop words don't count, but for "letters" they do.
    """

    def cut(text: str) -> list[str]:
        if kind == "letters":
            return [
                f" {word} "[i : i + n]
                for word in words(text)
                for n in LETTERS
                for i in range(max(1, len(word) + 3 - n))
            ]
        found = [word for word in words(text) if word not in stop]
        return found + [f"{a} {b}" for a, b in pairwise(found)] if kind == "pairs" else found

    return cut


@dataclass(frozen=True)
class Setting:
    """What to match by, chosen on questions that were not held out: BM25's settings and the weights of the three scores."""

    k1: float
    b: float
    stop: bool  # leave stop words out
    bm25: float  # weights; their sum is 1
    letters: float
    tower: float


@dataclass(frozen=True)
class Index:
    """An inverted index: for each term the texts that have it, with the weight of the term in each."""

    kind: str  # see `terms_of`
    stop: frozenset[str]
    cosine: bool  # tf-idf: the query is scaled to length 1; else (BM25) by the most that a text could score, so that scores are 0 to 1
    n: int  # texts
    places: dict[str, int]  # the number of each term
    starts: npt.NDArray[np.int64]  # (n_terms + 1,): where the texts of a term begin in `rows`
    rows: npt.NDArray[np.int32]  # (n_entries,)
    values: Floats1d  # (n_entries,)
    factors: Floats1d  # (n_terms,): the weight of a term in a query

    def scores(self, query: str) -> Floats1d:
        """How well each text fits a query, (n,), 0 to 1; 0 for all where no term is known."""
        counts = Counter(
            self.places[term]
            for term in terms_of(self.kind, self.stop)(query)
            if term in self.places
        )
        found = np.zeros(self.n, "f4")
        if not counts:
            return found
        numbers, times = np.array(list(counts)), np.array(list(counts.values()), "f4")
        weights = self.factors[numbers] * ((1 + np.log(times)) if self.cosine else times)
        weights /= np.linalg.norm(weights) if self.cosine else weights.sum()
        for number, weight in zip(numbers, weights):
            some = slice(self.starts[number], self.starts[number + 1])
            found[self.rows[some]] += weight * self.values[some]
        return found

    def write(self, folder: Path) -> None:
        """Write the index into a folder: arrays as .npy, the rest as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        about = {
            "kind": self.kind,
            "cosine": self.cosine,
            "n": self.n,
            "stop": sorted(self.stop),
            "terms": list(self.places),
        }
        srsly.write_json(folder / "terms.json", about)

    @classmethod
    def read(cls, folder: Path) -> "Index":
        """Read what `write` wrote; the arrays are mapped, not read."""
        about: dict[str, Any] = srsly.read_json(folder / "terms.json")  # type: ignore[assignment]
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ARRAYS
        }
        places = {term: number for number, term in enumerate(about["terms"])}
        return cls(
            about["kind"], frozenset(about["stop"]), about["cosine"], about["n"], places, **arrays
        )


def _count(
    texts: Iterable[str], cut: Callable[[str], list[str]]
) -> tuple[dict[str, int], list[Any], Any]:
    """The terms of texts; for each entry term, row and count, sorted by term; and the length of each text in terms."""
    places: dict[str, int] = {}
    numbers, rows, counts, lengths = array("q"), array("i"), array("f"), array("f")
    for row, text in enumerate(texts):
        found = Counter(cut(text))
        lengths.append(found.total())
        numbers.extend(places.setdefault(term, len(places)) for term in found)
        rows.extend([row] * len(found))
        counts.extend(found.values())
    as_arrays = (
        [np.frombuffer(column, column.typecode) for column in (numbers, rows, counts)]
        if numbers
        else [np.zeros(0, "i4")] * 3
    )
    order = np.argsort(as_arrays[0], kind="stable")
    return places, [column[order] for column in as_arrays], np.array(lengths)


def _index(
    kind: str,
    stop: frozenset[str],
    cosine: bool,
    places: dict[str, int],
    numbers: Any,
    rows: Any,
    values: Any,
    factors: Any,
    n: int,
) -> Index:
    starts = np.searchsorted(numbers, np.arange(len(places) + 1)).astype("i8")
    return Index(
        kind,
        stop,
        cosine,
        n,
        places,
        starts,
        rows,
        np.asarray(values, "f4"),
        np.asarray(factors, "f4"),
    )


def tf_idf(texts: Sequence[str], kind: str = "words", stop: frozenset[str] = frozenset()) -> Index:
    """Cosines of tf-idf, with 1 + log(tf) and smoothed idf as scikit-learn has them (sublinear_tf, smooth_idf)."""
    places, (numbers, rows, counts), _ = _count(texts, terms_of(kind, stop))
    idf = np.log((1 + len(texts)) / (1 + np.bincount(numbers, minlength=len(places)))) + 1
    values = (1 + np.log(counts)) * idf[numbers]
    lengths = np.sqrt(np.bincount(rows, values**2, minlength=len(texts)))
    return _index(kind, stop, True, places, numbers, rows, values / lengths[rows], idf, len(texts))


def bm25(
    texts: Sequence[str], k1: float = 1.5, b: float = 0.75, stop: frozenset[str] = frozenset()
) -> Index:
    """BM25 with the idf that Lucene uses, which is never negative (Robertson and Zaragoza 2009; k1 and b as there)."""
    places, (numbers, rows, counts), lengths = _count(texts, terms_of("words", stop))
    df = np.bincount(numbers, minlength=len(places))
    idf = np.log(1 + (len(texts) - df + 0.5) / (df + 0.5))
    saturation = counts / (
        counts + k1 * (1 - b + b * lengths[rows] * len(texts) / max(1, lengths.sum()))
    )
    return _index("words", stop, False, places, numbers, rows, saturation, idf, len(texts))
