"""Classify texts by a Keras 3 network on TensorFlow inside spaCy's own textcat. Self-contained, for --code.

The network is a Thinc model like any other: spaCy's training loop, optimizer, averages and folders apply to it.
"""

import importlib
import io
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import Model, Optimizer, Shim
from thinc.types import Floats2d

InT: TypeAlias = list[Doc]
OutT: TypeAlias = Floats2d
Network = Literal["bilstm", "cnn"]
Embeddings = Literal["learned", "frozen", "tuned"]
CHUNK = 128  # texts of similar length that are predicted together
FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can hold: same weights, same bytes


@registry.architectures("quicksilver.KerasTextCat.v1")
def create_keras_textcat(
    exclusive_classes: bool,
    network: Network,
    embeddings: Embeddings,
    rows: int,
    width: int,
    hidden: int,
    windows: list[int],
    max_length: int,
    dropout: float,
    nO: int | None = None,
) -> Model[InT, OutT]:
    """A network of Keras' own layers that gives each text a score for each label, (n_docs, n_labels).

    Args:
        exclusive_classes: softmax, for textcat; else a sigmoid for each label, for textcat_multilabel.
        network: "bilstm" (forwards and backwards, averaged over the tokens) or "cnn" (filters over windows of tokens, the
            highest value of each; Kim 2014).
        embeddings: "learned" from nothing; the pipeline's static vectors as they are ("frozen"; they stay in the vocab and
            are not stored again), or as a start ("tuned").
        rows: of learned embeddings. Each word has two of them by its hash, which are added, so no vocabulary is kept and two
            words rarely share both (Bloom embeddings, Serra and Karatzoglou 2017).
        width: of learned embeddings.
        hidden: units of the LSTM in each direction, or filters of each window.
        windows: sizes in tokens, for the cnn.
        max_length: tokens of a text that are read.
        dropout: share of the embeddings, and of what goes into the last layer, that is left out while training.
        nO: number of labels; the data tell it.

    Raises:
        ValueError: "TensorFlow is not installed ...", "... no static vectors ...", "... vectors of width ...", once it runs.
    """
    settings = {
        "exclusive": exclusive_classes,
        "network": network,
        "embeddings": embeddings,
        "rows": rows,
        "width": width,
        "hidden": hidden,
        "windows": windows,
        "dropout": dropout,
    }
    return Model(
        "keras_textcat",
        partial(forward, embeddings=embeddings, rows=rows, max_length=max_length),
        init=partial(init, settings=settings),
        dims={"nO": nO},
        shims=[KerasShim(None)],
    )


def init(model: Model[InT, OutT], X: InT | None = None, Y: OutT | None = None, *, settings: dict[str, Any]) -> None:
    """Build the network, once the number of labels and the vectors are known."""
    if Y is not None and model.has_dim("nO") is None:
        model.set_dim("nO", Y.shape[1])
    table = None
    if settings["embeddings"] != "learned":
        vectors = X[0].vocab.vectors if X else None
        if vectors is None or not vectors.size:
            raise ValueError(f"embeddings is {settings['embeddings']}, but the pipeline has no static vectors: give paths.vectors")
        table = np.asarray(vectors.data, dtype="f4")
    seeds = [int(seed) for seed in np.random.randint(2**31 - 1, size=64)]  # spaCy has seeded numpy by training.seed
    model.shims[0]._model = build_network(settings, model.get_dim("nO"), table, seeds)


def forward(
    model: Model[InT, OutT], docs: InT, is_train: bool, *, embeddings: Embeddings, rows: int, max_length: int
) -> tuple[OutT, Callable[[OutT], InT]]:
    """Scores of Docs, (n_docs, n_labels)."""
    shim = model.shims[0]
    if not is_train:
        scores: Any = np.zeros((len(docs), model.get_dim("nO")), dtype="f4")
        order = sorted(range(len(docs)), key=lambda i: len(docs[i]))
        for start in range(0, len(docs), CHUNK):
            part = order[start : start + CHUNK]
            scores[part] = shim.predict(to_arrays([docs[i] for i in part], embeddings, rows, max_length))
        return model.ops.asarray2f(scores), lambda gradient: []
    found, backprop = shim.begin_update(to_arrays(docs, embeddings, rows, max_length))

    def update(gradient: OutT) -> InT:
        backprop(model.ops.to_numpy(gradient))
        return []

    return model.ops.asarray2f(found), update


# From Docs to arrays


def to_arrays(docs: InT, embeddings: Embeddings, rows: int, max_length: int) -> list[NDArray[Any]]:
    """What the network reads.

    Returns:
        words (n_docs, length), twice where each word has two rows, or their vectors (n_docs, length, width); the mask
        (n_docs, length); and the share of each token in its text (n_docs, length, 1). What is padded is 0.
    """
    attr = "NORM" if embeddings == "learned" or not docs else docs[0].vocab.vectors.attr
    keys = [doc.to_array(attr)[:max_length] for doc in docs]
    lengths = np.asarray([len(part) for part in keys], dtype="i8")
    mask = np.arange(max(lengths.max(initial=0), 1)) < lengths[:, None]
    shares = mask / np.maximum(lengths, 1)[:, None]
    flat = np.concatenate(keys) if keys else np.zeros(0, dtype="u8")
    words = [_padded(values, mask) for values in _rows_of(flat, docs, embeddings, rows)]
    return [*words, mask, shares[:, :, None].astype("f4")]


