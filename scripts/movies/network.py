"""The Keras model of items and links, and its training.

One matrix product scores a batch of items with all links that it is compared with.
"""

from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import gammaln

from scripts.keras_models import keras_bytes, tensorflow
from scripts.movies.factors import Factors
from scripts.movies.options import Settings
from scripts.movies.pairs import Floats1d, Floats2d, Ints1d

INITIAL_SCALE = 6.0
MIN_BATCH, MAX_BATCH = 128, 512


def build_model(frequencies: Ints1d, n_items: int, settings: Settings) -> Any:
    """A model of Keras' own layers: (item, link) -> probability that the item has the link.

    score = scale * cosine(item, link) + bias of the link, which starts as the logarithm of the
    link's frequency.

    Args:
        frequencies: (n_links,), the number of training items with each link.
        n_items: rows of the table of items.
        settings: width and seed.
    """
    tensorflow()
    import keras
    from keras import layers

    n_links = len(frequencies)
    item = layers.Input((), dtype="int32", name="item")
    link = layers.Input((), dtype="int32", name="link")
    vectors = [
        _embedding("items", n_items, settings.width, settings.seed)(item),
        _embedding("links", n_links, settings.width, settings.seed + 1)(link),
    ]
    cosine = layers.Dot(axes=-1, normalize=True, name="cosine")(vectors)
    bias = layers.Embedding(n_links, 1, name="bias")(link)
    score = layers.Add(name="score")([layers.Dense(1, use_bias=False, name="scale")(cosine), bias])
    probability = layers.Dense(1, activation="sigmoid", name="probability")(score)
    model = keras.Model([item, link], probability, name="movies")
    logs = np.log(frequencies)
    model.get_layer("bias").embeddings.assign((logs - logs.mean())[:, None])
    return model


def _embedding(name: str, n_rows: int, width: int, seed: int) -> Any:
    """An embedding layer whose rows start with a length of about 1."""
    from keras import initializers, layers

    start = initializers.RandomNormal(0, width**-0.5, seed=seed)
    return layers.Embedding(n_rows, width, embeddings_initializer=start, name=name)


def log_presence(frequencies: Ints1d, n_items: int, batch_size: int) -> Floats1d:
    """The log-probability that each link is on an item of a random batch, (n_links,).

    With these the links of a batch stand for all (importance sampling, Bengio and Senecal 2008).

    Args:
        frequencies: (n_links,), the number of items with each link.
        n_items: to draw from.
        batch_size: items that are drawn.
    """
    size = min(batch_size, n_items)
    others = n_items - frequencies
    log_absence = (
        gammaln(others + 1)
        - gammaln(np.maximum(others - size, 0) + 1)
        - gammaln(n_items + 1)
        + gammaln(n_items - size + 1)
    )
    log_absence = np.where(others < size, -np.inf, log_absence)
    return np.log(-np.expm1(log_absence)).astype("f4")


