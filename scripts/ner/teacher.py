"""A teacher that finds entities which no pattern matched: what it finds becomes silver labels.

Patterns name only some of the entities. A linear classifier of tokens learns from these what an
entity looks like and between which words it occurs. Copies of the texts with the mentions replaced
make it look at the words around them. Each text is judged by classifiers that have not seen it
(cross-fitting), because there a name that the patterns missed counts as "O". The pipeline is then
trained on what the teacher found, so that nothing of the teacher has to be shipped.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from spacy.tokens import Doc, Span, Token

from scripts.components.training import replace_mentions, word_like
from scripts.files import progress_bar
from scripts.reading import text_key

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

Featurize = Callable[[Sequence[Doc]], Any]  # Docs -> (n_tokens, n_features), sparse or dense

N_FOLDS = 4
MIN_TEXTS = 40  # texts with entities: with fewer, a teacher sees entities everywhere
N_COPIES = 4  # copies of each text with a mention, under other names
HAND_WEIGHT = 5  # weight of a hand-labelled text, if that of a silver one is 1: its "O" is true
MAX_TOKENS = 200_000  # tokens to learn from: more make the teacher slower and hardly better
# Most entities have no label, which lowers the probabilities, by how much depends on the patterns.
# So the thresholds are shares of the probability that mentions get under names which the
# classifiers have never seen (after Elkan and Noto, 2008).
ENTITY_THRESHOLD = 0.7  # a token with this share begins an entity
NEIGHBOUR_THRESHOLD = 0.17  # a token next to an entity with this share belongs to it
STRENGTH = {"words": 0.2, "encoder": 0.002}  # inverse of the regularisation (C of scikit-learn)


@dataclass
class _Tokens:
    """The tokens to learn from, those of all Docs one after the other; arrays are (n_tokens,).

    Args:
        docs: the texts themselves.
        copies: the texts under other names.
        labels: "O" outside entities, "" if unknown.
        folds: of the token's text.
        weights: of the token in the loss.
    """

    docs: Sequence[Doc]
    copies: Sequence[Doc]
    labels: np.ndarray
    folds: np.ndarray
    weights: np.ndarray

    @cached_property
    def known(self) -> np.ndarray:
        """(n_tokens,) whether the label is known."""
        return self.labels != ""

    @cached_property
    def renamed(self) -> np.ndarray:
        """(n_tokens,) whether the token is in an entity of a copy."""
        n_tokens = sum(map(len, self.docs))
        in_copy = np.arange(len(self.labels)) >= n_tokens
        return in_copy & self.known & (self.labels != "O")


@dataclass
class Teacher:
    """Classifiers of tokens, one for each kind of features and each fold of the texts.

    Args:
        features: functions that turn Docs into features, by name (words, encoder). The
            probabilities that they lead to are averaged.
        seed: for the names that replace mentions.
        classes: the labels, "O" among them.
        confidence: the mean probability that tokens of mentions get under unseen names.
    """

    features: dict[str, Featurize]
    seed: int = 0
    classes: list[str] = field(default_factory=list)
    confidence: float = 1.0
    _models: dict[tuple[str, int], "LogisticRegression"] = field(default_factory=dict)
    _columns: dict[str, np.ndarray] = field(default_factory=dict)  # of sparse features
    _scalers: dict[str, "StandardScaler"] = field(default_factory=dict)  # of dense ones

    @property
    def threshold(self) -> float:
        """The probability from which on a token begins an entity."""
        return ENTITY_THRESHOLD * self.confidence

    def fit(self, docs: Sequence[Doc], by_hand: Sequence[bool] = ()) -> "Teacher":
        """Learn from Docs with entities; tokens whose entity type is missing are left out.

        Args:
            docs: silver and hand-labelled ones, not `too_few`.
            by_hand: for each Doc, whether it has hand labels, which count more. Default: none has.
        """
        tokens = self._tokens(docs, by_hand)
        self.classes = sorted(set(tokens.labels[tokens.known].tolist()))
        renamed = tokens.renamed
        probability = np.zeros(len(tokens.labels))
        with progress_bar("teacher", N_FOLDS * len(self.features), " fits") as bar:
            for name in self.features:
                rows = self._training_rows(name, tokens)
                for number in range(N_FOLDS):
                    self._fit_fold(name, number, rows, tokens)
                    held_out = renamed & (tokens.folds == number)
                    if held_out.any():
                        probability[held_out] += self._entity_probability(
                            name, number, rows[held_out]
                        )
                    bar.update()
        self.confidence = float(probability[renamed].mean() / len(self.features))
        return self

    def _tokens(self, docs: Sequence[Doc], by_hand: Sequence[bool]) -> _Tokens:
        copies, origins = self._copies(docs)
        all_docs = [*docs, *copies]
        lengths = [len(doc) for doc in all_docs]
        doc_weights = [HAND_WEIGHT if hand else 1.0 for hand in by_hand or [False] * len(docs)]
        doc_weights += [1 / N_COPIES] * len(copies)
        return _Tokens(
            docs,
            copies,
            labels=np.concatenate([token_labels(doc) for doc in all_docs]),
            folds=np.repeat([fold_of(doc) for doc in (*docs, *origins)], lengths),
            weights=np.repeat(doc_weights, lengths),
        )

    def _copies(self, docs: Sequence[Doc]) -> tuple[list[Doc], list[Doc]]:
        """Copies of the texts with mentions under other names, and the text of each copy.

        A mention is replaced by an invented name, or by unknown words of the texts.
        """
        rng = random.Random(self.seed)
        pool: list[list[str]] = []
        for doc in docs:
            pool += unknown_runs(doc)

        def other_name(ent: Span) -> list[str]:
            if pool and rng.random() < 0.5:
                return rng.choice(pool)
            return [word_like(token.text, rng) for token in ent]

        origins: list[Doc] = []
        for doc in docs:
            origins += [doc] * (N_COPIES if doc.ents else 0)
        return [replace_mentions(doc, other_name) for doc in origins], origins

    def _training_rows(self, name: str, tokens: _Tokens) -> Any:
        """(n_tokens, n_features) of the texts and the copies, to learn from.

        Dense features are scaled so that those of the texts have mean 0 and variance 1. Of sparse
        ones the columns that occur are used: fitting the others takes long and leaves them at 0.
        """
        from scipy.sparse import issparse, vstack
        from sklearn.preprocessing import StandardScaler

        texts, copies = self.features[name](tokens.docs), self.features[name](tokens.copies)
        if issparse(texts):
            rows = vstack([texts, copies], format="csr")
            self._columns[name] = np.unique(rows.indices)
            return rows[:, self._columns[name]]
        self._scalers[name] = StandardScaler().fit(texts)
        return np.concatenate([self._scalers[name].transform(part) for part in (texts, copies)])

    def rows(self, name: str, docs: Sequence[Doc]) -> Any:
        """(n_tokens, n_features) of texts, as the classifiers take them."""
        features = self.features[name](docs)
        if name in self._columns:
            return features[:, self._columns[name]]
        return self._scalers[name].transform(features)

    def _fit_fold(self, name: str, number: int, rows: Any, tokens: _Tokens) -> None:
        """Fit the classifier for one fold: to the known tokens of the others."""
        from sklearn.linear_model import LogisticRegression

        chosen = tokens.known & (tokens.folds != number)
        model = LogisticRegression(C=STRENGTH[name], max_iter=200)
        model.fit(rows[chosen], tokens.labels[chosen], sample_weight=tokens.weights[chosen])
        self._models[name, number] = model

    def _entity_probability(self, name: str, number: int, rows: Any) -> np.ndarray:
        """(n_tokens,) probability of being in an entity, by one classifier."""
        model = self._models[name, number]
        return 1 - model.predict_proba(rows)[:, model.classes_.tolist().index("O")]

    def judge(self, docs: Sequence[Doc]) -> list[np.ndarray]:
        """Probabilities of each Doc's tokens, by classifiers that have not seen its text.

        Returns:
            (n_tokens, n_classes) for each Doc.
        """
        lengths = [len(doc) for doc in docs]
        folds = np.repeat([fold_of(doc) for doc in docs], lengths)
        total = np.zeros((len(folds), len(self.classes)))
        for name in self.features:
            rows = self.rows(name, docs)
            for number in set(folds.tolist()):
                chosen, model = folds == number, self._models[name, number]
                columns = [self.classes.index(label) for label in model.classes_]
                total[np.ix_(chosen, columns)] += model.predict_proba(rows[chosen])
        return np.split(total / len(self.features), np.cumsum(lengths)[:-1])

    def relabel(self, docs: Sequence[Doc]) -> list[np.ndarray]:
        """Set the entities of Docs: theirs, which may grow, and what the teacher found.

        All other tokens become "O".

        Returns:
            the probability of each Doc's tokens to be in an entity, (n_tokens,).
        """
        neighbour_threshold = NEIGHBOUR_THRESHOLD * self.confidence
        outside = self.classes.index("O")
        in_entity = []
        for doc, probabilities in zip(docs, self.judge(docs)):
            spans = find_spans(
                doc, probabilities, self.classes, self.threshold, neighbour_threshold
            )
            doc.set_ents(spans, default="outside")
            in_entity.append((1 - probabilities[:, outside]).astype("f4"))
        return in_entity


def too_few(docs: Sequence[Doc]) -> bool:
    """Whether there are too few texts with entities, in all or for one of the classifiers."""
    folds = [fold_of(doc) for doc in docs if doc.ents]
    n_in_fold = [folds.count(number) for number in range(N_FOLDS)]
    return len(folds) < MIN_TEXTS or len(folds) - max(n_in_fold) < MIN_TEXTS // 2


def fold_of(doc: Doc) -> int:
    """The fold of a text: the same for texts that differ only in case and white space."""
    return text_key(doc.text)[0] % N_FOLDS


def token_labels(doc: Doc) -> np.ndarray:
    """(n_tokens,) the label of each token: "O" outside entities, "" if it is unknown."""
    labels = [token.ent_type_ or ("" if token.ent_iob == 0 else "O") for token in doc]
    return np.array(labels, dtype=object)


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
    doc: Doc,
    probabilities: np.ndarray,
    classes: Sequence[str],
    threshold: float,
    neighbour_threshold: float,
) -> list[Span]:
    """Entities of a Doc by hysteresis, which is two thresholds (Canny, 1986).

    A token above the first threshold begins an entity, and neighbours above the second join it.

    Args:
        doc: its entities stay, and may grow.
        probabilities: (n_tokens, n_classes).
        classes: the labels, "O" among them.
        threshold: probability from which on a token begins an entity.
        neighbour_threshold: probability from which on a token joins the entity next to it.
    """
    labels = [label for label in classes if label != "O"]
    scores = probabilities[:, [classes.index(label) for label in labels]]
    best = [labels[column] for column in scores.argmax(axis=1)]
    score = scores.max(axis=1)
    tags: list[str] = [token.ent_type_ for token in doc]
    free = [not tag and not token.is_space for tag, token in zip(tags, doc)]
    for at in range(len(doc)):
        if free[at] and score[at] >= threshold:
            tags[at] = best[at]
    forwards = [(at, at - 1) for at in range(1, len(doc))]
    backwards = [(at, at + 1) for at in reversed(range(len(doc) - 1))]
    for at, neighbour in forwards + backwards:
        joins = free[at] and not tags[at] and score[at] >= neighbour_threshold
        if joins and tags[neighbour] == best[at]:
            tags[at] = best[at]
    return _spans(doc, tags)


def _spans(doc: Doc, tags: Sequence[str]) -> list[Span]:
    """Runs of one label as spans without punctuation at their ends.

    Two entities that the Doc had next to each other stay two.
    """
    borders = [at for at in range(1, len(doc)) if _is_border(doc, tags, at)]
    spans = []
    for start, end in zip([0, *borders], [*borders, len(doc)]):
        first, last = start, end
        while first < last and _is_margin(doc[first]):
            first += 1
        while last > first and _is_margin(doc[last - 1]):
            last -= 1
        if first < last and tags[start]:
            spans.append(Span(doc, first, last, label=tags[start]))
    return spans


def _is_border(doc: Doc, tags: Sequence[str], at: int) -> bool:
    """Whether a new run begins at a token."""
    between_entities = doc[at].ent_iob_ == "B" and doc[at - 1].ent_type != 0
    return tags[at] != tags[at - 1] or between_entities


def _is_margin(token: Token) -> bool:
    return not token.ent_type and (token.is_punct or token.is_space)
