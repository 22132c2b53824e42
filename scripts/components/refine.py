"""The component `label_refiner`: a table turns generic entity labels into specific ones.

It works after any component that sets `doc.ents`. A row of the table names a generic label, the
specific one, and when it applies:

    {"from": "GPE", "label": "TOURIST_DESTINATION", "text": "Bali", "aliases": ["Isle of the Gods"],
     "id": "bali", "kb_id": "Q4648"}
    {"from": "GADGET", "label": "TABLET", "mention": ["tab", [{"LOWER": {"REGEX": "^tab"}}]]}
    {"from": "CLOTHING", "label": "CHILDRENS_CLOTHING", "context": ["toddler", "for my son"],
     "before": 4, "after": 4}

If a row has several of text, mention and context, all of them must apply; a row with none of them
always applies. If several rows apply, one decides: a row with a text comes before one with a
mention, a mention before a context, a context before none, and two conditions before the first of
them alone. After that, the longest match inside the mention comes first, then the context nearest
to the entity, then the row that stands first.

Self-contained, for --code.
"""

import re
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.matcher import Matcher
from spacy.pipeline import Pipe
from spacy.schemas import validate_token_pattern
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

Row = dict[str, Any]
TokenPattern = list[dict[str, Any]]
# number of a list of patterns -> (first token, token after the last) of each match
Matches = dict[int, list[tuple[int, int]]]

WINDOW = 5
NONE = -1  # no list of patterns, or no limit

for extension in ("generic_label", "refined_by"):
    if not Span.has_extension(extension):
        Span.set_extension(extension, default=None)


def text_key(text: str) -> str:
    """What two mentions share if they count as the same: the text without case and extra spaces."""
    return " ".join(text.casefold().split())


# Checks


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


def _is_label(value: Any) -> bool:
    return _is_text(value) or _is_texts(value)


def _is_aliases(value: Any) -> bool:
    return value == [] or _is_texts(value)


def _is_patterns(value: Any) -> bool:
    return isinstance(value, str | list)


def _is_width(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


# key -> (check, what its value must be)
KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "from": (_is_label, "a label or a list of labels"),
    "label": (_is_text, "a string that is not empty"),
    "text": (_is_text, "a string that is not empty"),
    "id": (_is_text, "a string that is not empty"),
    "kb_id": (_is_text, "a string that is not empty"),
    "aliases": (_is_aliases, "a list of strings that are not empty"),
    "mention": (_is_patterns, "phrases or token patterns"),
    "context": (_is_patterns, "phrases or token patterns"),
    "before": (_is_width, "a number of tokens"),
    "after": (_is_width, "a number of tokens"),
    "sentence": (_is_flag, "true or false"),
}
# key -> the key that it needs
NEEDS = {"aliases": "text", "before": "context", "after": "context", "sentence": "context"}


def _check_row(row: Any) -> None:
    if not isinstance(row, dict):
        example = '{"from": "GPE", "label": "CITY", "text": "Rome"}'
        raise ValueError(f"not a row: it should look like {example}, not {row!r}")
    for key, value in row.items():
        if key not in KEYS:
            raise ValueError(f"unknown key {key!r}: the keys are {', '.join(KEYS)}")
        is_valid, expected = KEYS[key]
        if not is_valid(value):
            raise ValueError(f"{key!r} must be {expected}, not {value!r}")
    if "from" not in row or "label" not in row:
        raise ValueError('a row needs a "from" (generic label) and a "label" (specific label)')
    for key, needed in NEEDS.items():
        if key in row and needed not in row:
            raise ValueError(f"{key!r} needs a {needed!r} in the same row")


def generic_labels(row: Row) -> list[str]:
    """The labels that a row refines, each once."""
    return [row["from"]] if isinstance(row["from"], str) else list(dict.fromkeys(row["from"]))


# Patterns


def _as_list(patterns: Any) -> list[Any]:
    """Phrases and token patterns as a list; a single one may stand without a list around it."""
    if isinstance(patterns, list) and not all(isinstance(item, dict) for item in patterns):
        return patterns
    return [patterns]


