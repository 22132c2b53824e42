"""Classify texts by a Keras or a PyTorch network inside spaCy's own textcat. Self-contained.

The network is a Thinc model like any other: spaCy's training loop, optimizer, averages and folders
apply to it. Both frameworks get the same arrays, so both are in one file, which is what --code
takes. A framework is imported when a network of its kind is built or loaded: the other one need
not be installed.
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
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import ArgsKwargs, Model, Ops, Optimizer, PyTorchShim, Shim
from thinc.backends import get_array_ops
from thinc.types import Floats2d
from thinc.util import get_torch_default_device, torch2xp, xp2torch

InT: TypeAlias = list[Doc]
OutT: TypeAlias = Floats2d
Backprop: TypeAlias = Callable[[OutT], InT]
Network = Literal["bilstm", "cnn"]
Embeddings = Literal["learned", "frozen", "tuned"]
CHUNK = 128  # texts of similar length that are predicted together
REMEDY = "pass paths.vectors to the training, and load the pipeline with its own vocab"
EMBEDDING_RANGE = 0.1  # of learned embeddings at the start
PROCESS = os.getpid()
FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can hold: same weights, same bytes


@dataclass(frozen=True)
class Settings:
    """The settings of `create_keras_textcat` and `create_torch_textcat`."""

    exclusive_classes: bool
    network: Network
    embeddings: Embeddings
    rows: int
    width: int
    hidden: int
    windows: list[int]
    max_length: int
    dropout: float


# Architectures


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
    """A network of Keras layers that gives each text a score for each label, (n_docs, n_labels).

    Its backprop takes the gradient of the logits, like that of Thinc's Softmax: scores - truths,
    which textcat gives, is the gradient of the cross-entropy, for softmax and sigmoid alike.

    Args:
        exclusive_classes: softmax, for textcat; else a sigmoid for each label, for
            textcat_multilabel.
        network: "bilstm" (mean over the tokens) or "cnn" (filters over windows of tokens, the
            maximum of each; Kim 2014).
        embeddings: "learned" from random ones; or the pipeline's static vectors, "frozen" (they
            stay in the vocab and are not stored again) or "tuned" (they are the start).
        rows: of learned embeddings. Each word has two rows by its hash, which are added: no
            vocabulary is stored, and two words rarely share both (Bloom embeddings, Serra and
            Karatzoglou 2017).
        width: of learned embeddings.
        hidden: units of the LSTM in each direction, or filters of each window.
        windows: sizes in tokens, for the cnn.
        max_length: how many tokens of a text are read.
        dropout: share of the embeddings and of the features that is left out in training; the
            dropout of [training] has no effect.
        nO: number of labels; taken from the data if None.

    Raises:
        ValueError: "TensorFlow is not installed ...", "... no static vectors ...", "... vectors of
            width ...", when it runs.
    """
    settings = Settings(
        exclusive_classes, network, embeddings, rows, width, hidden, windows, max_length, dropout
    )
    return _model("keras_textcat", KerasShim(None), settings, nO)


@registry.architectures("quicksilver.TorchTextCat.v1")
def create_torch_textcat(
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
    """The same of PyTorch layers: see `create_keras_textcat`.

    Raises:
        ValueError: "PyTorch is not installed ...", and the others when it runs.
    """
    settings = Settings(
        exclusive_classes, network, embeddings, rows, width, hidden, windows, max_length, dropout
    )
    return _model("torch_textcat", _torch_shim(settings), settings, nO)


def _model(name: str, shim: Shim, settings: Settings, n_labels: int | None) -> Model[InT, OutT]:
    return Model(
        name,
        partial(forward, settings=settings),
        init=partial(init, settings=settings),
        dims={"nO": n_labels},
        shims=[shim],
    )


def init(
    model: Model[InT, OutT], X: InT | None = None, Y: OutT | None = None, *, settings: Settings
) -> None:
    """Build the network, now that the number of labels and the vectors are known."""
    if Y is not None and model.has_dim("nO") is None:
        model.set_dim("nO", Y.shape[1])
    is_learned = settings.embeddings == "learned"
    table = None if is_learned else vectors_table(X or [], settings.embeddings)
    shim: Any = model.shims[0]
    shim.build(settings, model.get_dim("nO"), table)


def forward(
    model: Model[InT, OutT], docs: InT, is_train: bool, *, settings: Settings
) -> tuple[OutT, Backprop]:
    """Scores of Docs, (n_docs, n_labels)."""
    shim: Any = model.shims[0]

    def inputs_of(docs: InT) -> "Inputs":
        inputs = to_arrays(docs, settings)
        check_vectors(shim.framework, shim.sizes(), docs, inputs)
        return inputs

    if is_train:
        outputs, backprop = shim.begin_update(inputs_of(docs))
        return shim.to_scores(outputs, model.ops), backprop
    outputs = model.ops.alloc2f(len(docs), model.get_dim("nO"))
    for chunk in chunks_by_length(docs):
        outputs[chunk] = shim.predict(inputs_of([docs[i] for i in chunk]))
    return shim.to_scores(outputs, model.ops), lambda gradient: []


# From Docs to arrays


class Inputs(NamedTuple):
    """What a network reads. Padding is 0.

    Args:
        words: rows of the embeddings (n_docs, length, 2), or of the table of vectors
            (n_docs, length, 1); or vectors (n_docs, length, width).
        lengths: tokens of each text, (n_docs,).
    """

    words: NDArray[Any]
    lengths: NDArray[np.int64]


def chunks_by_length(docs: InT) -> Iterator[list[int]]:
    """The indices of Docs in chunks of similar length, so that there is little padding."""
    order = sorted(range(len(docs)), key=lambda i: len(docs[i]))
    for start in range(0, len(docs), CHUNK):
        yield order[start : start + CHUNK]


def to_arrays(docs: InT, settings: Settings) -> Inputs:
    """The arrays that a network reads."""
    is_learned = settings.embeddings == "learned"
    attr = "NORM" if is_learned or not docs else docs[0].vocab.vectors.attr
    keys: list[NDArray[Any]] = [doc.to_array(attr)[: settings.max_length] for doc in docs]
    lengths = np.asarray([len(part) for part in keys], dtype="i8")
    all_keys = np.concatenate([np.zeros(0, dtype="u8"), *keys])
    if is_learned:
        values = hashed_rows(all_keys, settings.rows)
    else:
        values = _vectors_of(all_keys, docs, settings.embeddings)
    inside = np.arange(max(lengths.max(initial=0), 1)) < lengths[:, None]
    words = np.zeros((*inside.shape, values.shape[1]), dtype=values.dtype)
    words[inside] = values
    return Inputs(words, lengths)


def hashed_rows(keys: NDArray[np.uint64], rows: int) -> NDArray[np.int64]:
    """(n_tokens, 2): the two rows of each word. Row 0 is for padding."""
    # the two halves of a 64-bit hash are two hashes
    halves = np.stack([keys & np.uint64(0xFFFFFFFF), keys >> np.uint64(32)], axis=1)
    return (halves % np.uint64(rows - 1) + np.uint64(1)).astype("i8")


def _vectors_of(keys: NDArray[np.uint64], docs: InT, embeddings: Embeddings) -> NDArray[Any]:
    """The vectors of words (n_tokens, width); if they are tuned, their rows + 1 (n_tokens, 1)."""
    table = vectors_table(docs, embeddings)
    unique, inverse = np.unique(keys, return_inverse=True)
    rows = docs[0].vocab.vectors.find(keys=unique)[inverse]
    if embeddings == "tuned":  # row 0 is for padding and for words without a vector
        return (rows + 1).astype("i8")[:, None]
    vectors = table[rows]
    vectors[rows < 0] = 0
    return vectors


def vectors_table(docs: InT, embeddings: Embeddings) -> NDArray[np.float32]:
    """The static vectors of the pipeline, (n_words, width).

    Raises:
        ValueError: "... no static vectors ...", "... floret vectors ...".
    """
    vectors = docs[0].vocab.vectors if docs else None
    if vectors is None or not vectors.size:
        reason = f"embeddings is {embeddings}, but the pipeline has no static vectors"
        raise ValueError(f"{reason}: {REMEDY}")
    if vectors.mode != "default":
        reason = f"embeddings is {embeddings}, but floret vectors have no row for each word"
        raise ValueError(f"{reason}: give a plain table of vectors")
    return np.asarray(get_array_ops(vectors.data).to_numpy(vectors.data), dtype="f4")


class Sizes(NamedTuple):
    """What a trained network fits to.

    Args:
        width: of the static vectors; None if the embeddings are learned.
        n_rows: of the embedding layer; None if there is none.
    """

    width: int | None
    n_rows: int | None


def check_vectors(framework: str, sizes: Sizes | None, docs: InT, inputs: Inputs) -> None:
    """Refuse static vectors that are not those of the training.

    Args:
        framework: its name, for errors.
        sizes: of the network; None if it is not built yet.
        docs: with the vocab that has the vectors.
        inputs: the arrays of these Docs.

    Raises:
        ValueError: "... is not there yet ...", "vectors of width ...", "more vectors than ...".
    """
    if sizes is None:
        reason = f"the {framework} model is not there yet"
        raise ValueError(f"{reason}: initialize or load the pipeline first")
    if docs and sizes.width is not None and docs[0].vocab.vectors.shape[1] != sizes.width:
        raise ValueError(
            f"vectors of width {docs[0].vocab.vectors.shape[1]}, but the {framework} model was "
            f"trained with width {sizes.width}: {REMEDY}"
        )
    if sizes.n_rows is not None and inputs.words.max(initial=0) >= sizes.n_rows:
        raise ValueError(
            f"more vectors than the {sizes.n_rows - 1} that the {framework} model was trained "
            f"with: {REMEDY}"
        )


def with_empty_row(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """A table of vectors with a first row of zeros, for padding and words without a vector."""
    return np.concatenate([np.zeros_like(table[:1]), table])


# Frameworks


def import_framework(module: str, name: str, extra: str) -> Any:
    """Import TensorFlow, Keras or PyTorch.

    Raises:
        ValueError: "... is not installed ...".
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        is_project = (Path(__file__).parents[2] / f"requirements-{extra}.txt").exists()
        what = f"-r requirements-{extra}.txt -c constraints.txt" if is_project else module
        raise ValueError(f"{name} is not installed: pip install {what}") from None


