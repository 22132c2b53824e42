"""Prepare pairs for `spacy train`: split them, and make a Doc of the two texts of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from spacy.language import Language
from spacy.tokens import Doc, SpanGroup

from scripts.components.similarity import KEY
from scripts.files import need
from scripts.reading import why_unreadable
from scripts.similarity.pairs import (
    Pair,
    distinct,
    groups,
    scale,
    score_range,
    split,
    text_keys,
    without,
)

Floats2d = npt.NDArray[np.float64]
TWICE = "pairs that come twice"
IN_TEST = "training pairs with a text of the test pairs"
BETWEEN = "pairs of a test text and another"
MIN_PAIRS = 3  # in each part: a correlation of two is always 1 or -1


@dataclass
class Corpus:
    """Train, dev and test pairs with scores of 0 to 1."""

    parts: dict[str, list[Pair]]
    low: float  # the range of the scores before they were scaled
    high: float
    left_out: dict[str, int] = field(default_factory=dict)  # how many pairs, by reason

    def summary(self) -> dict[str, Any]:
        """Counts of each part, the range, and what was left out."""
        parts = {name: _counts(pairs) for name, pairs in self.parts.items()}
        return {**parts, "range": [self.low, self.high], "left out": self.left_out}


def _counts(pairs: Sequence[Pair]) -> dict[str, Any]:
    mean = float(np.mean([pair.score for pair in pairs]))
    return {
        "pairs": len(pairs),
        "texts": len(text_keys(pairs)),
        "groups": len(set(groups(pairs).values())),
        "mean score": round(mean, 3),
    }


def make_corpus(
    train: Sequence[Pair],
    test: Sequence[Pair],
    *,
    range_option: str,
    dev_share: float,
    test_share: float,
    seed: int,
) -> Corpus:
    """Check, scale and split pairs. Dev pairs are drawn always, test pairs if there are none.

    Args:
        train: training pairs, of which some become dev pairs.
        test: test pairs; may be empty.
        range_option: lowest and highest possible score, such as "0:5", or "found".
        dev_share: share of the training texts for dev.
        test_share: share of the texts for test, if `test` is empty.
        seed: for the draws.

    Raises:
        ValueError: "the training pairs are missing ...", "... got N pairs ...", and what
            `score_range` and `scale` raise.
    """
    if not train:
        raise ValueError("the training pairs are missing: give some by vars.similarity.train")
    low, high = score_range([*train, *test], range_option)
    training, twice = distinct(scale(train, low, high))
    testing, twice_in_test = distinct(scale(test, low, high))
    left_out = {TWICE: twice + twice_in_test, IN_TEST: 0, BETWEEN: 0}
    if testing:
        others = without(training, testing)
        left_out[IN_TEST] = len(training) - len(others)
        training = others
    else:
        training, testing, between = split(training, test_share, seed)
        left_out[BETWEEN] = len(between)
    training, dev, between = split(training, dev_share, seed + 1)
    dev += between  # each has a text that is not in training
    corpus = Corpus({"train": training, "dev": dev, "test": testing}, low, high, left_out)
    for name, pairs in corpus.parts.items():
        _check_part(name, pairs)
    return corpus


def _check_part(name: str, pairs: Sequence[Pair]) -> None:
    enough = len(pairs) >= MIN_PAIRS
    if enough and len({pair.score for pair in pairs}) > 1:
        return
    equal = " with one and the same score" if enough else ""
    share = "test_share" if name == "test" else "dev_share"
    raise ValueError(
        f"{name} got {len(pairs)} pairs{equal}: give more pairs, or another "
        f"vars.similarity.{share} or vars.seed"
    )


def to_doc(pair: Pair, nlp: Language) -> Doc:
    """One Doc of both texts, which are the spans of doc.spans["similarity"].

    The score is in the attrs of that span group.

    Raises:
        ValueError: "a text can't be processed ...".
    """
    for text in (pair.text1, pair.text2):
        if reason := why_unreadable(text, nlp):
            problem = f"a text can't be processed, it is {reason}"
            raise ValueError(f"{problem}: shorten or fix it: {text[:60]!r}")
    first, second = nlp.make_doc(pair.text1), nlp.make_doc(pair.text2)
    doc = Doc.from_docs([first, second], ensure_whitespace=True)
    spans = [doc[: len(first)], doc[len(first) :]]
    doc.spans[KEY] = SpanGroup(doc, name=KEY, attrs={"score": pair.score}, spans=spans)
    return doc


def records(pairs: Iterable[Pair]) -> list[dict[str, Any]]:
    """Pairs as JSONL lines."""
    return [{"text1": pair.text1, "text2": pair.text2, "score": pair.score} for pair in pairs]


def read_lee() -> tuple[list[str], Floats2d]:
    """50 news texts bundled with gensim, and how similar people found them (Lee et al. 2005).

    Returns:
        The texts, and ratings of 0 to 1, (50, 50).
    """
    datapath = need("gensim.test.utils", "vectors").datapath
    with open(datapath("lee.cor"), encoding="latin1") as file:
        texts = [" ".join(line.split()) for line in file if line.strip()]
    half = np.loadtxt(datapath("similarities0-1.txt"))  # the half above the diagonal
    return texts, np.maximum(half, half.T)


def split_lee(
    texts: Sequence[str], ratings: Floats2d, n_test: int, seed: int
) -> tuple[list[Pair], list[Pair]]:
    """Training pairs, and test pairs among `n_test` other texts. Pairs of both are left out.

    Args:
        texts: the texts.
        ratings: how similar they are, (n_texts, n_texts).
        n_test: number of test texts.
        seed: for the draw of the texts.
    """
    order = np.random.default_rng(seed).permutation(len(texts)).tolist()
    train, test = order[n_test:], order[:n_test]
    return _pairs_among(train, texts, ratings), _pairs_among(test, texts, ratings)


def _pairs_among(numbers: list[int], texts: Sequence[str], ratings: Floats2d) -> list[Pair]:
    """All pairs of some texts, each once."""
    pairs = product(numbers, repeat=2)
    return [Pair(texts[a], texts[b], float(ratings[a, b])) for a, b in pairs if a < b]
