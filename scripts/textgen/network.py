"""The network: characters into an embedding, LSTM or GRU layers, and a score for each character that may come next.

It takes its state and gives it back, so that one and the same model trains over a long text part by part, and generates from it one
character at a time.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from scripts.keras_models import load_keras, tensorflow

Ids: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float32]
STREAMS = 32  # parts of a text that are measured side by side
CHUNK = 256  # characters of a part at a time; as many before it are read first, so that it does not begin from nothing


class Shape(BaseModel):
    """[model] of a config."""

    model_config = ConfigDict(extra="forbid")
    cell: Literal["gru", "lstm"]
    layers: int = Field(ge=1, le=16)
    width: int = Field(ge=1, le=16_384)
    embedding: int = Field(ge=1, le=16_384)
    dropout: float = Field(ge=0, lt=1)


def build(n_characters: int, shape: Shape) -> Any:
    """(ids (n, length), states (n, width) ...) -> (logits (n, length, n_characters), states ...): a Keras model.

    A GRU layer has one state, an LSTM layer two. The weights are those that `keras.utils.set_random_seed` leads to.
    """
    layers = load_keras().layers
    kind = {"gru": layers.GRU, "lstm": layers.LSTM}[shape.cell]
    ids = layers.Input((None,), dtype="int32", name="ids")
    hidden = layers.Embedding(n_characters, shape.embedding, name="embedding")(ids)
    given: list[Any] = []
    left: list[Any] = []
    for i in range(1, shape.layers + 1):
        states = [
            layers.Input((shape.width,), name=f"state_{i}_{j}")
            for j in range(1 if shape.cell == "gru" else 2)
        ]
        hidden, *after = kind(
            shape.width, return_sequences=True, return_state=True, name=f"{shape.cell}_{i}"
        )(hidden, initial_state=states)
        hidden = layers.Dropout(shape.dropout, name=f"dropout_{i}")(hidden)
        given, left = [*given, *states], [*left, *after]
    logits = layers.Dense(n_characters, name="logits")(hidden)
    return load_keras().Model([ids, *given], [logits, *left], name="textgen")


def empty_states(model: Any, n: int) -> list[Floats]:
    """What the model starts from, for n texts side by side: zeros, (n, width) each."""
    return [np.zeros((n, state.shape[-1]), np.float32) for state in model.inputs[1:]]


def shifted(text: Ids) -> Ids:
    """What comes before each character of a text; before the first, the first of all ids."""
    return np.concatenate([np.zeros(1, text.dtype), text[:-1]])


class Network:
    """A model with its two uses beside training: to measure a text, and to go on from one."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._run = tensorflow().function(
            lambda inputs: model(inputs, training=False), reduce_retracing=True
        )

    def __call__(self, ids: Ids, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        """(logits (n, length, n_characters), states) after ids (n, length)."""
        logits, *after = self._run([np.ascontiguousarray(ids, np.int32), *states])
        return logits, after

    def bits(self, text: Ids) -> Floats:
        """-log2 P of each character of a text given those before it, (n,)."""
        streams = min(STREAMS, max(1, len(text) // CHUNK))
        length = -(-len(text) // streams)
        begins = np.minimum(
            np.arange(streams) * length, len(text) - length
        )  # the last part may lie over the one before
        before, bits = shifted(text), np.zeros(len(text), np.float32)
        states: list[Any] = empty_states(self.model, streams)
        for at in range(-CHUNK, length, CHUNK):
            places = np.maximum(begins[:, None] + np.arange(at, min(at + CHUNK, length)), 0)
            logits, states = self(before[places], states)
            if at < 0:
                states = [
                    np.where(begins[:, None] > 0, state, 0) for state in states
                ]  # before the first part there is nothing
            bits[places] = load_keras().losses.sparse_categorical_crossentropy(
                text[places], logits, from_logits=True
            ) / np.log(2)
        return bits

    def start(self, prefix: Ids, n: int) -> tuple[list[Any], Floats]:
        """(state, logits (n, n_characters)) for n texts that all go on from one prefix."""
        logits, states = self(
            np.tile(np.concatenate([np.zeros(1, np.int64), prefix]), (n, 1)),
            empty_states(self.model, n),
        )
        return states, logits.numpy()[:, -1]

    def step(self, states: list[Any], newest: Ids) -> tuple[list[Any], Floats]:
        """The same after one more character each, (n,): what it costs does not depend on what came before."""
        logits, states = self(newest[:, None], states)
        return states, logits.numpy()[:, 0]