def damaged(framework: str, reason: str, error: Exception) -> ValueError:
    """The error for a stored model that cannot be loaded."""
    what = f"the {framework} model is damaged, or {reason} ({type(error).__name__})"
    return ValueError(f"{what}: train or install the pipeline again")


def pytorch() -> Any:
    """PyTorch. Raises as `import_framework` does."""
    return import_framework("torch", "PyTorch", "torch")


def tensorflow() -> Any:
    """TensorFlow, without the lines that it logs at import.

    Raises:
        ValueError: "TensorFlow is not installed ...", "Keras runs on ...", "TensorFlow hangs in a
            forked process ...".
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _no_stderr() if "tensorflow" not in sys.modules else nullcontext():
        tf = import_framework("tensorflow", "TensorFlow", "keras")
        keras = import_framework("keras", "Keras", "keras")
    if (backend := keras.backend.backend()) != "tensorflow":
        remedy = "set KERAS_BACKEND=tensorflow"
        raise ValueError(f"Keras runs on {backend}, not on TensorFlow: {remedy}")
    if os.getpid() != PROCESS:
        remedy = "use n_process=1, or multiprocessing.set_start_method('spawn')"
        raise ValueError(f"TensorFlow hangs in a forked process: {remedy}")
    return tf


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Silence C++ code that writes to stderr before it reads its log level."""
    stderr, devnull = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(devnull)


