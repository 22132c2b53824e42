"""The baseline, a classifier without a network: tf-idf and a linear model (scikit-learn)."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from scripts.textcat.corpus import Corpus, Gold
from scripts.textcat.scores import Scores, score

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)  # of C, the inverse of the regularisation
WORD = r"(?u)\b\w+\b|[^\w\s]+"


def fit(
    texts: Sequence[str], gold: Gold, exclusive: bool, strength: float, balanced: bool
) -> Pipeline:
    """Logistic regression on tf-idf weights of words and pairs of words.

    Args:
        texts: to train on.
        gold: (n_texts, n_labels).
        exclusive: one model for all labels; else one for each.
        strength: C of the regression.
        balanced: whether all labels count the same, however many texts they have.
    """
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD)
    weights = "balanced" if balanced else None
    linear = LogisticRegression(C=strength, max_iter=1_000, class_weight=weights)
    model = make_pipeline(words, linear if exclusive else OneVsRestClassifier(linear))
    return model.fit(texts, gold.argmax(axis=1) if exclusive else gold.astype(int))


def predict(model: Pipeline, texts: Sequence[str], n_labels: int) -> Scores:
    """(n_texts, n_labels): probabilities; 0 for labels that the model never saw."""
    probabilities = model.predict_proba(texts)
    scores = np.zeros((len(texts), n_labels))
    columns = model.classes_ if probabilities.shape[1] < n_labels else slice(None)
    scores[:, columns] = probabilities
    return scores


def choose(corpus: Corpus, balanced: bool) -> tuple[Pipeline, float]:
    """(model, its C): the strength of regularisation with the best macro F on dev."""
    train, dev, exclusive = corpus.train, corpus.dev, corpus.exclusive
    models, macro_f = {}, {}
    for strength in STRENGTHS:
        model = fit(train.texts, train.gold, exclusive, strength, balanced)
        scores = predict(model, dev.texts, len(corpus.labels))
        models[strength] = model
        macro_f[strength] = score(dev.gold, scores, corpus.labels, exclusive)["cats_macro_f"]
    best = max(STRENGTHS, key=lambda strength: macro_f[strength])
    return models[best], best
