"""Rank correlation of a trained similarity with people's scores, beside averaged vectors, SIF and tf-idf on the same pairs."""

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from rich.table import Table
from scipy.stats import rankdata
from sklearn.feature_extraction.text import TfidfVectorizer
from spacy.language import Language
from spacy.tokens import Doc

from scripts import plots
from scripts.components.similarity import cosines
from scripts.scores import RESAMPLES, middle
from scripts.similarity.pairs import Pair

TRAINED, AVERAGED = "trained", "averaged vectors"
SIF_WEIGHT = 1e-3  # "a" of Arora et al. 2017
N_WORST = 30


def trained(nlp: Language, pairs: Sequence[Pair]) -> list[float]:
    """doc.similarity(doc) of the pipeline."""
    docs = nlp.pipe(text for pair in pairs for text in (pair.text1, pair.text2))
    return [a.similarity(b) for a, b in zip(docs, docs)]


def averaged(nlp: Language, pairs: Sequence[Pair]) -> list[float]:
    """What spaCy's own doc.similarity says of the same vectors: the cosine of plain averages."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\[W008\]")  # no word has a vector: 0
        return [
            float(nlp.make_doc(pair.text1).similarity(nlp.make_doc(pair.text2))) for pair in pairs
        ]


def tfidf(texts: Sequence[str], pairs: Sequence[Pair]) -> list[float]:
    """Cosines of tf-idf, whose document frequencies are those of `texts`."""
    vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+").fit(texts)
    a, b = (
        vectorizer.transform(side)
        for side in ([pair.text1 for pair in pairs], [pair.text2 for pair in pairs])
    )
    return np.asarray(a.multiply(b).sum(axis=1)).ravel().tolist()


def sif(nlp: Language, texts: Sequence[str], pairs: Sequence[Pair]) -> list[float]:
    """Cosines of averages weighted by smooth inverse frequency, less their first principal direction (Arora et al. 2017).

    Frequencies and the direction are those of `texts`.
    """
    known = [nlp.make_doc(text) for text in texts]
    counts = Counter(token.lower_ for doc in known for token in doc)
    total = sum(counts.values())

    def weighted(doc: Doc) -> Any:
        rows = [
            SIF_WEIGHT / (SIF_WEIGHT + counts[token.lower_] / total) * token.vector for token in doc
        ]
        return np.mean(rows, axis=0) if rows else np.zeros(nlp.vocab.vectors_length, "f4")

    direction = np.linalg.svd(np.stack([weighted(doc) for doc in known]), full_matrices=False)[2][0]
    a, b = (
        np.stack([weighted(nlp.make_doc(text)) for text in side])
        for side in zip(*((pair.text1, pair.text2) for pair in pairs))
    )
    return cosines(*(side - np.outer(side @ direction, direction) for side in (a, b))).tolist()


def correlations(values: Any, scores: Any) -> Any:
    """Pearson's r of each row of two arrays, (n, n_pairs), to (n,); 0 where a row is all the same."""
    x, y = (
        rows - rows.mean(axis=1, keepdims=True)
        for rows in (np.asarray(values, "f8"), np.asarray(scores, "f8"))
    )
    lengths = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    return (x * y).sum(axis=1) / np.where(lengths > 1e-12, lengths, 1)