# Keras network


def build_keras_network(
    settings: Settings, n_labels: int, table: NDArray[np.float32] | None
) -> Any:
    """The Keras model.

    It has layers of Keras alone, so that a file of it loads with safe_mode. Each has a name, so
    that the files of two trainings are the same.

    Args:
        settings: of the network.
        n_labels: width of the output.
        table: static vectors (n_words, width), or None for learned embeddings.
    """
    tensorflow()
    import keras
    from keras import layers

    # for initializers and dropout, in their order; spaCy has seeded numpy by training.seed
    seeds = iter([int(seed) for seed in np.random.randint(2**31 - 1, size=64)])
    words, x = _keras_embeddings(settings, table, next(seeds))
    mask = keras.Input((None,), dtype="bool", name="mask")
    real = layers.Reshape((-1, 1), name="real")(layers.Rescaling(1.0, name="as_floats")(mask))
    kept = layers.Dropout(settings.dropout, seed=next(seeds), name="drop_words")(x)
    x = layers.Multiply(name="embedded")([kept, real])
    if settings.network == "bilstm":
        x = _keras_bilstm(x, mask, settings.hidden, seeds)
    else:
        x = _keras_cnn(x, real, settings, seeds)
    x = layers.Dropout(settings.dropout, seed=next(seeds), name="drop_features")(x)
    start = keras.initializers.GlorotUniform(seed=next(seeds))
    logits = layers.Dense(n_labels, kernel_initializer=start, name="logits")(x)
    activation = "softmax" if settings.exclusive_classes else "sigmoid"
    scores = layers.Activation(activation, name="scores")(logits)
    return keras.Model([*words, mask], scores, name="textcat")


