"""Timings of the workflow `textcat`: Keras inside spaCy next to the same Keras model on arrays."""

import io
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.tokens import Doc
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from spacy.util import load_config

from benchmarks.made_up import made_up_texts
from benchmarks.measure import Row, in_fresh_process
from scripts.components import network_textcat, training  # noqa: F401  what the config names
from scripts.keras_models import tensorflow
from scripts.reading import read_docs, read_texts, write_docs

CONFIG = Path("configs/textcat_keras.cfg")
MESSAGES = Path("assets/textcat/train.jsonl")
TEXTS, EPOCHS, LABELS = 5_000, 2, ("A", "B", "C")
BATCH_SIZE = 256  # spaCy's batch_size in the config
NETWORKS = ("cnn", "bilstm")
MAX_TRAIN_RATIO, MAX_PREDICT_RATIO = 2.0, 1.5  # our time by the peer's
Batches = list[list[str]]


def write_corpus(folder: Path, n_texts: int) -> None:
    """Recombined messages of the project, labelled in turn; ten of them also for dev."""
    nlp = spacy.blank("en")
    messages = [text.text for text in read_texts(MESSAGES)]
    docs = [nlp.make_doc(text) for text in islice(made_up_texts(messages), n_texts)]
    for number, doc in enumerate(docs):
        doc.cats = {label: float(label == LABELS[number % len(LABELS)]) for label in LABELS}
    write_docs(folder / "train.spacy", docs)
    write_docs(folder / "dev.spacy", docs[:10])


def initialized(folder: Path, network: str) -> Any:
    """The pipeline as `spacy train` initializes it."""
    settings = {
        "paths.train": str(folder / "train.spacy"),
        "paths.dev": str(folder / "dev.spacy"),
        "paths.log": str(folder / "log.jsonl"),
        "components.textcat.model.network": network,
        "training.max_epochs": EPOCHS,
        "training.max_steps": 0,
        "training.patience": 0,
        "training.eval_frequency": 10**9,
    }
    return init_nlp(load_config(CONFIG, overrides=settings, interpolate=True))


def docs_of(folder: Path, nlp: Any) -> list[Doc]:
    """The tokenized texts of train."""
    return list(read_docs(folder / "train.spacy", nlp))


def chunks(docs: list[Doc]) -> list[list[Doc]]:
    """Docs in batches of the size that spaCy uses for prediction."""
    return [docs[start : start + BATCH_SIZE] for start in range(0, len(docs), BATCH_SIZE)]


def shim_of(nlp: Any) -> Any:
    """What stands between Thinc and Keras in the pipeline."""
    return nlp.get_pipe("textcat").model.shims[0]


def arrays_of(nlp: Any, docs: list[Doc]) -> tuple[Any, ...]:
    """The tensors that the component makes of Docs."""
    settings = dict(nlp.config["components"]["textcat"]["model"])
    del settings["@architectures"], settings["nO"]
    inputs = network_textcat.to_arrays(docs, network_textcat.Settings(**settings))
    return tuple(tensor.numpy() for tensor in shim_of(nlp)._tensors(inputs))


def train_ours(folder: Path, network: str) -> tuple[float, Batches]:
    """(seconds of spaCy's training loop, texts of each batch)."""
    nlp = initialized(folder, network)
    textcat, batches = nlp.get_pipe("textcat"), []
    update = textcat.update

    def recorded(examples: Any, **kwargs: Any) -> Any:
        batches.append([example.text for example in examples])
        return update(examples, **kwargs)

    textcat.update = recorded
    start = time.perf_counter()
    spacy_train(nlp, None, stdout=io.StringIO(), stderr=io.StringIO())  # type: ignore[arg-type]
    return time.perf_counter() - start, batches


