"""Terms: phrases that a teacher found often enough as whole entities.

They are EntityRuler patterns that a user can read, edit and freeze.
"""

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

Words = tuple[str, ...]  # in lower case
Key = tuple[Words, str]  # words, label
Term = dict[str, Any]  # an EntityRuler pattern with an "answer"
MIN_WHOLE = 0.5  # share of its places where a term must be an entity, not part of a longer one
CONTEXT = 5  # words before the start and after the end of a term, in its example


def read_terms(path: Path) -> list[Term]:
    """The lines of a terms file: EntityRuler patterns of LOWER words, with Prodigy's "answer".

    Raises:
        ValueError: "FILE:LINE: not a term ...".
    """
    terms = []
    for number, record in read_jsonl(path):
        if not _is_term(record):
            raise ValueError(
                f'{path}:{number}: not a term: a line needs a "label", a "pattern" of LOWER words, '
                'and "accept" or "reject" as "answer"'
            )
        terms.append(record)
    return terms


def _is_term(record: Term) -> bool:
    words = record.get("pattern")
    if not isinstance(words, list) or not words or not all(map(_is_lower_word, words)):
        return False
    return isinstance(record.get("label"), str) and _answer(record) in ("accept", "reject")


def _is_lower_word(token: Any) -> bool:
    return isinstance(token, dict) and isinstance(token.get("LOWER"), str)


def _answer(term: Term) -> Any:
    return term.get("answer", "accept")


def _words(term: Term) -> Words:
    return tuple(token["LOWER"] for token in term["pattern"])


def accepted(terms: Iterable[Term]) -> list[Pattern]:
    """The accepted terms as patterns."""
    return [Pattern(term["label"], term["pattern"]) for term in terms if _answer(term) == "accept"]


def words_of(span: Span) -> Words:
    """The lower-case words of a span."""
    return tuple(token.lower_ for token in span)


@dataclass
class Decisions:
    """A user's decisions on terms: accepted ones are entities everywhere, rejected ones nowhere.

    Args:
        vocab: of the Docs.
        terms: what was decided.
    """

    vocab: Vocab
    terms: Sequence[Term]
    _matcher: PhraseMatcher = field(init=False)

    def __post_init__(self) -> None:
        self._matcher = PhraseMatcher(self.vocab, attr="LOWER")
        for number, term in enumerate(self.terms):
            self._matcher.add(str(number), [Doc(self.vocab, words=list(_words(term)))])

    def apply(self, doc: Doc) -> None:
        """Set the entities of accepted terms where a Doc has none, and make rejected ones "O"."""
        added: list[Span] = []
        rejected: set[int] = set()
        for key, start, end in self._matcher(doc) if self.terms else []:
            term = self.terms[int(self.vocab.strings[key])]
            if _answer(term) == "accept":
                added.append(Span(doc, start, end, label=term["label"]))
            else:
                rejected.update(range(start, end))
        if added or rejected:
            _set_entities(doc, [*doc.ents, *added], rejected)

    def drop_rejected(self, doc: Doc) -> None:
        """Remove the entities that are rejected terms."""
        rejected = [term for term in self.terms if _answer(term) == "reject"]
        keys = {(_words(term), term["label"]) for term in rejected}
        wrong = [ent for ent in doc.ents if (words_of(ent), ent.label_) in keys]
        if wrong:
            doc.set_ents([], outside=wrong, default="unmodified")


def _set_entities(doc: Doc, candidates: Iterable[Span], outside: set[int]) -> None:
    """Set entities, the longest of overlapping ones. Unknown tokens stay so, unless `outside`."""
    spans = filter_spans(candidates)
    decided = set(outside)
    for span in spans:
        decided.update(range(span.start, span.end))
    unknown = [token.i for token in doc if token.ent_iob == 0 and token.i not in decided]
    doc.set_ents(spans, missing=[doc[at : at + 1] for at in unknown], default="outside")


@dataclass
class TermCollector:
    """Counts, Doc by Doc, where each phrase that the teacher found is a whole entity or a part.

    It needs two passes over the Docs: `add_entities` of all, then `add_places` of all.

    Args:
        vocab: of the Docs.
        known: phrases that need no term, because the patterns match them.
    """

    vocab: Vocab
    known: set[Key] = field(default_factory=set)
    _labels: dict[Words, set[str]] = field(default_factory=lambda: defaultdict(set))
    # For each place where the phrase is whole, the mean probability of its tokens.
    _probabilities: dict[Key, list[float]] = field(default_factory=lambda: defaultdict(list))
    _n_parts: Counter[Key] = field(default_factory=Counter)
    _examples: dict[Key, str] = field(default_factory=dict)
    _matcher: PhraseMatcher | None = None

    def add_known(self, doc: Doc) -> None:
        """Take the entities of a Doc as known: the patterns match them."""
        self.known.update((words_of(ent), ent.label_) for ent in doc.ents)

    def add_entities(self, doc: Doc) -> None:
        """Collect the phrases that are entities in a Doc."""
        for ent in doc.ents:
            self._labels[words_of(ent)].add(ent.label_)

    def add_places(self, doc: Doc, probability: np.ndarray) -> None:
        """Count each place of a phrase in a Doc.

        Args:
            doc: with the teacher's entities.
            probability: (n_tokens,) of being in any entity.
        """
        if self._matcher is None:
            self._matcher = self._make_matcher()
        ents: dict[int, Span] = {}
        for ent in doc.ents:
            ents.update(dict.fromkeys(range(ent.start, ent.end), ent))
        for _, start, end in self._matcher(doc):
            span = doc[start:end]
            owner = ents.get(start) or ents.get(end - 1)
            for label in (owner.label_,) if owner else self._labels[words_of(span)]:
                key = words_of(span), label
                if owner and (owner.start, owner.end) != (start, end):
                    self._n_parts[key] += 1
                else:
                    self._probabilities[key].append(float(probability[start:end].mean()))
                    self._examples.setdefault(key, _context(span))

    def _make_matcher(self) -> PhraseMatcher:
        phrases = [Doc(self.vocab, words=list(words)) for words in sorted(self._labels)]
        matcher = PhraseMatcher(self.vocab, attr="LOWER")
        matcher.add("", phrases)
        return matcher

    def terms(self, threshold: float) -> list[Term]:
        """The terms that are good enough, the most probable first.

        Args:
            threshold: the least mean probability in the places where the phrase is whole.
        """
        terms = [self._term(key) for key in self._probabilities if self._is_good(key, threshold)]
        return sorted(terms, key=lambda term: (-term["score"], _words(term), term["label"]))

    def _is_good(self, key: Key, threshold: float) -> bool:
        probabilities = self._probabilities[key]
        n_whole = len(probabilities)
        is_whole = n_whole / (n_whole + self._n_parts[key]) >= MIN_WHOLE
        return key not in self.known and is_whole and bool(np.mean(probabilities) >= threshold)

    def _term(self, key: Key) -> Term:
        words, label = key
        return {
            "label": label,
            "pattern": [{"LOWER": word} for word in words],
            "answer": "accept",
            "score": round(float(np.mean(self._probabilities[key])), 3),
            "places": len(self._probabilities[key]),
            "example": self._examples[key],
        }


def _context(span: Span) -> str:
    """A span with the words around it, on one line."""
    text = span.doc[max(0, span.start - CONTEXT) : span.end + CONTEXT].text
    return " ".join(text.split())
