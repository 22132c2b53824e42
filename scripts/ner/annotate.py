"""Match patterns in texts, and write DocBin shards with silver labels."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import spacy
from spacy.attrs import ENT_ID, ENT_IOB, ENT_TYPE, ORTH, SPACY
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span

from scripts.entities.matching import Match, Pattern, PatternMatcher, resolve_overlaps
from scripts.entities.patterns import (
    ANNOTATED,
    fingerprint,
    needs_annotation,
    never_match,
    read_patterns,
)
from scripts.files import digest, progress_bar, write_jsonl
from scripts.ner.options import SHARD_TEXTS
from scripts.ner.statistics import Counts, LeftOut, statistics
from scripts.pipelines import load_nlp
from scripts.reading import Skipped, Text, read_texts, source_files, text_key, why_unreadable
from scripts.shards import MakeShard, Shard, make_shards, text_chunks

SILVER_ATTRS = ("ENT_IOB", "ENT_TYPE", "ENT_ID")
MAX_VOCAB = 15_000  # words that a process keeps; after that, those of a shard are forgotten again


class DocMatches(NamedTuple):
    """What the patterns match in one Doc."""

    doc: Doc
    matches: list[Match]  # all of them
    entities: list[Match]  # those that are left after overlaps are resolved
    overlaps: list[tuple[Match, Match]]  # (dropped, kept)


class Annotator:
    """Sets the entities that patterns match.

    Args:
        nlp: tokenizes the texts, and annotates them first if it has components.
        patterns: what to look for.
        phrase_attr: what phrases are compared by: ORTH (exact) or LOWER.

    Raises:
        ValueError: "pattern N asks for ...", if a pattern needs a component that `nlp` lacks.
    """

    def __init__(self, nlp: Language, patterns: list[Pattern], phrase_attr: str = "ORTH") -> None:
        _check_annotation(patterns, nlp)
        self.nlp = nlp
        self.patterns = patterns
        self.matcher = PatternMatcher(nlp, patterns, phrase_attr)
        for pattern in patterns:
            nlp.vocab.strings.add(pattern.label)
            nlp.vocab.strings.add(pattern.id)
        nlp.tokenizer.max_cache_size = MAX_VOCAB  # type: ignore[union-attr]

    def match(self, texts: Iterable[str]) -> Iterator[DocMatches]:
        """What the patterns match in each text, in order."""
        docs = self.nlp.pipe(texts) if self.nlp.pipe_names else map(self.nlp.make_doc, texts)
        for doc in docs:
            matches = self.matcher(doc)
            kept, overlaps = resolve_overlaps(matches) if len(matches) > 1 else (matches, [])
            yield DocMatches(doc, matches, [_trim(doc, match) for match in kept], overlaps)

    def annotate(self, texts: Iterable[str]) -> Iterator[Doc]:
        """A Doc with entities for each text, in order."""
        for doc, _, entities, _ in self.match(texts):
            doc.set_ents([self._span(doc, match) for match in entities])
            yield doc

    def _span(self, doc: Doc, match: Match) -> Span:
        index, start, end = match
        pattern = self.patterns[index]
        return Span(doc, start, end, label=pattern.label, span_id=pattern.id)

    def shard(self, texts: list[str]) -> Shard:
        """The bytes of a DocBin of the annotated texts, and what was counted in them."""
        counts = Counts()
        docbin = DocBin(attrs=SILVER_ATTRS)
        is_small = len(self.nlp.vocab) < MAX_VOCAB
        with nullcontext() if is_small else self.nlp.memory_zone():
            for doc, matches, entities, overlaps in self.match(texts):
                self._add_to_docbin(docbin, doc, entities)
                counts.add_doc(len(doc), matches, overlaps)
            self._add_strings(docbin)
        indices = [index for index, times in counts.entities.items() if times]
        labels = sorted({self.patterns[index].label for index in indices})
        return docbin.to_bytes(), {"labels": labels, "counts": counts.to_json()}

    def _add_to_docbin(self, docbin: DocBin, doc: Doc, entities: list[Match]) -> None:
        """Add a Doc with entities to a DocBin.

        The same as `set_ents` and `DocBin.add`, but these look up nine strings for each token.
        """
        array = np.zeros((len(doc), len(docbin.attrs)), dtype="uint64")
        array[:, 0] = doc.to_array(ORTH)
        iob, label, span_id = (docbin.attrs.index(attr) for attr in (ENT_IOB, ENT_TYPE, ENT_ID))
        array[:, iob] = 2
        for index, start, end in entities:
            pattern = self.patterns[index]
            array[start:end, iob] = 1
            array[start, iob] = 3
            array[start:end, label] = self.nlp.vocab.strings[pattern.label]
            array[start:end, span_id] = self.nlp.vocab.strings[pattern.id]
        docbin.tokens.append(array)
        docbin.spaces.append(doc.to_array(SPACY).reshape(-1, 1).astype(bool))
        docbin.flags.append({"has_unknown_spaces": doc.has_unknown_spaces})
        docbin.cats.append({})
        docbin.span_groups.append(b"")

    def _add_strings(self, docbin: DocBin) -> None:
        """Add the strings of all words, labels and ids to a DocBin."""
        words = np.unique(np.concatenate([array[:, 0] for array in docbin.tokens]))
        docbin.strings.update(self.nlp.vocab.strings[key] for key in words.tolist())
        for pattern in self.patterns:
            docbin.strings.update(filter(None, (pattern.label, pattern.id)))


def _check_annotation(patterns: list[Pattern], nlp: Language) -> None:
    for number, attr in needs_annotation(patterns) if not nlp.pipe_names else []:
        raise ValueError(
            f"pattern {number} asks for {attr}, which a blank pipeline does not set: give an "
            f"installed pipeline with a {ANNOTATED[attr]} (--vars.ner.base en_core_web_sm)"
        )


def _trim(doc: Doc, match: Match) -> Match:
    """A match without white space at its borders: spaCy's NER accepts no such entity."""
    index, start, end = match
    while start < end - 1 and doc[end - 1].is_space:
        end -= 1
    while start < end - 1 and doc[start].is_space:
        start += 1
    return index, start, end