def train_peer(folder: Path, network: str, batches: Batches) -> float:
    """Seconds of Keras' own fit on the same batches, as prepared arrays."""
    nlp, tf = initialized(folder, network), tensorflow()
    model = shim_of(nlp)._model
    docs = {doc.text: doc for doc in docs_of(folder, nlp)}
    arrays, gold = [], []
    for texts in batches:
        batch = [docs[text] for text in texts]
        arrays.append(arrays_of(nlp, batch))
        gold.append(np.asarray([[*map(doc.cats.get, LABELS)] for doc in batch], dtype="f4"))
    inputs = tuple(tf.TensorSpec(part.shape, part.dtype) for part in model.inputs)
    signature = (inputs, tf.TensorSpec((None, len(LABELS))))
    data = tf.data.Dataset.from_generator(lambda: zip(arrays, gold), output_signature=signature)
    model.compile("adam", "categorical_crossentropy")
    start = time.perf_counter()
    model.fit(data.prefetch(2), verbose=0)
    return time.perf_counter() - start


def timed(call: Callable[[Any], Any], batches: list[Any]) -> float:
    """Seconds of a call on each batch, after one to warm up."""
    call(batches[0])
    start = time.perf_counter()
    for batch in batches:
        call(batch)
    return time.perf_counter() - start


def predict_ours(folder: Path, network: str) -> float:
    """Seconds of textcat.predict over prepared Docs."""
    nlp = initialized(folder, network)
    return timed(nlp.get_pipe("textcat").predict, chunks(docs_of(folder, nlp)))


def predict_peer(folder: Path, network: str) -> float:
    """Seconds of the same model on the same batches, as prepared arrays.

    The faster of Keras' predict_on_batch and a traced call.
    """
    nlp, tf = initialized(folder, network), tensorflow()
    model = shim_of(nlp)._model
    batches = [arrays_of(nlp, docs) for docs in chunks(docs_of(folder, nlp))]
    signature = [tf.TensorSpec(part.shape, part.dtype) for part in model.inputs]
    traced = tf.function(
        lambda *arrays: model(list(arrays), training=False), signature, autograph=False
    )
    by_keras = timed(lambda arrays: model.predict_on_batch(list(arrays)), batches)
    return min(by_keras, timed(lambda arrays: traced(*arrays).numpy(), batches))


def run(scale: float) -> list[Row]:
    """Training and prediction of each network, ours and the peer's in turn."""
    rows = []
    n_texts = max(int(TEXTS * scale), 60)
    with tempfile.TemporaryDirectory() as name:
        write_corpus(Path(name), n_texts)
        for network in NETWORKS:
            rows.append(_train_row(Path(name), network, n_texts))
            rows.append(_predict_row(Path(name), network, n_texts))
    return rows


def _train_row(folder: Path, network: str, n_texts: int) -> Row:
    seconds, batches = in_fresh_process(train_ours, folder, network)
    peer = in_fresh_process(train_peer, folder, network, batches)
    n_trained = sum(map(len, batches))
    return Row(
        f"train, Keras {network}, {n_texts:,} texts",
        "texts/s",
        n_trained / seconds,
        "Keras fit on arrays",
        n_trained / peer,
        f"time <= {MAX_TRAIN_RATIO:g}x",
        seconds / peer <= MAX_TRAIN_RATIO,
        f"{len(batches)} batches, {EPOCHS} epochs; both with the tracing of the graph, "
        "neither with an evaluation on dev",
    )


def _predict_row(folder: Path, network: str, n_texts: int) -> Row:
    seconds = in_fresh_process(predict_ours, folder, network)
    peer = in_fresh_process(predict_peer, folder, network)
    return Row(
        f"predict, Keras {network}, {n_texts:,} texts",
        "texts/s",
        n_texts / seconds,
        "Keras on arrays",
        n_texts / peer,
        f"time <= {MAX_PREDICT_RATIO:g}x",
        seconds / peer <= MAX_PREDICT_RATIO,
        f"batches of {BATCH_SIZE} Docs",
    )
