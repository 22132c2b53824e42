"""Write what word vectors are trained on: sentences of spaCy's tokens, or sessions of item ids."""

import bz2
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from spacy.language import Language

from scripts.files import need, progress_bar, replacing
from scripts.reading import Skipped, read_lines, read_texts, source_files, why_unreadable

MAX_TOKENS = 10_000  # in a sentence: gensim ignores what comes after
SESSION_SUFFIXES = (".jsonl", ".jsonl.gz", ".txt", ".txt.gz")
NEWS = "lee_background.cor"
WIKI_DUMP = "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"


def write_sentences(path: Path, sentences: Iterable[list[str]]) -> dict[str, int]:
    """Write sentences of two tokens or more: one a line, the tokens separated by a space.

    Returns:
        The numbers of "sentences" and "tokens".

    Raises:
        ValueError: "no sentence of two words or more ...".
    """
    counts = {"sentences": 0, "tokens": 0}
    with replacing(path) as part, part.open("w", encoding="utf8") as file:
        for sentence in sentences:
            for start in range(0, len(sentence), MAX_TOKENS):
                if len(piece := sentence[start : start + MAX_TOKENS]) > 1:
                    file.write(" ".join(piece) + "\n")
                    counts["sentences"] += 1
                    counts["tokens"] += len(piece)
        if not counts["sentences"]:
            raise ValueError(
                "no sentence of two words or more, so there is nothing to learn from: "
                "give other texts by vars.vectors.texts"
            )
    return counts


def from_texts(path: Path, nlp: Language, lower: bool, skipped: Skipped) -> Iterator[list[str]]:
    """Sentences of a file or folder of texts.

    Args:
        path: the file or folder.
        nlp: a pipeline that sets sentence borders.
        lower: lower-case the tokens.
        skipped: gets the texts that can't be processed, and bad lines unless it is strict.
    """
    size = sum(file.stat().st_size for file in source_files(path))
    with progress_bar("tokenize", size, "B") as bar:
        for text in read_texts(path, skipped, bar):
            if reason := why_unreadable(text.text, nlp):
                skipped.add(reason, text.file, text.line)
            else:
                yield from to_sentences(text.text, nlp, lower)


def to_sentences(text: str, nlp: Language, lower: bool) -> Iterator[list[str]]:
    """spaCy's tokens of each sentence, without white space. `nlp` sets sentence borders."""
    with nlp.memory_zone():
        for sentence in nlp(text).sents:
            tokens = [token.lower_ if lower else token.text for token in sentence]
            yield [token for token in tokens if not any(map(str.isspace, token))]


def from_sessions(path: Path) -> Iterator[list[str]]:
    """Lists of ids: JSONL with a list on each line, or text with ids separated by white space.

    Raises:
        ValueError: "FILE:LINE: not a session ...", for a line that is not a list of ids.
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
    if not isinstance(items, list) or not all(map(_is_id, items)):
        raise ValueError(
            f"{place}: not a session: each line should be a list of ids without white space, "
            'such as ["a12", "b7"]'
        )
    return [str(item) for item in items]


def _is_id(item: object) -> bool:
    return isinstance(item, str | int) and len(str(item).split()) == 1


def from_gensim(nlp: Language, lower: bool) -> Iterator[list[str]]:
    """Sentences of texts bundled with gensim: news (Lee), and a Wikipedia dump of 206 pages.

    (The words of gensim's other Wikipedia text are stemmed, so it is of no use here.)
    """
    wikicorpus = need("gensim.corpora.wikicorpus", "vectors")
    datapath = need("gensim.test.utils", "vectors").datapath
    for _, line in read_lines(Path(datapath(NEWS))):
        yield from to_sentences(line, nlp, lower)
    with bz2.open(datapath(WIKI_DUMP)) as file:
        for _, text, _ in wikicorpus.extract_pages(file, filter_namespaces=("0",)):
            for paragraph in wikicorpus.filter_wiki(text).splitlines():
                if not paragraph.startswith("#REDIRECT"):
                    yield from to_sentences(paragraph, nlp, lower)