def _padded(values: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    out = np.zeros((*mask.shape, *values.shape[1:]), dtype=values.dtype)
    out[mask] = values
    return out


def _rows_of(keys: NDArray[Any], docs: InT, embeddings: Embeddings, rows: int) -> list[NDArray[Any]]:
    if embeddings == "learned":  # the two halves of a 64-bit hash are two hashes
        halves = (keys & np.uint64(0xFFFFFFFF), keys >> np.uint64(32))
        return [(half % np.uint64(rows - 1) + np.uint64(1)).astype("i4") for half in halves]
    vectors = docs[0].vocab.vectors if docs else None
    if vectors is None or not vectors.size:
        raise ValueError("the pipeline has no static vectors, which its Keras model was trained with: load it with its vocab")
    found = vectors.find(keys=keys)
    if embeddings == "tuned":
        return [(found + 1).astype("i4")]
    table = np.asarray(vectors.data[found], dtype="f4")
    table[found < 0] = 0
    return [table]


# Network


def tensorflow() -> Any:
    """TensorFlow, without the lines that it logs at import.

    Raises:
        ValueError: "TensorFlow is not installed ...".
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        return importlib.import_module("tensorflow")
    except ImportError:
        raise ValueError("TensorFlow is not installed: pip install tensorflow (requirements-keras.txt)") from None


def build_network(settings: dict[str, Any], n_labels: int, table: NDArray[np.float32] | None, seeds: list[int]) -> Any:
    """The Keras model: layers of Keras alone, so that a file of it loads with safe_mode.

    Args:
        settings: those of `create_keras_textcat`.
        n_labels: width of the output.
        table: static vectors (n_words, width), or None for learned embeddings.
        seeds: of initialisers and dropout, in their order.
    """
    tensorflow()
    import keras
    from keras import initializers, layers

    seed = iter(seeds)

    def glorot() -> Any:
        return initializers.GlorotUniform(seed=next(seed))

    mask, shares = keras.Input((None,), dtype="bool", name="mask"), keras.Input((None, 1), name="shares")
    if settings["embeddings"] == "learned":
        words = [keras.Input((None,), dtype="int32", name=name) for name in ("first", "second")]
        uniform = initializers.RandomUniform(-0.1, 0.1, seed=next(seed))
        embed = layers.Embedding(settings["rows"], settings["width"], embeddings_initializer=uniform, name="embed")
        x = layers.Add()([embed(word) for word in words])
    elif settings["embeddings"] == "tuned":
        assert table is not None
        words = [keras.Input((None,), dtype="int32", name="words")]
        start = np.concatenate([np.zeros_like(table[:1]), table])  # the first row is for words without a vector
        embed = layers.Embedding(*start.shape, name="embed")
        x = embed(words[0])
        embed.set_weights([start])
    else:
        assert table is not None
        words = [keras.Input((None, table.shape[1]), name="vectors")]
        x = words[0]
    real = layers.Reshape((-1, 1))(layers.Rescaling(1.0)(mask))
    x = layers.Multiply()([layers.Dropout(settings["dropout"], seed=next(seed))(x), real])
    if settings["network"] == "bilstm":
        kwargs = {"kernel_initializer": glorot(), "recurrent_initializer": initializers.Orthogonal(seed=next(seed))}
        lstm = layers.LSTM(settings["hidden"], return_sequences=True, **kwargs)
        x = layers.Bidirectional(lstm)(x, mask=mask)
        x = layers.Flatten()(layers.Dot(axes=1)([x, shares]))  # the mean over the tokens: what is padded has no share
    else:
        found = []
        for window in settings["windows"]:
            filters = layers.Conv1D(settings["hidden"], window, padding="same", activation="relu", kernel_initializer=glorot())
            found.append(layers.GlobalMaxPooling1D()(layers.Multiply()([filters(x), real])))
        x = layers.Concatenate()(found) if len(found) > 1 else found[0]
    x = layers.Dropout(settings["dropout"], seed=next(seed))(x)
    last = layers.Dense(n_labels, activation="softmax" if settings["exclusive"] else "sigmoid", kernel_initializer=glorot())
    return keras.Model([*words, mask, shares], last(x))


# Between Thinc and Keras


class KerasShim(Shim):
    """Lets Thinc run, train and store a Keras model: traced once, updated by Thinc's optimizer, stored as a .keras file."""

    def __init__(self, model: Any, config: Any = None, optimizer: Any = None) -> None:
        super().__init__(model, config, optimizer)
        self._traced: tuple[Any, Any, Any] | None = None
        self._gradients: list[Any] = []

    def _functions(self) -> tuple[Any, Any]:
        """(predict, train): the model as two graphs that hold for any number and length of texts."""
        if self._model is None:
            raise ValueError("the Keras model is not there yet: initialize or load the pipeline first")
        if self._traced is None or self._traced[0] is not self._model:
            tf, model = tensorflow(), self._model
            signature = [tf.TensorSpec(part.shape, part.dtype) for part in model.inputs]

            def trace(training: bool) -> Any:
                return tf.function(lambda *arrays: model(list(arrays), training=training), input_signature=signature, autograph=False)

            self._traced = (model, trace(False), trace(True))
        return self._traced[1:]

    def _check(self, arrays: list[NDArray[Any]]) -> None:
        wanted, given = self._model.inputs[0].shape[2:], arrays[0].shape[2:]
        if wanted != given:
            raise ValueError(
                f"vectors of width {given[0]}, but the Keras model was trained with width {wanted[0]}: load it with its own vocab"
            )
        if self._model.inputs[0].name == "words":
            n_rows = self._model.get_layer("embed").input_dim
            if arrays[0].max(initial=0) >= n_rows:
                raise ValueError(f"more vectors than the {n_rows - 1} that the Keras model was trained with: load it with its own vocab")

    def predict(self, fwd_args: list[NDArray[Any]]) -> NDArray[np.float32]:
        """Scores (n_docs, n_labels)."""
        run, _ = self._functions()
        self._check(fwd_args)
        return run(*fwd_args).numpy()

    def begin_update(self, fwd_args: list[NDArray[Any]]) -> tuple[NDArray[np.float32], Callable[[NDArray[Any]], None]]:
        """Scores, and what takes their gradient and keeps that of the weights for `finish_update`."""
        tf, (_, run) = tensorflow(), self._functions()
        self._check(fwd_args)
        variables = [variable.value for variable in self._model.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            scores = run(*fwd_args)

        def backprop(gradient: NDArray[Any]) -> None:
            found = tape.gradient(scores, variables, output_gradients=tf.constant(gradient, dtype="float32"))
            found = [np.array(tf.convert_to_tensor(part)) for part in found]
            self._gradients = [a + b for a, b in zip(self._gradients, found)] if self._gradients else found

        return scores.numpy(), backprop

    def __call__(self, inputs: list[NDArray[Any]], is_train: bool) -> tuple[Any, Callable[..., Any]]:
        return self.begin_update(inputs) if is_train else (self.predict(inputs), lambda gradient: None)

    def finish_update(self, optimizer: Optimizer) -> None:
        """Let Thinc's optimizer change the weights by the gradients since the last call."""
        for variable, gradient in zip(self._model.trainable_variables if self._gradients else (), self._gradients):
            before: Any = np.array(variable.value)
            weights, _ = optimizer((self.id, variable.path), before, gradient)
            variable.assign(weights)
        self._gradients = []

    @contextmanager
    def use_params(self, params: dict[Any, Any]) -> Iterator[None]:
        """The weights that an optimizer keeps, such as averages, for as long as the block lasts."""
        variables = {variable.path: variable for variable in (self._model.trainable_variables if self._model else ())}
        given = {path: params[(self.id, path)] for path in variables if (self.id, path) in params}
        before = {path: np.array(variables[path].value) for path in given}
        for path, weights in given.items():
            variables[path].assign(weights)
        try:
            yield
        finally:
            for path, weights in before.items():
                variables[path].assign(weights)

    def copy(self) -> "KerasShim":
        """A shim with the same weights that nothing is shared with."""
        other = KerasShim(None, self.cfg)
        return other.from_bytes(self.to_bytes()) if self._model is not None else other

    def to_device(self, device_type: str, device_id: int) -> None:
        """TensorFlow places its model itself."""

    def to_bytes(self) -> bytes:
        """The .keras file of the model; the same weights give the same bytes."""
        if self._model is None:
            return b""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            self._model.save(path)
            return _without_dates(path.read_bytes())

    def from_bytes(self, data: bytes) -> "KerasShim":
        """Load a .keras file, by safe_mode: layers of Keras alone, no code.

        Raises:
            ValueError: "the Keras model is damaged ...", "TensorFlow is not installed ...".
        """
        self._model = None
        if not data:
            return self
        tensorflow()
        from keras.saving import load_model

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            path.write_bytes(data)
            try:
                self._model = load_model(path, compile=False, safe_mode=True)
            except Exception as error:  # zipfile, h5py, json and Keras each raise their own on damaged bytes
                what = f"the Keras model is damaged, or made by a newer Keras ({type(error).__name__})"
                raise ValueError(f"{what}: train or install the pipeline again") from None
        return self


def _without_dates(data: bytes) -> bytes:
    """A .keras file (a zip) with fixed dates."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new:
        for name in sorted(old.namelist()):
            content = old.read(name)
            if name == "metadata.json":
                content = b",".join(part for part in content.split(b",") if b"date_saved" not in part).rstrip(b"}") + b"}"
            new.writestr(zipfile.ZipInfo(name, FIXED_DATE), content)
    return out.getvalue()
