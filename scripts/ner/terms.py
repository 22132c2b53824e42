"""Terms: the phrases that a teacher found often enough as whole entities, as patterns that a user can read, edit and freeze."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc, Span
from spacy.util import filter_spans
from spacy.vocab import Vocab

from scripts.entities.matching import Pattern
from scripts.reading import read_jsonl

Key = tuple[tuple[str, ...], str]  # lower-case words, label
WHOLE = 0.5  # least share of its places where it is no part of a longer entity


def read_terms(path: Path) -> list[dict[str, Any]]:
    """The lines of a terms file: EntityRuler patterns of LOWER words, with an "answer" as Prodigy gives it.

    Raises:
        ValueError: "FILE:LINE: not a term ...".
    """
    terms = []
    for number, record in read_jsonl(path):
        words = record.get("pattern")
        right = (
            isinstance(words, list)
            and words
            and all(isinstance(word, dict) and isinstance(word.get("LOWER"), str) for word in words)
        )
        if (
            not right
            or not isinstance(record.get("label"), str)
            or record.get("answer", "accept") not in ("accept", "reject")
        ):
            raise ValueError(
                f'{path}:{number}: not a term: a line needs a "label", a "pattern" of LOWER words, and "accept" or "reject" for an "answer"'
            )
        terms.append(record)
    return terms


def accepted(terms: Iterable[dict[str, Any]]) -> list[Pattern]:
    """The accepted terms as patterns."""
    return [
        Pattern(term["label"], term["pattern"])
        for term in terms
        if term.get("answer", "accept") == "accept"
    ]


def _key(term: dict[str, Any]) -> Key:
    return tuple(word["LOWER"] for word in term["pattern"]), term["label"]


@dataclass
class Decided:
    """What a user has said of terms: accepted ones are entities wherever they stand, rejected ones nowhere."""

    vocab: Vocab
    terms: Sequence[dict[str, Any]]
    _matcher: PhraseMatcher = field(init=False)

    def __post_init__(self) -> None:
        self._matcher = PhraseMatcher(self.vocab, attr="LOWER")
        for number, term in enumerate(self.terms):
            self._matcher.add(str(number), [Doc(self.vocab, words=list(_key(term)[0]))])

    def apply(self, doc: Doc) -> None:
        """Set the entities of accepted terms where the Doc has none, and say of rejected ones that they are none."""
        added: list[Span] = []
        none: set[int] = set()
        for match, start, end in self._matcher(doc) if self.terms else []:
            term = self.terms[int(self.vocab.strings[match])]
            if term.get("answer", "accept") == "accept":
                added.append(Span(doc, start, end, label=term["label"]))
            else:
                none.update(range(start, end))
        if added or none:
            spans = filter_spans([*doc.ents, *added])  # of overlapping ones the longest
            covered = {token.i for span in spans for token in span}
            missing = [
                doc[token.i : token.i + 1]
                for token in doc
                if token.ent_iob == 0 and token.i not in covered | none
            ]
            doc.set_ents(spans, missing=missing, default="outside")

    def drop_rejected(self, doc: Doc) -> None:
        """Take out the entities that are rejected terms."""
        rejected = {_key(term) for term in self.terms if term.get("answer", "accept") == "reject"}
        wrong = [ent for ent in doc.ents if (words_of(ent), ent.label_) in rejected]
        if wrong:
            doc.set_ents(wrong[:0], outside=wrong, default="unmodified")


def words_of(span: Span) -> tuple[str, ...]:
    """The lower-case words of a span."""
    return tuple(token.lower_ for token in span)


@dataclass
class Finder:
    """Gathers, Doc by Doc, where each phrase that the teacher found stands, whole or as a part.

    Two passes: `see` all Docs with the teacher's entities, then `weigh` them with its probabilities.

    Args:
        vocab: of the Docs.
        known: phrases that need no term, because the patterns match them.
    """

    vocab: Vocab
    known: set[Key]
    _labels: dict[tuple[str, ...], set[str]] = field(default_factory=lambda: defaultdict(set))
    _means: dict[Key, list[float]] = field(default_factory=lambda: defaultdict(list))
    _parts: Counter[Key] = field(default_factory=Counter)
    _examples: dict[Key, str] = field(default_factory=dict)
    _matcher: PhraseMatcher | None = None

    def see(self, doc: Doc) -> None:
        """Take note of the entities of a Doc."""
        for ent in doc.ents:
            self._labels[words_of(ent)].add(ent.label_)

    def weigh(self, doc: Doc, probability: np.ndarray) -> None:
        """Take note of each place of a phrase.

        Args:
            doc: with the teacher's entities.
            probability: (n_tokens,) of being in any entity.
        """
        if self._matcher is None:
            self._matcher = PhraseMatcher(self.vocab, attr="LOWER")
            self._matcher.add(
                "", [Doc(self.vocab, words=list(words)) for words in sorted(self._labels)]
            )
        owner = {token.i: ent for ent in doc.ents for token in ent}
        for _, start, end in self._matcher(doc):
            words, ent = words_of(doc[start:end]), owner.get(start) or owner.get(end - 1)
            for label in (ent.label_,) if ent else self._labels[words]:
                if ent and (ent.start, ent.end) != (start, end):
                    self._parts[words, label] += 1
                else:
                    self._means[words, label].append(float(probability[start:end].mean()))
                    self._examples.setdefault(
                        (words, label), " ".join(doc[max(0, start - 5) : end + 5].text.split())
                    )

    def terms(self, sure: float) -> list[dict[str, Any]]:
        """Terms that are good enough, the surest first.

        Args:
            sure: least mean probability where the phrase stands for itself.
        """
        good = []
        for key, means in self._means.items():
            parts = self._parts[key]
            if (
                key not in self.known
                and np.mean(means) >= sure
                and len(means) / (len(means) + parts) >= WHOLE
            ):
                words, label = key
                good.append(
                    {
                        "label": label,
                        "pattern": [{"LOWER": word} for word in words],
                        "answer": "accept",
                        "score": round(float(np.mean(means)), 3),
                        "places": len(means),
                        "example": self._examples[key],
                    }
                )
        return sorted(good, key=lambda term: (-term["score"], _key(term)))