def _keras_embeddings(
    settings: Settings, table: NDArray[np.float32] | None, seed: int
) -> tuple[list[Any], Any]:
    """The inputs that stand for words, and their embeddings (n_docs, length, width)."""
    import keras
    from keras import layers

    if table is not None and settings.embeddings == "frozen":
        vectors = keras.Input((None, table.shape[1]), name="vectors")
        return [vectors], vectors
    uniform = keras.initializers.RandomUniform(-EMBEDDING_RANGE, EMBEDDING_RANGE, seed=seed)
    options = {"embeddings_initializer": uniform, "name": "embed"}
    if table is not None:
        word = keras.Input((None,), dtype="int32", name="words")
        embed = layers.Embedding(len(table) + 1, table.shape[1], **options)
        embedded = embed(word)
        embed.set_weights([with_empty_row(table)])
        return [word], embedded
    words = [keras.Input((None,), dtype="int32", name=name) for name in ("first", "second")]
    embed = layers.Embedding(settings.rows, settings.width, **options)
    return words, layers.Add(name="sum")([embed(word) for word in words])


def _keras_bilstm(x: Any, mask: Any, hidden: int, seeds: Iterator[int]) -> Any:
    """(n_docs, length, width) -> (n_docs, 2 * hidden): the mean over the tokens."""
    import keras
    from keras import layers

    orthogonal = keras.initializers.Orthogonal(seed=next(seeds))
    lstm = layers.LSTM(
        hidden,
        return_sequences=True,
        kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
        recurrent_initializer=orthogonal,
        name="lstm",
    )
    states = layers.Bidirectional(lstm, name="bilstm")(x, mask=mask)
    return layers.GlobalAveragePooling1D(name="mean")(states, mask=mask)


def _keras_cnn(x: Any, real: Any, settings: Settings, seeds: Iterator[int]) -> Any:
    """(n_docs, length, width) -> (n_docs, hidden * n_windows): the maximum of each filter."""
    import keras
    from keras import layers

    features = []
    for number, size in enumerate(settings.windows):
        filters = layers.Conv1D(
            settings.hidden,
            size,
            padding="same",
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
            name=f"filters_{number}",
        )
        masked = layers.Multiply(name=f"masked_{number}")([filters(x), real])
        features.append(layers.GlobalMaxPooling1D(name=f"highest_{number}")(masked))
    return layers.Concatenate(name="features")(features) if len(features) > 1 else features[0]


# Between Thinc and Keras


