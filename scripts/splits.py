"""Draw texts into train, dev and test."""

import hashlib

from scripts.reading import text_key


def draw_split(text: str, seed: int, shares: dict[str, float]) -> str:
    """The split that a text is drawn into.

    It depends on a number in [0, 1) that is a hash of the text and the seed, so that the order of
    the texts does not matter.

    Args:
        text: the text.
        seed: at most 16 digits.
        shares: of each split except "train", which gets the rest.
    """
    hashed = hashlib.blake2b(text_key(text), digest_size=8, salt=str(seed).encode()).digest()
    number = int.from_bytes(hashed, "big") / 2**64
    for split, share in shares.items():
        if number < share:
            return split
        number -= share
    return "train"
