"""Timings of the workflow `textcat`: Keras inside spaCy beside the same Keras model on prepared arrays."""

import io
import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.tokens import Doc
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from spacy.util import import_file, load_config

from benchmarks.measure import Row, in_fresh_process
from benchmarks.ner import COMMENTS, made_up_texts
from scripts.reading import read_docs, read_texts, write_docs

CONFIG = Path("configs/textcat_keras.cfg")
CODE = [Path("scripts/components/training.py"), Path("scripts/components/keras_textcat.py")]
TEXTS, EPOCHS, LABELS = 5_000, 2, ("A", "B", "C")
PREDICTED_TOGETHER = 256  # spaCy's batch_size in the config
NETWORKS = ("cnn", "bilstm")


def write_corpus(folder: Path, n_texts: int) -> None:
    """Comments made of sentences of the project's own, labelled in turn, and ten of them for dev."""
    nlp = spacy.blank("en")
    docs = [
        nlp.make_doc(text)
        for text in itertools.islice(
            made_up_texts([text.text for text in read_texts(COMMENTS)]), n_texts
        )
    ]
    for number, doc in enumerate(docs):
        doc.cats = {label: float(label == LABELS[number % len(LABELS)]) for label in LABELS}
    write_docs(folder / "train.spacy", docs)
    write_docs(folder / "dev.spacy", docs[:10])


def made(folder: Path, network: str) -> tuple[Any, Any]:
    """(pipeline, its component's module) as `spacy train` makes them."""
    *_, module = [import_file(file.stem, file) for file in CODE]
    paths = {f"paths.{name}": str(folder / f"{name}.spacy") for name in ("train", "dev")}
    steps = {
        "training.max_epochs": EPOCHS,
        "training.max_steps": 0,
        "training.patience": 0,
        "training.eval_frequency": 10**9,
    }
    settings = {
        **paths,
        **steps,
        "paths.log": str(folder / "log.jsonl"),
        "components.textcat.model.network": network,
    }
    nlp = init_nlp(load_config(CONFIG, overrides=settings, interpolate=True))
    return nlp, module


def docs_of(folder: Path, nlp: Any) -> list[Doc]:
    """The texts of train, cut into tokens."""
    return list(read_docs(folder / "train.spacy", nlp))


def train_ours(folder: Path, network: str) -> tuple[float, list[list[str]]]:
    """(seconds of spaCy's training loop, texts of each batch)."""
    nlp, _ = made(folder, network)
    textcat, batches = nlp.get_pipe("textcat"), []
    update = textcat.update

    def recorded(examples: Any, **kwargs: Any) -> Any:
        batches.append([example.text for example in examples])
        return update(examples, **kwargs)

    textcat.update = recorded
    start = time.perf_counter()
    spacy_train(nlp, None, stdout=io.StringIO(), stderr=io.StringIO())  # type: ignore[arg-type]
    return time.perf_counter() - start, batches


def _network_of(nlp: Any) -> tuple[Any, dict[str, Any]]:
    """(Keras model of a pipeline, what its arrays depend on)."""
    settings = nlp.config["components"]["textcat"]["model"]
    return nlp.get_pipe("textcat").model.shims[0]._model, {
        key: settings[key] for key in ("embeddings", "rows", "max_length")
    }


def train_peer(folder: Path, network: str, batches: list[list[str]]) -> float:
    """Seconds of Keras' own fit on the same batches, as arrays made beforehand."""
    nlp, module = made(folder, network)
    tensorflow = module.tensorflow()
    model, settings = _network_of(nlp)
    docs = {doc.text: doc for doc in docs_of(folder, nlp)}
    arrays = [module.to_arrays([docs[text] for text in batch], **settings) for batch in batches]
    gold = [
        np.asarray([[docs[text].cats[label] for label in LABELS] for text in batch], dtype="f4")
        for batch in batches
    ]
    signature = (
        tuple(tensorflow.TensorSpec(part.shape, part.dtype) for part in model.inputs),
        tensorflow.TensorSpec((None, len(LABELS))),
    )
    data = tensorflow.data.Dataset.from_generator(
        lambda: zip(map(tuple, arrays), gold), output_signature=signature
    )
    model.compile("adam", "categorical_crossentropy")
    start = time.perf_counter()
    model.fit(data.prefetch(2), verbose=0)
    return time.perf_counter() - start


def predict_ours(folder: Path, network: str) -> float:
    """Seconds of textcat.predict over Docs made beforehand, once it is warm."""
    nlp, _ = made(folder, network)
    textcat, docs = nlp.get_pipe("textcat"), docs_of(folder, nlp)
    textcat.predict(docs[:PREDICTED_TOGETHER])
    start = time.perf_counter()
    for first in range(0, len(docs), PREDICTED_TOGETHER):
        textcat.predict(docs[first : first + PREDICTED_TOGETHER])
    return time.perf_counter() - start


def predict_peer(folder: Path, network: str) -> float:
    """Seconds of the same model on the same batches, as arrays made beforehand: predict, or a traced call where that is faster."""
    nlp, module = made(folder, network)
    tensorflow = module.tensorflow()
    model, settings = _network_of(nlp)
    docs = docs_of(folder, nlp)
    batches = [
        module.to_arrays(docs[first : first + PREDICTED_TOGETHER], **settings)
        for first in range(0, len(docs), PREDICTED_TOGETHER)
    ]
    signature = [tensorflow.TensorSpec(part.shape, part.dtype) for part in model.inputs]
    traced = tensorflow.function(
        lambda *arrays: model(list(arrays), training=False),
        input_signature=signature,
        autograph=False,
    )
    took = []
    for call in (
        lambda arrays: model.predict_on_batch(arrays),
        lambda arrays: traced(*arrays).numpy(),
    ):
        call(batches[0])
        start = time.perf_counter()
        for arrays in batches:
            call(arrays)
        took.append(time.perf_counter() - start)
    return min(took)


def run(scale: float) -> list[Row]:
    """Training and inference of each network, ours and the peer's in turn."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder, n_texts = Path(name), max(int(TEXTS * scale), 60)
        write_corpus(folder, n_texts)
        for network in NETWORKS:
            seconds, batches = in_fresh_process(train_ours, folder, network)
            peer = in_fresh_process(train_peer, folder, network, batches)
            n_trained = sum(map(len, batches))
            note = f"{len(batches)} batches, {EPOCHS} epochs; both with the tracing of the graph, neither with an evaluation on dev"
            rows.append(
                _row(
                    f"train, Keras {network}, {n_texts:,} texts",
                    n_trained,
                    seconds,
                    "Keras fit on arrays",
                    peer,
                    2.0,
                    note,
                )
            )
            seconds, peer = (
                in_fresh_process(side, folder, network) for side in (predict_ours, predict_peer)
            )
            note = f"batches of {PREDICTED_TOGETHER} Docs"
            rows.append(
                _row(
                    f"predict, Keras {network}, {n_texts:,} texts",
                    n_texts,
                    seconds,
                    "Keras on arrays",
                    peer,
                    1.5,
                    note,
                )
            )
    return rows


def _row(
    what: str, n_texts: int, seconds: float, peer_name: str, peer: float, most: float, note: str
) -> Row:
    return Row(
        what,
        "texts/s",
        n_texts / seconds,
        peer_name,
        n_texts / peer,
        f"time <= {most:g}x",
        seconds / peer <= most,
        note,
    )
