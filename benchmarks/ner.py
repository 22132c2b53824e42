"""Timings of the workflow `ner`: annotate with 1,000 token patterns, compared with spaCy."""

import itertools
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

from spacy.matcher import Matcher
from spacy.tokens import Doc

from benchmarks.made_up import made_up_texts
from benchmarks.measure import Row, in_fresh_process, peak_memory
from scripts.entities.matching import Pattern, PatternMatcher, TokenPattern
from scripts.entities.patterns import read_patterns, to_ruler
from scripts.files import write_jsonl
from scripts.ner.annotate import annotate_files
from scripts.pipelines import load_nlp
from scripts.reading import read_texts

COMMENTS = Path(__file__).parent.parent / "assets" / "ner" / "texts.jsonl"
SPEED_TEXTS = 80_000  # about 4.8M tokens
MEMORY_TEXTS = 17_000  # about 1M tokens; ten times as many are made
MATCHER_TEXTS = 1_700  # about 100k tokens: spaCy's Matcher takes seconds for them
REPEATS = 3
TOKENS_PER_S = 250_000
MIN_RANK = 200  # more frequent words (the, and, phone) are not part of product names
N_PATTERNS = 1_000
N_LITERAL = 300
WORDLESS: list[TokenPattern] = [  # without any fixed word: the slowest kind in any matcher
    [{"LIKE_NUM": True}, {"LOWER": {"REGEX": "^(gb|tb|mah|hz)$"}}],
    [{"IS_TITLE": True}, {"IS_DIGIT": True}],
    [{"TEXT": {"REGEX": r"^[A-Z]{1,3}\d{2,4}[A-Z]?$"}}],
]

Words = list[str]


def made_up_patterns(comments: Iterable[str], seed: int = 0) -> list[Pattern]:
    """1,000 different token patterns of words in comments, like those of product names."""
    random = Random(seed)
    nlp = load_nlp("en")
    runs = [_lower_words(nlp.make_doc(text)) for text in comments]
    frequency = Counter(filter(str.isalpha, itertools.chain.from_iterable(runs)))
    rare = {word for word, _ in frequency.most_common()[MIN_RANK:5_000]}
    places: list[tuple[Words, int]] = []
    for run in runs:
        places += [(run, at) for at, word in enumerate(run) if word in rare]
    weights = [1 / frequency[run[at]] for run, at in places]  # each word is drawn equally often
    patterns: dict[str, Pattern] = {}

    def fill(make: Callable[[Words, Random], TokenPattern], until: int) -> None:
        while len(patterns) < until:
            ((run, at),) = random.choices(places, weights)
            pattern = Pattern(random.choice(("PRODUCT", "BRAND")), make(run[at : at + 3], random))
            patterns.setdefault(str(pattern), pattern)

    fill(_literal_pattern, N_LITERAL)
    fill(_flexible_pattern, N_PATTERNS - len(WORDLESS))
    shuffled = [*patterns.values(), *(Pattern("PRODUCT", pattern) for pattern in WORDLESS)]
    random.shuffle(shuffled)
    return shuffled


def _lower_words(doc: Doc) -> Words:
    return [token.lower_ for token in doc]


def _literal_pattern(words: Words, random: Random) -> TokenPattern:
    return [{"LOWER": word} for word in words[: random.randint(1, 3)]]


def _flexible_pattern(words: Words, random: Random) -> TokenPattern:
    """A word with what is next to product names: numbers, editions, an optional brand."""
    word, after = words[0], words[-1]
    editions = random.sample(["pro", "max", "mini", "plus", "air", "ultra", "lite", "se"], 3)
    edition: dict[str, Any] = {"LOWER": {"IN": editions}}
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
    """Write patterns.jsonl and memory_10x.jsonl, whose first lines are the other inputs."""
    comments = [text.text for text in read_texts(COMMENTS)]
    write_jsonl(folder / "patterns.jsonl", map(to_ruler, made_up_patterns(comments)))
    n_texts = {
        name: max(20, round(number * scale))
        for name, number in (("speed", SPEED_TEXTS), ("memory_1x", MEMORY_TEXTS))
    }
    n_lines = max(10 * n_texts["memory_1x"], n_texts["speed"])
    lines = [{"text": text} for text in itertools.islice(made_up_texts(comments), n_lines)]
    for name, number in (*n_texts.items(), ("memory_10x", 10 * n_texts["memory_1x"])):
        write_jsonl(folder / f"{name}.jsonl", lines[:number])


def annotate(folder: Path, name: str, n_process: int = 1) -> tuple[float, int, int]:
    """(seconds, tokens, peak memory) of annotating one of the inputs."""
    load_nlp("en")  # spaCy imports its installed plugins on first use: not annotate's time
    output = folder / "shards"
    start = time.perf_counter()
    stats = annotate_files(
        folder / f"{name}.jsonl", folder / "patterns.jsonl", output, n_process=n_process
    )
    seconds = time.perf_counter() - start
    shutil.rmtree(output)  # or the next run would skip the finished shards
    return seconds, stats["tokens"], peak_memory()


def tokenize(folder: Path) -> float:
    """The seconds that the tokenizer alone takes for the texts of the speed measurement."""
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
    matched = [(doc, matcher(doc)) for doc in map(nlp.make_doc, texts)]
    seconds = time.perf_counter() - start
    ours = PatternMatcher(nlp, patterns)
    for doc, matches in matched:
        if ours(doc) != sorted(matches):
            reason = "so their speeds can't be compared"
            raise ValueError(f"annotate finds other matches than spaCy, {reason}: {doc.text}")
    n_tokens = sum(len(doc) for doc, _ in matched)
    return seconds, n_tokens, sum(len(matches) for _, matches in matched)


def run(scale: float) -> list[Row]:
    """Measure `annotate`, each time in a fresh process, and spaCy alone.

    Args:
        scale: 1 for a measurement of some minutes; less for fewer texts, to see that it runs.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder, scale)
        return [*_speed_rows(folder, scale), _memory_row(folder)]


def _speed_rows(folder: Path, scale: float) -> list[Row]:
    repeats = REPEATS if scale >= 0.1 else 1
    ones, twos = [], []
    for _ in range(repeats):  # in turn: other work on the machine slows both
        seconds, tokens, _ = in_fresh_process(annotate, folder, "speed", 1)
        ones.append(seconds)
        twos.append(in_fresh_process(annotate, folder, "speed", 2)[0])
    one, two = statistics.median(ones), statistics.median(twos)
    tokenizer = tokenize(folder)
    seconds, sample, matches = match_by_spacy(folder, max(20, round(MATCHER_TEXTS * scale)))
    ours, peer = tokens / one, sample / seconds
    what, unit = "annotate, 1,000 token patterns, 1 process", "tokens/s"
    same = f"the same {matches:,} matches in {sample:,} tokens"
    share = f"the tokenizer alone takes {tokenizer / one:.0%} of the time"
    times = f"{_listed(twos)} and {_listed(ones)}"
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


def _listed(seconds: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in sorted(seconds))


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