class Network:
    """A model in training: its tables, the optimizer and one traced step."""

    def __init__(self, pairs: sparse.csr_matrix, settings: Settings) -> None:
        """Start a model.

        Args:
            pairs: (n_items, n_links) of ones; each link is on at least one item.
            settings: of the training.
        """
        self.tf = tensorflow()
        import keras

        self.tf.config.experimental.enable_op_determinism()
        self.settings = settings
        n_items, n_links = pairs.shape
        self.batch_size = settings.batch_size or min(max(n_items // 20, MIN_BATCH), MAX_BATCH)
        self.pairs = pairs.astype("f4").tocsr()
        frequencies = np.bincount(self.pairs.indices, minlength=n_links)
        self.model = build_model(frequencies, n_items, settings)
        self.items = self.model.get_layer("items").embeddings
        self.links = self.model.get_layer("links").embeddings
        self.bias = self.model.get_layer("bias").embeddings
        self.log_scale = keras.Variable(np.log(INITIAL_SCALE), dtype="float32", name="log_scale")
        self.variables = [self.items, self.links, self.bias, self.log_scale]
        self.optimizer = keras.optimizers.AdamW(
            settings.learn_rate, weight_decay=settings.weight_decay
        )
        self.optimizer.exclude_from_weight_decay(var_list=[self.bias, self.log_scale])
        self.optimizer.build(self.variables)
        self.log_presence = log_presence(frequencies, n_items, self.batch_size)
        self._step = self._traced_step()

    def batch(self, rows: Ints1d) -> tuple[Ints1d, Ints1d, Floats2d, Floats1d]:
        """The inputs of a step. No link of an item is a negative of that item.

        Args:
            rows: (n_batch,), items.

        Returns:
            - the items, (n_batch,)
            - the links, (n_candidates,): all, or those of the items of the batch
            - ones where an item has a link, (n_batch, n_candidates); all others are its negatives
            - the log-probability that a link is among the candidates, (n_candidates,)
        """
        own = self.pairs[rows]
        n_links = own.shape[1]
        if n_links <= self.settings.max_candidates:
            return rows, np.arange(n_links), own.toarray(), np.zeros(n_links, "f4")
        columns, positions = np.unique(own.indices, return_inverse=True)
        cells = (own.data, positions, own.indptr)
        targets = sparse.csr_matrix(cells, shape=(len(rows), len(columns))).toarray()
        return rows, columns, targets, self.log_presence[columns]

    def _loss(self, rows: Any, columns: Any, targets: Any, log_presence: Any) -> Any:
        """The mean cross-entropy of the true pairs of a batch: all links share the softmax."""
        tf = self.tf
        items = tf.math.l2_normalize(tf.gather(self.items.value, rows), axis=1)
        links = tf.math.l2_normalize(tf.gather(self.links.value, columns), axis=1)
        bias = tf.gather(self.bias.value[:, 0], columns)
        scale = tf.exp(self.log_scale.value)
        logits = scale * tf.matmul(items, links, transpose_b=True) + bias
        # An item's own links are candidates for certain, so only the others are reweighted.
        partition = tf.reduce_logsumexp(logits - (1 - targets) * log_presence, axis=1)
        per_item = tf.reduce_sum(targets, axis=1)
        losses = per_item * partition - tf.reduce_sum(targets * logits, axis=1)
        return tf.reduce_sum(losses) / tf.reduce_sum(per_item)

    def _traced_step(self) -> Any:
        """A traced function of a batch that changes the variables and returns the loss."""
        tf = self.tf

        def step(rows: Any, columns: Any, targets: Any, log_presence: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = self._loss(rows, columns, targets, log_presence)
            values = [variable.value for variable in self.variables]
            self.optimizer.apply(tape.gradient(loss, values), self.variables)
            return loss

        signature = [
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None, None], tf.float32),
            tf.TensorSpec([None], tf.float32),
        ]
        return tf.function(step, input_signature=signature, autograph=False)

    def epoch(self, number: int, bar: Any = None) -> float:
        """Train on every pair once, and return the mean loss of the batches.

        Args:
            number: of the epoch: it and the seed decide the order of the items.
            bar: a progress bar over pairs.
        """
        random = np.random.default_rng([self.settings.seed, number])
        order = random.permutation(self.pairs.shape[0])
        losses = []
        for start in range(0, len(order), self.batch_size):
            batch = self.batch(order[start : start + self.batch_size])
            rows, columns, targets, log_presence = batch
            loss = self._step(rows.astype("i4"), columns.astype("i4"), targets, log_presence)
            losses.append(loss)
            if bar is not None:
                bar.update(int(targets.sum()))
        return float(np.mean([float(loss) for loss in losses]))

    @property
    def scale(self) -> float:
        """The factor of a cosine in a score."""
        return float(np.exp(np.asarray(self.log_scale)))

    def factors(self) -> Factors:
        """The tables that the model scores by; the scale is part of those of the items."""
        items, links = _unit(np.asarray(self.items)), _unit(np.asarray(self.links))
        return Factors(np.float32(self.scale) * items, links, np.asarray(self.bias)[:, 0])

    def weights(self) -> list[Any]:
        """Copies of the model's arrays."""
        return [np.array(variable) for variable in self.variables]

    def state(self) -> list[Any]:
        """Copies of everything that training changes: the weights and those of the optimizer."""
        return [*self.weights(), *(np.array(variable) for variable in self.optimizer.variables)]

    def restore(self, state: list[Any]) -> None:
        """Go back to earlier weights, or to an earlier state."""
        for variable, value in zip((*self.variables, *self.optimizer.variables), state):
            variable.assign(value)

    def to_bytes(self, slope: float, offset: float) -> bytes:
        """The .keras file of the model: probability = sigmoid(slope * score + offset).

        The same weights give the same bytes.
        """
        probability = self.model.get_layer("probability")
        _fill(self.model.get_layer("scale").kernel, self.scale)
        _fill(probability.kernel, slope)
        _fill(probability.bias, offset)
        return keras_bytes(self.model)


def _fill(variable: Any, value: float) -> None:
    variable.assign(np.full(variable.shape, value))


def _unit(table: Floats2d) -> Floats2d:
    lengths = np.linalg.norm(table, axis=1, keepdims=True)
    return np.asarray(table / np.maximum(lengths, 1e-12))
