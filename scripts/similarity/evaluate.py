"""Compare a trained similarity with averaged vectors, SIF and tf-idf, by people's scores."""

import warnings
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from spacy.language import Language
from spacy.tokens import Doc

from scripts.components.similarity import cosines
from scripts.scores import RESAMPLES, middle
from scripts.similarity.pairs import Pair

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

Floats1d = npt.NDArray[np.floating[Any]]
Floats2d = npt.NDArray[np.floating[Any]]
TRAINED, AVERAGED = "trained", "averaged vectors"
SIF_WEIGHT = 1e-3  # "a" of Arora et al. 2017
N_WORST = 30


def trained(nlp: Language, pairs: Sequence[Pair]) -> list[float]:
    """doc.similarity(doc) of the pipeline."""
    docs = nlp.pipe(chain.from_iterable((pair.text1, pair.text2) for pair in pairs))
    return [a.similarity(b) for a, b in zip(docs, docs)]


def averaged(nlp: Language, pairs: Sequence[Pair]) -> list[float]:
    """doc.similarity(doc) of plain spaCy with the same vectors: the cosine of plain averages."""
    similarities = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\[W008\]")  # no word has a vector: 0
        for pair in pairs:
            a, b = nlp.make_doc(pair.text1), nlp.make_doc(pair.text2)
            similarities.append(float(a.similarity(b)))
    return similarities


def tfidf(texts: Sequence[str], pairs: Sequence[Pair]) -> list[float]:
    """Cosines of tf-idf, with the document frequencies of `texts`."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+").fit(texts)
    a = vectorizer.transform([pair.text1 for pair in pairs])
    b = vectorizer.transform([pair.text2 for pair in pairs])
    return np.asarray(a.multiply(b).sum(axis=1)).ravel().tolist()


def sif(nlp: Language, texts: Sequence[str], pairs: Sequence[Pair]) -> list[float]:
    """Cosines of averages weighted by smooth inverse frequency (Arora et al. 2017).

    The first principal direction is removed. It and the frequencies are those of `texts`.
    """
    docs = [nlp.make_doc(text) for text in texts]
    counts = Counter(token.lower_ for token in chain.from_iterable(docs))
    total = sum(counts.values())

    def weighted(doc: Doc) -> Floats1d:
        """The weighted average of a text, (width,)."""
        weights = [SIF_WEIGHT / (SIF_WEIGHT + counts[token.lower_] / total) for token in doc]
        rows = [weight * token.vector for weight, token in zip(weights, doc)]
        return np.mean(rows, axis=0) if rows else np.zeros(nlp.vocab.vectors_length, "f4")

    averages = np.stack([weighted(doc) for doc in docs])
    direction = np.linalg.svd(averages, full_matrices=False)[2][0]

    def without_direction(texts: Sequence[str]) -> Floats2d:
        """Vectors of texts, (n_texts, width)."""
        rows = np.stack([weighted(nlp.make_doc(text)) for text in texts])
        return rows - np.outer(rows @ direction, direction)

    a = without_direction([pair.text1 for pair in pairs])
    b = without_direction([pair.text2 for pair in pairs])
    return cosines(a, b).tolist()


def correlations(values: Any, scores: Any) -> Floats1d:
    """Pearson's r of each row of two arrays, (n, n_pairs), to (n,); 0 for a constant row."""
    x, y = np.asarray(values, "f8"), np.asarray(scores, "f8")
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    lengths = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    return (x * y).sum(axis=1) / np.where(lengths > 1e-12, lengths, 1)