def _token_patterns(patterns: Any, tokenizer: Tokenizer) -> list[TokenPattern]:
    """Phrases and token patterns as token patterns.

    All phrases of one word become one pattern, which the Matcher tries faster than many.
    """
    words: set[str] = set()
    longer: list[TokenPattern] = []
    for pattern in _as_list(patterns):
        if not _is_text(pattern):
            longer.append(_checked_pattern(pattern))
            continue
        tokens = [token.lower_ for token in tokenizer(pattern.strip()) if not token.is_space]
        if len(tokens) == 1:
            words.add(tokens[0])
        elif tokens:
            longer.append([{"LOWER": token} for token in tokens])
    one_word = [[{"LOWER": {"IN": sorted(words)}}]] if words else []
    return [*one_word, *longer]


def _checked_pattern(pattern: Any) -> TokenPattern:
    if not isinstance(pattern, list) or not pattern:
        raise ValueError(
            f"not a pattern: {pattern!r} is neither a phrase nor a list of token patterns"
        )
    if problems := validate_token_pattern(pattern):
        raise ValueError(f"the Matcher refuses {pattern}: {'; '.join(problems)}")
    return pattern


# Table


@dataclass(frozen=True, slots=True)
class _Rule:
    """A row in the form in which it is tried.

    Args:
        row: the row.
        mention: number of a list of patterns for the mention, or NONE.
        context: number of a list of patterns for the context, or NONE.
        before: tokens before the entity in which to look for the context; NONE for no limit.
        after: tokens after it, likewise.
        sentence: whether the context must be in the sentence of the entity.
    """

    row: Row
    mention: int
    context: int
    before: int
    after: int
    sentence: bool

    def rank(self, ent: Span, matches: Matches) -> tuple[Any, ...] | None:
        """What rules are ordered by, the strongest first; None if a condition does not apply."""
        inside = _between(matches.get(self.mention, []), ent.start, ent.end)
        distances = list(self.distances(ent, matches.get(self.context, [])))
        if (self.mention != NONE and not inside) or (self.context != NONE and not distances):
            return None
        return (
            "text" not in self.row,
            self.mention == NONE,
            self.context == NONE,
            -max((end - start for start, end in inside), default=0),
            min(distances, default=0),
        )

    def distances(self, ent: Span, matches: list[tuple[int, int]]) -> Iterator[int]:
        """Tokens between the entity and each match in the window before and after it."""
        first, last = (ent[0].sent.start, ent[-1].sent.end) if self.sentence else (0, len(ent.doc))
        if self.before != NONE:
            first = max(first, ent.start - self.before)
        if self.after != NONE:
            last = min(last, ent.end + self.after)
        yield from (ent.start - end for _, end in _between(matches, first, ent.start))
        yield from (start - ent.end for start, _ in _between(matches, ent.end, last))


def _between(matches: list[tuple[int, int]], first: int, last: int) -> list[tuple[int, int]]:
    """The matches from `first` to `last`; they are sorted, so a long Doc is not gone through."""
    begin, end = bisect_left(matches, (first, 0)), bisect_left(matches, (last, 0))
    return [match for match in matches[begin:end] if match[1] <= last]


