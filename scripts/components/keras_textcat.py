"""Classify texts by a Keras 3 network on TensorFlow inside spaCy's own textcat. Self-contained, for --code.

The network is a Thinc model like any other: spaCy's training loop, optimizer, averages and folders apply to it.
"""

import importlib
import io
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import Model, Optimizer, Shim
from thinc.backends import get_array_ops
from thinc.types import Floats2d

InT: TypeAlias = list[Doc]
OutT: TypeAlias = Floats2d
Network = Literal["bilstm", "cnn"]
Embeddings = Literal["learned", "frozen", "tuned"]
CHUNK = 128  # texts of similar length that are predicted together
OWN_VOCAB = "give paths.vectors to train it, load it with its own vocab"
SPREAD = 0.1  # of embeddings at the start
PROCESS = os.getpid()
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

    The gradient that it takes is that of the logits, as Thinc's Softmax takes it: what textcat gives, scores - truths, is then the
    gradient of the cross-entropy, for softmax and sigmoid alike.

    Args:
        exclusive_classes: softmax, for textcat; else a sigmoid for each label, for textcat_multilabel.
        network: "bilstm" (averaged over the tokens) or "cnn" (filters over windows of tokens, the highest of each; Kim 2014).
        embeddings: "learned" from nothing; the pipeline's static vectors as they are ("frozen"; they stay in the vocab and
            are not stored again), or as a start ("tuned").
        rows: of learned embeddings. Each word has two of them by its hash, which are added, so no vocabulary is kept and two words
            rarely share both (Bloom embeddings, Serra and Karatzoglou 2017).
        width: of learned embeddings.
        hidden: units of the LSTM in each direction, or filters of each window.
        windows: sizes in tokens, for the cnn.
        max_length: tokens of a text that are read.
        dropout: share of the embeddings, and of what goes into the last layer, left out while training; not [training] dropout.
        nO: number of labels; the data tell it.

    Raises:
        ValueError: "TensorFlow is not installed ...", "... no static vectors ...", "... vectors of width ...", once it runs.
    """
    settings: dict[str, Any] = {
        "exclusive": exclusive_classes,
        "network": network,
        "embeddings": embeddings,
        "rows": rows,
        "width": width,
    }
    settings |= {"hidden": hidden, "windows": windows, "dropout": dropout}
    return Model(
        "keras_textcat",
        partial(forward, embeddings=embeddings, rows=rows, max_length=max_length),
        init=partial(init, settings=settings),
        dims={"nO": nO},
        shims=[KerasShim(None)],
    )


def init(
    model: Model[InT, OutT],
    X: InT | None = None,
    Y: OutT | None = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Build the network, once the number of labels and the vectors are known."""
    if Y is not None and model.has_dim("nO") is None:
        model.set_dim("nO", Y.shape[1])
    table = (
        None if settings["embeddings"] == "learned" else table_of(X or [], settings["embeddings"])
    )
    seeds = [
        int(seed) for seed in np.random.randint(2**31 - 1, size=64)
    ]  # spaCy has seeded numpy by training.seed
    model.shims[0]._model = build_network(settings, model.get_dim("nO"), table, seeds)


def forward(
    model: Model[InT, OutT],
    docs: InT,
    is_train: bool,
    *,
    embeddings: Embeddings,
    rows: int,
    max_length: int,
) -> tuple[OutT, Callable[[OutT], InT]]:
    """Scores of Docs, (n_docs, n_labels)."""
    shim: Any = model.shims[0]

    def arrays(part: InT) -> list[NDArray[Any]]:
        found = to_arrays(part, embeddings, rows, max_length)
        shim.check(part, found[0])
        return found

    if is_train:
        found, backprop = shim.begin_update(arrays(docs))
        return model.ops.asarray2f(found), lambda gradient: backprop(model.ops.to_numpy(gradient))
    scores: Any = np.zeros((len(docs), model.get_dim("nO")), dtype="f4")
    order = sorted(range(len(docs)), key=lambda i: len(docs[i]))
    for start in range(0, len(docs), CHUNK):
        part = order[start : start + CHUNK]
        scores[part] = shim.predict(arrays([docs[i] for i in part]))
    return model.ops.asarray2f(scores), lambda gradient: []


# From Docs to arrays


