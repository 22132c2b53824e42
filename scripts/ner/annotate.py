"""Texts and patterns in, DocBin shards with silver labels and statistics out."""

import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.attrs import ENT_ID, ENT_IOB, ENT_TYPE, ORTH, SPACY
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span

from scripts.entities.matching import Match, Pattern, PatternMatcher, resolve_overlaps
from scripts.entities.patterns import check_annotation, fingerprint, never_match, read_patterns
from scripts.files import digest, progress_bar, write_jsonl
from scripts.pipelines import load_nlp
from scripts.reading import Skipped, Text, read_texts, source_files, text_key, why_unreadable
from scripts.shards import MakeShard, Shard, lots, make_shards

SHARD_TEXTS = 2_000
SILVER_ATTRS = ("ENT_IOB", "ENT_TYPE", "ENT_ID")
WARM_WORDS = (
    15_000  # words that a process keeps for good; later ones are forgotten after each shard
)


@dataclass
class Counts:
    """What the matching of some texts found. Counts of shards add up."""

    texts: int = 0
    tokens: int = 0
    without_match: int = 0
    matches: Counter[int] = field(
        default_factory=Counter
    )  # by pattern, before overlaps are resolved
    entities: Counter[int] = field(default_factory=Counter)  # by pattern, after
    overlaps: Counter[tuple[int, int]] = field(
        default_factory=Counter
    )  # (pattern dropped, pattern kept)

    def add(self, other: "Counts") -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            **{
                name: sorted(getattr(self, name).items())
                for name in ("matches", "entities", "overlaps")
            },
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Counts":
        pairs = {
            name: Counter({_key(key): count for key, count in data[name]})
            for name in ("matches", "entities", "overlaps")
        }
        return cls(data["texts"], data["tokens"], data["without_match"], **pairs)


def _key(key: int | list[int]) -> Any:
    return tuple(key) if isinstance(key, list) else key


class Annotator:
    """Sets the entities that patterns find.

    Args:
        nlp: cuts the texts, and annotates them first where it has components.
        patterns: what to look for.
        phrase_attr: what phrases are compared by: ORTH (exact) or LOWER.
    """

    def __init__(self, nlp: Language, patterns: list[Pattern], phrase_attr: str = "ORTH") -> None:
        check_annotation(patterns, nlp)
        self.nlp, self.patterns = nlp, patterns
        self.matcher = PatternMatcher(nlp, patterns, phrase_attr)
        for text in {text for pattern in patterns for text in (pattern.label, pattern.id)}:
            nlp.vocab.strings.add(text)
        nlp.tokenizer.max_cache_size = WARM_WORDS  # type: ignore[union-attr]

    def match(
        self, texts: Iterable[str]
    ) -> Iterator[tuple[Doc, list[Match], list[Match], list[tuple[Match, Match]]]]:
        """(Doc, all matches, those that are entities, dropped and kept of each overlap) for each text, in order."""
        docs = self.nlp.pipe(texts) if self.nlp.pipe_names else map(self.nlp.make_doc, texts)
        for doc in docs:
            matches = self.matcher(doc)
            kept, dropped = resolve_overlaps(matches) if len(matches) > 1 else (matches, [])
            yield doc, matches, [_trim(doc, match) for match in kept], dropped

    def annotate(self, texts: Iterable[str]) -> Iterator[Doc]:
        """A Doc with entities for each text, in order."""
        for doc, _, entities, _ in self.match(texts):
            spans = [(self.patterns[index], start, end) for index, start, end in entities]
            doc.set_ents(
                [
                    Span(doc, start, end, label=pattern.label, span_id=pattern.id)
                    for pattern, start, end in spans
                ]
            )
            yield doc

    def shard(self, texts: list[str]) -> Shard:
        """The bytes of a DocBin of the annotated texts, and the counts of what was found in them."""
        counts = Counts()
        docbin = DocBin(attrs=SILVER_ATTRS)
        warm = len(self.nlp.vocab) < WARM_WORDS
        with nullcontext() if warm else self.nlp.memory_zone():
            for doc, matches, entities, dropped in self.match(texts):
                self._add(docbin, doc, entities)
                counts.texts += 1
                counts.tokens += len(doc)
                if not matches:
                    counts.without_match += 1
                    continue
                counts.matches.update(match[0] for match in matches)
                counts.entities.update(match[0] for match in matches)
                counts.entities.subtract(loser[0] for loser, _ in dropped)
                counts.overlaps.update((loser[0], winner[0]) for loser, winner in dropped)
            words = np.unique(np.concatenate([array[:, 0] for array in docbin.tokens]))
            docbin.strings.update(self.nlp.vocab.strings[key] for key in words.tolist())
            docbin.strings.update(
                text for pattern in self.patterns for text in (pattern.label, pattern.id) if text
            )
        labels = sorted(
            {self.patterns[index].label for index, times in counts.entities.items() if times}
        )
        return docbin.to_bytes(), {"labels": labels, "counts": counts.to_json()}

    def _add(self, docbin: DocBin, doc: Doc, entities: list[Match]) -> None:
        """Add a Doc with entities to a DocBin: what `set_ents` and `DocBin.add` do, which ask each token for nine strings."""
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