class _Table:
    """Rows that are ready to use: texts in a dict, patterns in one Matcher per generic label."""

    def __init__(
        self,
        rows: Sequence[Row],
        names: Sequence[str],
        tokenizer: Tokenizer,
        vocab: Vocab,
        window: int,
    ):
        self.rows, self.names = list(rows), list(names)
        self.rules: list[_Rule] = []
        # (generic label, text) -> rows
        self.by_text: dict[tuple[str, str], list[int]] = defaultdict(list)
        # (generic label, number of a list of patterns or NONE) -> rows without a text
        self.by_patterns: dict[tuple[str, int], list[int]] = defaultdict(list)
        self.matchers: dict[str, Matcher] = {}
        # generic label -> whether one of its rows needs sentences
        self.needs_sentences: dict[str, bool] = {}
        self._numbers: dict[str, int] = {}  # a list of patterns as JSON -> its number
        self._first_rows: dict[tuple[Any, ...], int] = {}  # conditions -> first row with them
        self._tokenizer, self._vocab, self._window = tokenizer, vocab, window
        for index, row in enumerate(self.rows):
            try:
                _check_row(row)
                self._add(index, row)
            except ValueError as error:
                raise ValueError(f"{self.names[index]}: {error}") from None

    def _add(self, index: int, row: Row) -> None:
        rule = self._rule(row)
        self.rules.append(rule)
        texts = _text_keys(row)
        numbers = {rule.mention, rule.context} - {NONE} or {NONE}
        for label in generic_labels(row):
            self.needs_sentences[label] = self.needs_sentences.get(label, False) or rule.sentence
            for text in texts or [""]:
                self._check_contradiction(index, label, text)
            for text in texts:
                self.by_text[label, text].append(index)
            for number in () if texts else numbers:
                self.by_patterns[label, number].append(index)

    def _rule(self, row: Row) -> _Rule:
        labels = generic_labels(row)
        mention = self._number(row["mention"], labels) if "mention" in row else NONE
        context = self._number(row["context"], labels) if "context" in row else NONE
        width = NONE if row.get("sentence") else self._window
        if "before" in row or "after" in row:
            width = 0  # of the side that is not given
        before, after = row.get("before", width), row.get("after", width)
        return _Rule(row, mention, context, before, after, row.get("sentence", False))

    def _check_contradiction(self, index: int, label: str, text: str) -> None:
        """Refuse a row whose conditions an earlier row has, with another result."""
        row, rule = self.rows[index], self.rules[index]
        sides = (rule.before, rule.after, rule.sentence)
        conditions = (label, text, rule.mention, rule.context, *sides)
        first = self._first_rows.setdefault(conditions, index)
        if any(self.rows[first].get(key) != row.get(key) for key in ("label", "id", "kb_id")):
            subject = f"{label} {text!r}" if text else f"the same patterns for {label}"
            raise ValueError(
                f"contradicts {self.names[first]} on {subject}: "
                "keep one, or give one of them a 'context'"
            )

    def _number(self, given: Any, labels: list[str]) -> int:
        """The number of a list of patterns, under which the Matchers of some labels know it."""
        patterns = _token_patterns(given, self._tokenizer)
        key = srsly.json_dumps(patterns, sort_keys=True)
        number = self._numbers.setdefault(key, len(self._numbers))
        for label in labels:
            matcher = self.matchers.setdefault(label, Matcher(self._vocab))
            try:
                if not matcher.get(number):
                    matcher.add(number, patterns)  # type: ignore[arg-type]
            except (ValueError, AttributeError, re.error) as error:
                raise ValueError(f"the Matcher refuses {given!r}: {error}") from None
        return number

    def choose(self, ents: Sequence[Span], doc: Doc, generic: str) -> Iterator[tuple[Span, int]]:
        """Entities of one generic label, each with the index of the row that decides.

        Entities to which no row applies are left out.
        """
        matches = self._matches(doc, generic)
        matched: set[int] = set()
        for number in (NONE, *matches):
            matched.update(self.by_patterns.get((generic, number), ()))
        for ent in ents:
            rows = matched.union(self.by_text.get((generic, text_key(ent.text)), ()))
            ranks = []
            for row in rows:
                if rank := self.rules[row].rank(ent, matches):
                    ranks.append((*rank, row))
            if ranks:
                yield ent, min(ranks)[-1]

    def _matches(self, doc: Doc, generic: str) -> Matches:
        matches: Matches = defaultdict(list)
        if generic in self.matchers:
            for number, start, end in self.matchers[generic](doc):
                insort(matches[number], (start, end))
        return matches


def _text_keys(row: Row) -> list[str]:
    """The texts and aliases of a row as `text_key` gives them, each once."""
    if "text" not in row:
        return []
    return list(dict.fromkeys(map(text_key, [row["text"], *row.get("aliases", [])])))


# Component