def to_arrays(docs: InT, embeddings: Embeddings, rows: int, max_length: int) -> list[NDArray[Any]]:
    """What the network reads.

    Returns:
        words (n_docs, length), twice where each word has two rows, or their vectors (n_docs, length, width); and the mask
        (n_docs, length). What is padded is 0, and an empty text is one such token.
    """
    attr = "NORM" if embeddings == "learned" or not docs else docs[0].vocab.vectors.attr
    keys = [doc.to_array(attr)[:max_length] for doc in docs]
    lengths = np.asarray([len(part) for part in keys], dtype="i8")
    mask = np.arange(max(lengths.max(initial=0), 1)) < lengths[:, None]
    arrays = []
    for values in _rows_of(
        np.concatenate(keys) if keys else np.zeros(0, dtype="u8"), docs, embeddings, rows
    ):
        words = np.zeros((*mask.shape, *values.shape[1:]), dtype=values.dtype)
        words[mask] = values
        arrays.append(words)
    mask[lengths == 0, 0] = True
    return [*arrays, mask]


def _rows_of(
    keys: NDArray[Any], docs: InT, embeddings: Embeddings, rows: int
) -> list[NDArray[Any]]:
    if embeddings == "learned":  # the two halves of a 64-bit hash are two hashes
        halves = (keys & np.uint64(0xFFFFFFFF), keys >> np.uint64(32))
        return [(half % np.uint64(rows - 1) + np.uint64(1)).astype("i4") for half in halves]
    table = table_of(docs, embeddings)
    unique, inverse = np.unique(keys, return_inverse=True)
    found = docs[0].vocab.vectors.find(keys=unique)[inverse]
    if embeddings == "tuned":
        return [(found + 1).astype("i4")]
    words = table[found]
    words[found < 0] = 0
    return [words]


def table_of(docs: InT, embeddings: Embeddings) -> NDArray[np.float32]:
    """The static vectors of the pipeline, (n_words, width).

    Raises:
        ValueError: "... no static vectors ...", "... floret vectors ...".
    """
    vectors = docs[0].vocab.vectors if docs else None
    if vectors is None or not vectors.size:
        raise ValueError(
            f"embeddings is {embeddings}, but the pipeline has no static vectors: {OWN_VOCAB}"
        )
    if vectors.mode != "default":
        raise ValueError(
            f"embeddings is {embeddings}, but floret vectors have no row for each word: give a plain table of vectors"
        )
    return np.asarray(get_array_ops(vectors.data).to_numpy(vectors.data), dtype="f4")


# Network


def tensorflow() -> Any:
    """TensorFlow, without the lines that it logs at import.

    Raises:
        ValueError: "TensorFlow is not installed ...", "Keras runs on ...", "TensorFlow hangs in a forked process ...".
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        with _no_stderr() if "tensorflow" not in sys.modules else nullcontext():
            tf, keras = (importlib.import_module(name) for name in ("tensorflow", "keras"))
    except ImportError:
        is_project = (Path(__file__).parents[2] / "requirements-keras.txt").exists()
        what = "-r requirements-keras.txt -c constraints.txt" if is_project else "tensorflow"
        raise ValueError(f"TensorFlow is not installed: pip install {what}") from None
    if (backend := keras.backend.backend()) != "tensorflow":
        raise ValueError(
            f"Keras runs on {backend}, not on TensorFlow: set KERAS_BACKEND=tensorflow"
        )
    if os.getpid() != PROCESS:
        raise ValueError(
            "TensorFlow hangs in a forked process: use n_process=1, or multiprocessing.set_start_method('spawn')"
        )
    return tf


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Silence code in C++ that writes to stderr before it looks at its log level."""
    stderr, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nothing)


