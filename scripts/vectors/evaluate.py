"""Score word vectors by analogies and by how alike people find pairs of words: the sets that gensim carries."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from scripts.files import need
from scripts.nearest import normalised, top_k
from scripts.reading import read_lines
from scripts.vectors.neighbours import WordVectors

ANALOGIES = "questions-words.txt"
SIMILARITIES = {"WordSim-353": "wordsim353.tsv", "SimLex-999": "simlex999.txt"}
MOST_WORDS = 300_000  # the most frequent words, which gensim keeps to as well


@dataclass(frozen=True)
class Section:
    """Questions of one kind: A is to B as C is to D."""

    name: str
    questions: list[list[str]]  # each of 4 words


def bundled(name: str) -> Path:
    """The path of a file that gensim's package carries."""
    return Path(need("gensim.test.utils", "vectors").datapath(name))


def read_analogies(path: Path) -> list[Section]:
    """Sections of a file in the format of questions-words.txt: ": name", then a question of four words a line.

    Raises:
        ValueError: "FILE:LINE: ...", for a line that is neither.
    """
    sections: list[Section] = []
    for number, line in read_lines(path):
        if line.startswith(":"):
            sections.append(Section(line[1:].strip(), []))
        elif line.strip():
            if len(line.split()) != 4 or not sections:
                raise ValueError(
                    f"{path}:{number}: no analogy: a section begins with ': name', a question has four words"
                )
            sections[-1].questions.append(line.split())
    return sections


def read_pairs(path: Path) -> list[tuple[str, str, float]]:
    """Pairs of words with a score that people gave them, apart by tabs; lines that begin with # don't count.

    Raises:
        ValueError: "FILE:LINE: ...", for a line that is no pair with a score.
    """
    pairs = []
    for number, line in read_lines(path):
        if line.strip() and not line.startswith("#"):
            fields = line.split("\t")
            try:
                pairs.append((fields[0], fields[1], float(fields[2])))
            except (IndexError, ValueError):
                raise ValueError(
                    f"{path}:{number}: no pair: each line should be two words and a number, apart by tabs"
                ) from None
    return pairs


def evaluate(
    vectors: WordVectors,
    sections: Iterable[Section],
    pairs: dict[str, list[tuple[str, str, float]]],
) -> dict[str, Any]:
    """Accuracy of analogies for each section and in all; Spearman's rank correlation of similarities; coverage of both.

    Questions and pairs count where all their words have vectors. As gensim does, words are compared without case, and the answer to a
    question is the nearest (3CosAdd) of the 300,000 most frequent words that is none of the three given.
    """
    by_upper: dict[str, int] = {}
    for key, row in islice(vectors.key2row.items(), MOST_WORDS):
        by_upper.setdefault(vectors.strings[key].upper(), row)
    unit = normalised(vectors.table[: max(by_upper.values()) + 1])
    same = np.array(
        [by_upper[word.upper()] for word in vectors.words[: len(unit)]]
    )  # the row that stands for all cases of a word
    found = {section.name: _accuracy(unit, same, by_upper, section) for section in sections}
    total = {
        key: sum(scores[key] for scores in found.values())
        for key in ("correct", "covered", "questions")
    }
    return {
        "analogies": {
            "all": _with_share(total),
            **{name: _with_share(scores) for name, scores in found.items()},
        },
        "similarities": {name: _spearman(unit, by_upper, some) for name, some in pairs.items()},
    }


def _with_share(counts: dict[str, int]) -> dict[str, Any]:
    return {
        "accuracy": counts["correct"] / counts["covered"] if counts["covered"] else None,
        **counts,
    }


def _accuracy(unit: Any, same: Any, by_upper: dict[str, int], section: Section) -> dict[str, int]:
    rows = [[by_upper.get(word.upper(), -1) for word in question] for question in section.questions]
    known = np.array([question for question in rows if -1 not in question], "i8").reshape(-1, 4)
    counts = {"correct": 0, "covered": len(known), "questions": len(rows)}
    if len(known):
        a, b, c, d = known.T
        near, _ = top_k(
            unit, unit[b] - unit[a] + unit[c], min(4 * 3 + 1, len(unit)), title=section.name
        )
        for candidates, given, answer in zip(same[near], known[:, :3], d):
            counts["correct"] += int(
                next((row for row in candidates if row not in given), -1) == answer
            )
    return counts


def _spearman(
    unit: Any, by_upper: dict[str, int], pairs: list[tuple[str, str, float]]
) -> dict[str, Any]:
    spearmanr = need("scipy.stats", "vectors").spearmanr
    known = [
        (by_upper[a.upper()], by_upper[b.upper()], score)
        for a, b, score in pairs
        if {a.upper(), b.upper()} <= by_upper.keys()
    ]
    cosines = [float(unit[a] @ unit[b]) for a, b, _ in known]
    rank = (
        float(spearmanr(cosines, [score for _, _, score in known]).statistic)
        if len(known) > 2
        else None
    )
    return {"spearman": rank, "covered": len(known), "pairs": len(pairs)}


def to_table(scores: dict[str, Any], title: str) -> Table:
    """All scores in one table."""
    table = Table("set", "score", "covered", "of", title=title, title_justify="left")
    for name, line in scores["analogies"].items():
        table.add_row(
            f"analogies: {name}",
            _percent(line["accuracy"]),
            f"{line['covered']:,}",
            f"{line['questions']:,}",
        )
    for name, line in scores["similarities"].items():
        score = "-" if line["spearman"] is None else f"{line['spearman']:.3f} Spearman"
        table.add_row(name, score, f"{line['covered']:,}", f"{line['pairs']:,}")
    return table


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}% right"
