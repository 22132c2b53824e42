"""Pairs in, what `spacy train` reads out: Docs of two texts each; and the human ratings of news that gensim carries, as pairs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, SpanGroup

from scripts.components.similarity import KEY
from scripts.files import need
from scripts.reading import why_unreadable
from scripts.similarity.pairs import Pair, components, distinct, scale, score_range, split, without

TWICE = "pairs that come twice"
IN_TEST = "training pairs with a text of the test pairs"
BETWEEN = "pairs of a test text and another"
FEWEST = 3  # pairs in each part: a correlation of two is always 1 or -1


@dataclass
class Corpus:
    """The parts, with scores of 0 to 1; what was left out and why; the range that the scores had."""

    parts: dict[str, list[Pair]]
    low: float
    high: float
    left_out: dict[str, int] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Counts, for people and for a file."""
        parts = {
            name: {
                "pairs": len(pairs),
                "texts": len({key for pair in pairs for key in pair.keys}),
                "groups": len(set(components(pairs).values())),
                "mean score": round(float(np.mean([pair.score for pair in pairs])), 3),
            }
            for name, pairs in self.parts.items()
        }
        return {**parts, "range": [self.low, self.high], "left out": self.left_out}


def make(
    train: Sequence[Pair],
    test: Sequence[Pair],
    *,
    given_range: str,
    dev_share: float,
    test_share: float,
    seed: int,
) -> Corpus:
    """Check and scale pairs, and split them; test pairs are drawn where there are none, dev pairs always.

    Args:
        train: pairs to train on and to choose by.
        test: pairs to score by; may be empty.
        given_range: lowest and highest possible score, as "0:5", or "found".
        dev_share: share of the training texts to choose by.
        test_share: share of the texts to score by, where `test` is empty.
        seed: for the draws.

    Raises:
        ValueError: "there is no pair ...", "all scores are the same ...", "... got N pairs ...", and what `scale` raises.
    """
    if not train:
        raise ValueError("there is no pair to train on: give some by vars.similarity.train")
    low, high = score_range([*train, *test], given_range)
    (training, twice), (testing, twice_in_test) = (
        distinct(scale(pairs, low, high)) for pairs in (train, test)
    )
    left_out = {TWICE: twice + twice_in_test, IN_TEST: 0, BETWEEN: 0}
    if testing:
        left_out[IN_TEST] = len(training) - len(training := without(training, testing))
    else:
        training, testing, between = split(training, test_share, seed)
        left_out[BETWEEN] = len(between)
    training, dev, between = split(training, dev_share, seed + 1)
    dev += between  # each with a text that does not train
    parts = {"train": training, "dev": dev, "test": testing}
    for name, pairs in parts.items():
        if len(pairs) < FEWEST or len({pair.score for pair in pairs}) == 1:
            what = f"{name} got {len(pairs)} pairs" + (
                " with one and the same score" if len(pairs) >= FEWEST else ""
            )
            raise ValueError(
                f"{what}: give more pairs, or another vars.similarity.{'test' if name == 'test' else 'dev'}_share or seed"
            )
    return Corpus(parts, low, high, left_out)


def to_doc(pair: Pair, nlp: Language) -> Doc:
    """One Doc of both texts, which are the spans of doc.spans["similarity"]; the score is in that group's attrs.

    Raises:
        ValueError: "a text can't be processed ...".
    """
    for text in (pair.text1, pair.text2):
        if why := why_unreadable(text, nlp):
            raise ValueError(
                f"a text can't be processed, it is {why}: shorten or mend it: {text[:60]!r}"
            )
    first, second = (nlp.make_doc(text) for text in (pair.text1, pair.text2))
    doc = Doc.from_docs([first, second], ensure_whitespace=True)
    doc.spans[KEY] = SpanGroup(
        doc, name=KEY, attrs={"score": pair.score}, spans=[doc[: len(first)], doc[len(first) :]]
    )
    return doc


def records(pairs: Iterable[Pair]) -> list[dict[str, Any]]:
    """Pairs as JSONL lines."""
    return [{"text1": pair.text1, "text2": pair.text2, "score": pair.score} for pair in pairs]


def read_lee() -> tuple[list[str], Any]:
    """50 news texts and how alike people found them, (50, 50), 0 to 1 (Lee, Pincombe & Welsh 2005), from gensim's package."""
    datapath = need("gensim.test.utils", "vectors").datapath
    with open(datapath("lee.cor"), encoding="latin1") as file:
        texts = [" ".join(line.split()) for line in file if line.strip()]
    half = np.loadtxt(datapath("similarities0-1.txt"))  # the half above the diagonal
    return texts, np.maximum(half, half.T)


def split_lee(
    texts: Sequence[str], ratings: Any, n_test: int, seed: int
) -> tuple[list[Pair], list[Pair]]:
    """Pairs among some of the texts, and pairs among `n_test` others. Ratings of one of these with one of those are left out.

    Args:
        texts: the texts.
        ratings: how alike they are, (n_texts, n_texts).
        n_test: texts to score by.
        seed: for the draw of the texts.
    """
    order = np.random.default_rng(seed).permutation(len(texts))
    parts = [
        [Pair(texts[a], texts[b], float(ratings[a, b])) for a in some for b in some if a < b]
        for some in (order[n_test:], order[:n_test])
    ]
    return parts[0], parts[1]
