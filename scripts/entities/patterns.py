"""Read a patterns file, and explain which of its patterns cannot match."""

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.matcher import Matcher
from spacy.schemas import validate_token_pattern
from spacy.vocab import Vocab

from scripts.entities.matching import Pattern, TokenPattern, required_words
from scripts.reading import read_jsonl

# Attributes that need a component, by that component.
ANNOTATED = {
    "TAG": "tagger",
    "POS": "tagger",
    "MORPH": "morphologizer",
    "LEMMA": "lemmatizer",
    "DEP": "parser",
    "ENT_TYPE": "ner",
}


def read_patterns(path: Path) -> list[Pattern]:
    """The patterns of an EntityRuler JSONL file, in the file's order.

    Raises:
        ValueError: "... holds no pattern ...", or "FILE:LINE: not a pattern ..." with the reason.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist: give a JSONL file with one pattern per line")
    patterns = []
    for number, record in read_jsonl(path):
        problem = _problem(record)
        if problem:
            raise ValueError(f"{path}:{number}: not a pattern: {problem}")
        patterns.append(Pattern(record["label"], record["pattern"], str(record.get("id") or "")))
    if not patterns:
        raise ValueError(
            f'{path} holds no pattern: add lines such as {{"label": "GADGET", "pattern": "iPhone"}}'
        )
    return patterns


def _problem(record: dict[str, Any]) -> str:
    """What is wrong with a line of a patterns file; "" if nothing is."""
    label, pattern = record.get("label"), record.get("pattern")
    if not isinstance(label, str) or not isinstance(pattern, str | list) or not (label and pattern):
        return 'a line needs a "label" and a "pattern" (a phrase or a list of token patterns)'
    return _token_problem(pattern) if isinstance(pattern, list) else ""


def _token_problem(pattern: TokenPattern) -> str:
    """What is wrong with a token pattern; "" if nothing is."""
    if problems := validate_token_pattern(pattern):
        return "; ".join(problems)
    if any("_" in token for token in pattern):
        return "custom attributes (_) are not set on raw texts"
    try:
        Matcher(Vocab()).add("pattern", [pattern])
    except (ValueError, AttributeError, re.error) as error:
        return str(error)
    return ""


def to_ruler(pattern: Pattern) -> dict[str, Any]:
    """A pattern as the EntityRuler takes it."""
    line: dict[str, Any] = {"label": pattern.label, "pattern": pattern.pattern}
    return {**line, "id": pattern.id} if pattern.id else line


def fingerprint(patterns: list[Pattern]) -> str:
    """The patterns as one line of JSON: equal lines mean equal patterns."""
    return json.dumps([to_ruler(pattern) for pattern in patterns], sort_keys=True)


def needs_annotation(patterns: list[Pattern]) -> list[tuple[int, str]]:
    """(number of the pattern, attribute) for each attribute that a tokenizer alone does not set."""
    needs = []
    for number, pattern in enumerate(patterns, start=1):
        tokens = [] if isinstance(pattern.pattern, str) else pattern.pattern
        attrs = [key.upper() for key in chain.from_iterable(tokens)]
        needs += [(number, attr) for attr in attrs if attr in ANNOTATED]
    return needs


def never_match(patterns: list[Pattern], nlp: Language) -> Iterator[tuple[int, str]]:
    """(index, reason) of each pattern that cannot match, given how the tokenizer cuts words."""
    for index, pattern in enumerate(patterns):
        reason = _why_never(pattern, nlp)
        if reason:
            yield index, reason


def _why_never(pattern: Pattern, nlp: Language) -> str | None:
    if isinstance(pattern.pattern, str):
        return None if pattern.pattern.strip() else "the phrase is empty"
    reasons = (_why_token_never(token, nlp) for token in pattern.pattern)
    return next(filter(None, reasons), None)


def _why_token_never(token: dict[str, Any], nlp: Language) -> str | None:
    for key, value in token.items():
        words = value.get("IN") if key.upper() == "LOWER" and isinstance(value, dict) else None
        if words and not any(_is_lower(word, nlp) for word in words):
            return _write_lower([word.lower() for word in words], words)
    for attr, word in required_words(token):
        if attr == "LOWER" and not _is_lower(word, nlp):
            return _write_lower(word.lower(), word)
        pieces = [piece.text for piece in nlp.tokenizer(word)]
        if len(pieces) != 1:
            return (
                f"the tokenizer cuts {word!r} into {pieces}: "
                "give each piece its own token pattern, or write a phrase"
            )
    return None


def _is_lower(word: Any, nlp: Language) -> bool:
    """Whether a value of LOWER may match: what is not a string is the Matcher's business."""
    return not isinstance(word, str) or nlp.vocab[word].lower_ == word


def _write_lower(right: Any, wrong: Any) -> str:
    return f"LOWER is compared with lower-case text: write {right!r} for {wrong!r}"
