"""A teacher that reads between the patterns: what it finds becomes silver labels.

Patterns name a part of the entities. A linear classifier of tokens learns from them what an entity looks like and in which
words it stands; copies of the mentions under other names make it look at the words around. Each text is judged by classifiers
that have not seen it (cross-fitting), so that a name which the patterns missed is not held against itself. The pipeline then
trains on what the teacher found: nothing of the teacher has to be shipped.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import issparse, vstack
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from spacy.tokens import Doc, Span, Token

from scripts.components.training import invent, replace_mentions
from scripts.files import progress_bar
from scripts.reading import text_key

Featurize = Callable[[Sequence[Doc]], Any]  # Docs -> (n_tokens, n_features), sparse or dense

FOLDS = 4
ENOUGH = 40  # texts with entities: with fewer, a teacher sees entities everywhere
COPIES = 4  # of each text with a mention, under other names
HAND_WEIGHT = (
    5  # of a hand-labelled text beside a silver one, for teacher and training: its "O" is true
)
MOST_TOKENS = 200_000  # to fit on: more make the teacher slower, hardly better
# Most entities are unlabelled, which pulls the probabilities down, by how much depends on the patterns. So they are compared with what
# the classifiers say of mentions under names that they have never seen (after Elkan and Noto, 2008).
SURE = 0.7  # a token with this share of that begins an entity
LIKELY = 0.17  # next to an entity, a token with this share of that belongs to it
STRENGTH = {"words": 0.2, "encoder": 0.002}  # inverse of the regularisation (C of scikit-learn)


@dataclass
class Teacher:
    """Classifiers of tokens, for each kind of features and each fold of the texts.

    Args:
        features: what turns Docs into features, by name (words, encoder). Their probabilities are averaged.
        seed: for the names that mentions are swapped for.
    """

    features: dict[str, Featurize]
    seed: int = 0
    classes: list[str] = field(default_factory=list)
    confidence: float = 1.0  # mean probability that tokens of mentions under unseen names get
    _models: dict[tuple[str, int], LogisticRegression] = field(default_factory=dict)
    _scalers: dict[str, StandardScaler] = field(default_factory=dict)

    @property
    def sure(self) -> float:
        """The probability from which on a token begins an entity."""
        return SURE * self.confidence

    def fit(self, docs: Sequence[Doc], by_hand: Sequence[bool] = ()) -> "Teacher":
        """Learn from Docs with entities (not `too_few`); tokens whose entity type is missing teach nothing.

        Args:
            docs: silver and hand-labelled ones.
            by_hand: whether each Doc has hand labels, which count more; none of them by default.
        """
        counts = [HAND_WEIGHT if hand else 1.0 for hand in by_hand or [False] * len(docs)]
        copies = self._copies(docs)
        both = [*docs, *(copy for copy, _ in copies)]
        folds = np.array([*map(fold_of, docs), *(fold for _, fold in copies)])
        weights = np.array([*counts, *([1 / COPIES] * len(copies))])
        lengths = [len(doc) for doc in both]
        labels = np.concatenate([token_labels(doc) for doc in both])
        fold, weight = np.repeat(folds, lengths), np.repeat(weights, lengths)
        known = labels != ""
        self.classes = sorted(set(labels[known].tolist()))
        unseen = (np.arange(len(labels)) >= sum(lengths[: len(docs)])) & known & (labels != "O")
        entity = np.zeros(len(labels))
        with progress_bar("teacher", FOLDS * len(self.features), " fits") as bar:
            for name in self.features:
                tokens = _stack(
                    [self._scaled(name, docs, first=True), self._scaled(name, both[len(docs) :])]
                )
                for number in range(FOLDS):
                    chosen = known & (fold != number)
                    model = LogisticRegression(C=STRENGTH[name], max_iter=200)
                    self._models[name, number] = model.fit(
                        tokens[chosen], labels[chosen], sample_weight=weight[chosen]
                    )
                    held = unseen & (fold == number)
                    if held.any():
                        entity[held] += (
                            1
                            - model.predict_proba(tokens[held])[
                                :, model.classes_.tolist().index("O")
                            ]
                        )
                    bar.update()
        self.confidence = float(entity[unseen].mean() / len(self.features))
        return self

    def _copies(self, docs: Sequence[Doc]) -> list[tuple[Doc, int]]:
        """(copy, fold of its text) of the texts with mentions, the mentions swapped for invented names or doubtful words of the texts."""
        rng = random.Random(self.seed)
        pool = [words for doc in docs for words in unknown_runs(doc)]

        def other(ent: Span) -> list[str]:
            if pool and rng.random() < 0.5:
                return rng.choice(pool)
            return [invent(token.text, rng) for token in ent]

        return [
            (replace_mentions(doc, other), fold_of(doc))
            for doc in docs
            if doc.ents
            for _ in range(COPIES)
        ]

    def _scaled(self, name: str, docs: Sequence[Doc], first: bool = False) -> Any:
        features = self.features[name](docs)
        if issparse(features):
            return features
        if first:
            self._scalers[name] = StandardScaler().fit(features)
        return self._scalers[name].transform(features)

    def judge(self, docs: Sequence[Doc]) -> list[np.ndarray]:
        """Probabilities of each Doc's tokens, (n_tokens, n_classes), by classifiers that have not seen its text."""
        fold = np.repeat([fold_of(doc) for doc in docs], [len(doc) for doc in docs])
        total = np.zeros((len(fold), len(self.classes)))
        for name in self.features:
            tokens = self._scaled(name, docs)
            for number in set(fold.tolist()):
                chosen, model = fold == number, self._models[name, number]
                columns = [self.classes.index(label) for label in model.classes_]
                total[np.ix_(chosen, columns)] += model.predict_proba(tokens[chosen])
        return np.split(total / len(self.features), np.cumsum([len(doc) for doc in docs])[:-1])

    def relabel(self, docs: Sequence[Doc]) -> list[np.ndarray]:
        """Set entities of Docs: those that they have, grown where the teacher says so, and what it found; all else is "O".

        Returns:
            the probability of each Doc's tokens to be in an entity, (n_tokens,).
        """
        judged = []
        for doc, probabilities in zip(docs, self.judge(docs)):
            doc.set_ents(
                find_spans(doc, probabilities, self.classes, self.sure, LIKELY * self.confidence),
                default="outside",
            )
            judged.append((1 - probabilities[:, self.classes.index("O")]).astype("f4"))
        return judged