class KerasShim(Shim):
    """Lets Thinc run, train and store a Keras model.

    The model is traced once, updated by Thinc's optimizer, and stored as a .keras file.
    """

    framework = "Keras"
    _traced: tuple[Any, ...] = (None,)  # the model, and its graphs to predict and to train
    _gradients: list[Any] | None = None

    def build(self, settings: Settings, n_labels: int, table: NDArray[np.float32] | None) -> None:
        """Make the network."""
        self._model = build_keras_network(settings, n_labels, table)

    def sizes(self) -> Sizes | None:
        """What the network fits to; None if it is not built yet."""
        if self._model is None:
            return None
        words = self._model.inputs[0]
        if words.name == "vectors":
            return Sizes(words.shape[2], None)
        embed = self._model.get_layer("embed")
        return Sizes(embed.output_dim if words.name == "words" else None, embed.input_dim)

    def _tensors(self, inputs: Inputs) -> list[Any]:
        """The inputs of the Keras model. An empty text is one token of padding."""
        tf, words = tensorflow(), inputs.words
        mask = np.arange(words.shape[1]) < np.maximum(inputs.lengths, 1)[:, None]
        if words.dtype == "f4":
            arrays = [words, mask]
        else:
            arrays = [*(words[:, :, i].astype("i4") for i in range(words.shape[2])), mask]
        return [tf.constant(array) for array in arrays]

    def _graphs(self) -> tuple[Any, ...]:
        """(predict, train): the model as two graphs, traced once for any number and length."""
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

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Scores (n_docs, n_labels)."""
        run, _ = self._graphs()
        return run(*self._tensors(inputs)).numpy()

    def begin_update(self, inputs: Inputs) -> tuple[NDArray[np.float32], Backprop]:
        """Scores, and the function that takes the gradient of the logits.

        It keeps the gradients of the weights for `finish_update`.
        """
        tf, (_, run) = tensorflow(), self._graphs()
        variables = [variable.value for variable in self._model.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            logits, scores = run(*self._tensors(inputs))

        def backprop(gradient: OutT) -> InT:
            outer = tf.constant(get_array_ops(gradient).to_numpy(gradient), dtype="float32")
            sparse = tape.gradient(logits, variables, output_gradients=outer)
            self._add_gradients([np.array(tf.convert_to_tensor(part)) for part in sparse])
            return []

        return scores.numpy(), backprop

    def _add_gradients(self, gradients: list[Any]) -> None:
        if self._gradients is not None:
            gradients = [a + b for a, b in zip(self._gradients, gradients)]
        self._gradients = gradients

    def to_scores(self, outputs: Any, ops: Ops) -> OutT:
        """Scores from what the network gives: they are its last layer."""
        return ops.asarray2f(outputs)

    def finish_update(self, optimizer: Optimizer) -> None:
        """Let Thinc's optimizer change the weights by the gradients since the last call."""
        for variable, gradient in zip(self._model.trainable_variables, self._gradients or ()):
            before: Any = np.array(variable.value)
            variable.assign(optimizer((self.id, variable.path), before, gradient)[0])
        self._gradients = None

    @contextmanager
    def use_params(self, params: dict[Any, Any]) -> Iterator[None]:
        """Weights of an optimizer, such as averages, as long as the block lasts."""
        variables = self._model.trainable_variables if self._model else []
        changed = [variable for variable in variables if (self.id, variable.path) in params]
        before = [np.array(variable.value) for variable in changed]
        for variable in changed:
            variable.assign(params[(self.id, variable.path)])
        try:
            yield
        finally:
            for variable, weights in zip(changed, before):
                variable.assign(weights)

    def to_device(self, device_type: str, device_id: int) -> None:
        """TensorFlow places its model itself."""

    def __reduce__(self) -> Any:
        return _stored_keras_shim, (self.to_bytes(),)  # for copies, too

    def to_bytes(self) -> bytes:
        """The .keras file of the model; the same weights give the same bytes."""
        return b"" if self._model is None else keras_bytes(self._model)

    def from_bytes(self, data: bytes) -> "KerasShim":
        """Load a .keras file with safe_mode: layers of Keras alone, no code.

        Raises:
            ValueError: "the Keras model is damaged ...", "TensorFlow is not installed ...".
        """
        tensorflow()
        from keras.saving import load_model

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            path.write_bytes(data)
            # zipfile, h5py, json and Keras each raise their own errors on damaged bytes
            try:
                self._model = load_model(path, compile=False, safe_mode=True) if data else None
            except Exception as error:
                raise damaged(self.framework, "made by a newer Keras", error) from None
        return self


def _stored_keras_shim(data: bytes) -> KerasShim:
    return KerasShim(None).from_bytes(data)


