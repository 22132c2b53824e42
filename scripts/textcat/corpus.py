"""Read the corpus that textcat-corpus made: Docs with labels, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import srsly
from numpy.typing import NDArray
from spacy.tokens import Doc

from scripts.reading import read_docs

Gold = NDArray[np.bool_]


@dataclass(frozen=True)
class Part:
    """Texts with their labels as arrays.

    Args:
        texts: n_texts of them.
        gold: (n_texts, n_labels), whether a text has a label.
        known: (n_texts, n_labels), whether the corpus says anything about that.
    """

    texts: list[str]
    gold: Gold
    known: Gold


@dataclass(frozen=True)
class Corpus:
    """Dev and test, and train for the baseline.

    Args:
        labels: of the columns of the arrays.
        exclusive: whether each text has just one label.
        train: its texts and labels.
        dev: the same of dev.
        test: the same of test.
    """

    labels: list[str]
    exclusive: bool
    train: Part
    dev: Part
    test: Part


def read_split(folder: Path) -> dict[str, Any]:
    """The content of split.json.

    Raises:
        ValueError: "... does not exist: run textcat-corpus first".
    """
    path = folder / "split.json"
    if not path.exists():
        raise ValueError(f"{path} does not exist: run textcat-corpus first")
    return srsly.read_json(path)  # type: ignore[return-value]


def read_corpus(folder: Path) -> Corpus:
    """The corpus in a folder. Raises as `read_split` and `read_docs` do."""
    split = read_split(folder)
    nlp = spacy.blank("xx")

    def read_part(name: str) -> Part:
        return to_part(list(read_docs(folder / f"{name}.spacy", nlp)), split["labels"])

    parts = {name: read_part(name) for name in ("train", "dev", "test")}
    return Corpus(split["labels"], split["exclusive"], **parts)


def to_part(docs: Sequence[Doc], labels: Sequence[str]) -> Part:
    """Docs with cats as arrays."""
    gold = np.zeros((len(docs), len(labels)), dtype=bool)
    known = np.zeros_like(gold)
    for row, doc in enumerate(docs):
        gold[row] = [doc.cats.get(label, 0.0) >= 0.5 for label in labels]
        known[row] = [label in doc.cats for label in labels]
    return Part([doc.text for doc in docs], gold, known)