def build_network(
    settings: dict[str, Any], n_labels: int, table: NDArray[np.float32] | None, seeds: list[int]
) -> Any:
    """The Keras model: layers of Keras alone, so that a file of it loads with safe_mode; each named, so that files are the same.

    Args:
        settings: those of `create_keras_textcat`.
        n_labels: width of the output.
        table: static vectors (n_words, width), or None for learned embeddings.
        seeds: of initialisers and dropout, in their order.
    """
    tensorflow()
    import keras
    from keras import layers

    seed = iter(seeds)
    hidden, dropout = settings["hidden"], settings["dropout"]
    words, x = _embed(settings, table, next(seed))
    mask = keras.Input((None,), dtype="bool", name="mask")
    real = layers.Reshape((-1, 1), name="real")(layers.Rescaling(1.0, name="as_floats")(mask))
    x = layers.Multiply(name="embedded")(
        [layers.Dropout(dropout, seed=next(seed), name="drop_words")(x), real]
    )

    def start() -> Any:
        return keras.initializers.GlorotUniform(seed=next(seed))

    if settings["network"] == "bilstm":
        orthogonal = keras.initializers.Orthogonal(seed=next(seed))
        lstm = layers.LSTM(
            hidden,
            return_sequences=True,
            kernel_initializer=start(),
            recurrent_initializer=orthogonal,
            name="lstm",
        )
        x = layers.GlobalAveragePooling1D(name="mean")(
            layers.Bidirectional(lstm, name="bilstm")(x, mask=mask), mask=mask
        )
    else:
        found = []
        for number, size in enumerate(settings["windows"]):
            filters = layers.Conv1D(
                hidden,
                size,
                padding="same",
                activation="relu",
                kernel_initializer=start(),
                name=f"filters_{number}",
            )
            masked = layers.Multiply(name=f"masked_{number}")([filters(x), real])
            found.append(layers.GlobalMaxPooling1D(name=f"highest_{number}")(masked))
        x = layers.Concatenate(name="features")(found) if len(found) > 1 else found[0]
    x = layers.Dropout(dropout, seed=next(seed), name="drop_features")(x)
    logits = layers.Dense(n_labels, kernel_initializer=start(), name="logits")(x)
    scores = layers.Activation("softmax" if settings["exclusive"] else "sigmoid", name="scores")(
        logits
    )
    return keras.Model([*words, mask], scores, name="textcat")


def _embed(
    settings: dict[str, Any], table: NDArray[np.float32] | None, seed: int
) -> tuple[list[Any], Any]:
    """The inputs that stand for words, and their embeddings (n_docs, length, width)."""
    import keras
    from keras import layers

    if table is not None and settings["embeddings"] == "frozen":
        vectors = keras.Input((None, table.shape[1]), name="vectors")
        return [vectors], vectors
    names = ("first", "second") if table is None else ("words",)
    words = [keras.Input((None,), dtype="int32", name=name) for name in names]
    n_rows, width = (
        (settings["rows"], settings["width"]) if table is None else (len(table) + 1, table.shape[1])
    )
    uniform = keras.initializers.RandomUniform(-SPREAD, SPREAD, seed=seed)
    embed = layers.Embedding(n_rows, width, embeddings_initializer=uniform, name="embed")
    found = [embed(word) for word in words]
    if table is not None:
        embed.set_weights(
            [np.concatenate([np.zeros_like(table[:1]), table])]
        )  # the first row is for words without a vector
    return words, layers.Add(name="sum")(found) if len(found) > 1 else found[0]


# Between Thinc and Keras


