"""Find a class of words in the vector space from a few examples (a linear SVM), and make patterns of its members."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from spacy.language import Language

from scripts.files import need
from scripts.nearest import normalised
from scripts.reading import read_jsonl, read_lines
from scripts.vectors.neighbours import WordVectors
from scripts.vectors.sources import Floats2d

OTHERS = 20  # words drawn as not of the class, for each example
LEAST_OTHERS = 2_000
FOLDS = 5
CS = (0.1, 1.0, 10.0)  # of the SVM; vectors of a small corpus want the first


@dataclass(frozen=True)
class Member:
    """A word that the SVM puts into the class."""

    word: str
    score: float  # distance from the border, in units of the margin
    example: bool


def read_words(path: Path) -> list[str]:
    """Words or phrases: a line each, or JSONL with a "text". Raises ValueError: "FILE: no words in it", "FILE:LINE: ..."."""
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        words = []
        for number, record in read_jsonl(path):
            if not isinstance(record.get("text"), str):
                raise ValueError(
                    f'{path}:{number}: no "text": each line should be {{"text": "Norway"}}'
                )
            words.append(record["text"])
    else:
        words = [line.strip() for _, line in read_lines(path) if line.strip()]
    if not words:
        raise ValueError(f"{path}: no words in it")
    return list(dict.fromkeys(words))


class Classifier:
    """A linear SVM between examples of a class and words drawn from the others, all at length 1."""

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
            ValueError: "only ... of the examples have vectors ...", when fewer than FOLDS have.
        """
        rows = {word: vectors.row(word) for word in examples}
        self.missing = [word for word, row in rows.items() if row is None]
        self.examples = np.unique([row for row in rows.values() if row is not None]).astype("i8")
        if len(self.examples) < FOLDS:
            raise ValueError(
                f"only {len(self.examples)} of the {len(rows)} examples have vectors in {vectors.path}: give {FOLDS} or more"
            )
        self.vectors, self.seed, self.c = vectors, seed, 1.0
        self.candidates = np.arange(min(n_words, len(vectors.table)))
        free = np.setdiff1d(self.candidates, self.examples)
        if len(free) < 2 * FOLDS:
            raise ValueError(
                f"only {len(free)} words are left that are no examples: raise vars.vectors.n_words"
            )
        n_others = min(len(free) // 2, max(LEAST_OTHERS, OTHERS * len(self.examples)))
        others = np.random.default_rng(seed).choice(free, n_others, replace=False)
        self.rows: Floats2d = normalised(
            vectors.table[np.concatenate([self.examples, others])]
        )  # (n, width)
        self.labels = np.repeat([1, 0], [len(self.examples), n_others])

    def _svm(self) -> Any:
        return need("sklearn.svm", "vectors").LinearSVC(
            class_weight="balanced", C=self.c, random_state=self.seed
        )

    def cross_validate(self) -> dict[str, float]:
        """Choose the C that gives the best average precision, and return its scores: "c", "p", "r", "f" and "average_precision".

        The examples stand against the words drawn as others, each scored by an SVM that did not see it. "average_precision_of_mean" is
        for the order that one would have without an SVM: by cosine with the examples' mean.
        """
        found = []
        for self.c in CS:
            found.append({"c": self.c, **self._scores()})
        best = max(found, key=lambda scores: scores["average_precision"])
        self.c = best["c"]
        return best

    def _scores(self) -> dict[str, float]:
        selection, metrics = (
            need("sklearn.model_selection", "vectors"),
            need("sklearn.metrics", "vectors"),
        )
        folds = selection.StratifiedKFold(FOLDS, shuffle=True, random_state=self.seed)
        scores, of_svm, of_mean = np.zeros(len(self.labels)), [], []
        for train, test in folds.split(self.rows, self.labels):
            rows, labels = self.rows[train], self.labels[train]
            scores[test] = self._svm().fit(rows, labels).decision_function(self.rows[test])
            of_svm.append(metrics.average_precision_score(self.labels[test], scores[test]))
            of_mean.append(
                metrics.average_precision_score(
                    self.labels[test], self.rows[test] @ rows[labels == 1].mean(axis=0)
                )
            )
        p, r, f, _ = metrics.precision_recall_fscore_support(
            self.labels, scores > 0, average="binary", zero_division=0
        )
        orders = {
            "average_precision": float(np.mean(of_svm)),
            "average_precision_of_mean": float(np.mean(of_mean)),
        }
        return {"p": float(p), "r": float(r), "f": float(f), **orders}

    def members(self, top: int = 0) -> list[Member]:
        """The examples, and the frequent words on their side of the border, the surest first.

        Args:
            top: no more than so many, unless there are more examples; 0 for all.
        """
        svm = self._svm().fit(self.rows, self.labels)
        candidates = np.union1d(self.candidates, self.examples)
        scores: npt.NDArray[np.float64] = np.concatenate(
            [
                svm.decision_function(normalised(self.vectors.table[some]))
                for some in np.array_split(candidates, max(1, len(candidates) // 10_000))
            ]
        )
        known = set(self.examples.tolist())
        found = [
            (float(scores[place]), int(candidates[place]))
            for place in np.argsort(-scores, kind="stable")
        ]
        others = [row for score, row in found if score > 0 and row not in known][
            : max(0, top - len(known)) if top else None
        ]
        kept = known | set(others)
        return [
            Member(self.vectors.words[row], score, row in known)
            for score, row in found
            if row in kept
        ]


def to_patterns(
    members: Sequence[Member], label: str, nlp: Language, lower: bool
) -> list[dict[str, Any]]:
    """EntityRuler patterns of members. Where the vectors know no capitals, the patterns match any case.

    Args:
        members: words; an underscore in one is a space.
        label: of the patterns.
        nlp: its tokenizer cuts the words.
        lower: whether the words are lower-cased.
    """
    phrases = [member.word.replace("_", " ") for member in members]
    if not lower:
        return [{"label": label, "pattern": phrase, "id": "vectors"} for phrase in phrases]
    return [
        {
            "label": label,
            "pattern": [{"LOWER": token.lower_} for token in nlp.make_doc(phrase)],
            "id": "vectors",
        }
        for phrase in phrases
    ]


def against(
    members: Sequence[Member], gold: Sequence[str], classifier: Classifier
) -> dict[str, float]:
    """Precision and recall of the members against a list of all words of the class, the examples left out on both sides."""
    rows = {classifier.vectors.row(word) for word in gold}
    reachable = {row for row in rows if row is not None and row < len(classifier.candidates)} - set(
        classifier.examples.tolist()
    )
    found = {classifier.vectors.row(member.word) for member in members if not member.example}
    right = len(found & reachable)
    return {
        "gold_p": right / len(found) if found else 0.0,
        "gold_r": right / len(reachable) if reachable else 0.0,
        "gold": len(reachable),
    }