def evaluate(
    nlp: Language, pairs: Sequence[Pair], texts: Sequence[str]
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Metrics, and each system's similarities of the pairs.

    Args:
        nlp: the trained pipeline.
        pairs: to score by, with scores of 0 to 1.
        texts: of the training, for frequencies.

    Returns:
        similarity_spearman and similarity_pearson (of the trained one, as `spacy evaluate` has them), `systems` (with 95% intervals: the
        percentile bootstrap over pairs, Efron 1979) and `gain` (Spearman, trained less averaged, on the same resamples); the similarities.
    """
    found = {
        TRAINED: trained(nlp, pairs),
        AVERAGED: averaged(nlp, pairs),
        "SIF": sif(nlp, texts, pairs),
        "tf-idf": tfidf(texts, pairs),
    }
    scores = np.array([pair.score for pair in pairs])
    draws = np.random.default_rng(0).integers(0, len(pairs), (RESAMPLES, len(pairs)))
    drawn_ranks = rankdata(scores[draws], axis=1)
    systems: dict[str, dict[str, Any]] = {}
    spearmans: dict[str, Any] = {}
    for name, values in found.items():
        drawn = np.array(values)[draws]
        spearmans[name] = correlations(rankdata(drawn, axis=1), drawn_ranks)
        systems[name] = {
            "spearman": float(correlations(rankdata(values)[None], rankdata(scores)[None])[0]),
            "spearman_interval": middle(spearmans[name]),
            "pearson": float(correlations([values], scores[None])[0]),
            "pearson_interval": middle(correlations(drawn, scores[draws])),
        }
    metrics = {
        "similarity_spearman": systems[TRAINED]["spearman"],
        "similarity_pearson": systems[TRAINED]["pearson"],
        "pairs": len(pairs),
        "systems": systems,
        "gain": systems[TRAINED]["spearman"] - systems[AVERAGED]["spearman"],
        "gain_interval": middle(spearmans[TRAINED] - spearmans[AVERAGED]),
    }
    return metrics, found


def worst(pairs: Sequence[Pair], found: dict[str, list[float]]) -> list[dict[str, Any]]:
    """The pairs whose ranks by score and by the trained similarity lie furthest apart, worst first; ranks are 0 to 1."""
    by_score, by_model = (
        (rankdata(values) - 0.5) / len(pairs)
        for values in ([pair.score for pair in pairs], found[TRAINED])
    )
    order = np.argsort(-np.abs(by_score - by_model), kind="stable")[:N_WORST]
    return [
        {
            "text1": pairs[i].text1,
            "text2": pairs[i].text2,
            "score": round(pairs[i].score, 4),
            "similarity": round(found[TRAINED][i], 4),
            "rank by score": round(float(by_score[i]), 3),
            "rank by similarity": round(float(by_model[i]), 3),
        }
        for i in order
    ]


def to_table(metrics: dict[str, Any]) -> Table:
    """The systems, the trained one first."""
    table = Table(
        title=f"Agreement with the scores of {metrics['pairs']} test pairs", title_justify="left"
    )
    for column in ("similarity", "Spearman", "95%", "Pearson", "95%"):
        table.add_column(column, justify="left" if column == "similarity" else "right")
    for name, line in metrics["systems"].items():
        cells = [
            text
            for key in ("spearman", "pearson")
            for text in (f"{line[key]:.3f}", _between(line[f"{key}_interval"]))
        ]
        table.add_row(name, *cells)
    return table


def gain_line(metrics: dict[str, Any]) -> str:
    """The difference that matters, as a sentence."""
    return f"Spearman, trained less averaged vectors: {metrics['gain']:+.3f} (95%: {_between(metrics['gain_interval'])})"


def _between(interval: Sequence[float]) -> str:
    return " to ".join(f"{value:.3f}" for value in interval)


def draw(metrics: dict[str, Any], pairs: Sequence[Pair], found: dict[str, list[float]]) -> Figure:
    """Similarity against score, a point for each pair: averaged vectors on the left, the trained similarity on the right."""
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
    shift = np.random.default_rng(0).uniform(-0.02, 0.02, len(pairs))
    scores = np.array([pair.score for pair in pairs])
    for axes, name, colour in zip(panels, (AVERAGED, TRAINED), plots.COLOURS):
        axes.scatter(scores + shift, found[name], s=16, color=colour, alpha=0.7, linewidths=0)
        axes.set_title(f"{name}: Spearman {metrics['systems'][name]['spearman']:.2f}", loc="left")
        axes.set_xlabel("score, 0 to 1")
    panels[0].set_ylabel("similarity")
    return figure
