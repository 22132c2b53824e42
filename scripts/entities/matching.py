"""Find every match of many EntityRuler patterns, at a cost that hardly grows with their number.

spaCy's Matcher tries each pattern at each token, so a thousand patterns cost a thousand times as much as one. Most
patterns can only match where a certain word stands. Those words go into one PhraseMatcher (a trie, 20M tokens/s and more),
and a small Matcher with just the patterns of that word looks at the tokens around it. Where any word of a kind will do (a
number, say), each different word is tested once, and the answer is remembered.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import srsly
from spacy.attrs import ORTH
from spacy.language import Language
from spacy.matcher import Matcher, PhraseMatcher
from spacy.tokens import Doc
from spacy.vocab import Vocab

Match = tuple[int, int, int]  # (index of the pattern, first token, token after the last)
TokenPattern = list[dict[str, Any]]

_TEXT_ATTRS = {"LOWER": "LOWER", "ORTH": "ORTH", "TEXT": "ORTH"}
# What depends on the word alone, wherever it stands. NORM does not: the tokenizer's exceptions set it.
_KINDS = "ALPHA ASCII DIGIT LOWER UPPER TITLE PUNCT SPACE STOP BRACKET QUOTE LEFT_PUNCT RIGHT_PUNCT CURRENCY"
_WORD_ATTRS = {
    *_TEXT_ATTRS,
    "SHAPE",
    "PREFIX",
    "SUFFIX",
    "LENGTH",
    "LIKE_NUM",
    "LIKE_URL",
    "LIKE_EMAIL",
}
_WORD_ATTRS |= {f"IS_{kind}" for kind in _KINDS.split(" ")}
_COMMON_ATTRS = {
    "IS_ALPHA",
    "IS_ASCII",
    "IS_LOWER",
    "IS_TITLE",
    "IS_STOP",
    "LENGTH",
}  # true of many words
REMEMBERED = 30_000  # words whose tests are remembered
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
        raise ValueError(
            f"unknown operator {operator!r}: use one of ! ? + * {{n}} {{n,m}} {{n,}} {{,m}}"
        )
    low, comma, high = braces.groups()
    least = int(low or 0)
    return least, (int(high) if high else None if comma else least)


def _must_match(token: dict[str, Any]) -> bool:
    """Whether some token has to match this token pattern wherever the whole pattern does."""
    return repeats(token)[0] > 0 and _operator(token) != "!"


def literal(token: dict[str, Any]) -> tuple[str, str] | None:
    """(LOWER or ORTH, word) of a token pattern that asks for just that, once; else None."""
    if len(token) != 1:
        return None
    ((key, value),) = token.items()
    attr = _TEXT_ATTRS.get(key.upper())
    return (attr, value) if attr and isinstance(value, str) and value else None


def required_words(token: dict[str, Any]) -> list[tuple[str, str]]:
    """(LOWER or ORTH, word) of the one word that must stand where this token pattern matches; empty if any other may."""
    if not _must_match(token):
        return []
    texts = [
        (_TEXT_ATTRS[key.upper()], value)
        for key, value in token.items()
        if key.upper() in _TEXT_ATTRS
    ]
    return [(attr, value) for attr, value in texts if isinstance(value, str)]


def anchors(token: dict[str, Any]) -> frozenset[str]:
    """Lower-cased words of which one must stand where this token pattern matches; empty where there is no such set."""
    if not _must_match(token):
        return frozenset()
    for key, value in token.items():
        if key.upper() in _TEXT_ATTRS:
            words = value.get("IN") if isinstance(value, dict) else [value]
            if (
                isinstance(words, list)
                and words
                and all(isinstance(word, str) and word for word in words)
            ):
                return frozenset(word.lower() for word in words)
    return frozenset()


def word_test(token: dict[str, Any]) -> dict[str, Any] | None:
    """A token pattern without its operator, where it must match somewhere and is decided by the word alone; else None."""
    test = {key: value for key, value in token.items() if key.upper() != "OP"}
    decided = test and {key.upper() for key in test} <= _WORD_ATTRS
    return test if decided and _must_match(token) else None


def _extent(tokens: TokenPattern) -> int | None:
    """The most tokens that a token pattern can take; None where there is no limit."""
    longest = [repeats(token)[1] for token in tokens]
    return None if None in longest else sum(filter(None, longest))


@dataclass
class _Group:
    """The patterns that need one anchor, and how many tokens before and after it they can reach (None: all)."""

    matcher: Matcher
    before: int | None = 0
    after: int | None = 0

    def add(self, index: int, pattern: TokenPattern, anchor: int) -> None:
        """Add a pattern whose token `anchor` is the one that needs the anchor."""
        _add(self.matcher, index, pattern)
        before, after = _extent(pattern[:anchor]), _extent(pattern[anchor:])
        self.before = None if before is None or self.before is None else max(self.before, before)
        self.after = None if after is None or self.after is None else max(self.after, after - 1)

    def around(self, doc: Doc, at: int) -> Iterable[Match]:
        """The matches around a token."""
        first = 0 if self.before is None else max(0, at - self.before)
        end = len(doc) if self.after is None else at + 1 + self.after
        return [
            (index, first + start, first + end)
            for index, start, end in self.matcher(doc[first:end])
        ]


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
    _literals: dict[int, int] = field(
        init=False, default_factory=dict
    )  # key in a PhraseMatcher -> pattern
    _groups: dict[int, _Group] = field(
        init=False, default_factory=dict
    )  # key in a PhraseMatcher -> patterns to try
    _tester: Matcher | None = field(init=False, default=None)
    _tests: dict[int, _Group] = field(
        init=False, default_factory=dict
    )  # key in the tester -> patterns to try
    _known: dict[int, tuple[_Group, ...]] = field(
        init=False, default_factory=dict
    )  # word -> the groups whose test it passes
    _anywhere: Matcher | None = field(init=False, default=None)

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
        shared = Counter(
            word for _, pattern in patterns for token in pattern for word in anchors(token)
        )
        for index, pattern in patterns:
            choices = [(at, words) for at, words in enumerate(map(anchors, pattern)) if words]
            tests = [(at, test) for at, test in enumerate(map(word_test, pattern)) if test]
            if choices:
                at, words = min(
                    choices, key=lambda choice: _cost(choice[1], shared, self.nlp.vocab)
                )
                for word in words:
                    self._group(word).add(index, pattern, at)
            elif tests:
                at, test = min(tests, key=lambda choice: _test_cost(choice[1]))
                self._test_group(test).add(index, pattern, at)
            else:
                self._anywhere = self._anywhere or Matcher(self.nlp.vocab)
                _add(self._anywhere, index, pattern)

    def _group(self, word: str) -> _Group:
        key = f"anchor {word}"
        if key not in self.nlp.vocab.strings or self.nlp.vocab.strings[key] not in self._groups:
            self._phrase_matcher("LOWER").add(key, [Doc(self.nlp.vocab, words=[word])])
            self._groups[self.nlp.vocab.strings[key]] = _Group(Matcher(self.nlp.vocab))
        return self._groups[self.nlp.vocab.strings[key]]

    def _test_group(self, test: dict[str, Any]) -> _Group:
        self._tester = self._tester or Matcher(self.nlp.vocab)
        key = self.nlp.vocab.strings.add(f"test {srsly.json_dumps(test, sort_keys=True)}")
        if key not in self._tests:
            _add(self._tester, key, [test])
            self._tests[key] = _Group(Matcher(self.nlp.vocab))
        return self._tests[key]

    def _passed(self, word: str) -> tuple[_Group, ...]:
        assert self._tester is not None
        return tuple(
            self._tests[key] for key, _, _ in self._tester(Doc(self.nlp.vocab, words=[word]))
        )

    def __call__(self, doc: Doc) -> list[Match]:
        """All matches in a Doc, sorted by pattern, start and end; overlapping ones too."""
        found: set[Match] = set()
        for phrases in self._phrases.values():
            for key, start, end in phrases(doc):
                index = self._literals.get(key)
                if index is not None:
                    found.add((index, start, end))
                else:
                    found.update(self._groups[key].around(doc, start))
        if self._tester is not None:
            found.update(self._tested(doc))
        if self._anywhere is not None:
            found.update(self._anywhere(doc))
        return sorted(found)

    def _tested(self, doc: Doc) -> Iterable[Match]:
        if len(self._known) > REMEMBERED:
            self._known.clear()
        for at, orth in enumerate(doc.to_array(ORTH).tolist()):
            groups = self._known.get(orth)
            if groups is None:
                groups = self._known[orth] = self._passed(doc[at].text)
            for group in groups:
                yield from group.around(doc, at)


def _add(matcher: Matcher, index: int, pattern: TokenPattern) -> None:
    try:
        matcher.add(index, [pattern])
    except ValueError as error:
        raise ValueError(
            f"pattern {index + 1} ({pattern}) is not one that spaCy's Matcher takes: {error}"
        ) from error


def _cost(words: frozenset[str], shared: Counter[str], vocab: Vocab) -> tuple[bool, int, int]:
    """A guess at how often an anchor makes a Matcher run in vain: common words last, then words of many patterns, then short ones."""
    common = any(vocab[word].is_stop or len(word) < 3 for word in words)
    return common, sum(shared[word] for word in words), -min(map(len, words))


def _test_cost(test: dict[str, Any]) -> tuple[bool, bool]:
    """Tests that many words pass last; of the others those that ask for more than a flag first."""
    return {key.upper() for key in test} <= _COMMON_ATTRS, all(
        isinstance(value, bool) for value in test.values()
    )


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
