"""Score word vectors by analogies and by the similarity ratings of people, bundled with gensim."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scripts.files import need
from scripts.nearest import Floats2d, Ints1d, normalised, top_k
from scripts.reading import read_lines
from scripts.vectors.word_vectors import WordVectors

if TYPE_CHECKING:
    from rich.table import Table

ANALOGIES = "questions-words.txt"
SIMILARITIES = {"WordSim-353": "wordsim353.tsv", "SimLex-999": "simlex999.txt"}
MAX_WORDS = 300_000  # the most frequent words, as many as gensim takes
RatedPair = tuple[str, str, float]  # two words, and how similar people find them


@dataclass(frozen=True)
class Section:
    """Questions of one kind: A is to B as C is to D."""

    name: str
    questions: list[list[str]]  # each of 4 words


@dataclass(frozen=True)
class Lexicon:
    """Unit vectors in which words are looked up without regard to case."""

    unit: Floats2d  # (n_rows, width)
    by_upper: Mapping[str, int]  # the row of each word in upper case
    same: Ints1d  # (n_rows,): the row that stands for all cases of a row's word

    @classmethod
    def of(cls, vectors: WordVectors) -> "Lexicon":
        """The most frequent words; of words that differ in case alone the first counts."""
        by_upper: dict[str, int] = {}
        for key, row in islice(vectors.key2row.items(), MAX_WORDS):
            by_upper.setdefault(vectors.strings[key].upper(), row)
        unit = normalised(vectors.table[: max(by_upper.values()) + 1])
        same = np.array([by_upper[word.upper()] for word in vectors.words[: len(unit)]])
        return cls(unit, by_upper, same)

    def rows(self, words: Iterable[str]) -> list[int] | None:
        """The rows of words; None if one of them has no vector."""
        rows = [self.by_upper.get(word.upper(), -1) for word in words]
        return None if -1 in rows else rows


def bundled(name: str) -> Path:
    """The path of a file that is bundled with gensim."""
    return Path(need("gensim.test.utils", "vectors").datapath(name))


def read_analogies(path: Path) -> list[Section]:
    """Sections of a file like questions-words.txt: ": name", then a question of four words a line.

    Raises:
        ValueError: "FILE:LINE: ...", for a line that is neither.
    """
    sections: list[Section] = []
    for number, line in read_lines(path):
        words = line.split()
        if line.startswith(":"):
            sections.append(Section(line[1:].strip(), []))
        elif words and (len(words) != 4 or not sections):
            remedy = "a section begins with ': name', a question has four words"
            raise ValueError(f"{path}:{number}: not an analogy: {remedy}")
        elif words:
            sections[-1].questions.append(words)
    return sections


def read_pairs(path: Path) -> list[RatedPair]:
    """Pairs of words with people's rating, separated by tabs. Lines that begin with # don't count.

    Raises:
        ValueError: "FILE:LINE: ...", for a line that is not a pair with a rating.
    """
    pairs = []
    for number, line in read_lines(path):
        if line.strip() and not line.startswith("#"):
            fields = line.split("\t")
            try:
                pairs.append((fields[0], fields[1], float(fields[2])))
            except (IndexError, ValueError):
                remedy = "each line should be two words and a number, separated by tabs"
                raise ValueError(f"{path}:{number}: not a rated pair: {remedy}") from None
    return pairs


def score_vectors(
    vectors: WordVectors, sections: Iterable[Section], pairs: Mapping[str, list[RatedPair]]
) -> dict[str, Any]:
    """Accuracy of analogies, of each section and in all; rank correlation of similarities.

    Questions and pairs count if all their words have vectors ("covered"). As in gensim, case does
    not matter, and the answer to a question is the nearest word (3CosAdd) among the 300,000 most
    frequent ones, other than the three words of the question.

    Args:
        vectors: to score.
        sections: of analogies.
        pairs: by the name of the set.
    """
    lexicon = Lexicon.of(vectors)
    counts = {section.name: _count_right(lexicon, section) for section in sections}
    total = {"correct": 0, "covered": 0, "questions": 0}
    for line in counts.values():
        total = {key: number + line[key] for key, number in total.items()}
    analogies = {name: _with_accuracy(line) for name, line in [("all", total), *counts.items()]}
    similarities = {name: _spearman(lexicon, rated) for name, rated in pairs.items()}
    return {"analogies": analogies, "similarities": similarities}


def _with_accuracy(counts: dict[str, int]) -> dict[str, Any]:
    accuracy = counts["correct"] / counts["covered"] if counts["covered"] else None
    return {"accuracy": accuracy, **counts}


def _count_right(lexicon: Lexicon, section: Section) -> dict[str, int]:
    """How many questions of a section there are, are covered, and are answered correctly."""
    covered = [rows for rows in map(lexicon.rows, section.questions) if rows is not None]
    correct = _n_correct(lexicon, np.array(covered, "i8"), section.name) if covered else 0
    return {"correct": correct, "covered": len(covered), "questions": len(section.questions)}


def _n_correct(lexicon: Lexicon, questions: Any, title: str) -> int:
    """How many questions, (n, 4) rows each, are answered correctly."""
    unit = lexicon.unit
    a, b, c, answers = questions.T
    k = min(4 * 3 + 1, len(unit))  # enough even if each word of the question comes in four cases
    nearest, _ = top_k(unit, unit[b] - unit[a] + unit[c], k, title=title)
    correct = 0
    for candidates, question, answer in zip(lexicon.same[nearest], questions[:, :3], answers):
        best = next((row for row in candidates if row not in question), -1)
        correct += int(best == answer)
    return correct


def _spearman(lexicon: Lexicon, pairs: list[RatedPair]) -> dict[str, Any]:
    """The rank correlation of cosines with people's ratings; None for fewer than three pairs."""
    from scipy.stats import spearmanr

    cosines, ratings = [], []
    for first, second, rating in pairs:
        if rows := lexicon.rows((first, second)):
            cosines.append(float(lexicon.unit[rows[0]] @ lexicon.unit[rows[1]]))
            ratings.append(rating)
    rank = float(spearmanr(cosines, ratings).statistic) if len(cosines) > 2 else None
    return {"spearman": rank, "covered": len(cosines), "pairs": len(pairs)}


def to_table(scores: dict[str, Any], title: str) -> "Table":
    """All scores in one table."""
    from rich.table import Table

    table = Table("set", "score", "covered", "of", title=title, title_justify="left")
    for name, line in scores["analogies"].items():
        share = "-" if line["accuracy"] is None else f"{100 * line['accuracy']:.1f}% right"
        table.add_row(f"analogies: {name}", share, f"{line['covered']:,}", f"{line['questions']:,}")
    for name, line in scores["similarities"].items():
        rank = "-" if line["spearman"] is None else f"{line['spearman']:.3f} Spearman"
        table.add_row(name, rank, f"{line['covered']:,}", f"{line['pairs']:,}")
    return table
