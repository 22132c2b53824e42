"""Texts that share words, or groups of letters, with a query: tf-idf and BM25.

scikit-learn and bm25s weigh the terms. Their weights are kept as an inverted index of plain arrays,
so that a search needs numpy alone.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import srsly

from scripts.files import need
from scripts.questions.text import words

Floats1d = npt.NDArray[np.float32]
NGRAM_LENGTHS = (3, 4, 5)
ARRAYS = ("starts", "rows", "values", "factors")


def terms_of(kind: str, stop: frozenset[str]) -> Callable[[str], list[str]]:
    """A function that splits a text into terms.

    Args:
        kind: "words", "pairs" (words, and pairs of neighbouring words) or "letters" (groups of 3 to
            5 letters of a word with a space at each end).
        stop: words to leave out; "letters" keeps them.
    """

    def split_words(text: str) -> list[str]:
        return [word for word in words(text) if word not in stop]

    def split_pairs(text: str) -> list[str]:
        kept = split_words(text)
        return kept + [f"{first} {second}" for first, second in pairwise(kept)]

    def split_letters(text: str) -> list[str]:
        return list(chain.from_iterable(_ngrams(f" {word} ") for word in words(text)))

    return {"words": split_words, "pairs": split_pairs, "letters": split_letters}[kind]


def _ngrams(word: str) -> list[str]:
    """The groups of 3, 4 and 5 characters; a word that is too short for a length counts whole."""
    ngrams = []
    for length in NGRAM_LENGTHS:
        ngrams += [word[i : i + length] for i in range(max(1, len(word) - length + 1))]
    return ngrams


@dataclass(frozen=True)
class Index:
    """An inverted index: for each term the texts that have it, with the term's weight in each."""

    kind: str  # see `terms_of`
    stop: frozenset[str]
    cosine: bool  # True for tf-idf, False for BM25: how the weights of a query are scaled
    n: int  # texts
    numbers: dict[str, int]  # the number of each term
    starts: npt.NDArray[np.int64]  # (n_terms + 1,): where the texts of a term begin in `rows`
    rows: npt.NDArray[np.int32]  # (n_entries,): the texts
    values: Floats1d  # (n_entries,): the term's weight in each
    factors: Floats1d  # (n_terms,): the weight of a term in a query

    def scores(self, query: str) -> Floats1d:
        """How well each text matches a query, (n,), 0 to 1; all 0 if no term is known."""
        scores = np.zeros(self.n, "f4")
        for number, weight in self._query_weights(query):
            entries = slice(self.starts[number], self.starts[number + 1])
            scores[self.rows[entries]] += weight * self.values[entries]
        return scores

    def _query_weights(self, query: str) -> Iterable[tuple[int, np.float32]]:
        """(number of a term, its weight) for the known terms of a query.

        The weights of tf-idf have length 1, which makes scores cosines. Those of BM25 have sum 1,
        which divides scores by the highest that a text could have.
        """
        terms = terms_of(self.kind, self.stop)(query)
        counts = Counter(self.numbers[term] for term in terms if term in self.numbers)
        if not counts:
            return ()
        numbers, times = np.array(list(counts)), np.array(list(counts.values()), "f4")
        weights = self.factors[numbers] * ((1 + np.log(times)) if self.cosine else times)
        weights /= np.linalg.norm(weights) if self.cosine else weights.sum()
        return zip(numbers, weights)

    def write(self, folder: Path) -> None:
        """Write the index into a folder: arrays as .npy, the rest as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        settings = {"kind": self.kind, "cosine": self.cosine, "n": self.n}
        lists = {"stop": sorted(self.stop), "terms": list(self.numbers)}
        srsly.write_json(folder / "terms.json", {**settings, **lists})

    @classmethod
    def read(cls, folder: Path) -> "Index":
        """Read what `write` wrote; the arrays are memory-mapped."""
        content: Any = srsly.read_json(folder / "terms.json")
        arrays = {}
        for name in ARRAYS:
            arrays[name] = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        stop, numbers = frozenset(content["stop"]), _numbered(content["terms"])
        return cls(content["kind"], stop, content["cosine"], content["n"], numbers, **arrays)


def _numbered(terms: Iterable[str]) -> dict[str, int]:
    return {term: number for number, term in enumerate(terms)}


def tf_idf(texts: Sequence[str], kind: str = "words", stop: frozenset[str] = frozenset()) -> Index:
    """tf-idf with 1 + log(tf) and smoothed idf, by scikit-learn; scores are cosines.

    Args:
        texts: to search.
        kind: of the terms, see `terms_of`.
        stop: words to leave out.
    """
    split = terms_of(kind, stop)
    if not any(map(split, texts)):
        return _empty_index(kind, stop, True, len(texts))
    text = need("sklearn.feature_extraction.text", "questions")
    vectorizer = text.TfidfVectorizer(analyzer=split, sublinear_tf=True)
    weights = vectorizer.fit_transform(texts).tocsc()
    weights.sort_indices()
    return Index(
        kind,
        stop,
        cosine=True,
        n=len(texts),
        numbers=_numbered(vectorizer.get_feature_names_out().tolist()),
        starts=weights.indptr.astype("i8"),
        rows=weights.indices.astype("i4"),
        values=weights.data.astype("f4"),
        factors=vectorizer.idf_.astype("f4"),
    )


def bm25(
    texts: Sequence[str], k1: float = 1.5, b: float = 0.75, stop: frozenset[str] = frozenset()
) -> Index:
    """BM25 over words by bm25s, with Lucene's idf, which is never negative.

    Args:
        texts: to search.
        k1: how much the repetition of a word counts (Robertson and Zaragoza 2009).
        b: how much the length of a text counts.
        stop: words to leave out.
    """
    split = terms_of("words", stop)
    if not any(map(split, texts)):
        return _empty_index("words", stop, False, len(texts))
    bm25s = need("bm25s", "questions")
    tokenizer = bm25s.tokenization.Tokenizer(lower=False, splitter=split, stopwords=None)
    options = {"show_progress": False, "allow_empty": False}
    tokens = tokenizer.tokenize(texts, return_as="tuple", **options)
    model = bm25s.BM25(k1=k1, b=b, method="lucene", dtype="float64")
    model.index(tokens, create_empty_token=False, show_progress=False)
    starts, weights = model.scores["indptr"], model.scores["data"]
    frequencies = np.diff(starts)
    idf = np.log(1 + (len(texts) - frequencies + 0.5) / (frequencies + 0.5))
    return Index(
        "words",
        stop,
        cosine=False,
        n=len(texts),
        numbers=tokens.vocab,
        starts=starts.astype("i8"),
        rows=model.scores["indices"].astype("i4"),
        values=(weights / np.repeat(idf, frequencies)).astype("f4"),  # idf is in the query
        factors=idf.astype("f4"),
    )


def _empty_index(kind: str, stop: frozenset[str], cosine: bool, n: int) -> Index:
    """The index of texts without a term, which the libraries refuse."""
    rows, values = np.zeros(0, "i4"), np.zeros(0, "f4")
    return Index(kind, stop, cosine, n, {}, np.zeros(1, "i8"), rows, values, values)
