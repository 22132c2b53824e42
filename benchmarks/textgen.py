"""Measurements of the workflow `textgen`: what it learns in some time, and how fast it generates.

It is compared with the network of the Deep Learning Cookbook.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import Row, in_fresh_process
from scripts.keras_models import load_keras, tensorflow
from scripts.textgen import sources
from scripts.textgen.characters import UNKNOWN, Characters, split
from scripts.textgen.network import Network, build, empty_states
from scripts.textgen.sample import generate
from scripts.textgen.settings import Schedule, Shape, read_settings
from scripts.textgen.train import Trainer, batches, train

CONFIG = Path("configs/textgen.cfg")
SECONDS, LENGTH = 600, 2_000
DEV_CHARS = 200_000
PEER_CHUNK, PEER_BATCH, PEER_WIDTH = 160, 256, 512
PEER_EVAL_BATCH = 64
PEER_INTERVAL = 100  # characters between two lengths at which a step of the peer is timed
Ids = NDArray[np.int64]


def texts() -> tuple[Characters, Ids, Ids]:
    """The standard library as textgen-corpus prepares it: (characters, train, dev)."""
    files = sources.files_of(sources.STDLIB)
    text, dev = split(sources.read_files(files, skip_bad=True), 0.1, 0)
    characters = Characters.of(text, 5)
    return characters, characters.encode(text), characters.encode(dev)[:DEV_CHARS]


def seconds_of_a_step(text: Ids, n_characters: int, shape: Shape, schedule: Schedule) -> float:
    """Seconds of a training step, after it is traced."""
    trainer, places = Trainer(n_characters, shape, schedule, 0), batches(text, schedule, 0, 0)
    batch = next(places)[0]
    trainer.update(text[batch], text[batch], True)
    start = time.perf_counter()
    for _ in range(5):
        trainer.update(text[batch], text[batch], False)
    return (time.perf_counter() - start) / 5


def train_ours(seconds: float) -> float:
    """Bits per character of dev after a training of as many steps as fit into the time."""
    characters, text, dev = texts()
    n_characters = len(characters.alphabet)
    shape, schedule = read_settings(CONFIG, {})
    n_steps = max(2, int(seconds / seconds_of_a_step(text, n_characters, shape, schedule)))
    changes = {
        "max_steps": n_steps,
        "warmup": min(schedule.warmup, n_steps // 5),
        "eval_frequency": n_steps,
    }
    schedule = schedule.model_copy(update=changes)
    trainer = Trainer(n_characters, shape, schedule, 0)
    evaluations = list(train(text, dev, trainer, schedule, 0))
    return evaluations[-1].dev_bits


def peer_model(n_characters: int) -> Any:
    """One-hot characters, two LSTM layers of 512, RMSprop with a rate of 0.01."""
    keras = load_keras()
    layers = keras.layers
    one_hot = layers.Input((None, n_characters))
    hidden = one_hot
    for _ in range(2):
        hidden = layers.Dropout(0.1)(layers.LSTM(PEER_WIDTH, return_sequences=True)(hidden))
    output = layers.TimeDistributed(layers.Dense(n_characters, activation="softmax"))(hidden)
    model = keras.Model(one_hot, output)
    model.compile(keras.optimizers.RMSprop(0.01), "categorical_crossentropy")
    return model


def train_peer(seconds: float) -> float:
    """Bits per character of dev after the Deep Learning Cookbook's training of some seconds.

    It learns pieces of 160 characters from anywhere, each from an empty state.
    """
    characters, text, dev = texts()
    n_characters = len(characters.alphabet)
    load_keras().utils.set_random_seed(0)
    model, rng = peer_model(n_characters), np.random.default_rng(0)
    one_hot = np.eye(n_characters, dtype="f4")

    def step() -> None:
        begins = rng.integers(len(text) - PEER_CHUNK - 1, size=(PEER_BATCH, 1))
        places = begins + np.arange(PEER_CHUNK)
        model.train_on_batch(one_hot[text[places]], one_hot[text[places + 1]])

    step()  # traces the graph, which is left out of our seconds too
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        step()
    return _peer_bits(model, one_hot, dev)


def _peer_bits(model: Any, one_hot: NDArray[np.float32], dev: Ids) -> float:
    """Bits per character of dev; each has at least as many characters before it as in training."""
    bits = []
    end, batch = len(dev) - 2 * PEER_CHUNK, PEER_CHUNK * PEER_EVAL_BATCH
    for at in range(0, end, batch):
        begins = np.arange(at, min(at + batch, end), PEER_CHUNK)
        places = begins[:, None] + np.arange(2 * PEER_CHUNK)
        probabilities = model.predict_on_batch(one_hot[dev[places]])[:, PEER_CHUNK - 1 : -1]
        truth = dev[places[:, PEER_CHUNK:]][..., None]
        of_truth = np.take_along_axis(probabilities, truth, axis=-1)[..., 0]
        bits.append(-np.log2(np.maximum(of_truth, 1e-7)))
    return float(np.concatenate(bits).mean())


def sample_ours(n_characters: int, length: int) -> float:
    """Seconds of generating `length` characters."""
    shape, _ = read_settings(CONFIG, {})
    characters = Characters("".join(chr(33 + i) for i in range(n_characters - 1)) + UNKNOWN)
    network = Network(build(n_characters, shape))
    generate(network, characters, "abc", 3)
    start = time.perf_counter()
    generate(network, characters, "abc", length)
    return time.perf_counter() - start


def sample_peer(n_characters: int, length: int) -> float:
    """Seconds of the same network if the whole text goes through it for each new character.

    A step is timed at some lengths of the text.
    """
    shape, _ = read_settings(CONFIG, {})
    model, tf = build(n_characters, shape), tensorflow()
    states = empty_states(model, 1)
    run = tf.function(lambda inputs: model(inputs, training=False)[0], reduce_retracing=True)
    interval = min(PEER_INTERVAL, length)
    for n in (1, 2):
        run([np.zeros((1, n), np.int32), *states])
    seconds = 0.0
    for n in range(interval // 2, length, interval):
        start = time.perf_counter()
        run([np.zeros((1, n), np.int32), *states]).numpy()
        seconds += (time.perf_counter() - start) * interval
    return seconds


def run(scale: float) -> list[Row]:
    """Measure what is learned in the same time, and the time for a text of the same length."""
    seconds, length, n_characters = SECONDS * scale, max(int(LENGTH * scale), 20), 97
    bits = in_fresh_process(train_ours, seconds)
    peer_bits = in_fresh_process(train_peer, seconds)
    ours = in_fresh_process(sample_ours, n_characters, length)
    peer = in_fresh_process(sample_peer, n_characters, length)
    return [
        Row(
            f"learn for {seconds:,.0f} s",
            "bits/character",
            bits,
            "one-hot, 2 x 512 LSTM",
            peer_bits,
            "clearly lower",
            bits < peer_bits - 0.1,
            "standard library, dev of 200,000 characters; "
            "without the time for tracing the graph and for measuring",
        ),
        Row(
            f"generate {length:,} characters",
            "characters/s",
            length / ours,
            "the whole text again for each",
            length / peer,
            ">= 50x",
            peer / ours >= 50,
        ),
    ]
