"""Timings of the workflow `ner`: annotate with 1,000 token patterns, against spaCy's Matcher, and by processes and input size."""

import itertools
import re
import shutil
import statistics
import string
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from spacy.matcher import Matcher

from benchmarks.measure import Row, in_fresh_process, peak_memory
from scripts.entities.matching import Pattern, PatternMatcher, TokenPattern
from scripts.entities.patterns import read_patterns, to_ruler
from scripts.files import write_jsonl
from scripts.ner.annotate import annotate_files
from scripts.pipelines import load_nlp
from scripts.reading import read_texts, text_key

COMMENTS = Path(__file__).parent.parent / "assets" / "ner" / "texts.jsonl"
SPEED_TEXTS = 80_000  # about 4.8M tokens
MEMORY_TEXTS = 17_000  # about 1M tokens; ten times as many are made
MATCHER_TEXTS = 1_700  # about 100k tokens: spaCy's Matcher takes seconds for them
REPEATS = 3
TOKENS_PER_S = 250_000
NOVEL = 0.044  # of the words that are letters alone; they make two thirds of the tokens, so 3% of the tokens are novel
COMMON = 200  # words commoner than this rank (the, and, phone) are in no product's name
N_PATTERNS = 1_000
N_LITERAL = 300
WORDLESS: list[TokenPattern] = [  # without any word to find them by: what is slowest in any matcher
    [{"LIKE_NUM": True}, {"LOWER": {"REGEX": "^(gb|tb|mah|hz)$"}}],
    [{"IS_TITLE": True}, {"IS_DIGIT": True}],
    [{"TEXT": {"REGEX": r"^[A-Z]{1,3}\d{2,4}[A-Z]?$"}}],
]

Words = list[str]


def made_up_texts(comments: Iterable[str], seed: int = 0) -> Iterator[str]:
    """Endless new texts, no two alike: 2 to 6 sentences of different comments, some words replaced by ones never seen."""
    random = Random(seed)
    sentences = [
        (number, part.split(" "))
        for number, text in enumerate(comments)
        for part in re.split(r"(?<=[.!?])\s+", text)
    ]
    seen: set[bytes] = set()
    while True:
        picked = random.sample(sentences, random.randint(2, 6))
        if len({number for number, _ in picked}) < len(picked):
            continue
        words = (word for _, sentence in picked for word in sentence)
        text = " ".join(
            _novel_word(random) if word.isalpha() and random.random() < NOVEL else word
            for word in words
        )
        if (key := text_key(text)) not in seen:
            seen.add(key)
            yield text


def _novel_word(random: Random) -> str:
    return "".join(random.choices(string.ascii_lowercase, k=random.randint(5, 10)))


def made_up_patterns(comments: Iterable[str], seed: int = 0) -> list[Pattern]:
    """1,000 different token patterns such as users write for names of products, over the words of the comments."""
    random = Random(seed)
    nlp = load_nlp("en")
    runs = [[token.lower_ for token in nlp.make_doc(text)] for text in comments]
    frequency = Counter(word for run in runs for word in run if word.isalpha())
    rare = {word for word, _ in frequency.most_common()[COMMON:5_000]}
    places = [(run, at) for run in runs for at, word in enumerate(run) if word in rare]
    weights = [
        1 / frequency[run[at]] for run, at in places
    ]  # each word as often as any other, whatever its frequency
    found: dict[str, Pattern] = {}

    def fill(make: Callable[[Words, Random], TokenPattern], until: int) -> None:
        while len(found) < until:
            ((run, at),) = random.choices(places, weights)
            pattern = Pattern(random.choice(("PRODUCT", "BRAND")), make(run[at : at + 3], random))
            found.setdefault(str(pattern), pattern)

    fill(_literal_pattern, N_LITERAL)
    fill(_flexible_pattern, N_PATTERNS - len(WORDLESS))
    patterns = [*found.values(), *(Pattern("PRODUCT", pattern) for pattern in WORDLESS)]
    random.shuffle(patterns)
    return patterns


def _literal_pattern(words: Words, random: Random) -> TokenPattern:
    return [{"LOWER": word} for word in words[: random.randint(1, 3)]]


def _flexible_pattern(words: Words, random: Random) -> TokenPattern:
    """A word with what stands beside the names of products: numbers, editions, a brand that may be left out."""
    word, after = words[0], words[-1]
    edition: dict[str, Any] = {
        "LOWER": {
            "IN": random.sample(["pro", "max", "mini", "plus", "air", "ultra", "lite", "se"], 3)
        }
    }
    model = {
        "LOWER": {"REGEX": random.choice([r"^[a-z]?\d{1,4}[a-z]?$", r"^(\d{1,2}|x|xl)$", r"^v\d"])}
    }
    number: dict[str, Any] = {random.choice(["IS_DIGIT", "LIKE_NUM"]): True}
    shapes: list[TokenPattern] = [
        [{"LOWER": word}, {**edition, "OP": "?"}, {**number, "OP": "?"}],
        [{"LOWER": word}, {"LOWER": after, "OP": "?"}, number],
        [{"LOWER": after, "OP": "?"}, {"LOWER": word}, model],
        [{"LOWER": {"IN": [word, f"{word}s"]}}, {**number, "OP": "?"}],
        [{"LOWER": word}, {"IS_PUNCT": True, "OP": "?"}, {"LOWER": after}],
        [{"LOWER": word}, {"IS_ALPHA": True, "OP": "{0,2}"}, {"LOWER": after}],
        [{"IS_TITLE": True, "OP": "?"}, {"LOWER": word}, {**number, "OP": "+"}],
        [{"IS_TITLE": True}, {"LOWER": word}],
        [{"ORTH": word.title()}, {**edition, "OP": "*"}, {**model, "OP": "?"}],
    ]
    return random.choice(shapes)


