"""Characters as ids, and a text in two parts: to learn from and to measure by."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOO_MUCH = 2  # times the share that was asked for; and too little is a share by that
UNKNOWN = "\ufffd"  # stands for each character that is too rare to learn; never generated


@dataclass(frozen=True)
class Characters:
    """The characters that a model knows, sorted; the place of each is its id. UNKNOWN is one of them."""

    known: str

    @classmethod
    def of(cls, text: str, least: int = 1) -> "Characters":
        """Those that occur at least so often in a text."""
        return cls(
            "".join(
                sorted(
                    {UNKNOWN, *(character for character, n in Counter(text).items() if n >= least)}
                )
            )
        )

    def encode(self, text: str) -> NDArray[np.int64]:
        """Ids, (n,); UNKNOWN for what is not known."""
        known, codes = self._codes(self.known), self._codes(text)
        place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
        return np.where(known[place] == codes, place, self.known.index(UNKNOWN))

    def encode_known(self, text: str, what: str) -> NDArray[np.int64]:
        """Like `encode`, for a text whose every character must be known.

        Raises:
            ValueError: "WHAT has characters that the model never saw ...".
        """
        unknown = sorted(set(text) - set(self.known))
        if unknown:
            raise ValueError(
                f"{what} has characters that the model never saw: {' '.join(map(repr, unknown))}: leave them out, or train with them"
            )
        return self.encode(text)

    def decode(self, ids: Sequence[int] | NDArray[np.int64]) -> str:
        return "".join(self.known[i] for i in ids)

    @staticmethod
    def _codes(text: str) -> NDArray[np.uint32]:
        return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def split(texts: Sequence[str], share: float, seed: int) -> tuple[str, str]:
    """(train, dev): of several texts, whole ones drawn by seed until they hold that share; of one, or if all are too long, its end.

    Args:
        texts: those that are the same count once.
        share: of the characters, for dev.
        seed: for the draw.
    """
    texts = list(dict.fromkeys(filter(str.strip, texts)))
    n_dev = int(share * sum(map(len, texts)))
    if len(texts) == 1:
        border = len(texts[0]) - n_dev
        return texts[0][:border], texts[0][border:]
    dev, so_far = set[int](), 0
    for i in np.random.default_rng(seed).permutation(len(texts)):
        if so_far < n_dev and so_far + len(texts[i]) <= TOO_MUCH * n_dev:
            dev.add(int(i))
            so_far += len(texts[i])
    if so_far < n_dev / TOO_MUCH:
        longest = max(range(len(texts)), key=lambda i: len(texts[i]))
        text, border = texts[longest], len(texts[longest]) - (n_dev - so_far)
        texts = [*texts[:longest], text[:border], text[border:], *texts[longest + 1 :]]
        dev = {i + (i > longest) for i in dev} | {longest + 1}
    train = "\n".join(text for i, text in enumerate(texts) if i not in dev)
    return train, "\n".join(texts[i] for i in sorted(dev))
