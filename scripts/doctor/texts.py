"""Docs as the plain data that the checks examine."""

from collections.abc import Iterable
from pathlib import Path

import spacy
from spacy.tokens import Doc

from scripts.doctor.training_run import Dataset
from scripts.reading import read_docs


def to_dataset(docs: Iterable[Doc]) -> Dataset:
    """Texts, words and labels of Docs."""
    dataset = Dataset([], [], [], [], [])
    for doc in docs:
        dataset.texts.append(doc.text)
        dataset.words.append([token.lower_ for token in doc])
        dataset.ents.append([(ent.start, ent.end, ent.label_) for ent in doc.ents])
        dataset.missing.append({token.i for token in doc if token.ent_iob == 0})
        dataset.cats.append(dict(doc.cats))
    return dataset


def read_dataset(path: Path) -> Dataset:
    """The texts of a .spacy file or a folder of them.

    Raises:
        ValueError: "... does not exist ...", "... not a DocBin ...", "... holds no text ...".
    """
    dataset = to_dataset(read_docs(path, spacy.blank("xx")))
    if not dataset.texts:
        remedy = "make it again, or give another by --train and --dev"
        raise ValueError(f"{path} holds no text: {remedy}")
    return dataset
