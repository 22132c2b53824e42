"""Find the words of a class from a few examples with a linear SVM, and make patterns of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from spacy.language import Language

from scripts.nearest import normalised
from scripts.reading import read_jsonl, read_lines
from scripts.vectors.sources import Floats2d
from scripts.vectors.word_vectors import WordVectors

OTHERS_PER_EXAMPLE = 20  # words drawn as not of the class
MIN_OTHERS = 2_000
N_FOLDS = 5
CS = (0.1, 1.0, 10.0)  # regularisation of the SVM; vectors of a small corpus need the first
CHUNK = 10_000  # candidates scored at once


@dataclass(frozen=True)
class Member:
    """A word that the SVM puts into the class."""

    word: str
    score: float  # distance from the border, in units of the margin
    example: bool


def read_words(path: Path) -> list[str]:
    """Words or phrases: one a line, or JSONL with a "text".

    Raises:
        ValueError: "FILE: no words in it", or 'FILE:LINE: no "text" ...'.
    """
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        words = list(_read_jsonl_words(path))
    else:
        words = [line.strip() for _, line in read_lines(path) if line.strip()]
    if not words:
        raise ValueError(f"{path}: no words in it: write one on each line")
    return list(dict.fromkeys(words))


def _read_jsonl_words(path: Path) -> Any:
    for number, record in read_jsonl(path):
        if not isinstance(record.get("text"), str):
            raise ValueError(
                f'{path}:{number}: no "text": each line should be {{"text": "Norway"}}'
            )
        yield record["text"]


class Classifier:
    """A linear SVM between examples of a class and other words, all vectors at length 1."""

    def __init__(
        self, vectors: WordVectors, examples: Sequence[str], n_words: int, seed: int = 0
    ) -> None:
        """Draw the words to learn from.

        Args:
            vectors: to look words up in.
            examples: of the class; those without a vector are left out.
            n_words: how many of the most frequent words may be members, or drawn as others.
            seed: for the draw and the folds.

        Raises:
            ValueError: "only ... of the examples have vectors ..." (fewer than N_FOLDS), or
                "only ... words are left that are not examples ...".
        """
        rows = {word: vectors.row(word) for word in examples}
        self.missing = [word for word, row in rows.items() if row is None]
        self.examples = np.unique([row for row in rows.values() if row is not None]).astype("i8")
        if len(self.examples) < N_FOLDS:
            raise ValueError(
                f"only {len(self.examples)} of the {len(rows)} examples have vectors in "
                f"{vectors.path}: give {N_FOLDS} or more"
            )
        self.vectors, self.seed, self.c = vectors, seed, 1.0
        self.candidates = np.arange(min(n_words, len(vectors.table)))
        others = self._draw_others()
        drawn = np.concatenate([self.examples, others])
        self.rows: Floats2d = normalised(vectors.table[drawn])  # (n, width)
        self.labels = np.repeat([1, 0], [len(self.examples), len(others)])

    def _draw_others(self) -> npt.NDArray[np.int64]:
        """Rows of words that are not examples."""
        free = np.setdiff1d(self.candidates, self.examples)
        if len(free) < 2 * N_FOLDS:
            remedy = "raise vars.vectors.n_words"
            raise ValueError(f"only {len(free)} words are left that are not examples: {remedy}")
        n_others = max(MIN_OTHERS, OTHERS_PER_EXAMPLE * len(self.examples))
        n_others = min(len(free) // 2, n_others)
        return np.random.default_rng(self.seed).choice(free, n_others, replace=False)

    def _svm(self) -> Any:
        from sklearn.svm import LinearSVC

        return LinearSVC(class_weight="balanced", C=self.c, random_state=self.seed)

    def cross_validate(self) -> dict[str, float]:
        """Choose the C with the best average precision.

        Each example, and each of the other words, is scored by an SVM that did not see it.

        Returns:
            The scores of that C: "c", "p", "r", "f", "average_precision", and for comparison
            "average_precision_of_mean", that of ranking by cosine with the examples' mean.
        """
        scores = []
        for self.c in CS:
            scores.append({"c": self.c, **self._scores()})
        best = max(scores, key=lambda line: line["average_precision"])
        self.c = best["c"]
        return best

    def _scores(self) -> dict[str, float]:
        from sklearn.metrics import average_precision_score, precision_recall_fscore_support
        from sklearn.model_selection import StratifiedKFold

        folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=self.seed)
        scores, of_svm, of_mean = np.zeros(len(self.labels)), [], []
        for train, test in folds.split(self.rows, self.labels):
            rows, labels = self.rows[train], self.labels[train]
            scores[test] = self._svm().fit(rows, labels).decision_function(self.rows[test])
            cosines = self.rows[test] @ rows[labels == 1].mean(axis=0)
            of_svm.append(average_precision_score(self.labels[test], scores[test]))
            of_mean.append(average_precision_score(self.labels[test], cosines))
        p, r, f, _ = precision_recall_fscore_support(
            self.labels, scores > 0, average="binary", zero_division=0
        )
        return {
            "p": float(p),
            "r": float(r),
            "f": float(f),
            "average_precision": float(np.mean(of_svm)),
            "average_precision_of_mean": float(np.mean(of_mean)),
        }

    def members(self, top: int = 0) -> list[Member]:
        """The examples, and the frequent words on their side of the border, surest first.

        Args:
            top: members at most, unless there are more examples; 0 for no limit.
        """
        rows = np.union1d(self.candidates, self.examples)
        scores = self._decisions(rows)
        examples = set(self.examples.tolist())
        ranked = [(int(rows[i]), float(scores[i])) for i in np.argsort(-scores, kind="stable")]
        new = [row for row, score in ranked if score > 0 and row not in examples]
        kept = examples | set(new[: max(0, top - len(examples))] if top else new)
        words = self.vectors.words
        return [Member(words[row], score, row in examples) for row, score in ranked if row in kept]

    def _decisions(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The distances of words from the border, (n,)."""
        svm = self._svm().fit(self.rows, self.labels)
        chunks = np.array_split(rows, max(1, len(rows) // CHUNK))
        tables = (normalised(self.vectors.table[chunk]) for chunk in chunks)
        return np.concatenate([svm.decision_function(table) for table in tables])


def to_patterns(
    members: Sequence[Member], label: str, nlp: Language, lower: bool
) -> list[dict[str, Any]]:
    """EntityRuler patterns of members.

    Args:
        members: words; an underscore in one is a space.
        label: of the patterns.
        nlp: its tokenizer splits the words.
        lower: the words are lower-cased, so the patterns match any case.
    """
    patterns = []
    for member in members:
        pattern: Any = member.word.replace("_", " ")
        if lower:
            pattern = [{"LOWER": token.lower_} for token in nlp.make_doc(pattern)]
        patterns.append({"label": label, "pattern": pattern, "id": "vectors"})
    return patterns


def score_members(
    members: Sequence[Member], all_words: Sequence[str], classifier: Classifier
) -> dict[str, float]:
    """Precision and recall of the new members, scored by a list of all words of the class.

    The examples count on neither side, and of the list only words that may be members.
    """
    rows = {classifier.vectors.row(word) for word in all_words}
    examples = set(classifier.examples.tolist())
    gold = {row for row in rows if row is not None and row < len(classifier.candidates)} - examples
    new = {classifier.vectors.row(member.word) for member in members if not member.example}
    right = len(new & gold)
    return {
        "gold_p": right / len(new) if new else 0.0,
        "gold_r": right / len(gold) if gold else 0.0,
        "gold": len(gold),
    }