class KerasShim(Shim):
    """Lets Thinc run, train and store a Keras model: traced once, updated by Thinc's optimizer, stored as a .keras file."""

    _traced: tuple[Any, ...] = (None,)  # the model, and its graphs to predict and to train
    _gradients: list[Any] | None = None

    def __reduce__(self) -> Any:
        return _shim_of, (self.to_bytes(),)  # for copies, too

    def check(self, docs: InT, words: NDArray[Any]) -> None:
        """Refuse what another vocab gives."""
        if (model := self._model) is None:
            raise ValueError(
                "the Keras model is not there yet: initialize or load the pipeline first"
            )
        embed = model.get_layer("embed") if model.inputs[0].name != "vectors" else None
        width = embed.output_dim if embed else model.inputs[0].shape[2]
        if (
            docs
            and model.inputs[0].name != "first"
            and (given := docs[0].vocab.vectors.shape[1]) != width
        ):
            raise ValueError(
                f"vectors of width {given}, but the Keras model was trained with width {width}: {OWN_VOCAB}"
            )
        if embed and words.max(initial=0) >= embed.input_dim:
            raise ValueError(
                f"more vectors than the {embed.input_dim - 1} that the Keras model was trained with: {OWN_VOCAB}"
            )

    def _graphs(self) -> tuple[Any, ...]:
        """(predict, train): the model as two graphs, traced once, that hold for any number and length of texts."""
        tf, model = tensorflow(), self._model
        if self._traced[0] is not model:
            both = type(model)(model.inputs, [model.get_layer("logits").output, model.output])
            signature = [tf.TensorSpec(part.shape, part.dtype) for part in model.inputs]
            predict = tf.function(lambda *arrays: model(list(arrays)), signature, autograph=False)
            train = tf.function(
                lambda *arrays: both(list(arrays), training=True), signature, autograph=False
            )
            self._traced = (model, predict.get_concrete_function(), train.get_concrete_function())
        return self._traced[1:]

    def predict(self, fwd_args: list[NDArray[Any]]) -> NDArray[np.float32]:
        """Scores (n_docs, n_labels)."""
        tf, (run, _) = tensorflow(), self._graphs()
        return run(*map(tf.constant, fwd_args)).numpy()

    def begin_update(
        self, fwd_args: list[NDArray[Any]]
    ) -> tuple[NDArray[np.float32], Callable[[NDArray[Any]], InT]]:
        """Scores, and what takes the gradient of the logits and keeps that of the weights for `finish_update`."""
        tf, (_, run) = tensorflow(), self._graphs()
        variables = [variable.value for variable in self._model.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            logits, scores = run(*map(tf.constant, fwd_args))

        def backprop(gradient: NDArray[Any]) -> InT:
            found = tape.gradient(
                logits, variables, output_gradients=tf.constant(gradient, dtype="float32")
            )
            dense = [np.array(tf.convert_to_tensor(part)) for part in found]
            self._gradients = (
                dense
                if self._gradients is None
                else [a + b for a, b in zip(self._gradients, dense)]
            )
            return []

        return scores.numpy(), backprop

    def finish_update(self, optimizer: Optimizer) -> None:
        """Let Thinc's optimizer change the weights by the gradients since the last call."""
        for variable, gradient in zip(self._model.trainable_variables, self._gradients or ()):
            before: Any = np.array(variable.value)
            variable.assign(optimizer((self.id, variable.path), before, gradient)[0])
        self._gradients = None

    @contextmanager
    def use_params(self, params: dict[Any, Any]) -> Iterator[None]:
        """The weights that an optimizer keeps, such as averages, for as long as the block lasts."""
        given = (
            [
                variable
                for variable in self._model.trainable_variables
                if (self.id, variable.path) in params
            ]
            if self._model
            else []
        )
        before = [np.array(variable.value) for variable in given]
        for variable in given:
            variable.assign(params[(self.id, variable.path)])
        try:
            yield
        finally:
            for variable, weights in zip(given, before):
                variable.assign(weights)

    def to_device(self, device_type: str, device_id: int) -> None:
        """TensorFlow places its model itself."""

    def to_bytes(self) -> bytes:
        """The .keras file of the model; the same weights give the same bytes."""
        return b"" if self._model is None else keras_bytes(self._model)

    def from_bytes(self, data: bytes) -> "KerasShim":
        """Load a .keras file, by safe_mode: layers of Keras alone, no code.

        Raises:
            ValueError: "the Keras model is damaged ...", "TensorFlow is not installed ...".
        """
        tensorflow()
        from keras.saving import load_model

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            path.write_bytes(data)
            try:
                self._model = load_model(path, compile=False, safe_mode=True) if data else None
            except (
                Exception
            ) as error:  # zipfile, h5py, json and Keras each raise their own on damaged bytes
                what = (
                    f"the Keras model is damaged, or made by a newer Keras ({type(error).__name__})"
                )
                raise ValueError(f"{what}: train or install the pipeline again") from None
        return self


def _shim_of(data: bytes) -> KerasShim:
    return KerasShim(None).from_bytes(data)


def keras_bytes(model: Any) -> bytes:
    """A Keras model as the content of a .keras file; the same weights give the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return _fixed(path.read_bytes())


def _fixed(data: bytes) -> bytes:
    """A .keras file (a zip) without what differs from run to run: dates, and addresses of objects in memory."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new,
    ):
        for name in sorted(old.namelist()):
            content = old.read(name)
            if name.endswith(".json"):
                content = re.sub(rb', "(shared_object_id|date_saved)": ("[^"]*"|\d+)', b"", content)
            new.writestr(zipfile.ZipInfo(name, FIXED_DATE), content)
    return out.getvalue()