def _trim(doc: Doc, match: Match) -> Match:
    """A match without white space at its borders: spaCy's NER takes no such entity."""
    index, start, end = match
    while start < end - 1 and doc[end - 1].is_space:
        end -= 1
    while start < end - 1 and doc[start].is_space:
        start += 1
    return index, start, end


def prepare(base: str, patterns: list[Pattern], phrase_attr: str) -> MakeShard:
    """What a process makes shards with."""
    return Annotator(load_nlp(base), patterns, phrase_attr).shard


def unique_texts(
    texts: Iterable[Text], nlp: Language, set_aside: Skipped, repeated: Counter[str]
) -> Iterator[Text]:
    """Each text once, in order; what can't be processed is set aside. The texts seen are kept on disk, not in memory."""
    seen = sqlite3.connect("")  # a temporary file that goes when it is closed
    seen.execute("PRAGMA journal_mode = OFF")
    seen.execute("CREATE TABLE seen (key INTEGER PRIMARY KEY) WITHOUT ROWID")
    for text in texts:
        reason = why_unreadable(text.text, nlp)
        if reason:
            set_aside.add(reason, text.file, text.line, characters=len(text.text))
            continue
        key = int.from_bytes(text_key(text.text), "big", signed=True)
        if seen.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key,)).rowcount:
            yield text
        else:
            repeated["texts"] += 1


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
    """Annotate the texts of a file or folder into DocBin shards under `output`, and return the statistics.

    Args:
        texts: .jsonl, .txt, .spacy, gzipped or not, or a folder of them.
        patterns_file: EntityRuler JSONL.
        output: gets shard-00000.spacy ..., manifest.json, and set_aside.jsonl (texts that can't be processed).
        base: language code, or a pipeline where the patterns need its annotation.
        phrase_attr: what phrases are compared by: ORTH or LOWER.
        n_process: processes; -1 for one a core. The bytes written do not depend on it.
        skip_bad: leave out bad lines and count them, instead of raising.
        shard_texts: texts in a shard.

    Raises:
        ValueError: for bad lines, patterns or settings, with file and line.
    """
    patterns = read_patterns(patterns_file)
    nlp = load_nlp(base)
    settings = digest(
        repr(
            (
                fingerprint(patterns),
                base,
                nlp.meta["version"],
                phrase_attr,
                shard_texts,
                spacy.__version__,
            )
        ).encode()
    )
    never = dict(never_match(patterns, nlp))
    bad, set_aside, repeated = Skipped(), Skipped(), Counter[str]()
    total = sum(file.stat().st_size for file in source_files(texts))
    output.mkdir(parents=True, exist_ok=True)
    counts, n_shards = Counts(), 0
    with progress_bar("annotate", total, "B") as bar:
        lines = read_texts(texts, bad if skip_bad else None, bar)
        unique = unique_texts(lines, nlp, set_aside, repeated)
        for told in make_shards(
            lots(unique, shard_texts),
            output,
            settings,
            n_process,
            prepare,
            (base, patterns, phrase_attr),
        ):
            counts.add(Counts.from_json(told["counts"]))
            n_shards += 1
    write_jsonl(output / "set_aside.jsonl", set_aside.records + bad.records)
    return statistics(counts, patterns, never, set_aside, bad, repeated["texts"], n_shards)


