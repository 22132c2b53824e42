"""Values and defaults of options. This module imports nothing heavy, because `--help` needs it."""

from dataclasses import dataclass
from typing import Literal

Attr = Literal["ORTH", "LOWER"]  # what a token's vector is looked up by
Kind = Literal["texts", "sessions"]  # what vectors are trained on
Algorithm = Literal["skip-gram", "cbow"]


@dataclass(frozen=True)
class Settings:
    """Settings of gensim's Word2Vec, with the names that gensim gives them."""

    algorithm: Algorithm = "skip-gram"
    vector_size: int = 100
    window: int = 10
    negative: int = 5
    min_count: int = 3
    epochs: int = 20
    seed: int = 0
    workers: int = 1  # with more, no two runs are the same
