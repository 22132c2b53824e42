"""Docs as the plain data that the checks look at."""

from collections.abc import Iterable
from pathlib import Path

import spacy
from spacy.tokens import Doc

from scripts.doctor.case import Part
from scripts.reading import read_docs


def to_part(docs: Iterable[Doc]) -> Part:
    """Texts, words and labels of Docs."""
    part = Part([], [], [], [], [])
    for doc in docs:
        part.texts.append(doc.text)
        part.words.append([token.lower_ for token in doc])
        part.ents.append([(ent.start, ent.end, ent.label_) for ent in doc.ents])
        part.missing.append({token.i for token in doc if token.ent_iob == 0})
        part.cats.append(dict(doc.cats))
    return part


def read_part(path: Path) -> Part:
    """The texts of a .spacy file or a folder of them.

    Raises:
        ValueError: "... does not exist ...", "... not a DocBin ...", "... holds no text".
    """
    part = to_part(read_docs(path, spacy.blank("xx")))
    if not part.texts:
        raise ValueError(
            f"{path} holds no text: make it again, or give another by --train and --dev"
        )
    return part