def write_inputs(folder: Path, scale: float) -> None:
    """Write patterns.jsonl, and memory_10x.jsonl, whose first lines are the texts of the other two."""
    comments = [text.text for text in read_texts(COMMENTS)]
    write_jsonl(folder / "patterns.jsonl", map(to_ruler, made_up_patterns(comments)))
    n_texts = {
        name: max(20, round(number * scale))
        for name, number in (("speed", SPEED_TEXTS), ("memory_1x", MEMORY_TEXTS))
    }
    lines = [
        {"text": text}
        for text in itertools.islice(
            made_up_texts(comments), max(10 * n_texts["memory_1x"], n_texts["speed"])
        )
    ]
    for name, number in (*n_texts.items(), ("memory_10x", 10 * n_texts["memory_1x"])):
        write_jsonl(folder / f"{name}.jsonl", lines[:number])


def annotate(folder: Path, name: str, n_process: int = 1) -> tuple[float, int, int]:
    """(seconds, tokens, peak memory) of annotating one of the inputs."""
    load_nlp(
        "en"
    )  # spaCy imports its installed plugins on first use, seconds for some, which are not annotate's
    output = folder / "shards"
    start = time.perf_counter()
    stats = annotate_files(
        folder / f"{name}.jsonl", folder / "patterns.jsonl", output, n_process=n_process
    )
    seconds = time.perf_counter() - start
    shutil.rmtree(output)  # or the next run would find the shards made
    return seconds, stats["tokens"], peak_memory()


def tokenize(folder: Path) -> float:
    """The seconds that the tokenizer alone takes for what the speed of `annotate` is measured with."""
    nlp = load_nlp("en")
    texts = [text.text for text in read_texts(folder / "speed.jsonl")]
    start = time.perf_counter()
    for text in texts:
        nlp.make_doc(text)
    return time.perf_counter() - start


def match_by_spacy(folder: Path, n_texts: int) -> tuple[float, int, int]:
    """(seconds, tokens, matches) of spaCy's tokenizer and Matcher on the first texts.

    Raises:
        ValueError: "... finds other matches ...", when ours are not exactly the Matcher's.
    """
    nlp = load_nlp("en")
    patterns = read_patterns(folder / "patterns.jsonl")
    matcher = Matcher(nlp.vocab)
    for index, pattern in enumerate(patterns):
        assert not isinstance(pattern.pattern, str)
        matcher.add(index, [pattern.pattern])
    texts = [text.text for text in itertools.islice(read_texts(folder / "speed.jsonl"), n_texts)]
    start = time.perf_counter()
    found = [(doc, matcher(doc)) for doc in map(nlp.make_doc, texts)]
    seconds = time.perf_counter() - start
    ours = PatternMatcher(nlp, patterns)
    for doc, matches in found:
        if ours(doc) != sorted(matches):
            raise ValueError(
                f"annotate finds other matches than spaCy's Matcher, so their speeds can't be compared: {doc.text}"
            )
    return seconds, sum(len(doc) for doc, _ in found), sum(len(matches) for _, matches in found)


def run(scale: float) -> list[Row]:
    """Measure `annotate`, each time in a fresh process, and spaCy alone, each time with a vocabulary of its own.

    Args:
        scale: 1 for a measurement of some minutes; less for fewer texts, whose numbers mean little.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder, scale)
        return [*_speed_rows(folder, scale), _memory_row(folder)]


def _speed_rows(folder: Path, scale: float) -> list[Row]:
    repeats = REPEATS if scale >= 0.1 else 1
    runs = [
        [in_fresh_process(annotate, folder, "speed", n) for n in (1, 2)] for _ in range(repeats)
    ]  # in turn: noise hits both
    ones, twos = ([pair[which][0] for pair in runs] for which in (0, 1))
    one, two, tokens = statistics.median(ones), statistics.median(twos), runs[0][0][1]
    tokenizer = tokenize(folder)
    seconds, sample, matches = match_by_spacy(folder, max(20, round(MATCHER_TEXTS * scale)))
    ours, peer = tokens / one, sample / seconds
    what, unit = "annotate, 1,000 token patterns, 1 process", "tokens/s"
    same = f"the same {matches:,} matches in {sample:,} tokens"
    share = f"the tokenizer alone takes {tokenizer / one:.0%} of the time"
    times = " and ".join(
        ", ".join(f"{seconds:.1f}" for seconds in sorted(of_n)) for of_n in (twos, ones)
    )
    return [
        Row(what, unit, ours, "spaCy's Matcher", peer, "ratio >= 10", ours / peer >= 10, same),
        Row(
            what,
            unit,
            ours,
            "spaCy's tokenizer alone",
            tokens / tokenizer,
            f">= {TOKENS_PER_S:,} {unit}",
            ours >= TOKENS_PER_S,
            share,
        ),
        Row(
            "annotate, 2 processes",
            unit,
            tokens / two,
            "1 process",
            ours,
            "ratio >= 1.7",
            one / two >= 1.7,
            f"medians of {times} s",
        ),
    ]


def _memory_row(folder: Path) -> Row:
    (_, once, small), (_, tokens, large) = (
        in_fresh_process(annotate, folder, f"memory_{size}") for size in ("1x", "10x")
    )
    what, note = "annotate, peak memory at 10x texts", f"{tokens:,} and {once:,} tokens"
    return Row(
        what,
        "MB",
        large / 1e6,
        "1x texts",
        small / 1e6,
        "ratio <= 1.15",
        large / small <= 1.15,
        note,
    )
