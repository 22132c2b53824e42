"""Settings of the workflow. It imports nothing heavy: `--help` needs it."""

from dataclasses import dataclass
from typing import Literal

Positives = Literal["body", "answer", "both"]  # the texts that belong to a title


@dataclass(frozen=True)
class TowerSettings:
    """How to train the two towers."""

    positives: Positives = "both"
    start: str = "lsa"  # first embeddings: lsa, random, or a pipeline or folder with word vectors
    vocabulary: int = 20_000  # at most so many words
    width: int = 64  # of the vectors
    text_words: int = 120  # only the first words of a body or an answer are used
    temperature: float = 0.05  # of the softmax over a batch
    dropout: float = 0.2  # share of the words of a text that training leaves out at random
    learn_rate: float = 0.001
    batch_size: int = 64
    epochs: int = 20
    seed: int = 0


@dataclass(frozen=True)
class MatchSettings:
    """How to match, chosen on train and dev: the settings of BM25 and the weights of the scores."""

    k1: float
    b: float
    stop: bool  # leave stop words out
    bm25: float  # the weights of the three scores; their sum is 1
    letters: float
    tower: float
