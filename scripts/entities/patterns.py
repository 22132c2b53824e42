"""Read a patterns file, and say which of its patterns can't work."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.matcher import Matcher
from spacy.schemas import validate_token_pattern
from spacy.vocab import Vocab

from scripts.entities.matching import Pattern, required_words
from scripts.reading import read_jsonl

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
        ValueError: "... holds no pattern ...", or "FILE:LINE: not a pattern ..." with what is wrong with it.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist: give a JSONL file with a pattern a line")
    patterns = []
    for number, record in read_jsonl(path):
        label, pattern = record.get("label"), record.get("pattern")
        if (
            not isinstance(label, str)
            or not label
            or not isinstance(pattern, str | list)
            or not pattern
        ):
            raise ValueError(
                f'{path}:{number}: not a pattern: a line needs a "label" and a "pattern" (a phrase or a list of token patterns)'
            )
        if isinstance(pattern, list):
            problems = validate_token_pattern(pattern)
            if problems:
                raise ValueError(f"{path}:{number}: not a pattern: {'; '.join(problems)}")
            if any("_" in token for token in pattern):
                raise ValueError(
                    f"{path}:{number}: not a pattern: custom attributes (_) are not set on raw texts"
                )
            try:
                Matcher(Vocab()).add("pattern", [pattern])
            except (ValueError, AttributeError, re.error) as error:
                raise ValueError(f"{path}:{number}: not a pattern: {error}") from error
        patterns.append(Pattern(label, pattern, str(record.get("id") or "")))
    if not patterns:
        raise ValueError(
            f'{path} holds no pattern: add lines such as {{"label": "GADGET", "pattern": "iPhone"}}'
        )
    return patterns


def to_ruler(pattern: Pattern) -> dict[str, Any]:
    """A pattern as the EntityRuler takes it."""
    line: dict[str, Any] = {"label": pattern.label, "pattern": pattern.pattern}
    return {**line, "id": pattern.id} if pattern.id else line


def fingerprint(patterns: list[Pattern]) -> str:
    """The patterns as one line of JSON: equal lines, equal patterns."""
    return json.dumps([to_ruler(pattern) for pattern in patterns], sort_keys=True)


def check_annotation(patterns: list[Pattern], nlp: Language) -> None:
    """See that the pipeline sets what the patterns ask for.

    Raises:
        ValueError: "pattern N asks for POS ...", when a pattern needs a component that the pipeline lacks.
    """
    for number, attr in needs_annotation(patterns) if not nlp.pipe_names else []:
        raise ValueError(
            f"pattern {number} asks for {attr}, which a blank pipeline does not set: "
            f"give an installed pipeline with a {ANNOTATED[attr]} (--vars.ner.base en_core_web_sm)"
        )


def needs_annotation(patterns: list[Pattern]) -> list[tuple[int, str]]:
    """(number of the pattern, attribute) of all that a tokenizer alone does not set."""
    numbered = [
        (number, pattern.pattern)
        for number, pattern in enumerate(patterns, start=1)
        if not isinstance(pattern.pattern, str)
    ]
    return [
        (number, key.upper())
        for number, tokens in numbered
        for token in tokens
        for key in token
        if key.upper() in ANNOTATED
    ]


def never_match(patterns: list[Pattern], nlp: Language) -> Iterator[tuple[int, str]]:
    """(index, reason) of each pattern that can't match what the pipeline's tokenizer makes."""
    for index, pattern in enumerate(patterns):
        reason = _why_never(pattern, nlp)
        if reason:
            yield index, reason


def _why_never(pattern: Pattern, nlp: Language) -> str | None:
    if isinstance(pattern.pattern, str):
        return None if pattern.pattern.strip() else "the phrase is empty"
    for token in pattern.pattern:
        for key, value in token.items():
            words = value.get("IN") if key.upper() == "LOWER" and isinstance(value, dict) else None
            if words and all(
                isinstance(word, str) and nlp.vocab[word].lower_ != word for word in words
            ):
                return f"LOWER is compared with lower-case text: write {[word.lower() for word in words]} for {words}"
        for attr, word in required_words(token):
            if attr == "LOWER" and nlp.vocab[word].lower_ != word:
                return (
                    f"LOWER is compared with lower-case text: write {word.lower()!r} for {word!r}"
                )
            pieces = [piece.text for piece in nlp.tokenizer(word)]
            if len(pieces) != 1:
                return f"the tokenizer cuts {word!r} into {pieces}: give each piece its own token pattern, or write a phrase"
    return None
