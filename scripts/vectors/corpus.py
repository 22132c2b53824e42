"""Sentences to train word vectors on: spaCy's tokens, a sentence a line; or sessions of items, a list of ids a line."""

import bz2
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from spacy.language import Language

from scripts.files import need, progress_bar, replacing
from scripts.reading import Skipped, read_lines, read_texts, source_files, why_unreadable

Kind = Literal["texts", "sessions"]
MOST_TOKENS = 10_000  # in a sentence: gensim leaves out what comes after
SESSION_SUFFIXES = (".jsonl", ".jsonl.gz", ".txt", ".txt.gz")
NEWS = "lee_background.cor"
WIKI_DUMP = "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"


def write_sentences(path: Path, sentences: Iterable[list[str]]) -> dict[str, int]:
    """Write sentences of two tokens or more, the tokens apart by a space. Returns counts of sentences and tokens.

    Raises:
        ValueError: "no sentence of two words or more ...".
    """
    counts = {"sentences": 0, "tokens": 0}
    with replacing(path) as part, part.open("w", encoding="utf8") as file:
        for sentence in sentences:
            for start in range(0, len(sentence), MOST_TOKENS):
                if len(piece := sentence[start : start + MOST_TOKENS]) > 1:
                    file.write(" ".join(piece) + "\n")
                    counts["sentences"] += 1
                    counts["tokens"] += len(piece)
        if not counts["sentences"]:
            raise ValueError(
                "no sentence of two words or more in the texts: there is nothing to learn from"
            )
    return counts


def from_texts(
    path: Path, nlp: Language, lower: bool, skipped: Skipped, skip_bad: bool = False
) -> Iterator[list[str]]:
    """Sentences of a file or folder of texts; `skipped` takes note of texts that can't be processed, and with `skip_bad` of bad lines."""
    with progress_bar(
        "tokenize", sum(file.stat().st_size for file in source_files(path)), "B"
    ) as bar:
        for text in read_texts(path, skipped if skip_bad else None, bar):
            if reason := why_unreadable(text.text, nlp):
                skipped.add(reason, text.file, text.line)
            else:
                yield from to_sentences(text.text, nlp, lower)


def to_sentences(text: str, nlp: Language, lower: bool) -> Iterator[list[str]]:
    """spaCy's tokens of each sentence, without white space. `nlp` sets sentence borders."""
    with nlp.memory_zone():
        for sentence in nlp(text).sents:
            yield [
                token.lower_ if lower else token.text
                for token in sentence
                if not any(map(str.isspace, token.text))
            ]


def from_sessions(path: Path) -> Iterator[list[str]]:
    """Lists of ids: JSONL with a list a line, or text with the ids of a line apart by white space.

    Raises:
        ValueError: "FILE:LINE: no session ...", for a line that is no list of ids without white space.
    """
    for file in source_files(path, SESSION_SUFFIXES):
        for number, line in read_lines(file):
            if file.name.endswith((".txt", ".txt.gz")):
                yield line.split()
            elif line.strip():
                yield _session(line, f"{file}:{number}")


def _session(line: str, place: str) -> list[str]:
    try:
        items = json.loads(line)
    except ValueError:
        items = None
    if not isinstance(items, list) or not all(
        isinstance(item, str | int) and len(str(item).split()) == 1 for item in items
    ):
        raise ValueError(
            f'{place}: no session: each line should be a list of ids without white space, ["a12", "b7"]'
        )
    return [str(item) for item in items]


def from_gensim(nlp: Language, lower: bool) -> Iterator[list[str]]:
    """Sentences of the corpora that gensim carries: news (Lee) and a Wikipedia dump of 206 pages. (Its wiki text is stemmed: of no use.)"""
    wikicorpus = need("gensim.corpora.wikicorpus", "vectors")
    datapath = need("gensim.test.utils", "vectors").datapath
    for _, line in read_lines(Path(datapath(NEWS))):
        yield from to_sentences(line, nlp, lower)
    with bz2.open(datapath(WIKI_DUMP)) as file:
        for _, text, _ in wikicorpus.extract_pages(file, filter_namespaces=("0",)):
            for paragraph in wikicorpus.filter_wiki(text).splitlines():
                if not paragraph.startswith("#REDIRECT"):
                    yield from to_sentences(paragraph, nlp, lower)
