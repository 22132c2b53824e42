"""Generate texts that continue a prefix, character by character."""

import re
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from scripts.textgen.characters import UNKNOWN, Characters
from scripts.textgen.options import Code

Ids = NDArray[np.int64]
Sample = dict[str, Any]  # "text", and "meta" with what it was generated with


class Model(Protocol):
    """A model that generates: `Network` or `NGrams`."""

    def start(self, prefix: Ids, n: int) -> tuple[Any, NDArray[Any]]: ...

    def step(self, state: Any, newest: Ids) -> tuple[Any, NDArray[Any]]: ...


def draw(
    logits: NDArray[Any], temperature: float, top_k: int, top_p: float, rng: np.random.Generator
) -> Ids:
    """Draw a character for each row of logits (n, n_characters), (n,).

    Args:
        logits: scores; -inf for characters that must not be drawn.
        temperature: 0 takes the most likely character; 1 draws from the probabilities of the model;
            less than 1 makes likely characters more likely.
        top_k: draw from this many of the most likely characters; 0 for all.
        top_p: draw from the most likely characters that together have this probability (Holtzman
            et al. 2020); 1 for all.
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


class _Texts:
    """Texts that grow side by side, each until it holds the pattern that ends it."""

    def __init__(self, n: int, stop: str) -> None:
        self.texts = [""] * n
        self.ended = [False] * n
        self._stop = re.compile(stop) if stop else None

    def add(self, characters: str) -> None:
        """Add a character to each text that has not ended."""
        for i, character in enumerate(characters):
            if not self.ended[i]:
                self.texts[i] += character
                self._cut(i)

    def _cut(self, i: int) -> None:
        match = self._stop.search(self.texts[i]) if self._stop else None
        if match:
            self.texts[i] = self.texts[i][: match.start()]
            self.ended[i] = True


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
    """Generate n texts that follow a prefix; they do not include it.

    Args:
        model: of the same characters.
        characters: that the model knows.
        prefix: may be empty.
        length: characters of each text, at most.
        n: number of texts; they are generated side by side.
        temperature: as in `draw`.
        top_k: as in `draw`.
        top_p: as in `draw`.
        stop: a regular expression; a text ends before its first match.
        seed: same seed, same texts.
        on_step: called after each character.

    Raises:
        ValueError: "the prefix has characters that the model never saw ...".
    """
    rng, texts = np.random.default_rng(seed), _Texts(n, stop)
    unknown = characters.alphabet.index(UNKNOWN)
    state, logits = model.start(characters.encode_known(prefix, "the prefix"), n)
    for _ in range(length):
        logits[:, unknown] = -np.inf
        newest = draw(logits, temperature, top_k, top_p, rng)
        texts.add(characters.decode(newest))
        on_step()
        if all(texts.ended):
            break
        state, logits = model.step(state, newest)
    return texts.texts


def sample_prefixes(
    model: Model,
    characters: Characters,
    prefixes: Iterable[str],
    length: int,
    n: int,
    stop: str,
    settings: dict[str, Any],
    on_step: Callable[[], Any],
) -> list[Sample]:
    """Generate n texts for each prefix, as {"text", "meta"}; they include the prefix.

    Args:
        model: as in `generate`, like `characters`, `length`, `stop` and `on_step`.
        prefixes: the beginnings.
        n: texts for each prefix.
        settings: temperature, top_k, top_p and seed.

    Raises:
        ValueError: "the prefix has characters that the model never saw ...".
    """
    samples = []
    for prefix in prefixes:
        texts = generate(
            model, characters, prefix, length, n, stop=stop, on_step=on_step, **settings
        )
        meta = {"prefix": prefix, **settings}
        samples += [{"text": prefix + text, "meta": meta} for text in texts]
    return samples


def compiles(code: str) -> bool:
    """Whether Python accepts a text as code; it is not run.

    A text that begins indented is compiled as the body of a function.
    """
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
    for n in range(len(lines), 0, -1):
        begin = "".join(lines[:n])
        if compiles(begin):
            return begin
    return ""


def keep_code(samples: Iterable[Sample], code: Code) -> list[Sample]:
    """The samples to keep.

    Args:
        samples: to choose from.
        code: "any" keeps all, "only" those that compile, "cut" cuts each text back to the last line
            with which it compiles.
    """
    if code == "any":
        return list(samples)
    if code == "cut":
        samples = [{**sample, "text": cut_back(sample["text"])} for sample in samples]
    return [sample for sample in samples if sample["text"].strip() and compiles(sample["text"])]
