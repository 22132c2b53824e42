"""What a tower learns from: pairs of a title and a text that belongs to it, and the vocabulary."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from scripts.questions.options import Positives
from scripts.questions.records import Question
from scripts.questions.text import spaced

Floats1d = npt.NDArray[np.float32]
MIN_TEXTS = 2  # a word of the vocabulary is in at least so many texts


@dataclass(frozen=True)
class Pair:
    """A title and a text that belongs to it, as words with a space between them."""

    question: int  # the position of the question
    title: str
    text: str


def make_pairs(questions: Sequence[Question], positives: Positives) -> list[Pair]:
    """The pairs of some questions; what has no word is left out.

    Args:
        questions: to learn from.
        positives: whether bodies, answers or both belong to a title.
    """
    pairs = []
    for number, question in enumerate(questions):
        title = spaced(question.title)
        texts = [spaced(text) for text in _positives(question, positives)]
        pairs += [Pair(number, title, text) for text in texts if title and text]
    return pairs


def _positives(question: Question, positives: Positives) -> Iterator[str]:
    if positives in ("body", "both"):
        yield question.body
    if positives in ("answer", "both"):
        yield from question.answers


def training_texts(pairs: Iterable[Pair], answers: Iterable[str]) -> list[str]:
    """The titles and texts of pairs and the answers, each once."""
    of_pairs = chain.from_iterable((pair.title, pair.text) for pair in pairs)
    return list(dict.fromkeys(chain(of_pairs, map(spaced, answers))))


def choose_words(texts: Sequence[str], max_words: int) -> tuple[list[str], Floats1d]:
    """The words that are in the most texts, and their idf, (n_words,).

    Raises:
        ValueError: "no word ...".
    """
    counts = Counter(chain.from_iterable(set(text.split()) for text in texts))
    frequent = [word for word, count in counts.items() if count >= MIN_TEXTS]
    chosen = sorted(frequent, key=lambda word: (-counts[word], word))[:max_words]
    if not chosen:
        raise ValueError(
            f"no word is in {MIN_TEXTS} texts of the training questions: take a larger dump"
        )
    return chosen, np.log(1 + len(texts) / np.array([counts[word] for word in chosen], "f4"))
