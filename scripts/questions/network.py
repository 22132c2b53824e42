"""The Keras model of the two towers, and its loss.

A tower is the sum of the embeddings of a text's words, each multiplied by a weight, scaled to
length 1; so the product of two is a cosine. The towers share the embeddings; each has its own
weights, which start as idf.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scripts.keras_models import load_keras
from scripts.questions.embeddings import RESERVED
from scripts.questions.options import TowerSettings

Floats1d = npt.NDArray[np.float32]
Floats2d = npt.NDArray[np.float32]
TITLE_WORDS = 40  # only the first words of a title are used
MASKED_SCORE = -1e9  # of a pair that is not a negative


@dataclass(frozen=True)
class Network:
    """The layers of both towers, and the models made of them."""

    both: Any  # numbers of words of titles and texts -> (n, 2, width) unit vectors; it is trained
    model: Any  # titles, texts -> cosines
    title_tower: Any  # titles -> unit vectors
    layers: list[Any]  # embeddings, weights of titles, weights of texts


def build(
    vocabulary: list[str], table: Floats2d, idf: Floats1d, settings: TowerSettings
) -> Network:
    """The towers over numbers of words, for training, and over texts, to save.

    Args:
        vocabulary: the words.
        table: embeddings to start from, (RESERVED + n_words, width).
        idf: weights to start from, (n_words,).
        settings: length of the texts, and dropout.
    """
    keras = load_keras()
    start_weights = np.concatenate([np.zeros(RESERVED, "f4"), idf])[:, None]
    embeddings = keras.layers.Embedding(*table.shape, weights=[table], name="words")
    layers, numbers, vectors, inputs, outputs = [embeddings], [], [], [], []
    for name, max_words in (("title", TITLE_WORDS), ("text", settings.text_words)):
        weights, tower = _tower(name, embeddings, start_weights, settings.dropout)
        layers.append(weights)
        numbers.append(keras.Input((max_words,), dtype="int32", name=f"{name}_words"))
        vectors.append(tower(numbers[-1]))
        inputs.append(keras.Input((), dtype="string", name=name))
        outputs.append(tower(_word_numbers(name, vocabulary, max_words)(inputs[-1])))
    cosine = keras.layers.Dot(axes=1, name="cosine")
    both = keras.Model(numbers, keras.ops.stack(vectors, axis=1))
    model = keras.Model(inputs, cosine(outputs), name="two_towers")
    title_tower = keras.Model(inputs[0], outputs[0], name="title_tower")
    return Network(both, model, title_tower, layers)


def _tower(
    name: str, embeddings: Any, start_weights: Floats2d, dropout_rate: float
) -> tuple[Any, Callable[[Any], Any]]:
    """(layer of the weights, function from numbers of words to unit vectors) of a tower."""
    keras = load_keras()
    n_rows = len(start_weights)
    weights = keras.layers.Embedding(n_rows, 1, weights=[start_weights], name=f"{name}_weights")
    dropout = keras.layers.Dropout(dropout_rate)
    unit = keras.layers.UnitNormalization(name=f"{name}_vector")

    def vector(numbers: Any) -> Any:
        known = keras.ops.cast(numbers >= RESERVED, "float32")[..., None]
        return unit(keras.ops.sum(embeddings(numbers) * weights(numbers) * dropout(known), axis=1))

    return weights, vector


def _word_numbers(name: str, vocabulary: list[str], max_words: int) -> Any:
    """The layer from a text, words with a space between them, to the numbers of its words."""
    return load_keras().layers.TextVectorization(
        standardize=None,
        split="whitespace",
        output_sequence_length=max_words,
        vocabulary=vocabulary,
        name=f"{name}_vocabulary",
    )


def contrastive_loss(temperature: float) -> Callable[[Any, Any], Any]:
    """Softmax over a batch, from titles to texts and from texts to titles.

    The texts of the other questions are the negatives, by one matrix product (Henderson et al.
    2017, "Efficient Natural Language Response Suggestion"). A text of the same question is not a
    negative.
    """
    ops = load_keras().ops

    def loss(question: Any, vectors: Any) -> Any:
        """(n,) from the number of each pair's question, (n, 1), and (n, 2, width) vectors."""
        scores = ops.matmul(vectors[:, 0], ops.transpose(vectors[:, 1])) / temperature
        question = ops.reshape(question, (-1,))
        others = ops.logical_not(ops.eye(ops.shape(question)[0], dtype="bool"))
        same = ops.logical_and(question[:, None] == question[None], others)
        scores = ops.where(same, MASKED_SCORE, scores)
        right = ops.diagonal(scores)
        return (ops.logsumexp(scores, axis=1) + ops.logsumexp(scores, axis=0)) / 2 - right

    return loss
