"""A character n-gram model with interpolated Kneser-Ney smoothing: the baseline for the network.

Source: Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling" (1998):
counts of contexts and three discounts (modified Kneser-Ney, section 3). To these is added the share
of Witten and Bell for characters that did not follow a context yet. Without it, the long contexts
of a text of 1 MB are trusted too much: 2.33 bits per character instead of 2.17 on tinyshakespeare,
at the best order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ids: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.floating[Any]]
UNSEEN = -1


@dataclass(frozen=True)
class Order:
    """The n-grams of one length. The id of an n-gram is its place in `grams`; the empty one has 0.

    Attributes:
        grams: oldest character * n_shorter + id of the rest, ascending, (n_grams,).
        n_shorter: number of n-grams that are shorter by one character.
        keys: id of all but the newest character * n_characters + the newest, ascending, (n_grams,).
        shares: discounted count of each key divided by the count of its context, (n_grams,).
        backoff: the share that a context leaves to n-grams that are shorter by one, (n_shorter,).
    """

    grams: Ids
    n_shorter: int
    keys: Ids
    shares: Floats
    backoff: Floats

    @classmethod
    def of(cls, grams: Ids, n_shorter: int, keys: Ids, counts: Ids, n_characters: int) -> "Order":
        """From keys and counts in the order of `grams`."""
        by_key = np.argsort(keys)
        shares, backoff = discounted(counts[by_key], keys[by_key] // n_characters, n_shorter)
        return cls(
            grams, n_shorter, keys[by_key], shares.astype(np.float32), backoff.astype(np.float32)
        )


class NGrams:
    """P(character | the characters before it), from the counts of a text.

    Args:
        orders: from single characters to the longest n-grams.
        n_characters: all ids are below this.
    """

    def __init__(self, orders: list[Order], n_characters: int) -> None:
        self.orders, self.n_characters = orders, n_characters

    @classmethod
    def of(cls, text: Ids, n_characters: int, order: int) -> "NGrams":
        """The model of a text, from its n-grams of up to `order` characters.

        Raises:
            ValueError: "... shorter than an n-gram ...".
        """
        if not 1 <= order <= len(text):
            raise ValueError(
                f"a text of {len(text)} characters is shorter than an n-gram of {order}: "
                "give more text"
            )
        return next(islice(cls.all_orders(text, n_characters), order - 1, None))

    @classmethod
    def all_orders(cls, text: Ids, n_characters: int) -> Iterator["NGrams"]:
        """The models of order 1, 2, 3 and so on; each shares its shorter n-grams with the last."""
        orders: list[Order] = []
        keys = np.zeros(0, np.int64)  # of the last order, in the order of its n-grams
        ending = np.zeros(len(text) + 1, np.int64)  # id of the n-gram that ends before each place
        n_shorter = 1
        for n in range(len(text)):
            grams, first, ids, counts = np.unique(
                text[: len(text) - n] * n_shorter + ending[1:],
                return_index=True,
                return_inverse=True,
                return_counts=True,
            )
            if n:
                orders[-1] = _recounted(orders[-1], keys, grams, n_characters)
            keys = ending[:-1][first] * n_characters + text[n:][first]
            orders.append(Order.of(grams, n_shorter, keys, counts, n_characters))
            ending, n_shorter = ids, len(grams)
            yield cls([*orders], n_characters)

    def bits(self, text: Ids) -> Floats:
        """-log2 P of each character of a text, (n,)."""
        probability = np.full(len(text), 1 / self.n_characters)
        context = np.zeros(len(text), np.int64)  # id of the context; UNSEEN where it never occurred
        for n, order in enumerate(self.orders, start=1):
            seen = context != UNSEEN
            probability[seen] *= order.backoff[context[seen]]
            place = find(order.keys, np.where(seen, context * self.n_characters + text, UNSEEN))
            is_found = place != UNSEEN
            probability[is_found] += order.shares[place[is_found]]
            oldest = np.concatenate([np.full(min(n, len(text)), UNSEEN), text[:-n]])
            longer = oldest * order.n_shorter + context
            context = find(order.grams, np.where(seen & (oldest != UNSEEN), longer, UNSEEN))
        return -np.log2(probability)

    def start(self, prefix: Ids, n: int) -> tuple[list[list[int]], Floats]:
        """(contexts, logits (n, n_characters)) of n texts that all begin with a prefix."""
        return self._next([prefix.tolist()] * n)

    def step(self, contexts: list[list[int]], newest: Ids) -> tuple[list[list[int]], Floats]:
        """(contexts, logits (n, n_characters)) after one more character of each text, (n,)."""
        longest = len(self.orders)
        return self._next([[*context[-longest:], int(i)] for context, i in zip(contexts, newest)])

    def _next(self, contexts: list[list[int]]) -> tuple[list[list[int]], Floats]:
        return contexts, np.log([self.probabilities(context) for context in contexts])

    def probabilities(self, before: Sequence[int]) -> Floats:
        """P of each character after some ids, (n_characters,)."""
        probability, context = np.full(self.n_characters, 1 / self.n_characters), 0
        for n, order in enumerate(self.orders, start=1):
            first_key = context * self.n_characters
            begin, end = np.searchsorted(order.keys, [first_key, first_key + self.n_characters])
            probability *= order.backoff[context]
            probability[order.keys[begin:end] - first_key] += order.shares[begin:end]
            if n > len(before):
                break
            context = int(find(order.grams, np.array([before[-n] * order.n_shorter + context]))[0])
            if context == UNSEEN:
                break
        return probability


def _recounted(order: Order, keys: Ids, longer: Ids, n_characters: int) -> Order:
    """An order with other counts: of the different characters that stand before each n-gram.

    They say more about an n-gram than how often it occurs.

    Args:
        order: to count again.
        keys: of its n-grams, in the order of `order.grams`.
        longer: `grams` of the next order.
        n_characters: all ids are below this.
    """
    n_grams = len(order.grams)
    counts = np.maximum(np.bincount(longer % n_grams, minlength=n_grams), 1)
    return Order.of(order.grams, order.n_shorter, keys, counts, n_characters)


def find(ascending: Ids, wanted: Ids) -> Ids:
    """The place of each wanted number in an ascending array, UNSEEN without one, (n_wanted,)."""
    place = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return np.where(ascending[place] == wanted, place, UNSEEN)


def discounted(counts: Ids, contexts: Ids, n_contexts: int) -> tuple[Floats, Floats]:
    """Discount counts.

    Args:
        counts: of n-grams, (n_grams,).
        contexts: id of each n-gram's context, (n_grams,).
        n_contexts: number of contexts; one without an n-gram leaves everything, 1.

    Returns:
        (discounted counts as shares of their context (n_grams,), the share that is left of each
        context (n_contexts,)).
    """
    discount = _discounts(counts)[np.minimum(counts, 3) - 1]
    n_followers = np.bincount(contexts, minlength=n_contexts)  # also: expected new ones
    total = np.bincount(contexts, counts, n_contexts) + n_followers
    left = np.bincount(contexts, discount, n_contexts) + n_followers
    backoff = np.divide(left, total, out=np.ones(n_contexts), where=total > 0)
    return (counts - discount) / total[contexts], backoff


def _discounts(counts: Ids) -> Floats:
    """The discounts of counts of 1, 2, and 3 or more, (3,)."""
    frequency = np.bincount(np.minimum(counts, 4), minlength=5).astype(float)
    once, twice = frequency[1], frequency[2]
    base = once / (once + 2 * twice) if once else 0.5
    rates = [base, base, base]
    for n in (1, 2, 3):
        if frequency[n]:
            rates[n - 1] = n - (n + 1) * base * frequency[n + 1] / frequency[n]
    return np.clip(rates, 0.05, [0.95, 1.95, 2.95])
