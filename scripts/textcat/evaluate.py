"""Score one variant on the test texts: accuracy, calibration, thresholds and speed."""

import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from spacy.language import Language

from scripts.textcat.corpus import Corpus, Part
from scripts.textcat.scores import (
    Scores,
    above,
    best_thresholds,
    calibration,
    decide,
    lowest_threshold,
    score,
)

MIN_SECONDS = 2.0  # for which the speed is measured
GRID = [step / 20 for step in range(20)]  # thresholds of the curve
Predict = Callable[[Sequence[str]], Scores]


def predictor(nlp: Language, labels: Sequence[str]) -> Predict:
    """A function that gives the scores of texts, (n_texts, n_labels), by a pipeline.

    Raises:
        ValueError: "the pipeline gives no scores for ...", if it was trained on other labels.
    """
    known = set(chain.from_iterable(nlp.pipe_labels.values()))
    missing = sorted(set(labels) - known)
    if missing:
        names = ", ".join(missing)
        raise ValueError(f"the pipeline gives no scores for {names}: train it on this corpus")

    def predict(texts: Sequence[str]) -> Scores:
        scores = np.zeros((len(texts), len(labels)))
        for row, doc in enumerate(nlp.pipe(texts)):
            scores[row] = [doc.cats[label] for label in labels]
        return scores

    return predict


def speed(predict: Predict, texts: Sequence[str]) -> float:
    """Texts per second from raw text to scores. To be called when the pipeline is warm."""
    n_texts, start = 0, time.perf_counter()
    while (seconds := time.perf_counter() - start) < MIN_SECONDS:
        predict(texts)
        n_texts += len(texts)
    return n_texts / seconds


def compute_metrics(predict: Predict, corpus: Corpus, min_accuracy: float) -> dict[str, Any]:
    """Metrics of one variant.

    Args:
        predict: texts -> scores (n_texts, n_labels).
        corpus: dev chooses the thresholds, test gives the scores.
        min_accuracy: the share of accepted texts that must be right, for the threshold of
            exclusive labels.

    Returns:
        spaCy's keys (see `scores.score`), and dev_cats_macro_f, calibration, thresholds, curve,
        texts_per_second, test_texts, labels, exclusive.
    """
    labels, exclusive, dev, test = corpus.labels, corpus.exclusive, corpus.dev, corpus.test
    dev_scores, test_scores = predict(dev.texts), predict(test.texts)
    dev_metrics = score(dev.gold, dev_scores, labels, exclusive, dev.known)
    if exclusive:
        thresholds = _threshold(dev, test, dev_scores, test_scores, min_accuracy)
    else:
        thresholds = _label_thresholds(dev, test, dev_scores, test_scores, labels)
    return {
        **score(test.gold, test_scores, labels, exclusive, test.known),
        "dev_cats_macro_f": dev_metrics["cats_macro_f"],
        "calibration": calibration(test.gold, test_scores, exclusive),
        "thresholds": thresholds,
        "curve": [_curve_point(test, test_scores, exclusive, threshold) for threshold in GRID],
        "texts_per_second": round(speed(predict, test.texts), 1),
        "test_texts": len(test.texts),
        "labels": list(labels),
        "exclusive": exclusive,
    }


def _threshold(
    dev: Part, test: Part, dev_scores: Scores, test_scores: Scores, min_accuracy: float
) -> dict[str, Any]:
    """One threshold on the highest score, chosen on dev, and what it does on test."""
    threshold = lowest_threshold(dev.gold, dev_scores, min_accuracy)
    result: dict[str, Any] = {"wanted": min_accuracy, "threshold": threshold}
    if threshold is not None:
        result["test"] = above(test.gold, test_scores, threshold)
    return result


def _label_thresholds(
    dev: Part, test: Part, dev_scores: Scores, test_scores: Scores, labels: Sequence[str]
) -> dict[str, Any]:
    """A threshold for each label, chosen on dev, and what they do on test."""
    thresholds = best_thresholds(dev.gold, dev_scores)
    decisions = (test_scores >= np.asarray(thresholds)).astype(float)
    metrics = score(test.gold, decisions, labels, False, test.known)
    per_label = {}
    for label, threshold in zip(labels, thresholds):
        per_label[label] = {"threshold": threshold, **metrics["cats_f_per_type"][label]}
    return {"per_label": per_label, "cats_macro_f": metrics["cats_macro_f"]}


def _curve_point(
    test: Part, scores: Scores, exclusive: bool, threshold: float
) -> dict[str, float | None]:
    """What a threshold does: coverage and accuracy, or precision and recall."""
    if exclusive:
        return {"threshold": threshold, **above(test.gold, scores, threshold)}
    predicted = decide(scores, False, threshold) & test.known
    hits = (predicted & test.gold).sum()
    precision, recall = hits / max(predicted.sum(), 1), hits / max(test.gold.sum(), 1)
    return {"threshold": threshold, "p": precision, "r": recall}


def folder_size(path: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
