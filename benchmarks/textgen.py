"""Measurements of the workflow `textgen` beside the Deep Learning Cookbook's way: what is learned in the same time, and generating."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import Row, in_fresh_process
from scripts.keras_models import load_keras, tensorflow
from scripts.textgen import sources
from scripts.textgen.characters import Characters, split
from scripts.textgen.network import Network, build, empty_states
from scripts.textgen.sample import generate
from scripts.textgen.train import Schedule, Shape, Trainer, batches, read_settings, train

CONFIG = Path("configs/textgen.cfg")
SECONDS, LENGTH = 600, 2_000
DEV = 200_000  # characters to measure by
PEER_CHUNK, PEER_BATCH, PEER_WIDTH = 160, 256, 512
WHOLE = 100  # each so many characters the peer's step is timed
Ids = NDArray[np.int64]


def texts() -> tuple[Characters, Ids, Ids]:
    """The source of the standard library, as textgen-corpus prepares it: characters, train, dev."""
    read = []
    for file in sources.files_of(sources.STDLIB):
        try:
            read.append(sources.read(file))
        except ValueError:
            continue
    text, dev = split(read, 0.1, 0)
    characters = Characters.of(text, 5)
    return characters, characters.encode(text), characters.encode(dev)[:DEV]


def seconds_of_a_step(text: Ids, n_characters: int, shape: Shape, schedule: Schedule) -> float:
    """Of training, once it is traced."""
    trainer, places = Trainer(n_characters, shape, schedule, 0), batches(text, schedule, 0, 0)
    batch = next(places)[0]
    trainer.update(text[batch], text[batch], True)
    start = time.perf_counter()
    for _ in range(5):
        trainer.update(text[batch], text[batch], False)
    return (time.perf_counter() - start) / 5


def train_ours(seconds: float) -> float:
    """Bits per character of dev after a training that takes so long: as many steps as fit."""
    characters, text, dev = texts()
    shape, schedule = read_settings(CONFIG, {})
    n_steps = max(2, int(seconds / seconds_of_a_step(text, len(characters.known), shape, schedule)))
    schedule = schedule.model_copy(
        update={
            "max_steps": n_steps,
            "warmup": min(schedule.warmup, n_steps // 5),
            "eval_frequency": n_steps,
        }
    )
    trainer = Trainer(len(characters.known), shape, schedule, 0)
    return [found.dev_bits for found in train(text, dev, trainer, schedule, 0)][-1]


def peer_model(n_characters: int) -> Any:
    """One-hot characters, two LSTM layers of 512, RMSprop with a rate of 0.01."""
    keras = load_keras()
    layers = keras.layers
    given = layers.Input((None, n_characters))
    hidden = given
    for _ in range(2):
        hidden = layers.Dropout(0.1)(layers.LSTM(PEER_WIDTH, return_sequences=True)(hidden))
    model = keras.Model(
        given, layers.TimeDistributed(layers.Dense(n_characters, activation="softmax"))(hidden)
    )
    model.compile(keras.optimizers.RMSprop(0.01), "categorical_crossentropy")
    return model


def train_peer(seconds: float) -> float:
    """The same for the Deep Learning Cookbook's network: pieces of 160 characters from anywhere, each from an empty state."""
    characters, text, dev = texts()
    load_keras().utils.set_random_seed(0)
    model, one_hot, rng = (
        peer_model(len(characters.known)),
        np.eye(len(characters.known), dtype="f4"),
        np.random.default_rng(0),
    )

    def step() -> None:
        places = rng.integers(len(text) - PEER_CHUNK - 1, size=(PEER_BATCH, 1)) + np.arange(
            PEER_CHUNK
        )
        model.train_on_batch(one_hot[text[places]], one_hot[text[places + 1]])

    step()  # traced; the same is left out of our seconds
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        step()
    bits = []
    for at in range(
        0, len(dev) - 2 * PEER_CHUNK, PEER_CHUNK * 64
    ):  # each character has at least as much before it as in training
        begins = np.arange(at, min(at + PEER_CHUNK * 64, len(dev) - 2 * PEER_CHUNK), PEER_CHUNK)
        places = begins[:, None] + np.arange(2 * PEER_CHUNK)
        found = model.predict_on_batch(one_hot[dev[places]])[:, PEER_CHUNK - 1 : -1]
        truth = dev[places[:, PEER_CHUNK:]]
        bits.append(
            -np.log2(np.maximum(np.take_along_axis(found, truth[..., None], axis=-1)[..., 0], 1e-7))
        )
    return float(np.concatenate(bits).mean())


def sample_ours(n_characters: int, length: int) -> float:
    """Seconds for so many characters."""
    shape, _ = read_settings(CONFIG, {})
    characters = Characters("".join(chr(33 + i) for i in range(n_characters - 1)) + "\ufffd")
    network = Network(build(n_characters, shape))
    generate(network, characters, "abc", 3)
    start = time.perf_counter()
    generate(network, characters, "abc", length)
    return time.perf_counter() - start


def sample_peer(n_characters: int, length: int) -> float:
    """Seconds of the same network when the whole text goes through it for each new character; measured at some lengths."""
    shape, _ = read_settings(CONFIG, {})
    model, tf = build(n_characters, shape), tensorflow()
    run, states = (
        tf.function(lambda inputs: model(inputs, training=False)[0], reduce_retracing=True),
        empty_states(model, 1),
    )
    every = min(WHOLE, length)
    for n in (1, 2):
        run([np.zeros((1, n), np.int32), *states])
    seconds = 0.0
    for n in range(every // 2, length, every):
        start = time.perf_counter()
        run([np.zeros((1, n), np.int32), *states]).numpy()
        seconds += (time.perf_counter() - start) * every
    return seconds


def run(scale: float) -> list[Row]:
    """What is learned in the same time, and the time for the same text."""
    seconds, length, n_characters = SECONDS * scale, max(int(LENGTH * scale), 20), 97
    ours, peer = in_fresh_process(train_ours, seconds), in_fresh_process(train_peer, seconds)
    note = "standard library, dev of 200,000 characters; without the time for tracing the graph and for measuring"
    rows = [
        Row(
            f"learn for {seconds:,.0f} s",
            "bits/character",
            ours,
            "one-hot, 2 x 512 LSTM",
            peer,
            "clearly lower",
            ours < peer - 0.1,
            note,
        )
    ]
    taken, otherwise = (
        in_fresh_process(sample_ours, n_characters, length),
        in_fresh_process(sample_peer, n_characters, length),
    )
    name = "the whole text again for each"
    return [
        *rows,
        Row(
            f"generate {length:,} characters",
            "characters/s",
            length / taken,
            name,
            length / otherwise,
            ">= 50x",
            otherwise / taken >= 50,
        ),
    ]