class LabelRefiner(Pipe):
    """Gives entities the specific label, `ent_id_` and `kb_id_` of the row that decides for them.

    Sets `Span._.generic_label` (the label before) and `Span._.refined_by` (the index of the row in
    `rows`) of each entity that it refines. Entities to which no row applies stay as they are; so do
    an id and a kb_id if the row has none.
    """

    def __init__(self, nlp: Language, name: str = "label_refiner", *, window: int = WINDOW):
        self.name, self.vocab, self.tokenizer, self.window = name, nlp.vocab, nlp.tokenizer, window
        self.clear()

    @property
    def rows(self) -> list[Row]:
        """The rows of the table, in their order."""
        return self.table.rows

    @property
    def labels(self) -> tuple[str, ...]:
        """The specific labels."""
        return tuple(sorted({row["label"] for row in self.rows}))

    def clear(self) -> None:
        """Remove all rows."""
        self.table = self._table([], [])

    def _table(self, rows: Sequence[Row], names: Sequence[str]) -> _Table:
        return _Table(rows, names, self.tokenizer, self.vocab, self.window)

    def add_rows(self, rows: Iterable[Row], names: Sequence[str] | None = None) -> None:
        """Add rows after those that are there.

        Add many in one call, because each call prepares the whole table again.

        Args:
            rows: the new rows.
            names: what errors call them, such as "table.jsonl:7"; by default "row 7".

        Raises:
            ValueError: "row 7: unknown key ...", "... must be ...", "a row needs ...",
                "... needs a ...", "not a pattern ...", "the Matcher refuses ...",
                "contradicts row 3 ..."; then no row is added.
        """
        added = list(rows)
        names = names or [f"row {len(self.rows) + number}" for number in range(1, len(added) + 1)]
        self.table = self._table([*self.rows, *added], [*self.table.names, *names])
        for row in added:
            for key in ("label", "id", "kb_id"):
                if key in row:
                    self.vocab.strings.add(row[key])

    def initialize(
        self, get_examples: Any, *, nlp: Language | None = None, rows: Sequence[Row] | None = None
    ) -> None:
        """Start with the rows in [initialize.components.label_refiner]."""
        self.clear()
        self.add_rows(rows or [])

    def __call__(self, doc: Doc) -> Doc:
        """Refine the entities of a Doc.

        Raises:
            ValueError: "... needs sentences ...", if a row asks for them and the Doc has none.
        """
        by_label: dict[str, list[Span]] = defaultdict(list)
        for ent in doc.ents:
            if ent.label_ in self.table.needs_sentences:
                by_label[ent.label_].append(ent)
        if any(self.table.needs_sentences[label] for label in by_label):
            self._check_sentences(doc)
        refined = []
        for label, ents in sorted(by_label.items()):
            for ent, index in self.table.choose(ents, doc, label):
                refined.append(_refine(ent, index, self.rows[index]))
        doc.set_ents(refined, default="unmodified")
        return doc

    def _check_sentences(self, doc: Doc) -> None:
        if not doc.has_annotation("SENT_START"):
            raise ValueError(
                f"a row of {self.name} needs sentences, which no component sets: "
                "put a sentencizer before it, or use 'before'"
            )

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The table and the window as bytes."""
        return srsly.msgpack_dumps({"window": self.window, "rows": self.rows})

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "LabelRefiner":
        """Load the output of `to_bytes`."""
        return self._load(**srsly.msgpack_loads(data))

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write table.jsonl and cfg to a folder."""
        Path(path).mkdir(exist_ok=True, parents=True)
        srsly.write_json(Path(path) / "cfg", {"window": self.window})
        srsly.write_jsonl(Path(path) / "table.jsonl", self.rows)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "LabelRefiner":
        """Load the output of `to_disk`."""
        window = srsly.read_json(Path(path) / "cfg")["window"]
        return self._load(window, list(srsly.read_jsonl(Path(path) / "table.jsonl")))

    def _load(self, window: int, rows: list[Row]) -> "LabelRefiner":
        self.window = window
        self.initialize(None, rows=rows)
        return self


def _refine(ent: Span, index: int, row: Row) -> Span:
    kb_id, span_id = row.get("kb_id", ent.kb_id), row.get("id", ent.ent_id)
    span = Span(ent.doc, ent.start, ent.end, row["label"], kb_id=kb_id, span_id=span_id)
    if span._.generic_label is None:  # after another refiner, keep the label that the NER gave
        span._.generic_label = ent.label_
    span._.refined_by = index
    return span


@Language.factory(
    "label_refiner",
    assigns=[
        "doc.ents",
        "token.ent_type",
        "token.ent_id",
        "token.ent_kb_id",
        "span._.generic_label",
        "span._.refined_by",
    ],
    requires=["doc.ents"],
    default_config={"window": WINDOW},
)
def create_label_refiner(nlp: Language, name: str, window: int) -> LabelRefiner:
    """A refiner without rows yet.

    Args:
        nlp: the pipeline that it goes into.
        name: of the component.
        window: tokens on either side in which a context is looked for, if its row gives no width.
    """
    return LabelRefiner(nlp, name, window=window)
