"""Find every match of many EntityRuler patterns, at a cost that hardly grows with their number.

spaCy's Matcher tries every pattern at every token, so a thousand patterns cost a thousand times as
much as one. Here each pattern is only tried where it can match, and those places are found fast:

1. Phrases, and token patterns that are only words, go into a PhraseMatcher. It is a trie, whose
   speed (20M tokens/s and more) hardly depends on the number of phrases.
2. Most other patterns have a token that must be a certain word, or one of a few: the anchor, as
   "galaxy" in [{"LOWER": "galaxy"}, {"IS_DIGIT": True}]. Anchors go into a PhraseMatcher, too. If
   one is found, a small Matcher with only the patterns of that anchor reads the tokens around it.
3. A pattern without an anchor may have a token that is decided by the word alone, such as
   {"LIKE_NUM": True}. Each different word is tested once, and the result is cached. If a word
   passes, a small Matcher with only the patterns of that test reads the tokens around it.
4. The few patterns that are left go to one Matcher that reads the whole text.

Of several anchors or tests in a pattern, the one that is likely to be rarest is used.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import srsly
from spacy.attrs import ORTH
from spacy.language import Language
from spacy.matcher import Matcher, PhraseMatcher
from spacy.tokens import Doc
from spacy.vocab import Vocab

Match = tuple[int, int, int]  # (index of the pattern, first token, token after the last)
TokenPattern = list[dict[str, Any]]

CACHE_SIZE = 30_000  # words whose tests are remembered
_BRACES = re.compile(r"\{(\d*)(,?)(\d*)\}")
_TEXT_ATTRS = {"LOWER": "LOWER", "ORTH": "ORTH", "TEXT": "ORTH"}
_FLAGS = """
    ALPHA ASCII DIGIT LOWER UPPER TITLE PUNCT SPACE STOP BRACKET QUOTE LEFT_PUNCT RIGHT_PUNCT
    CURRENCY
