"""Texts for benchmarks: sentences of real ones, recombined, with some words never seen before."""

import re
import string
from collections.abc import Iterable, Iterator
from random import Random

from scripts.reading import text_key

# Share of the purely alphabetic words that are replaced. They are two thirds of the tokens, so 3%
# of the tokens are new.
NEW_WORDS = 0.044


def made_up_texts(texts: Iterable[str], seed: int = 0) -> Iterator[str]:
    """Endless new texts, no two alike: 2 to 6 sentences of different texts, some words replaced."""
    random = Random(seed)
    sentences: list[tuple[int, list[str]]] = []
    for number, text in enumerate(texts):
        parts = re.split(r"(?<=[.!?])\s+", text)
        sentences += [(number, part.split(" ")) for part in parts]
    seen: set[bytes] = set()
    while True:
        sample = random.sample(sentences, random.randint(2, 6))
        if len({number for number, _ in sample}) < len(sample):
            continue
        text = " ".join(_varied(sentence, random) for _, sentence in sample)
        if (key := text_key(text)) not in seen:
            seen.add(key)
            yield text


def _varied(words: Iterable[str], random: Random) -> str:
    """A sentence in which some words are new."""
    return " ".join(
        _new_word(random) if word.isalpha() and random.random() < NEW_WORDS else word
        for word in words
    )


def _new_word(random: Random) -> str:
    return "".join(random.choices(string.ascii_lowercase, k=random.randint(5, 10)))