def statistics(
    counts: Counts,
    patterns: list[Pattern],
    never: dict[int, str],
    set_aside: Skipped,
    bad: Skipped,
    repeated: int,
    n_shards: int,
) -> dict[str, Any]:
    """Everything that a user should know about what the patterns found, as JSON."""
    labels = list(dict.fromkeys(pattern.label for pattern in patterns))
    per_label = {label: {"patterns": 0, "matches": 0, "entities": 0} for label in labels}
    per_pattern = []
    for index, pattern in enumerate(patterns):
        matches, entities = counts.matches[index], counts.entities[index]
        per_pattern.append(
            {"line": index + 1, "label": pattern.label, "id": pattern.id, "pattern": str(pattern)}
        )
        per_pattern[-1] |= {"matches": matches, "entities": entities}
        if index in never and not matches:
            per_pattern[-1]["never"] = never[index]
        for key, value in (("patterns", 1), ("matches", matches), ("entities", entities)):
            per_label[pattern.label][key] += value
    overlaps = []
    between_labels = 0
    for (loser, winner), times in sorted(
        counts.overlaps.items(), key=lambda item: (-item[1], item[0])
    ):
        dropped, kept = patterns[loser], patterns[winner]
        overlaps.append(
            {
                "dropped": str(dropped),
                "kept": str(kept),
                "labels": [dropped.label, kept.label],
                "times": times,
            }
        )
        between_labels += times if dropped.label != kept.label else 0
    return {
        "texts": counts.texts,
        "tokens": counts.tokens,
        "texts_without_match": counts.without_match,
        "repeated_texts_dropped": repeated,
        "set_aside": set_aside.counts(),
        "bad_lines_skipped": bad.counts(),
        "shards": n_shards,
        "labels": per_label,
        "labels_without_match": [label for label in labels if not per_label[label]["matches"]],
        "patterns_without_match": [line["pattern"] for line in per_pattern if not line["matches"]],
        "overlaps_resolved": sum(counts.overlaps.values()),
        "overlaps_between_labels": between_labels,
        "overlaps": overlaps,
        "patterns": per_pattern,
    }


def print_statistics(stats: dict[str, Any], path: Path) -> None:
    """Print what a user should see at once, and on stderr what is wrong with the patterns; the rest is in the file."""
    print(
        f"{stats['texts']} texts, {stats['tokens']} tokens; {stats['texts_without_match']} texts without a match (kept as negatives)"
    )
    for label, counts in stats["labels"].items():
        print(
            f"{label}: {counts['matches']} matches of {counts['patterns']} patterns, {counts['entities']} entities"
        )
    resolved, between = stats["overlaps_resolved"], stats["overlaps_between_labels"]
    print(
        f"{resolved} overlaps resolved (longest, then first in the file), {between} of them between labels"
    )
    for key, title in (("set_aside", "set aside"), ("bad_lines_skipped", "bad lines skipped")):
        if stats[key]:
            print(f"{title}: {stats[key]}")
    if stats["repeated_texts_dropped"]:
        print(f"repeated texts dropped: {stats['repeated_texts_dropped']}")
    for line in stats["patterns"]:
        if "never" in line:
            print(
                f"Warning: pattern {line['line']} can never match, {line['never']}: {line['pattern']}",
                file=sys.stderr,
            )
    for label in stats["labels_without_match"]:
        print(
            f"Warning: label {label} has no match at all, so no pipeline can learn it: see {path}",
            file=sys.stderr,
        )
    silent = len(stats["patterns_without_match"])
    if silent:
        print(
            f"Warning: {silent} of {len(stats['patterns'])} patterns never matched: see {path}",
            file=sys.stderr,
        )