"""
# Attributes that depend on the word alone. NORM does not: the tokenizer's exceptions set it.
_WORD_ATTRS = {
    *_TEXT_ATTRS,
    *("SHAPE", "PREFIX", "SUFFIX", "LENGTH", "LIKE_NUM", "LIKE_URL", "LIKE_EMAIL"),
    *(f"IS_{flag}" for flag in _FLAGS.split()),
}
# Those of them that are true of many words.
_COMMON_ATTRS = {"IS_ALPHA", "IS_ASCII", "IS_LOWER", "IS_TITLE", "IS_STOP", "LENGTH"}


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


# What a token pattern asks for


def _operator(token: dict[str, Any]) -> str:
    return next((value for key, value in token.items() if key.upper() == "OP"), "1")


def repeats(token: dict[str, Any]) -> tuple[int, int | None]:
    """How many tokens a token pattern takes: (at least, at most), None for no limit.

    The operator "!" takes one.

    Raises:
        ValueError: "unknown operator ...".
    """
    operator = _operator(token)
    if operator in ("1", "!"):
        return 1, 1
    if operator in ("?", "*", "+"):
        return (1 if operator == "+" else 0), (1 if operator == "?" else None)
    braces = _BRACES.fullmatch(operator)
    if braces is None:
        raise ValueError(
            f"unknown operator {operator!r}: use one of ! ? + * {{n}} {{n,m}} {{n,}} {{,m}}"
        )
    low, comma, high = braces.groups()
    at_least = int(low or 0)
    if high:
        return at_least, int(high)
    return at_least, (None if comma else at_least)


def _must_match(token: dict[str, Any]) -> bool:
    """Whether some token has to match this token pattern if the whole pattern matches."""
    return repeats(token)[0] > 0 and _operator(token) != "!"


def literal(token: dict[str, Any]) -> tuple[str, str] | None:
    """(LOWER or ORTH, word) of a token pattern that asks for only that word, once; else None."""
    if len(token) != 1:
        return None
    ((key, value),) = token.items()
    attr = _TEXT_ATTRS.get(key.upper())
    return (attr, value) if attr and isinstance(value, str) and value else None


def literal_words(pattern: TokenPattern) -> tuple[str, list[str]] | None:
    """(LOWER or ORTH, words) of a pattern that is nothing but these words; else None."""
    literals = [found for found in map(literal, pattern) if found]
    attrs = {attr for attr, _ in literals}
    if len(literals) < len(pattern) or len(attrs) != 1:
        return None
    return attrs.pop(), [word for _, word in literals]


def required_words(token: dict[str, Any]) -> list[tuple[str, str]]:
    """(LOWER or ORTH, word) if only one word matches this token pattern; else an empty list."""
    if not _must_match(token):
        return []
    attrs = [(_TEXT_ATTRS.get(key.upper()), value) for key, value in token.items()]
    return [(attr, value) for attr, value in attrs if attr and isinstance(value, str)]


def anchors(token: dict[str, Any]) -> frozenset[str]:
    """The lower-case words of which one must be where this token pattern matches.

    Empty if there is no such set of words.
    """
    if not _must_match(token):
        return frozenset()
    for key, value in token.items():
        if key.upper() in _TEXT_ATTRS:
            words = value.get("IN") if isinstance(value, dict) else [value]
            if words and isinstance(words, list) and all(map(_is_word, words)):
                return frozenset(word.lower() for word in words)
    return frozenset()


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def word_test(token: dict[str, Any]) -> dict[str, Any] | None:
    """A token pattern without its operator, if a token must match it and the word alone decides."""
    test = {key: value for key, value in token.items() if key.upper() != "OP"}
    decided = test and {key.upper() for key in test} <= _WORD_ATTRS
    return test if decided and _must_match(token) else None


def _max_length(pattern: TokenPattern) -> int | None:
    """The most tokens that a token pattern can take; None if there is no limit."""
    limits = [repeats(token)[1] for token in pattern]
    return None if None in limits else sum(filter(None, limits))


# Where to try a pattern


@dataclass
class _Group:
    """The patterns with the same anchor or test, and the tokens that they can reach around it.

    Args:
        matcher: holds the patterns.
        before: tokens before the anchor; None for all.
        after: tokens after the anchor; None for all.
    """

    matcher: Matcher
    before: int | None = 0
    after: int | None = 0

    def add(self, index: int, pattern: TokenPattern, anchor: int) -> None:
        """Add a pattern. `anchor` is the position of its token with the anchor or test."""
        _add(self.matcher, index, pattern)
        before, after = _max_length(pattern[:anchor]), _max_length(pattern[anchor:])
        self.before = None if before is None or self.before is None else max(self.before, before)
        self.after = None if after is None or self.after is None else max(self.after, after - 1)

    def matches_around(self, doc: Doc, position: int) -> Iterable[Match]:
        """The matches around a token."""
        first = 0 if self.before is None else max(0, position - self.before)
        end = len(doc) if self.after is None else position + 1 + self.after
        matches = self.matcher(doc[first:end])
        return [(index, first + start, first + end) for index, start, end in matches]


class PatternMatcher:
    """Finds the same matches as spaCy's Matcher and PhraseMatcher, faster.

    Args:
        nlp: the pipeline whose vocab and tokenizer the Docs share.
        patterns: what to look for. `nlp.tokenizer` cuts phrases, as in the EntityRuler.
        phrase_attr: what phrases are compared by: ORTH (exact) or LOWER.

    Raises:
        ValueError: "pattern N (...) ...", for a pattern that the Matcher refuses.
    """

    def __init__(
        self, nlp: Language, patterns: Sequence[Pattern], phrase_attr: str = "ORTH"
    ) -> None:
        self.nlp = nlp
        # By attribute (ORTH, LOWER): find phrases and anchors. Their keys lead to what was found:
        self._phrase_matchers: dict[str, PhraseMatcher] = {}
        self._phrase_patterns: dict[int, int] = {}  # the index of a pattern,
        self._anchor_groups: dict[int, _Group] = {}  # or the patterns with that anchor.
        # Tests single words. Its keys lead to the patterns with that test.
        self._tester: Matcher | None = None
        self._test_groups: dict[int, _Group] = {}
        # By the hash of a word: the groups whose test it passes.
        self._cache: dict[int, tuple[_Group, ...]] = {}
        # Reads whole texts.
        self._anywhere: Matcher | None = None
        self._add_patterns(patterns, phrase_attr)

    def _add_patterns(self, patterns: Sequence[Pattern], phrase_attr: str) -> None:
        others: list[tuple[int, TokenPattern]] = []
        for index, pattern in enumerate(patterns):
            if isinstance(pattern.pattern, str):
                self._add_phrase(index, phrase_attr, self.nlp.tokenizer(pattern.pattern))
            elif literals := literal_words(pattern.pattern):
                self._add_literals(index, *literals)
            else:
                others.append((index, pattern.pattern))
        usage: Counter[str] = Counter()
        for _, tokens in others:
            for words in map(anchors, tokens):
                usage.update(words)
        for index, tokens in others:
            self._add_token_pattern(index, tokens, usage)

    def _phrase_matcher(self, attr: str) -> PhraseMatcher:
        return self._phrase_matchers.setdefault(attr, PhraseMatcher(self.nlp.vocab, attr=attr))

    def _add_phrase(self, index: int, attr: str, phrase: Doc) -> None:
        key = f"pattern {index}"
        self._phrase_matcher(attr).add(key, [phrase])
        self._phrase_patterns[self.nlp.vocab.strings[key]] = index

    def _add_literals(self, index: int, attr: str, words: list[str]) -> None:
        """Add words as a phrase, unless they cannot match: LOWER with an upper-case letter."""
        if attr == "ORTH" or all(self.nlp.vocab[word].lower_ == word for word in words):
            self._add_phrase(index, attr, Doc(self.nlp.vocab, words=words))

    def _add_token_pattern(self, index: int, pattern: TokenPattern, usage: Counter[str]) -> None:
        """Add a token pattern to the groups of its rarest anchor, or of its rarest test."""
        choices = [(at, words) for at, words in enumerate(map(anchors, pattern)) if words]
        tests = [(at, test) for at, test in enumerate(map(word_test, pattern)) if test]
        if choices:
            at, words = min(choices, key=lambda item: _cost(item[1], usage, self.nlp.vocab))
            for word in words:
                self._anchor_group(word).add(index, pattern, at)
        elif tests:
            at, test = min(tests, key=lambda item: _test_cost(item[1]))
            self._test_group(test).add(index, pattern, at)
        else:
            self._anywhere = self._anywhere or Matcher(self.nlp.vocab)
            _add(self._anywhere, index, pattern)

    def _anchor_group(self, word: str) -> _Group:
        name = f"anchor {word}"
        key = self.nlp.vocab.strings.add(name)
        if key not in self._anchor_groups:
            self._phrase_matcher("LOWER").add(name, [Doc(self.nlp.vocab, words=[word])])
            self._anchor_groups[key] = _Group(Matcher(self.nlp.vocab))
        return self._anchor_groups[key]

    def _test_group(self, test: dict[str, Any]) -> _Group:
        self._tester = self._tester or Matcher(self.nlp.vocab)
        key = self.nlp.vocab.strings.add(f"test {srsly.json_dumps(test, sort_keys=True)}")
        if key not in self._test_groups:
            _add(self._tester, key, [test])
            self._test_groups[key] = _Group(Matcher(self.nlp.vocab))
        return self._test_groups[key]

    def __call__(self, doc: Doc) -> list[Match]:
        """All matches in a Doc, also overlapping ones, sorted by pattern, start and end."""
        matches: set[Match] = set()
        for phrase_matcher in self._phrase_matchers.values():
            for key, start, end in phrase_matcher(doc):
                index = self._phrase_patterns.get(key)
                if index is not None:
                    matches.add((index, start, end))
                else:
                    matches.update(self._anchor_groups[key].matches_around(doc, start))
        if self._tester is not None:
            self._add_tested(doc, matches)
        if self._anywhere is not None:
            matches.update(self._anywhere(doc))
        return sorted(matches)

    def _add_tested(self, doc: Doc, matches: set[Match]) -> None:
        """Add the matches of the patterns that start from a test of a word."""
        if len(self._cache) > CACHE_SIZE:
            self._cache.clear()
        for position, orth in enumerate(doc.to_array(ORTH).tolist()):
            groups = self._cache.get(orth)
            if groups is None:
                groups = self._cache[orth] = self._passed_by(doc[position].text)
            for group in groups:
                matches.update(group.matches_around(doc, position))

    def _passed_by(self, word: str) -> tuple[_Group, ...]:
        """The groups whose test a word passes."""
        assert self._tester is not None
        passed = self._tester(Doc(self.nlp.vocab, words=[word]))
        return tuple(self._test_groups[key] for key, _, _ in passed)


def _add(matcher: Matcher, index: int, pattern: TokenPattern) -> None:
    try:
        matcher.add(index, [pattern])
    except ValueError as error:
        raise ValueError(
            f"pattern {index + 1} ({pattern}) is not one that spaCy's Matcher takes: {error}"
        ) from error


def _cost(words: frozenset[str], usage: Counter[str], vocab: Vocab) -> tuple[bool, int, int]:
    """How often an anchor makes a Matcher run for nothing, guessed; the lowest cost is best.

    Common words cost most, then words of many patterns (`usage`), then short words.
    """
    common = any(vocab[word].is_stop or len(word) < 3 for word in words)
    return common, sum(usage[word] for word in words), -min(map(len, words))


def _test_cost(test: dict[str, Any]) -> tuple[bool, bool]:
    """Tests that many words pass cost most, then those that are only flags."""
    common = {key.upper() for key in test} <= _COMMON_ATTRS
    return common, all(isinstance(value, bool) for value in test.values())


def resolve_overlaps(matches: Iterable[Match]) -> tuple[list[Match], list[tuple[Match, Match]]]:
    """Keep the longest of overlapping matches, then that of the first pattern, then the leftmost.

    Returns:
        the kept matches, sorted by start, and (dropped, kept) for each match that was dropped.
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
