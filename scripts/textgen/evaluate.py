"""Measure the network and the n-gram baseline: bits per character, and functions that compile."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.textgen.characters import Characters
from scripts.textgen.corpus import Corpus
from scripts.textgen.network import Network
from scripts.textgen.ngrams import NGrams
from scripts.textgen.sample import Model, compiles, generate

MIN_ORDER = 3  # characters of an n-gram
MIN_GAIN = 0.001  # bits that a longer n-gram must save
FUNCTION = "def "
MAX_LENGTH = 1000  # characters of a function; one that has not ended by then is not code
# The end of a function: a line that is not indented and closes no bracket, or the next function,
# method or class after an empty line.
FUNCTION_END = r"\n(?=[^\s)\]}])|\n[^\S\n]*\n(?=[^\S\n]+(?:def|async def|class)\s|[^\S\n]+@)"


def best_ngrams(
    text: NDArray[np.int64], dev: NDArray[np.int64], n_characters: int
) -> tuple[NGrams, dict[int, float]]:
    """The n-gram model of the order with the fewest bits per character of dev, and {order: bits}.

    Orders from 3 up are tried for as long as a longer n-gram saves 0.001 bits.

    Raises:
        ValueError: "... too short for n-grams ...".
    """
    best, bits = None, {}
    for order, model in enumerate(NGrams.all_orders(text, n_characters), start=1):
        if order < MIN_ORDER:
            continue
        bits[order] = float(model.bits(dev).mean())
        if best is not None and bits[order] > bits[order - 1] - MIN_GAIN:
            break
        best = model
    if best is None:
        raise ValueError(
            f"a text of {len(text)} characters is too short for n-grams: give more text"
        )
    return best, bits


def measure_bits(
    network: Network, characters: Characters, corpus: Corpus, name: str
) -> tuple[NGrams, dict[str, Any]]:
    """Measure the network and n-grams on dev.

    Args:
        network: to measure.
        characters: that it knows.
        corpus: n-grams are counted in its train.
        name: of the corpus, for error messages.

    Returns:
        (the best n-gram model, bits per character of both and counts).

    Raises:
        ValueError: "... has characters that the model never saw ...", "... too short ...".
    """
    train = characters.encode_known(corpus.train, name)
    dev = characters.encode_known(corpus.dev, name)
    ngrams, bits_by_order = best_ngrams(train, dev, len(characters.alphabet))
    order = len(ngrams.orders)
    return ngrams, {
        "dev_bits": float(network.bits(dev).mean()),
        "ngram_bits": bits_by_order[order],
        "ngram_order": order,
        "ngram_bits_by_order": {str(key): bits for key, bits in bits_by_order.items()},
        "characters": {"train": len(corpus.train), "dev": len(corpus.dev)},
    }


def write_functions(
    model: Model, characters: Characters, n: int, temperature: float, seed: int
) -> list[str]:
    """n functions that a model writes after "def "; "" for each one that did not end."""
    texts = generate(
        model,
        characters,
        f"\n\n{FUNCTION}",
        MAX_LENGTH,
        n,
        temperature=temperature,
        stop=FUNCTION_END,
        seed=seed,
    )
    return [f"{FUNCTION}{text.rstrip()}\n" if len(text) < MAX_LENGTH else "" for text in texts]


def score_functions(functions: list[str], text: str) -> dict[str, Any]:
    """Count the functions that compile, their lines, and those copied from the training text.

    Args:
        functions: from `write_functions`.
        text: that the model learned from.
    """
    ended = [code for code in functions if code]
    good = [code for code in ended if compiles(code)]
    return {
        "functions": len(functions),
        "ended": len(ended),
        "compile": len(good),
        "share": len(good) / len(functions),
        "mean_lines": float(np.mean([code.count("\n") for code in good])) if good else 0.0,
        "different": len(set(good)),
        "copied": sum(re.sub(r"\s+$", "", code) in text for code in good),
    }
