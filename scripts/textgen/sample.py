"""Text that goes on from a prefix, character by character."""

import re
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from scripts.textgen.characters import UNKNOWN, Characters

Ids = NDArray[np.int64]


class Model(Protocol):
    """What text is generated from: `Network` or `NGrams`."""

    def start(self, prefix: Ids, n: int) -> tuple[Any, NDArray[Any]]: ...

    def step(self, state: Any, newest: Ids) -> tuple[Any, NDArray[Any]]: ...


def draw(
    logits: NDArray[Any], temperature: float, top_k: int, top_p: float, rng: np.random.Generator
) -> Ids:
    """A character for each row of logits (n, n_characters), (n,).

    Args:
        logits: scores; -inf for what must not be drawn.
        temperature: 0 takes the likeliest; 1 draws by the model's own probabilities, less makes likely ones likelier.
        top_k: draw from so many of the likeliest; 0 for all.
        top_p: draw from the likeliest that together have this probability (Holtzman et al. 2020); 1 for all.
        rng: of the draws.
    """
    if temperature == 0:
        return logits.argmax(axis=1)
    probabilities = softmax(logits.astype(float) / temperature, axis=1)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=1)
    ranked[np.cumsum(ranked, axis=1) - ranked >= top_p] = 0
    if top_k:
        ranked[:, top_k:] = 0
    cumulative = np.cumsum(ranked, axis=1)
    places = (cumulative > rng.random((len(logits), 1)) * cumulative[:, -1:]).argmax(axis=1)
    return order[np.arange(len(logits)), places]


def generate(
    model: Model,
    characters: Characters,
    prefix: str,
    length: int,
    n: int = 1,
    *,
    temperature: float = 0.5,
    top_k: int = 0,
    top_p: float = 1.0,
    stop: str = "",
    seed: int = 0,
    on_step: Callable[[], Any] = lambda: None,
) -> list[str]:
    """n texts that follow a prefix, without it.

    Args:
        model: of the same characters.
        characters: that the model knows.
        prefix: may be empty.
        length: of each text in characters, at most.
        n: they are generated side by side.
        temperature, top_k, top_p: as in `draw`.
        stop: a regular expression; a text ends before its first match.
        seed: same seed, same texts.
        on_step: called after each character.

    Raises:
        ValueError: "the prefix has characters that the model never saw ...".
    """
    rng, ends = np.random.default_rng(seed), re.compile(stop) if stop else None
    state, logits = model.start(characters.encode_known(prefix, "the prefix"), n)
    texts, ended = [""] * n, [False] * n
    for _ in range(length):
        logits[:, characters.known.index(UNKNOWN)] = -np.inf
        newest = draw(logits, temperature, top_k, top_p, rng)
        for i, character in enumerate(characters.decode(newest)):
            if not ended[i]:
                texts[i] += character
                found = ends.search(texts[i]) if ends else None
                texts[i], ended[i] = (
                    (texts[i][: found.start()], True) if found else (texts[i], False)
                )
        on_step()
        if all(ended):
            break
        state, logits = model.step(state, newest)
    return texts


def compiles(code: str) -> bool:
    """Whether Python takes it for code; what begins indented, for the body of a function. It is not run."""
    if re.match(r"\n*[ \t]", code):
        code = f"def _():\n{code}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code, "<sample>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def cut_back(code: str) -> str:
    """The longest beginning of whole lines that compiles; "" where none does."""
    lines = code.splitlines(keepends=True)
    return next(
        (begin for n in range(len(lines), 0, -1) if compiles(begin := "".join(lines[:n]))), ""
    )
