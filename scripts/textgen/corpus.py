"""The corpus of `textgen`: train and dev as text files, and the facts about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import srsly

from scripts.files import write_json, write_text
from scripts.textgen.characters import UNKNOWN, Characters, split


@dataclass(frozen=True)
class Corpus:
    """Train and dev, with UNKNOWN in place of characters that are too rare.

    Attributes:
        train: to learn from.
        dev: to measure on.
        characters: of both.
        code: whether all files are Python source.
    """

    train: str
    dev: str
    characters: Characters
    code: bool

    def counts(self) -> dict[str, int]:
        """Characters of each part, and unknown ones among them."""
        return {
            "train": len(self.train),
            "dev": len(self.dev),
            "unknown_in_train": self.train.count(UNKNOWN),
            "unknown_in_dev": self.dev.count(UNKNOWN),
        }


def make_corpus(
    texts: Sequence[str], name: str, code: bool, share: float, min_count: int, seed: int
) -> Corpus:
    """Split texts, and replace rare characters.

    Args:
        texts: as `scripts.textgen.sources.read` gives them.
        name: where they are from, for error messages.
        code: whether they are Python source.
        share: of the characters, for dev.
        min_count: characters that occur fewer times in train become UNKNOWN.
        seed: for the split.

    Raises:
        ValueError: "... holds no text ...", "no character occurs ... times ...".
    """
    train, dev = split(texts, share, seed)
    if not train.strip() or not dev.strip():
        raise ValueError(f"{name} holds no text, or too little to split: give more")
    characters = Characters.of(train, min_count)
    if characters.alphabet == UNKNOWN:
        raise ValueError(
            f"no character occurs {min_count} times in {name}: "
            "give more text, or a lower vars.textgen.min_count"
        )
    train, dev = (characters.decode(characters.encode(part)) for part in (train, dev))
    return Corpus(train, dev, characters, code)


def write_corpus(folder: Path, corpus: Corpus, n_files: int, n_bad: int) -> None:
    """Write train.txt, dev.txt and corpus.json.

    Args:
        folder: gets them.
        corpus: to write.
        n_files: files of texts.
        n_bad: those of them that could not be read.
    """
    write_text(folder / "train.txt", corpus.train)
    write_text(folder / "dev.txt", corpus.dev)
    facts = {
        "files": n_files,
        "not_read": n_bad,
        "code": corpus.code,
        "characters": corpus.characters.alphabet,
        **corpus.counts(),
    }
    write_json(folder / "corpus.json", facts)


def read_corpus(folder: Path) -> Corpus:
    """Read what `write_corpus` wrote.

    Raises:
        ValueError: "... does not exist: run textgen-corpus first",
            "... do not belong together ...".
    """
    for name in ("corpus.json", "train.txt", "dev.txt"):
        if not (folder / name).is_file():
            raise ValueError(f"{folder / name} does not exist: run textgen-corpus first")
    train, dev = ((folder / f"{name}.txt").read_bytes().decode("utf8") for name in ("train", "dev"))
    try:
        facts = dict(srsly.read_json(folder / "corpus.json"))
        corpus = Corpus(train, dev, Characters(facts["characters"]), bool(facts["code"]))
        fits = _fits(corpus, facts)
    except (ValueError, KeyError, TypeError):
        fits = False
    if not fits:
        raise ValueError(
            f"the files of {folder} do not belong together, or are damaged: "
            "run textgen-corpus again"
        )
    return corpus


def _fits(corpus: Corpus, facts: dict[str, Any]) -> bool:
    """Whether texts and facts belong together."""
    alphabet = corpus.characters.alphabet
    sizes = len(corpus.train), len(corpus.dev)
    return (
        alphabet == "".join(sorted({*alphabet}))
        and {*alphabet} >= {UNKNOWN, *corpus.train, *corpus.dev}
        and (facts["train"], facts["dev"]) == sizes
        and 0 not in sizes
    )
