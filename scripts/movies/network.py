"""The Keras model of items and links, and its training: one matrix product scores a batch of items with all links it needs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import gammaln

from scripts.keras_models import keras_bytes, tensorflow
from scripts.movies.factors import Factors
from scripts.movies.pairs import Floats1d, Floats2d, Ints1d

FIRST_SCALE = 6.0


@dataclass(frozen=True)
class Settings:
    """What a training depends on besides its pairs."""

    width: int = 256
    batch_size: int = 0  # items; 0 for a twentieth of them, 128 to 512: each step changes all embeddings, however few it saw
    learn_rate: float = 0.01
    weight_decay: float = 0.1
    max_candidates: int = 8_192  # links that a batch is scored with at most; above, those of its items, which stand for all
    max_epochs: int = 100
    patience: int = 6  # epochs without a better recall
    seed: int = 0


def build_model(frequencies: Ints1d, n_items: int, settings: Settings) -> Any:
    """A Keras model of layers of Keras alone: (item, link) -> probability that the item links there.

    score = scale * cosine(item, link) + bias of the link, which begins as the logarithm of how often it occurs.

    Args:
        frequencies: (n_links,), items of the training that link there.
        n_items: how many.
        settings: width and seed.
    """
    tensorflow()
    import keras
    from keras import layers

    def table(n_rows: int, seed: int, name: str) -> Any:
        start = keras.initializers.RandomNormal(0, settings.width**-0.5, seed=seed)
        return layers.Embedding(n_rows, settings.width, embeddings_initializer=start, name=name)

    item, link = (layers.Input((), dtype="int32", name=name) for name in ("item", "link"))
    vectors = (
        table(n_items, settings.seed, "items")(item),
        table(len(frequencies), settings.seed + 1, "links")(link),
    )
    cosine = layers.Dot(axes=-1, normalize=True, name="cosine")(vectors)
    bias = layers.Embedding(len(frequencies), 1, name="bias")(link)
    score = layers.Add(name="score")([layers.Dense(1, use_bias=False, name="scale")(cosine), bias])
    probability = layers.Dense(1, activation="sigmoid", name="probability")(score)
    model = keras.Model([item, link], probability, name="movies")
    logs = np.log(frequencies)
    model.get_layer("bias").embeddings.assign((logs - logs.mean())[:, None])
    return model


def log_presence(frequencies: Ints1d, n_items: int, batch_size: int) -> Floats1d:
    """(n_links,): the logarithm of how likely each link, on so many items, (n_links,), is on one of a batch of them.

    By these, the links of a batch stand for all (importance sampling, Bengio and Senecal 2008).
    """
    size = min(batch_size, n_items)
    others = n_items - frequencies
    absence = (
        gammaln(others + 1)
        - gammaln(np.maximum(others - size, 0) + 1)
        - gammaln(n_items + 1)
        + gammaln(n_items - size + 1)
    )
    found: Floats1d = np.log(-np.expm1(np.where(others < size, -np.inf, absence))).astype("f4")
    return found


class Network:
    """A model in training: its tables, the optimizer and one traced step."""

    def __init__(self, pairs: sparse.csr_matrix, settings: Settings) -> None:
        """Begin with pairs, (n_items, n_links) of ones, each link on one item at least."""
        self.tf = tensorflow()
        import keras

        self.tf.config.experimental.enable_op_determinism()
        self.settings = settings
        self.batch_size = settings.batch_size or min(max(pairs.shape[0] // 20, 128), 512)
        self.pairs = pairs.astype("f4").tocsr()
        frequencies = np.bincount(self.pairs.indices, minlength=pairs.shape[1])
        self.model = build_model(frequencies, pairs.shape[0], settings)
        self.items, self.links, self.bias = (
            self.model.get_layer(name).embeddings for name in ("items", "links", "bias")
        )
        self.log_scale = keras.Variable(np.log(FIRST_SCALE), dtype="float32", name="log_scale")
        self.variables = [self.items, self.links, self.bias, self.log_scale]
        self.optimizer = keras.optimizers.AdamW(
            settings.learn_rate, weight_decay=settings.weight_decay
        )
        self.optimizer.exclude_from_weight_decay(var_list=[self.bias, self.log_scale])
        self.optimizer.build(self.variables)
        self.log_odds = log_presence(frequencies, pairs.shape[0], self.batch_size)
        self._step = self._traced()

    def batch(self, rows: Ints1d) -> tuple[Ints1d, Ints1d, Floats2d, Floats1d]:
        """What a step is given: no link that an item has is a negative of it, whichever item of the batch brought it in.

        Args:
            rows: (n_batch,), items.

        Returns:
            the items; the links (n_candidates,): all, or those of the items of the batch; (n_batch, n_candidates) of ones where
            the item links there, all other cells being its negatives; and (n_candidates,), the logarithm of how
            likely each link is to be among them.
        """
        own = self.pairs[rows]
        if own.shape[1] <= self.settings.max_candidates:
            return rows, np.arange(own.shape[1]), own.toarray(), np.zeros(own.shape[1], "f4")
        columns, places = np.unique(own.indices, return_inverse=True)
        small = sparse.csr_matrix((own.data, places, own.indptr), shape=(len(rows), len(columns)))
        return rows, columns, small.toarray(), self.log_odds[columns]

    def _traced(self) -> Any:
        tf = self.tf

        def step(rows: Any, columns: Any, targets: Any, log_odds: Any) -> Any:
            with tf.GradientTape() as tape:
                items = tf.math.l2_normalize(tf.gather(self.items.value, rows), axis=1)
                links = tf.math.l2_normalize(tf.gather(self.links.value, columns), axis=1)
                bias = tf.gather(self.bias.value[:, 0], columns)
                logits = (
                    tf.exp(self.log_scale.value) * tf.matmul(items, links, transpose_b=True) + bias
                )
                # all links share the softmax; a pair that was drawn by its own item is surely there
                partition = tf.reduce_logsumexp(logits - (1 - targets) * log_odds, axis=1)
                per_item = tf.reduce_sum(targets, axis=1)
                loss = tf.reduce_sum(
                    per_item * partition - tf.reduce_sum(targets * logits, axis=1)
                ) / tf.reduce_sum(per_item)
            values = [variable.value for variable in self.variables]
            self.optimizer.apply(tape.gradient(loss, values), self.variables)
            return loss

        shapes = (
            ([None], tf.int32),
            ([None], tf.int32),
            ([None, None], tf.float32),
            ([None], tf.float32),
        )
        return tf.function(
            step, input_signature=[tf.TensorSpec(*shape) for shape in shapes], autograph=False
        )

    def epoch(self, number: int, bar: Any = None) -> float:
        """Train on every pair once, in an order that the number decides. Returns the mean loss of a pair."""
        order = np.random.default_rng([self.settings.seed, number]).permutation(self.pairs.shape[0])
        losses = []
        for start in range(0, len(order), self.batch_size):
            rows, columns, targets, log_odds = self.batch(order[start : start + self.batch_size])
            losses.append(self._step(rows.astype("i4"), columns.astype("i4"), targets, log_odds))
            if bar is not None:
                bar.update(int(targets.sum()))
        return float(np.mean([float(loss) for loss in losses]))

    @property
    def scale(self) -> float:
        """What a cosine is multiplied by."""
        return float(np.exp(np.asarray(self.log_scale)))

    def factors(self) -> Factors:
        """What the model scores by, as arrays: score = items @ links.T + bias, the scale being in the items."""
        items, links = (_unit(np.asarray(variable)) for variable in (self.items, self.links))
        return Factors(np.float32(self.scale) * items, links, np.asarray(self.bias)[:, 0])

    def state(self) -> list[Any]:
        """Copies of all that training changes."""
        return [np.array(variable) for variable in (*self.variables, *self.optimizer.variables)]

    def restore(self, state: list[Any]) -> None:
        """Go back to a state, or to the first arrays of one: the model's own."""
        for variable, value in zip((*self.variables, *self.optimizer.variables), state):
            variable.assign(value)

    def to_bytes(self, slope: float, offset: float) -> bytes:
        """The .keras file of the model, probability = sigmoid(slope * score + offset); the same weights give the same bytes."""
        last = self.model.get_layer("probability")
        for variable, value in (
            (self.model.get_layer("scale").kernel, self.scale),
            (last.kernel, slope),
            (last.bias, offset),
        ):
            variable.assign(np.full(variable.shape, value))
        return keras_bytes(self.model)


def _unit(table: Floats2d) -> Floats2d:
    found: Floats2d = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    return found
