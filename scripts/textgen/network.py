"""The network: an embedding of characters, LSTM or GRU layers, and a score for each next character.

It takes its state as an input and gives the new state as an output. So the same model trains over a
long text part by part, and generates a text one character at a time.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from scripts.keras_models import load_keras, tensorflow
from scripts.textgen.settings import Shape

Ids: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float32]
STREAMS = 32  # parts of a text that are measured side by side
# Characters of a part that are read at a time. As many before the part are read first, so that it
# does not start from an empty state.
CHUNK = 256


def build(n_characters: int, shape: Shape) -> Any:
    """A Keras model of the network.

    It computes (ids (n, length), states (n, width) ...) -> (logits (n, length, n_characters),
    states (n, width) ...). A GRU layer has one state, an LSTM layer two. The weights depend on
    `keras.utils.set_random_seed`.
    """
    layers = load_keras().layers
    recurrent = {"gru": layers.GRU, "lstm": layers.LSTM}[shape.cell]
    n_states = 1 if shape.cell == "gru" else 2
    ids = layers.Input((None,), dtype="int32", name="ids")
    hidden = layers.Embedding(n_characters, shape.embedding, name="embedding")(ids)
    states_in: list[Any] = []
    states_out: list[Any] = []
    for i in range(1, shape.layers + 1):
        states = [layers.Input((shape.width,), name=f"state_{i}_{j}") for j in range(n_states)]
        layer = recurrent(
            shape.width, return_sequences=True, return_state=True, name=f"{shape.cell}_{i}"
        )
        hidden, *new_states = layer(hidden, initial_state=states)
        hidden = layers.Dropout(shape.dropout, name=f"dropout_{i}")(hidden)
        states_in += states
        states_out += new_states
    logits = layers.Dense(n_characters, name="logits")(hidden)
    return load_keras().Model([ids, *states_in], [logits, *states_out], name="textgen")


def empty_states(model: Any, n: int) -> list[Floats]:
    """The state at the beginning of n texts: zeros, (n, width) for each state of the model."""
    return [np.zeros((n, state.shape[-1]), np.float32) for state in model.inputs[1:]]


def shifted(text: Ids) -> Ids:
    """The character before each character of a text, (n,); id 0 before the first."""
    return np.concatenate([np.zeros(1, text.dtype), text[:-1]])


class Network:
    """A trained model: measures a text, or continues one."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._run = tensorflow().function(
            lambda inputs: model(inputs, training=False), reduce_retracing=True
        )

    def __call__(self, ids: Ids, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        """(logits (n, length, n_characters), states) after ids (n, length)."""
        logits, *states_after = self._run([np.ascontiguousarray(ids, np.int32), *states])
        return logits, states_after

    def bits(self, text: Ids) -> Floats:
        """-log2 P of each character of a text given the characters before it, (n,)."""
        n_streams = min(STREAMS, max(1, len(text) // CHUNK))
        length = -(-len(text) // n_streams)
        # The last stream may overlap the one before.
        begins = np.minimum(np.arange(n_streams) * length, len(text) - length)[:, None]
        before, bits = shifted(text), np.zeros(len(text), np.float32)
        states: list[Any] = empty_states(self.model, n_streams)
        for at in range(-CHUNK, length, CHUNK):
            places = np.maximum(begins + np.arange(at, min(at + CHUNK, length)), 0)
            logits, states = self(before[places], states)
            if at < 0:
                # Nothing comes before the first stream.
                states = [np.where(begins > 0, state, 0) for state in states]
            bits[places] = _cross_entropy(text[places], logits)
        return bits

    def start(self, prefix: Ids, n: int) -> tuple[list[Any], Floats]:
        """(states, logits (n, n_characters)) of n texts that all begin with a prefix."""
        ids = np.concatenate([np.zeros(1, np.int64), prefix])
        logits, states = self(np.tile(ids, (n, 1)), empty_states(self.model, n))
        return states, logits.numpy()[:, -1]

    def step(self, states: list[Any], newest: Ids) -> tuple[list[Any], Floats]:
        """(states, logits (n, n_characters)) after one more character of each text, (n,).

        A step takes the same time however long the texts are.
        """
        logits, states = self(newest[:, None], states)
        return states, logits.numpy()[:, 0]


def _cross_entropy(truth: Ids, logits: Any) -> Any:
    """Bits of each true character, (n, length)."""
    losses = load_keras().losses
    return losses.sparse_categorical_crossentropy(truth, logits, from_logits=True) / np.log(2)