def _stack(parts: list[Any]) -> Any:
    return vstack(parts, format="csr") if issparse(parts[0]) else np.concatenate(parts)


def too_few(docs: Sequence[Doc]) -> bool:
    """Whether there is hardly an entity to learn from: overall, or in what some of the classifiers see."""
    folds = [fold_of(doc) for doc in docs if doc.ents]
    return len(folds) < ENOUGH or any(
        sum(fold != number for fold in folds) < ENOUGH // 2 for number in range(FOLDS)
    )


def fold_of(doc: Doc) -> int:
    """The fold that a text falls into: the same for texts that differ in case and white space only."""
    return text_key(doc.text)[0] % FOLDS


def token_labels(doc: Doc) -> np.ndarray:
    """(n_tokens,) the label of each token: "O" for none, "" where it is unknown."""
    return np.array(
        [token.ent_type_ or ("" if token.ent_iob == 0 else "O") for token in doc], dtype=object
    )


def unknown_runs(doc: Doc) -> list[list[str]]:
    """The words of each run of tokens whose entity type is unknown."""
    runs: list[list[str]] = []
    for token in doc:
        if token.ent_iob == 0 and not token.is_space:
            if token.i and doc[token.i - 1].ent_iob == 0 and runs:
                runs[-1].append(token.text)
            else:
                runs.append([token.text])
    return runs


def find_spans(
    doc: Doc, probabilities: np.ndarray, classes: Sequence[str], sure: float, likely: float
) -> list[Span]:
    """Entities of a Doc by hysteresis: a sure token begins one, likely neighbours join it (Canny's two thresholds, 1986).

    Args:
        doc: entities that it has stay, and may grow.
        probabilities: (n_tokens, n_classes).
        classes: the labels, "O" among them.
        sure, likely: the two thresholds.
    """
    labels = [label for label in classes if label != "O"]
    scores = probabilities[:, [classes.index(label) for label in labels]]
    best, score = scores.argmax(axis=1), scores.max(axis=1)
    found: list[str] = [token.ent_type_ for token in doc]
    fits = [not token.is_space for token in doc]
    for at in range(len(doc)):
        if not found[at] and fits[at] and score[at] >= sure:
            found[at] = labels[best[at]]
    for order, step in ((range(1, len(doc)), -1), (range(len(doc) - 2, -1, -1), 1)):
        for at in order:
            if (
                not found[at]
                and fits[at]
                and score[at] >= likely
                and found[at + step] == labels[best[at]]
            ):
                found[at] = labels[best[at]]
    return _runs(doc, found)


def _is_margin(token: Token) -> bool:
    return not token.ent_type and (token.is_punct or token.is_space)


def _runs(doc: Doc, found: list[str]) -> list[Span]:
    """Runs of one label as spans without punctuation at their ends; two entities that the Doc had stay two."""
    spans = []
    start = 0
    for at in range(1, len(doc) + 1):
        new = (
            at == len(doc)
            or found[at] != found[start]
            or (doc[at].ent_iob_ == "B" and doc[at - 1].ent_type != 0)
        )
        if not new:
            continue
        first, end = start, at
        while first < end and _is_margin(doc[first]):
            first += 1
        while end > first and _is_margin(doc[end - 1]):
            end -= 1
        if found[start] and first < end:
            spans.append(Span(doc, first, end, label=found[start]))
        start = at
    return spans