def keras_bytes(model: Any) -> bytes:
    """A Keras model as the content of a .keras file; the same weights give the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return _reproducible(path.read_bytes())


def _reproducible(data: bytes) -> bytes:
    """A .keras file (a zip) without what differs between runs: dates and memory addresses."""
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


# PyTorch network


def build_torch_network(
    settings: Settings, n_labels: int, table: NDArray[np.float32] | None
) -> Any:
    """The PyTorch module. spaCy has seeded PyTorch by training.seed.

    Args:
        settings: of the network.
        n_labels: width of the output.
        table: static vectors (n_words, width), or None for learned embeddings.
    """
    torch = pytorch()
    nn = torch.nn
    is_cnn = settings.network == "cnn"

    class TextCat(nn.Module):  # type: ignore[name-defined,misc]  # here: PyTorch may be missing
        def __init__(self) -> None:
            super().__init__()
            width = settings.width if table is None else table.shape[1]
            self.width = width
            self.embed = _torch_embeddings(settings, table)
            sizes = settings.windows if is_cnn else []
            # a matrix product over windows: PyTorch rebuilds a convolution for each text length
            self.filters = nn.ModuleList(
                [nn.Linear(width * size, settings.hidden) for size in sizes]
            )
            self.lstm: Any = None
            if not is_cnn:
                self.lstm = nn.LSTM(width, settings.hidden, batch_first=True, bidirectional=True)
            self.dropout = nn.Dropout(settings.dropout)
            self.last = nn.Linear(settings.hidden * (len(sizes) or 2), n_labels)

        def forward(self, words: Any, lengths: Any) -> Any:
            """(n_docs, length, ...) and (n_docs,) -> logits (n_docs, n_labels)."""
            inside = torch.arange(words.shape[1], device=words.device) < lengths[:, None]
            mask = inside.unsqueeze(2)
            x = words if self.embed is None else self.embed(words).sum(dim=2)
            x = self.dropout(x) * mask
            if is_cnn:
                x = _torch_cnn(self.filters, settings.windows, x, mask)
            else:
                x = _torch_bilstm(self.lstm, x, lengths.clamp(min=1), mask)
            return self.last(self.dropout(x))

    return TextCat()


def _torch_embeddings(settings: Settings, table: NDArray[np.float32] | None) -> Any:
    """The embedding layer; None if the network reads vectors."""
    torch = pytorch()
    if settings.embeddings == "tuned" and table is not None:
        start = torch.from_numpy(with_empty_row(table))
        return torch.nn.Embedding.from_pretrained(start, freeze=False, padding_idx=0)
    if settings.embeddings == "frozen":
        return None
    embed = torch.nn.Embedding(settings.rows, settings.width, padding_idx=0)
    torch.nn.init.uniform_(embed.weight, -EMBEDDING_RANGE, EMBEDDING_RANGE)
    return embed


def _torch_cnn(filters: Any, windows: list[int], x: Any, mask: Any) -> Any:
    """(n_docs, length, width) -> (n_docs, hidden * n_windows): the maximum of each filter."""
    torch = pytorch()
    features = []
    for size, linear in zip(windows, filters):
        padded = torch.nn.functional.pad(x, (0, 0, (size - 1) // 2, size // 2))
        activations = linear(padded.unfold(1, size, 1).flatten(2)).relu() * mask
        features.append(activations.amax(dim=1))
    return torch.cat(features, dim=1)


def _torch_bilstm(lstm: Any, x: Any, lengths: Any, mask: Any) -> Any:
    """(n_docs, length, width) -> (n_docs, 2 * hidden): the mean over the tokens."""
    rnn = pytorch().nn.utils.rnn
    packed = rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    states, _ = rnn.pad_packed_sequence(lstm(packed)[0], batch_first=True, total_length=x.shape[1])
    return (states * mask).sum(dim=1) / lengths[:, None]


# Between Thinc and PyTorch


class TorchShim(PyTorchShim):
    """Thinc's shim, with averages and without pickle.

    Thinc 8.3 looks for averages under names that its optimizer does not use.
    """

    framework = "PyTorch"
    settings: Settings

    def build(self, settings: Settings, n_labels: int, table: NDArray[np.float32] | None) -> None:
        """Make the network."""
        self._model = build_torch_network(settings, n_labels, table).to(self.device)

    def sizes(self) -> Sizes | None:
        """What the network fits to; None if it is not built yet."""
        network = self._model
        if not hasattr(network, "last"):
            return None
        width = None if self.settings.embeddings == "learned" else network.width
        return Sizes(width, None if network.embed is None else network.embed.num_embeddings)

    def _tensors(self, inputs: Inputs) -> ArgsKwargs:
        torch = pytorch()
        if os.getpid() != PROCESS:  # PyTorch waits forever for threads that a fork does not have
            torch.set_num_threads(1)
        return ArgsKwargs(tuple(torch.from_numpy(part).to(self.device) for part in inputs), {})

    def predict(self, inputs: Inputs) -> Any:  # type: ignore[override]
        """Logits (n_docs, n_labels)."""
        return torch2xp(super().predict(self._tensors(inputs)))

    def begin_update(  # type: ignore[override]
        self, inputs: Inputs
    ) -> tuple[Any, Backprop]:
        """Logits, and the function that takes their gradient."""
        logits, backprop = super().begin_update(self._tensors(inputs))

        def update(gradient: OutT) -> InT:
            tensors = {"grad_tensors": xp2torch(gradient, device=self.device)}
            backprop(ArgsKwargs(((logits,),), tensors))
            return []

        return torch2xp(logits), update

    def to_scores(self, outputs: Any, ops: Ops) -> OutT:
        """Scores from what the network gives."""
        scores: Any = ops.softmax if self.settings.exclusive_classes else ops.sigmoid
        return scores(outputs)

    def finish_update(self, optimizer: Optimizer) -> None:
        """Let Thinc's optimizer change the weights in place.

        Thinc 8.3 itself keeps the old weights of each step in memory.
        """
        for name, weights in self._model.named_parameters():
            if weights.grad is not None:
                before: Any = torch2xp(weights.data)
                gradient: Any = torch2xp(weights.grad)
                changed, _ = optimizer((self.id, name), before, gradient)
                weights.data.copy_(xp2torch(changed, device=weights.device))
                weights.grad.zero_()

    @contextmanager
    def use_params(self, params: dict[Any, Any]) -> Iterator[None]:
        """Weights of an optimizer, such as averages, as long as the block lasts."""
        weights = dict(self._model.named_parameters())
        changed = {name: params[(self.id, name)] for name in weights if (self.id, name) in params}
        before = {name: weights[name].data for name in changed}
        for name, values in changed.items():
            weights[name].data = xp2torch(values, device=self.device)
        try:
            yield
        finally:
            for name, values in before.items():
                weights[name].data = values

    def __reduce__(self) -> Any:
        return _torch_shim, (self.settings, self.to_bytes())  # for copies, too

    def to_bytes(self) -> bytes:
        """The weights by name, as np.savez stores arrays: a zip with checksums."""
        weights = self._model.state_dict().items()
        arrays = {name: tensor.cpu().numpy() for name, tensor in weights}
        out = io.BytesIO()
        np.savez(out, allow_pickle=False, **arrays)
        return out.getvalue()

    def from_bytes(self, bytes_data: bytes) -> "TorchShim":
        """Build the network again, with the weights that `to_bytes` gave.

        Raises:
            ValueError: "the PyTorch model is damaged ...", also if it was made with other settings.
        """
        # zipfile, numpy and PyTorch each raise their own errors on damaged bytes
        try:
            self._load(bytes_data)
        except Exception as error:
            raise damaged(self.framework, "made with other settings", error) from None
        return self

    def _load(self, data: bytes) -> None:
        torch = pytorch()
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            weights = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        if "last.weight" in weights:  # else it was stored before it was initialized
            table = _table_like(self.settings, weights)
            network = build_torch_network(self.settings, len(weights["last.bias"]), table)
            network.load_state_dict(weights)
            self._model = network.to(get_torch_default_device())


def _torch_shim(settings: Settings, data: bytes = b"") -> TorchShim:
    """A shim with a network of stored weights; without data, one that is not built yet."""
    shim = TorchShim(pytorch().nn.Identity())
    shim.settings = settings
    return shim.from_bytes(data) if data else shim


def _table_like(settings: Settings, weights: dict[str, Any]) -> NDArray[np.float32] | None:
    """Zeros in the shape of the vectors that the network was trained with."""
    if settings.embeddings == "learned":
        return None
    if settings.embeddings == "tuned":
        rows, width = weights["embed.weight"].shape
        return np.zeros((rows - 1, width), dtype="f4")
    if settings.network == "cnn":
        width = weights["filters.0.weight"].shape[1] // settings.windows[0]
    else:
        width = weights["lstm.weight_ih_l0"].shape[1]
    return np.zeros((1, width), dtype="f4")
