"""Characters as ids, and the split of texts into train and dev."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Dev holds at most this many times the share that was asked for, and at least that share by this.
MAX_DEVIATION = 2
UNKNOWN = "\ufffd"  # stands for each character that is too rare to learn; it is never generated


@dataclass(frozen=True)
class Characters:
    """The characters that a model knows.

    Attributes:
        alphabet: the characters, sorted; the place of each is its id. UNKNOWN is one of them.
    """

    alphabet: str

    @classmethod
    def of(cls, text: str, min_count: int = 1) -> "Characters":
        """The characters that occur at least `min_count` times in a text."""
        frequent = {char for char, count in Counter(text).items() if count >= min_count}
        return cls("".join(sorted({UNKNOWN, *frequent})))

    def encode(self, text: str) -> NDArray[np.int64]:
        """The ids of a text, (n,); that of UNKNOWN for characters that are not known."""
        alphabet, codes = self._codes(self.alphabet), self._codes(text)
        place = np.minimum(np.searchsorted(alphabet, codes), len(alphabet) - 1)
        return np.where(alphabet[place] == codes, place, self.alphabet.index(UNKNOWN))

    def encode_known(self, text: str, name: str) -> NDArray[np.int64]:
        """The ids of a text whose characters must all be known, (n,).

        Args:
            text: to encode.
            name: of the text, for the error message.

        Raises:
            ValueError: "NAME has characters that the model never saw ...".
        """
        unknown = sorted(set(text) - set(self.alphabet))
        if unknown:
            raise ValueError(
                f"{name} has characters that the model never saw: {' '.join(map(repr, unknown))}: "
                "leave them out, or train with them"
            )
        return self.encode(text)

    def decode(self, ids: Sequence[int] | NDArray[np.int64]) -> str:
        return "".join(self.alphabet[i] for i in ids)

    @staticmethod
    def _codes(text: str) -> NDArray[np.uint32]:
        return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def split(texts: Sequence[str], share: float, seed: int) -> tuple[str, str]:
    """Split texts into train and dev.

    Whole texts are drawn for dev until they hold its share. Of a single text, and where all texts
    are too long for dev, dev is the end of the longest one.

    Args:
        texts: equal ones count once.
        share: of the characters, for dev.
        seed: for the draw.

    Returns:
        (train, dev).
    """
    texts = list(dict.fromkeys(filter(str.strip, texts)))
    n_dev = int(share * sum(map(len, texts)))
    if len(texts) == 1:
        border = len(texts[0]) - n_dev
        return texts[0][:border], texts[0][border:]
    dev = _draw_dev(texts, n_dev, seed)
    n_drawn = sum(len(texts[i]) for i in dev)
    if n_drawn < n_dev / MAX_DEVIATION:
        texts, dev = _add_end_of_longest(texts, dev, n_dev - n_drawn)
    train = "\n".join(text for i, text in enumerate(texts) if i not in dev)
    return train, "\n".join(texts[i] for i in sorted(dev))


def _draw_dev(texts: Sequence[str], n_dev: int, seed: int) -> set[int]:
    """The numbers of texts that are drawn until they hold `n_dev` characters."""
    dev, n_drawn = set[int](), 0
    for i in np.random.default_rng(seed).permutation(len(texts)):
        if n_drawn < n_dev and n_drawn + len(texts[i]) <= MAX_DEVIATION * n_dev:
            dev.add(int(i))
            n_drawn += len(texts[i])
    return dev


def _add_end_of_longest(
    texts: Sequence[str], dev: set[int], n_chars: int
) -> tuple[list[str], set[int]]:
    """Cut the longest text in two, and add its last `n_chars` characters to dev."""
    longest = max(range(len(texts)), key=lambda i: len(texts[i]))
    text, border = texts[longest], len(texts[longest]) - n_chars
    texts = [*texts[:longest], text[:border], text[border:], *texts[longest + 1 :]]
    return texts, {i + (i > longest) for i in dev} | {longest + 1}
