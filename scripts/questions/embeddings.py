"""The embeddings that training starts from: LSA, random, or the vectors of a pipeline."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from scripts.files import need
from scripts.pipelines import load_nlp
from scripts.questions.options import TowerSettings

Floats2d = npt.NDArray[np.float32]
RESERVED = 2  # rows of the table that are not words: padding, and unknown words


def start_table(vocabulary: list[str], texts: Sequence[str], settings: TowerSettings) -> Floats2d:
    """The embeddings that training starts from, (RESERVED + n_words, width).

    Args:
        vocabulary: the words.
        texts: for LSA.
        settings: `start` is lsa, random, or a pipeline whose vectors are taken with their width.

    Raises:
        ValueError: "... has no vectors ..." or "... knows none of ... words ...".
    """
    if settings.start == "lsa":
        rows = _lsa_rows(vocabulary, texts, settings)
    elif settings.start == "random":
        rows = _random_rows(len(vocabulary), settings)
    else:
        rows = _pipeline_rows(vocabulary, settings.start)
    return np.concatenate([np.zeros((RESERVED, rows.shape[1]), "f4"), rows])


def _random_rows(n: int, settings: TowerSettings) -> Floats2d:
    """Random vectors, (n, width), of length 1 on average."""
    rng = np.random.default_rng(settings.seed)
    return rng.normal(0, settings.width**-0.5, (n, settings.width)).astype("f4")


def _lsa_rows(vocabulary: list[str], texts: Sequence[str], settings: TowerSettings) -> Floats2d:
    """The right singular vectors of tf-idf, (n_words, width) (Deerwester et al. 1990).

    They are scaled to the average length of random vectors. With too few words or texts for the
    width, the last columns are 0; with too few for any, the vectors are random.
    """
    n = len(vocabulary)
    size = min(settings.width, n - 1, len(texts) - 1)
    if size < 1:
        return _random_rows(n, settings)
    extraction = need("sklearn.feature_extraction.text", "questions")
    decomposition = need("sklearn.decomposition", "questions")
    vectorizer = extraction.TfidfVectorizer(
        vocabulary=vocabulary, tokenizer=str.split, token_pattern=None, sublinear_tf=True
    )
    svd = decomposition.TruncatedSVD(size, random_state=settings.seed)
    svd.fit(vectorizer.fit_transform(texts))
    rows = np.zeros((n, settings.width), "f4")
    rows[:, :size] = svd.components_.T * np.sqrt(n / size) * settings.width**-0.5
    return rows


def _pipeline_rows(vocabulary: list[str], name: str) -> Floats2d:
    """The vectors of a pipeline, (n_words, its width), with a mean square length of 1.

    Raises:
        ValueError: "... has no vectors ..." or "... knows none of ... words ...".
    """
    vocab = load_nlp(name).vocab
    if not vocab.vectors_length:
        remedy = "give lsa, random, or a pipeline with vectors by vars.questions.start"
        raise ValueError(f"{name} has no vectors: {remedy}")
    rows = np.array([vocab.get_vector(word) for word in vocabulary], "f4")
    if not rows.any():
        known = f"knows none of the {len(vocabulary):,} words of the training questions"
        raise ValueError(f"{name} {known}: give other vectors by vars.questions.start")
    rows /= np.sqrt((rows**2).sum(axis=1)[rows.any(axis=1)].mean())
    return rows