def prepare(base: str, patterns: list[Pattern], phrase_attr: str) -> MakeShard:
    """The function that makes a shard of texts, for one process."""
    return Annotator(load_nlp(base), patterns, phrase_attr).shard


@dataclass
class Cleaner:
    """Passes each text once, in order, and counts those that it leaves out.

    The texts that it has seen are kept on disk, not in memory.
    """

    nlp: Language
    set_aside: Skipped = field(default_factory=Skipped)  # texts that cannot be processed
    repeated: int = 0  # texts that came again

    def clean(self, texts: Iterable[Text]) -> Iterator[Text]:
        """The texts without those that are unreadable or that came before."""
        seen = sqlite3.connect("")  # a temporary file, deleted when it is closed
        seen.execute("PRAGMA journal_mode = OFF")
        seen.execute("CREATE TABLE seen (key INTEGER PRIMARY KEY) WITHOUT ROWID")
        for text in texts:
            reason = why_unreadable(text.text, self.nlp)
            if reason:
                self.set_aside.add(reason, text.file, text.line, characters=len(text.text))
                continue
            key = int.from_bytes(text_key(text.text), "big", signed=True)
            if seen.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key,)).rowcount:
                yield text
            else:
                self.repeated += 1


def annotate_files(
    texts: Path,
    patterns_file: Path,
    output: Path,
    *,
    base: str = "en",
    phrase_attr: str = "ORTH",
    n_process: int = 1,
    skip_bad: bool = False,
    shard_texts: int = SHARD_TEXTS,
) -> dict[str, Any]:
    """Annotate the texts of a file or folder, write DocBin shards, and return the statistics.

    Args:
        texts: .jsonl, .txt, .spacy, gzipped or not, or a folder of them.
        patterns_file: EntityRuler JSONL.
        output: gets shard-00000.spacy ..., manifest.json, and set_aside.jsonl (texts that cannot
            be processed).
        base: language code, or a pipeline if the patterns need its annotation.
        phrase_attr: what phrases are compared by: ORTH or LOWER.
        n_process: number of processes; -1 for one per core. The bytes do not depend on it.
        skip_bad: leave out bad lines and count them, instead of stopping at the first.
        shard_texts: texts in a shard.

    Raises:
        ValueError: for bad lines, patterns or settings, with file and line.
    """
    patterns = read_patterns(patterns_file)
    nlp = load_nlp(base)
    never = dict(never_match(patterns, nlp))
    versions = (nlp.meta["version"], phrase_attr, shard_texts, spacy.__version__)
    settings = digest(repr((fingerprint(patterns), base, *versions)).encode())
    bad = Skipped(strict=not skip_bad, var="vars.ner.bad_lines")
    cleaner = Cleaner(nlp)
    counts, n_shards = Counts(), 0
    total = sum(file.stat().st_size for file in source_files(texts))
    output.mkdir(parents=True, exist_ok=True)
    with progress_bar("annotate", total, "B") as bar:
        chunks = text_chunks(cleaner.clean(read_texts(texts, bad, bar)), shard_texts)
        args = (base, patterns, phrase_attr)
        for shard in make_shards(chunks, output, settings, n_process, prepare, args):
            counts.add(Counts.from_json(shard["counts"]))
            n_shards += 1
    write_jsonl(output / "set_aside.jsonl", cleaner.set_aside.records + bad.records)
    left_out = LeftOut(cleaner.repeated, cleaner.set_aside.counts(), bad.counts())
    return statistics(counts, patterns, never, left_out, n_shards)
