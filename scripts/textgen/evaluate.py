"""What the network is worth: bits per character and samples that compile, beside those of the n-gram model."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from scripts.plots import COLOURS, subplots
from scripts.textgen.characters import Characters
from scripts.textgen.ngrams import NGrams
from scripts.textgen.sample import Model, compiles, generate

SHORTEST, WORTH = 3, 0.001  # characters of an n-gram; bits that one more must save
FUNCTION = "def "
LONGEST = 1000  # characters of a function; one that has not ended by then does not count as code
# where a function has ended: a line that is not indented and closes no bracket, or the next function, method or class after an empty line
OUTSIDE = r"\n(?=[^\s)\]}])|\n[^\S\n]*\n(?=[^\S\n]+(?:def|async def|class)\s|[^\S\n]+@)"


def best_ngrams(
    text: NDArray[np.int64], dev: NDArray[np.int64], n_characters: int
) -> tuple[NGrams, dict[int, float]]:
    """The n-gram model whose order costs the fewest bits per character of dev, and {order: bits}.

    Orders of 3 and more are tried for as long as one more character saves 0.001 bits.

    Raises:
        ValueError: "... too short for n-grams ...".
    """
    best, bits = None, {}
    for order, model in enumerate(NGrams.all_orders(text, n_characters), start=1):
        if order < SHORTEST:
            continue
        bits[order] = float(model.bits(dev).mean())
        if best is not None and bits[order] > bits[order - 1] - WORTH:
            break
        best = model
    if best is None:
        raise ValueError(
            f"a text of {len(text)} characters is too short for n-grams: give more text"
        )
    return best, bits


def functions(
    model: Model, characters: Characters, n: int, temperature: float, seed: int
) -> list[str]:
    """n functions that a model writes after "def ", each as far as its last line; "" for one that did not end."""
    texts = generate(
        model,
        characters,
        f"\n\n{FUNCTION}",
        LONGEST,
        n,
        temperature=temperature,
        stop=OUTSIDE,
        seed=seed,
    )
    return [f"{FUNCTION}{text.rstrip()}\n" if len(text) < LONGEST else "" for text in texts]


def score_functions(written: list[str], text: str) -> dict[str, Any]:
    """How many compile, how long they are, and how many stand in the text that was learned from, word for word.

    Args:
        written: functions, as `functions` gives them.
        text: that was learned from.
    """
    ended = [code for code in written if code]
    good = [code for code in ended if compiles(code)]
    return {
        "functions": len(written),
        "ended": len(ended),
        "compile": len(good),
        "share": len(good) / len(written),
        "mean_lines": float(np.mean([code.count("\n") for code in good])) if good else 0.0,
        "different": len(set(good)),
        "copied": sum(re.sub(r"\s+$", "", code) in text for code in good),
    }


def draw_log(log: Sequence[dict[str, Any]]) -> Figure:
    """Bits per character over minutes of training."""
    figure, axes = subplots(figsize=(7.5, 3.6))
    minutes = [line["seconds"] / 60 for line in log]
    for key, label, colour in (
        ("train_bits", "training text", COLOURS[0]),
        ("dev_bits", "dev text", COLOURS[1]),
    ):
        axes.plot(
            minutes,
            [line[key] for line in log],
            color=colour,
            label=label,
            marker="o",
            markersize=3,
        )
    best = min(log, key=lambda line: line["dev_bits"])
    axes.annotate(
        f"{best['dev_bits']:.2f}",
        (best["seconds"] / 60, best["dev_bits"]),
        (0, 8),
        textcoords="offset points",
        ha="center",
    )
    axes.set(xlabel="minutes", ylabel="bits per character", ylim=(0, None))
    axes.set_title("Training of the network", loc="left")
    axes.legend(frameon=False)
    return figure
