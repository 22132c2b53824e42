"""The fast matcher finds what spaCy's Matcher and PhraseMatcher find, no more and no less."""

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.matcher import Matcher, PhraseMatcher
from spacy.tokens import Doc

from scripts.entities.matching import Pattern, PatternMatcher, anchors, repeats, resolve_overlaps

NLP = spacy.blank("en")
WORDS = [
    "a",
    "A",
    "b",
    "B",
    "galaxy",
    "Galaxy",
    "s",
    "21",
    "7",
    "pro",
    "Pro",
    "-",
    "\n",
    "x9",
    "İ",
    "🙂",
]

words = st.sampled_from(WORDS)
operators = st.sampled_from(["1", "?", "*", "+", "!", "{2}", "{1,2}", "{0,1}", "{,2}", "{1,}"])
values = {
    "LOWER": words
    | st.builds(lambda chosen: {"IN": chosen}, st.lists(words, max_size=3))
    | st.just({"REGEX": "^[a-g]"}),
    "ORTH": words
    | st.builds(lambda chosen: {"NOT_IN": chosen}, st.lists(words, min_size=1, max_size=3)),
    "TEXT": words | st.just({"FUZZY1": "galaxi"}),
    "IS_DIGIT": st.booleans(),
    "IS_TITLE": st.booleans(),
    "LENGTH": st.just({">=": 2}) | st.just(1),
    "SHAPE": st.sampled_from(["d", "dd", "xxx", "Xxxxx"]),
}
tokens = st.builds(
    lambda attrs, operator: {**attrs, **({"OP": operator} if operator != "1" else {})},
    st.dictionaries(st.sampled_from(sorted(values)), st.none(), max_size=2).flatmap(
        lambda chosen: st.fixed_dictionaries({key: values[key] for key in chosen})
    ),
    operators,
)
token_patterns = st.lists(tokens, min_size=1, max_size=4)
phrases = st.lists(words.filter(str.strip), min_size=1, max_size=3).map(" ".join)
patterns = st.lists(token_patterns | phrases, min_size=1, max_size=6)
texts = st.lists(words, max_size=14)


def by_spacy(doc: Doc, patterns: list[Pattern], phrase_attr: str) -> list[tuple[int, int, int]]:
    """The same patterns, one Matcher or PhraseMatcher each."""
    found = set()
    for index, pattern in enumerate(patterns):
        matcher = (
            PhraseMatcher(NLP.vocab, attr=phrase_attr)
            if isinstance(pattern.pattern, str)
            else Matcher(NLP.vocab)
        )
        matcher.add(
            "x",
            [
                NLP.tokenizer(pattern.pattern)
                if isinstance(pattern.pattern, str)
                else pattern.pattern
            ],
        )
        found |= {(index, start, end) for _, start, end in matcher(doc)}
    return sorted(found)


@settings(max_examples=600, deadline=None)
@given(patterns, texts, st.sampled_from(["ORTH", "LOWER"]))
def test_matches_are_those_of_spacy(raw: list, text: list[str], phrase_attr: str) -> None:
    wanted = [Pattern("X", pattern) for pattern in raw]
    doc = Doc(NLP.vocab, words=text)
    assert PatternMatcher(NLP, wanted, phrase_attr)(doc) == by_spacy(doc, wanted, phrase_attr)


def test_many_patterns_with_one_anchor_and_long_reach() -> None:
    wanted = [
        Pattern(
            "X",
            [{"IS_TITLE": True, "OP": "{0,2}"}, {"LOWER": "phone"}, {"IS_DIGIT": True, "OP": "*"}],
        ),
        Pattern("Y", "phone 1 2"),
    ]
    doc = NLP("The Big Red phone 1 2 3 and a phone")
    assert PatternMatcher(NLP, wanted)(doc) == by_spacy(doc, wanted, "ORTH")


def test_memory_zone_gives_the_same_matches() -> None:
    matcher = PatternMatcher(
        NLP, [Pattern("X", [{"LOWER": "newword"}, {"IS_DIGIT": True}]), Pattern("X", "other new")]
    )
    for _ in range(3):
        with NLP.memory_zone():
            assert matcher(NLP.make_doc("NewWord 5 and other new zqxw")) == [(0, 0, 2), (1, 3, 5)]


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("?", (0, 1)),
        ("*", (0, None)),
        ("+", (1, None)),
        ("!", (1, 1)),
        ("{3}", (3, 3)),
        ("{1,2}", (1, 2)),
        ("{,2}", (0, 2)),
        ("{2,}", (2, None)),
    ],
)
def test_repeats(operator: str, expected: tuple[int, int | None]) -> None:
    assert repeats({"LOWER": "a", "OP": operator}) == expected


def test_anchor_needs_a_word_that_must_stand() -> None:
    assert anchors({"ORTH": {"IN": ["Apple", "SONY"]}}) == {"apple", "sony"}
    assert (
        anchors({"LOWER": "apple", "OP": "?"})
        == anchors({"LOWER": "apple", "OP": "!"})
        == anchors({"IS_DIGIT": True})
        == frozenset()
    )


def test_pattern_that_the_matcher_refuses_is_named() -> None:
    with pytest.raises(ValueError, match=r"pattern 1 .* is not one that spaCy's Matcher takes"):
        PatternMatcher(NLP, [Pattern("X", [{"NONSENSE": 3}])])


def test_overlaps_longest_then_order_then_leftmost() -> None:
    assert resolve_overlaps([(0, 0, 2), (1, 0, 3)]) == ([(1, 0, 3)], [((0, 0, 2), (1, 0, 3))])
    assert resolve_overlaps([(1, 0, 2), (0, 1, 3)])[0] == [(0, 1, 3)]
    assert resolve_overlaps([(0, 1, 3), (0, 0, 2)])[0] == [(0, 0, 2)]
    assert resolve_overlaps([(0, 4, 5), (1, 0, 2)])[0] == [(1, 0, 2), (0, 4, 5)]
