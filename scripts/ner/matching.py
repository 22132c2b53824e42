"""Find every match of many EntityRuler patterns, at a cost that hardly grows with their number.

spaCy's Matcher tries each pattern at each token, so a thousand patterns cost a thousand times as much as one. Most
patterns can only match where a certain word stands. Those words go into one PhraseMatcher (a trie, 20M tokens/s and more),
and a small Matcher with just the patterns of that word looks at the tokens around it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import srsly
from spacy.language import Language
from spacy.matcher import Matcher, PhraseMatcher
from spacy.tokens import Doc
from spacy.vocab import Vocab

Match = tuple[int, int, int]  # (index of the pattern, first token, token after the last)
TokenPattern = list[dict[str, Any]]

_TEXT_ATTRS = {"LOWER": "LOWER", "ORTH": "ORTH", "TEXT": "ORTH"}
_BRACES = re.compile(r"\{(\d*)(,?)(\d*)\}")


@dataclass(frozen=True)
class Pattern:
    """One line of an EntityRuler patterns file."""

    label: str
    pattern: str | TokenPattern
    id: str = ""

    def __str__(self) -> str:
        if isinstance(self.pattern, str):
            return self.pattern
        return srsly.json_dumps(self.pattern)


def _operator(token: dict[str, Any]) -> str:
    return next((value for key, value in token.items() if key.upper() == "OP"), "1")


def repeats(token: dict[str, Any]) -> tuple[int, int | None]:
    """How many tokens a token pattern takes: (least, most), most None where there is no limit. "!" takes one."""
    operator = _operator(token)
    if operator in ("1", "!"):
        return 1, 1
    if operator in ("?", "*", "+"):
        return (1 if operator == "+" else 0), (1 if operator == "?" else None)
    braces = _BRACES.fullmatch(operator)
    if braces is None:
        raise ValueError(f"unknown operator {operator!r}: use one of ! ? + * {{n}} {{n,m}} {{n,}} {{,m}}")
    low, comma, high = braces.groups()
    least = int(low or 0)
    return least, (int(high) if high else None if comma else least)


def literal(token: dict[str, Any]) -> tuple[str, str] | None:
    """(LOWER or ORTH, word) of a token pattern that asks for just that, once; else None."""
    if len(token) != 1:
        return None
    ((key, value),) = token.items()
    attr = _TEXT_ATTRS.get(key.upper())
    return (attr, value) if attr and isinstance(value, str) and value else None


def required_words(token: dict[str, Any]) -> list[tuple[str, str]]:
    """(LOWER or ORTH, word) of the one word that must stand where this token pattern matches; empty if any other may."""
    if repeats(token)[0] == 0 or _operator(token) == "!":
        return []
    texts = [(_TEXT_ATTRS[key.upper()], value) for key, value in token.items() if key.upper() in _TEXT_ATTRS]
    return [(attr, value) for attr, value in texts if isinstance(value, str)]


def anchors(token: dict[str, Any]) -> frozenset[str]:
    """Lower-cased words of which one must stand where this token pattern matches; empty where there is no such set."""
    if repeats(token)[0] == 0 or _operator(token) == "!":
        return frozenset()
    for key, value in token.items():
        if key.upper() in _TEXT_ATTRS:
            words = value.get("IN") if isinstance(value, dict) else [value]
            if isinstance(words, list) and words and all(isinstance(word, str) and word for word in words):
                return frozenset(word.lower() for word in words)
    return frozenset()


@dataclass
class _Group:
    """The patterns that need one anchor word, and how far around it they can reach (None: anywhere in the Doc)."""

    matcher: Matcher
    reach: int | None = 0


@dataclass
class PatternMatcher:
    """Matches of spaCy's Matcher and PhraseMatcher on the same patterns: the same set, found faster.

    Args:
        nlp: the pipeline whose vocab and tokenizer the Docs share.
        patterns: what to look for. Phrases are cut by `nlp.tokenizer`, as the EntityRuler does it.
        phrase_attr: what phrases are compared by: ORTH (exact) or LOWER.

    Raises:
        ValueError: "pattern N (...) ...", for a pattern that the Matcher refuses.
    """

    nlp: Language
    patterns: Sequence[Pattern]
    phrase_attr: str = "ORTH"
    _phrases: dict[str, PhraseMatcher] = field(init=False, default_factory=dict)
    _literals: dict[int, int] = field(init=False, default_factory=dict)  # key in a PhraseMatcher -> pattern
    _groups: dict[int, _Group] = field(init=False, default_factory=dict)  # key in a PhraseMatcher -> patterns to try
    _anywhere: Matcher | None = field(init=False, default=None)
    n_anywhere: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        anchored: list[tuple[int, TokenPattern]] = []
        for index, pattern in enumerate(self.patterns):
            if isinstance(pattern.pattern, str):
                self._add_phrase(index, self.phrase_attr, self.nlp.tokenizer(pattern.pattern))
                continue
            literals = [literal(token) for token in pattern.pattern]
            attrs = {found[0] for found in literals if found}
            if literals and all(literals) and len(attrs) == 1:
                words = [found[1] for found in literals if found]
                (attr,) = attrs
                if attr == "ORTH" or all(self.nlp.vocab[word].lower_ == word for word in words):
                    self._add_phrase(index, attr, Doc(self.nlp.vocab, words=words))
            else:
                anchored.append((index, pattern.pattern))
        self._add_anchored(anchored)

    def _add_phrase(self, index: int, attr: str, words: Doc) -> None:
        self._phrase_matcher(attr).add(f"pattern {index}", [words])
        self._literals[self.nlp.vocab.strings[f"pattern {index}"]] = index

    def _phrase_matcher(self, attr: str) -> PhraseMatcher:
        return self._phrases.setdefault(attr, PhraseMatcher(self.nlp.vocab, attr=attr))

    def _add_anchored(self, patterns: list[tuple[int, TokenPattern]]) -> None:
        shared = Counter(word for _, pattern in patterns for token in pattern for word in anchors(token))
        for index, pattern in patterns:
            choices = [choice for choice in map(anchors, pattern) if choice]
            if not choices:
                self._anywhere = self._anywhere or Matcher(self.nlp.vocab)
                self.n_anywhere += 1
                _add(self._anywhere, index, pattern)
                continue
            for word in min(choices, key=lambda choice: _cost(choice, shared, self.nlp.vocab)):
                group = self._group(word)
                _add(group.matcher, index, pattern)
                longest = [repeats(token)[1] for token in pattern]
                if group.reach is not None:
                    group.reach = None if None in longest else max(group.reach, sum(filter(None, longest)))

    def _group(self, word: str) -> _Group:
        key = f"anchor {word}"
        if key not in self.nlp.vocab.strings or self.nlp.vocab.strings[key] not in self._groups:
            self._phrase_matcher("LOWER").add(key, [Doc(self.nlp.vocab, words=[word])])
            self._groups[self.nlp.vocab.strings[key]] = _Group(Matcher(self.nlp.vocab))
        return self._groups[self.nlp.vocab.strings[key]]

    def __call__(self, doc: Doc) -> list[Match]:
        """All matches in a Doc, sorted by pattern, start and end; overlapping ones too."""
        found: set[Match] = set()
        for phrases in self._phrases.values():
            for key, start, end in phrases(doc):
                index = self._literals.get(key)
                if index is not None:
                    found.add((index, start, end))
                else:
                    found.update(self._around(doc, self._groups[key], start))
        if self._anywhere is not None:
            found.update(self._anywhere(doc))
        return sorted(found)

    @staticmethod
    def _around(doc: Doc, group: _Group, at: int) -> Iterable[Match]:
        if group.reach is None:
            return group.matcher(doc)
        first = max(0, at - group.reach + 1)
        return [(index, first + start, first + end) for index, start, end in group.matcher(doc[first : at + group.reach])]


def _add(matcher: Matcher, index: int, pattern: TokenPattern) -> None:
    try:
        matcher.add(index, [pattern])
    except ValueError as error:
        raise ValueError(f"pattern {index + 1} ({pattern}) is not one that spaCy's Matcher takes: {error}") from error


def _cost(words: frozenset[str], shared: Counter[str], vocab: Vocab) -> tuple[bool, int, int]:
    """A guess at how often an anchor makes a Matcher run in vain: common words last, then words of many patterns, then short ones."""
    common = any(vocab[word].is_stop or len(word) < 3 for word in words)
    return common, sum(shared[word] for word in words), -min(map(len, words))


def resolve_overlaps(matches: Iterable[Match]) -> tuple[list[Match], list[tuple[Match, Match]]]:
    """Of overlapping matches keep the longest, then the one whose pattern stands first in the file, then the leftmost.

    Returns:
        the kept matches, sorted by start, and (dropped, kept) for each dropped one.
    """
    kept: list[Match] = []
    dropped: list[tuple[Match, Match]] = []
    taken: dict[int, Match] = {}
    for match in sorted(matches, key=lambda match: (match[1] - match[2], match[0], match[1])):
        _, start, end = match
        winner = next((taken[token] for token in range(start, end) if token in taken), None)
        if winner is None:
            kept.append(match)
            taken.update(dict.fromkeys(range(start, end), match))
        else:
            dropped.append((match, winner))
    return sorted(kept, key=lambda match: match[1]), dropped
