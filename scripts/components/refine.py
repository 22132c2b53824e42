"""The component `label_refiner`: a table turns generic entity labels into specific ones. Self-contained, for --code.

It works after any component that sets `doc.ents`. A row of the table names a generic label, the specific one, and when it applies:

    {"from": "GPE", "label": "TOURIST_DESTINATION", "text": "Bali", "aliases": ["Isle of the Gods"], "id": "bali", "kb_id": "Q4648"}
    {"from": "GADGET", "label": "TABLET", "mention": ["tab", [{"LOWER": "galaxy"}, {"LOWER": {"REGEX": "^tab"}}]]}
    {"from": "CLOTHING", "label": "CHILDRENS_CLOTHING", "context": ["toddler", "for my son"], "before": 4, "after": 4}

Where a row gives several of text, mention and context, all must hold; one that gives none always holds. Of the rows that hold, one
decides: a text comes before a mention, a mention before a context, a context before none, two conditions before one of them alone;
then the longest match inside the mention, the context nearest to it, and the row that stands first.
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
Matches = dict[
    int, list[tuple[int, int]]
]  # number of a list of patterns -> (first token, token after the last) of each match

WINDOW = 5

for extension in ("generic_label", "refined_by"):
    if not Span.has_extension(extension):
        Span.set_extension(extension, default=None)


def text_key(text: str) -> str:
    """What makes two mentions the same: the text with case and white space evened out."""
    return " ".join(text.casefold().split())


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "from": (lambda value: _is_text(value) or _is_texts(value), "a label or a list of labels"),
    **{key: (_is_text, "a string that is not empty") for key in ("label", "text", "id", "kb_id")},
    "aliases": (
        lambda value: value == [] or _is_texts(value),
        "a list of strings that are not empty",
    ),
    **{
        key: (lambda value: isinstance(value, str | list), "phrases or token patterns")
        for key in ("mention", "context")
    },
    **{
        key: (lambda value: type(value) is int and value >= 0, "a number of tokens")
        for key in ("before", "after")
    },
    "sentence": (lambda value: isinstance(value, bool), "true or false"),
}


def _check_row(row: Any) -> None:
    if not isinstance(row, dict):
        raise ValueError(
            f'not a row: it should look like {{"from": "GPE", "label": "CITY", "text": "Rome"}}, not {row!r}'
        )
    for key, value in row.items():
        if key not in KEYS:
            raise ValueError(f"unknown key {key!r}: the keys are {', '.join(KEYS)}")
        is_good, what = KEYS[key]
        if not is_good(value):
            raise ValueError(f"{key!r} must be {what}, not {value!r}")
    if "from" not in row or "label" not in row:
        raise ValueError(
            'a row needs a "from" (the generic label) and a "label" (the specific one)'
        )
    for key, beside in {
        "aliases": "text",
        "before": "context",
        "after": "context",
        "sentence": "context",
    }.items():
        if key in row and beside not in row:
            raise ValueError(f"{key!r} must stand beside a {beside!r}")


def _token_patterns(given: Any, tokenizer: Tokenizer) -> list[list[dict[str, Any]]]:
    """Phrases and token patterns as token patterns; the one-word phrases become one, which is tried faster than many."""
    words, patterns = set(), []
    for pattern in (
        given
        if isinstance(given, list) and not all(isinstance(item, dict) for item in given)
        else [given]
    ):
        if _is_text(pattern):
            pieces = [token.lower_ for token in tokenizer(pattern.strip()) if not token.is_space]
            words.update(pieces if len(pieces) == 1 else [])
            patterns += [[{"LOWER": piece} for piece in pieces]] if len(pieces) > 1 else []
        elif not isinstance(pattern, list) or not pattern:
            raise ValueError(
                f"not a pattern: {pattern!r} is neither a phrase nor a list of token patterns"
            )
        elif problems := validate_token_pattern(pattern):
            raise ValueError(f"the Matcher refuses {pattern}: {'; '.join(problems)}")
        else:
            patterns.append(pattern)
    return ([[{"LOWER": {"IN": sorted(words)}}]] if words else []) + patterns


# Table


@dataclass(frozen=True, slots=True)
class _Rule:
    """A row, ready to be tried: `mention` and `context` are numbers of lists of patterns (-1: none), a width of -1 has no end."""

    row: Row
    mention: int
    context: int
    before: int
    after: int
    sentence: bool

    def strength(self, ent: Span, found: Matches) -> tuple[Any, ...] | None:
        """What rules are ordered by, the strongest first; None where a condition does not hold."""
        inside = _between(found.get(self.mention, []), ent.start, ent.end)
        distances = list(self.distances(ent, found.get(self.context, [])))
        if (self.mention >= 0 and not inside) or (self.context >= 0 and not distances):
            return None
        longest = max((end - start for start, end in inside), default=0)
        return (
            "text" not in self.row,
            self.mention < 0,
            self.context < 0,
            -longest,
            min(distances, default=0),
        )

    def distances(self, ent: Span, matches: list[tuple[int, int]]) -> Iterator[int]:
        """Tokens between the entity and each match that lies in the window beside it."""
        first, last = (ent[0].sent.start, ent[-1].sent.end) if self.sentence else (0, len(ent.doc))
        first = first if self.before < 0 else max(first, ent.start - self.before)
        last = last if self.after < 0 else min(last, ent.end + self.after)
        yield from (ent.start - end for _, end in _between(matches, first, ent.start))
        yield from (start - ent.end for start, _ in _between(matches, ent.end, last))


def _between(matches: list[tuple[int, int]], first: int, last: int) -> list[tuple[int, int]]:
    """Of sorted matches those that lie within some tokens: a long Doc must not be gone through for each entity."""
    return [
        match
        for match in matches[bisect_left(matches, (first, 0)) : bisect_left(matches, (last, 0))]
        if match[1] <= last
    ]


class _Table:
    """Rows made ready: texts in a dict, patterns in one Matcher for each generic label."""

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
        self.by_text: dict[tuple[str, str], list[int]] = defaultdict(
            list
        )  # (generic label, text) -> rows
        self.by_patterns: dict[tuple[str, int], list[int]] = defaultdict(
            list
        )  # (generic label, list of patterns; -1: none) -> rows without a text
        self.matchers: dict[str, Matcher] = {}
        self.generic: dict[
            str, bool
        ] = {}  # generic label -> does one of its rows ask for the sentence
        self._numbers: dict[str, int] = {}  # a list of patterns as JSON -> its number
        self._tokenizer, self._vocab, self._window = tokenizer, vocab, window
        seen: dict[tuple[Any, ...], int] = {}
        for index, row in enumerate(self.rows):
            try:
                _check_row(row)
                self._add(index, row, seen)
            except ValueError as error:
                raise ValueError(f"{self.names[index]}: {error}") from None

    def _add(self, index: int, row: Row, seen: dict[tuple[Any, ...], int]) -> None:
        generic = (
            [row["from"]] if isinstance(row["from"], str) else list(dict.fromkeys(row["from"]))
        )
        texts = (
            tuple(dict.fromkeys(text_key(text) for text in [row["text"], *row.get("aliases", [])]))
            if "text" in row
            else ()
        )
        mention, context = (
            self._number(row[key], generic) if key in row else -1 for key in ("mention", "context")
        )
        width = -1 if row.get("sentence") else self._window  # -1: as far as it goes
        sides = {
            key: row.get(key, 0 if {"before", "after"} & set(row) else width)
            for key in ("before", "after")
        }
        rule = _Rule(row, mention, context, **sides, sentence=row.get("sentence", False))
        self.rules.append(rule)
        for label in generic:
            self.generic[label] = self.generic.get(label, False) or rule.sentence
            for text in texts or ("",):
                when = (label, text, mention, context, *sides.values(), rule.sentence)
                earlier = self.rows[seen.setdefault(when, index)]
                if any(earlier.get(key) != row.get(key) for key in ("label", "id", "kb_id")):
                    what = f"{label} {text!r}" if text else f"the same patterns for {label}"
                    raise ValueError(
                        f"contradicts {self.names[seen[when]]} on {what}: keep one, or give one of them a 'context'"
                    )
                if text:
                    self.by_text[label, text].append(index)
            for number in () if texts else {mention, context} - {-1} or {-1}:
                self.by_patterns[label, number].append(index)

    def _number(self, given: Any, generic: list[str]) -> int:
        patterns = _token_patterns(given, self._tokenizer)
        number = self._numbers.setdefault(
            srsly.json_dumps(patterns, sort_keys=True), len(self._numbers)
        )
        for label in generic:
            matcher = self.matchers.setdefault(label, Matcher(self._vocab))
            try:
                if not matcher.get(number):
                    matcher.add(number, patterns)  # type: ignore[arg-type]
            except (ValueError, AttributeError, re.error) as error:
                raise ValueError(f"the Matcher refuses {given!r}: {error}") from None
        return number

    def choose(self, ents: Sequence[Span], doc: Doc, generic: str) -> Iterator[tuple[Span, int]]:
        """Entities of one generic label with the index of the row that decides; those for which no row holds are left out."""
        found: Matches = defaultdict(list)
        for number, start, end in self.matchers[generic](doc) if generic in self.matchers else ():
            insort(found[number], (start, end))
        matched = {
            row for number in (-1, *found) for row in self.by_patterns.get((generic, number), ())
        }
        for ent in ents:
            rows = matched.union(self.by_text.get((generic, text_key(ent.text)), ()))
            ranks = [
                (*strength, row)
                for row in rows
                if (strength := self.rules[row].strength(ent, found))
            ]
            if ranks:
                yield ent, min(ranks)[-1]


# Component


class LabelRefiner(Pipe):
    """Give entities the specific label, `ent_id_` and `kb_id_` of the row that decides for them.

    Sets `Span._.generic_label` (the label before) and `Span._.refined_by` (the index of the row in `rows`) of each entity that it
    refines. Entities for which no row holds stay as they are, and so do an id and a kb_id where the row gives none.
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
        """Forget all rows."""
        self.table = _Table([], [], self.tokenizer, self.vocab, self.window)

    def add_rows(self, rows: Iterable[Row], names: Sequence[str] | None = None) -> None:
        """Add rows behind those that are there: many in one call, for each makes the whole table ready anew.

        Errors call the rows by their `names`, as "table.jsonl:7"; by default by their place, "row 7".

        Raises:
            ValueError: "row 7: unknown key ...", "... must be ...", "a row needs ...", "... must stand beside ...", "not a pattern ...",
                "the Matcher refuses ...", "contradicts row 3 ..."; then no row is added.
        """
        added = list(rows)
        names = names or [f"row {len(self.rows) + number}" for number in range(1, len(added) + 1)]
        self.table = _Table(
            [*self.rows, *added],
            [*self.table.names, *names],
            self.tokenizer,
            self.vocab,
            self.window,
        )
        for string in {row[key] for row in added for key in ("label", "id", "kb_id") if key in row}:
            self.vocab.strings.add(string)

    def initialize(
        self, get_examples: Any, *, nlp: Language | None = None, rows: Sequence[Row] | None = None
    ) -> None:
        """Start with the rows that [initialize.components.label_refiner] gives."""
        self.clear()
        self.add_rows(rows or [])

    def __call__(self, doc: Doc) -> Doc:
        """Refine the entities of a Doc.

        Raises:
            ValueError: "... asks for the sentence ...", where the Doc has no sentences.
        """
        ents = [ent for ent in doc.ents if ent.label_ in self.table.generic]
        labels = sorted({ent.label_ for ent in ents})
        if any(self.table.generic[label] for label in labels) and not doc.has_annotation(
            "SENT_START"
        ):
            raise ValueError(
                f"a row of {self.name} asks for the sentence, which no component sets: put a sentencizer before it, or use 'before'"
            )
        chosen = [
            pair
            for label in labels
            for pair in self.table.choose([ent for ent in ents if ent.label_ == label], doc, label)
        ]
        doc.set_ents(
            [_refine(ent, index, self.rows[index]) for ent, index in chosen], default="unmodified"
        )
        return doc

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The table and the window as bytes."""
        return srsly.msgpack_dumps({"window": self.window, "rows": self.rows})

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "LabelRefiner":
        """Load what `to_bytes` made."""
        return self._fill(**srsly.msgpack_loads(data))

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write table.jsonl and cfg to a folder."""
        Path(path).mkdir(exist_ok=True, parents=True)
        srsly.write_json(Path(path) / "cfg", {"window": self.window})
        srsly.write_jsonl(Path(path) / "table.jsonl", self.rows)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "LabelRefiner":
        """Load what `to_disk` wrote."""
        return self._fill(
            srsly.read_json(Path(path) / "cfg")["window"],
            list(srsly.read_jsonl(Path(path) / "table.jsonl")),
        )

    def _fill(self, window: int, rows: list[Row]) -> "LabelRefiner":
        self.window = window
        self.initialize(None, rows=rows)
        return self


def _refine(ent: Span, index: int, row: Row) -> Span:
    kb_id, span_id = row.get("kb_id", ent.kb_id), row.get("id", ent.ent_id)
    span = Span(ent.doc, ent.start, ent.end, row["label"], kb_id=kb_id, span_id=span_id)
    if span._.generic_label is None:  # else another refiner came before: keep what the NER had said
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
    """A refiner without rows yet. `window`: tokens on either side in which a context is looked for where its row gives no width."""
    return LabelRefiner(nlp, name, window=window)