def evaluate_systems(
    nlp: Language, pairs: Sequence[Pair], texts: Sequence[str]
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Metrics, and each system's similarities of the pairs.

    Args:
        nlp: the trained pipeline.
        pairs: with scores of 0 to 1.
        texts: of the training, for frequencies.

    Returns:
        - similarity_spearman and similarity_pearson (of the trained similarity, with the keys that
          `spacy evaluate` writes), `systems` (with 95% intervals: the percentile bootstrap over
          pairs, Efron 1979) and `gain` (Spearman, trained less averaged, on the same resamples)
        - the similarities by system
    """
    similarities = {
        TRAINED: trained(nlp, pairs),
        AVERAGED: averaged(nlp, pairs),
        "SIF": sif(nlp, texts, pairs),
        "tf-idf": tfidf(texts, pairs),
    }
    scores = np.array([pair.score for pair in pairs])
    resamples = np.random.default_rng(0).integers(0, len(pairs), (RESAMPLES, len(pairs)))
    spearmans = {
        name: _spearman(values, scores, resamples) for name, values in similarities.items()
    }
    systems: dict[str, dict[str, Any]] = {}
    for name, values in similarities.items():
        pearson, pearson_draws = _pearson(values, scores, resamples)
        spearman, spearman_draws = spearmans[name]
        systems[name] = {
            "spearman": spearman,
            "spearman_interval": middle(spearman_draws),
            "pearson": pearson,
            "pearson_interval": middle(pearson_draws),
        }
    metrics = {
        "similarity_spearman": systems[TRAINED]["spearman"],
        "similarity_pearson": systems[TRAINED]["pearson"],
        "pairs": len(pairs),
        "systems": systems,
        "gain": systems[TRAINED]["spearman"] - systems[AVERAGED]["spearman"],
        "gain_interval": middle(spearmans[TRAINED][1] - spearmans[AVERAGED][1]),
    }
    return metrics, similarities


def _pearson(
    values: Sequence[float], scores: Floats1d, resamples: Any
) -> tuple[float, npt.NDArray[Any]]:
    """Pearson's r of all pairs, and of each resample, (n_resamples,)."""
    draws = correlations(np.array(values)[resamples], scores[resamples])
    return float(correlations([values], scores[None])[0]), draws


def _spearman(
    values: Sequence[float], scores: Floats1d, resamples: Any
) -> tuple[float, npt.NDArray[Any]]:
    """Spearman's rho of all pairs, and of each resample, (n_resamples,)."""
    from scipy.stats import rankdata

    drawn, drawn_scores = np.array(values)[resamples], scores[resamples]
    draws = correlations(rankdata(drawn, axis=1), rankdata(drawn_scores, axis=1))
    return float(correlations(rankdata(values)[None], rankdata(scores)[None])[0]), draws


def worst(pairs: Sequence[Pair], similarities: dict[str, list[float]]) -> list[dict[str, Any]]:
    """The pairs whose ranks by score and by the trained similarity differ most, worst first.

    Ranks are 0 to 1.
    """
    from scipy.stats import rankdata

    by_score = (rankdata([pair.score for pair in pairs]) - 0.5) / len(pairs)
    by_model = (rankdata(similarities[TRAINED]) - 0.5) / len(pairs)
    order = np.argsort(-np.abs(by_score - by_model), kind="stable")[:N_WORST]
    return [
        {
            "text1": pairs[i].text1,
            "text2": pairs[i].text2,
            "score": round(pairs[i].score, 4),
            "similarity": round(similarities[TRAINED][i], 4),
            "rank by score": round(float(by_score[i]), 3),
            "rank by similarity": round(float(by_model[i]), 3),
        }
        for i in order
    ]


def to_table(metrics: dict[str, Any]) -> "Table":
    """The systems, the trained one first."""
    from rich.table import Table

    title = f"Agreement with the scores of {metrics['pairs']} test pairs"
    table = Table("similarity", title=title, title_justify="left")
    for column in ("Spearman", "95%", "Pearson", "95%"):
        table.add_column(column, justify="right")
    for name, system in metrics["systems"].items():
        cells = []
        for key in ("spearman", "pearson"):
            cells += [f"{system[key]:.3f}", _interval(system[f"{key}_interval"])]
        table.add_row(name, *cells)
    return table


def gain_line(metrics: dict[str, Any]) -> str:
    """The gain over averaged vectors, as a line to print."""
    interval = _interval(metrics["gain_interval"])
    return f"Spearman, trained less averaged vectors: {metrics['gain']:+.3f} (95%: {interval})"


def _interval(ends: Sequence[float]) -> str:
    return " to ".join(f"{value:.3f}" for value in ends)


def draw(
    metrics: dict[str, Any], pairs: Sequence[Pair], similarities: dict[str, list[float]]
) -> "Figure":
    """Similarity by score, a point for each pair: averaged vectors on the left, then trained."""
    from scripts.plots import COLOURS, subplots

    figure, panels = subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
    shift = np.random.default_rng(0).uniform(-0.02, 0.02, len(pairs))
    scores = np.array([pair.score for pair in pairs]) + shift
    for axes, name, colour in zip(panels, (AVERAGED, TRAINED), COLOURS):
        axes.scatter(scores, similarities[name], s=16, color=colour, alpha=0.7, linewidths=0)
        spearman = metrics["systems"][name]["spearman"]
        axes.set_title(f"{name}: Spearman {spearman:.2f}", loc="left")
        axes.set_xlabel("score, 0 to 1")
    panels[0].set_ylabel("similarity")
    return figure
