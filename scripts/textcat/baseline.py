"""What one would do without a network: tf-idf and a linear model (scikit-learn)."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from scripts.textcat.scores import Gold, Scores, score

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)  # of C, the inverse of the regularisation


def fit(
    texts: Sequence[str], gold: Gold, exclusive: bool, strength: float, balanced: bool
) -> Pipeline:
    """Logistic regression on tf-idf weights of words and pairs of words.

    Args:
        texts: to train on.
        gold: (n_texts, n_labels).
        exclusive: one model of all labels; else one of each.
        strength: C of the regression.
        balanced: whether each label counts as much as another.
    """
    words = TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b|[^\w\s]+"
    )
    linear = LogisticRegression(
        C=strength, max_iter=1_000, class_weight="balanced" if balanced else None
    )
    model = make_pipeline(words, linear if exclusive else OneVsRestClassifier(linear))
    return model.fit(texts, gold.argmax(axis=1) if exclusive else gold.astype(int))


def predict(model: Pipeline, texts: Sequence[str], n_labels: int) -> Scores:
    """(n_texts, n_labels): probabilities."""
    found = model.predict_proba(texts)
    scores = np.zeros((len(texts), n_labels))
    scores[:, model.classes_ if found.shape[1] < n_labels else slice(None)] = found
    return scores


def choose(
    train: tuple[Sequence[str], Gold],
    dev: tuple[Sequence[str], Gold],
    labels: Sequence[str],
    exclusive: bool,
    balanced: bool,
) -> tuple[Pipeline, float]:
    """(model, its C): the strength of regularisation with the best macro F on dev."""
    models = {strength: fit(*train, exclusive, strength, balanced) for strength in STRENGTHS}
    macro = {
        strength: score(dev[1], predict(model, dev[0], len(labels)), labels, exclusive)[
            "cats_macro_f"
        ]
        for strength, model in models.items()
    }
    best = max(STRENGTHS, key=lambda strength: macro[strength])
    return models[best], best
