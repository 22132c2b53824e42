"""Train two towers with Keras: a title and a text that belongs to it get similar vectors."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import srsly

from scripts.files import write_bytes
from scripts.keras_models import keras_bytes, load_keras
from scripts.questions.embeddings import RESERVED, start_table
from scripts.questions.encoder import FORMAT, Encoder
from scripts.questions.network import TITLE_WORDS, Network, build, contrastive_loss
from scripts.questions.options import TowerSettings
from scripts.questions.pairs import Pair, choose_words, make_pairs, training_texts
from scripts.questions.records import Question, Split

Ints2d = npt.NDArray[np.int32]
Encoded = tuple[list[Ints2d], Ints2d]
PATIENCE = 3  # training ends after so many epochs without a lower loss on dev


@dataclass
class Towers:
    """The trained model: of Keras, which takes texts, and as arrays."""

    model: Any  # (titles, texts) -> cosines
    title_tower: Any  # titles -> unit vectors
    titles: Encoder
    texts: Encoder
    log: list[dict[str, float]]  # losses of each epoch
    best: int  # the epoch that was kept, from 1; 0 for the start


def train_on_split(questions: Sequence[Question], split: Split, settings: TowerSettings) -> Towers:
    """Train on the train part of a split, and choose the epoch on its dev part.

    Training sees the answers of all parts, but not which question of dev or test they belong to.
    """
    answers = list(chain.from_iterable(question.answers for question in questions))
    train_part = [questions[number] for number in split.train]
    dev_part = [questions[number] for number in split.dev]
    return train(train_part, dev_part, answers, settings, _print_epoch)


def _print_epoch(line: dict[str, float]) -> None:
    losses = f"loss {line['loss']:.3f}, on dev {line['dev_loss']:.3f}"
    print(f"epoch {line['epoch']}: {losses}", file=sys.stderr, flush=True)


def train(
    questions: Sequence[Question],
    dev: Sequence[Question],
    answers: Sequence[str],
    settings: TowerSettings,
    after_epoch: Callable[[dict[str, float]], None] = lambda line: None,
) -> Towers:
    """Train the towers, and keep the epoch with the lowest loss on dev.

    Args:
        questions: to learn from.
        dev: to choose the epoch.
        answers: all texts that will be searched, for the vocabulary, idf and the first embeddings.
        settings: of the towers and their training.
        after_epoch: called with the epoch, the loss and the loss on dev after each epoch.

    Raises:
        ValueError: "... too few pairs ...", and what `load_keras`, `choose_words` and `start_table`
            raise.
    """
    keras = load_keras()
    keras.utils.clear_session()  # restarts the numbers in layer names, which are saved
    keras.utils.set_random_seed(settings.seed)
    pairs, dev_pairs = (make_pairs(part, settings.positives) for part in (questions, dev))
    if len(pairs) < 2 or len(dev_pairs) < 2:
        sizes = f"{len(pairs)} pairs in train and {len(dev_pairs)} in dev"
        raise ValueError(f"{sizes} are too few pairs: take a larger dump")
    texts = training_texts(pairs, answers)
    vocabulary, idf = choose_words(texts, settings.vocabulary)
    table = start_table(vocabulary, texts, settings)
    network = build(vocabulary, table, idf, settings)
    encoded, dev_encoded = (encode(part, vocabulary, settings) for part in (pairs, dev_pairs))
    log, best = _fit(network.both, encoded, dev_encoded, settings, after_epoch)
    titles, encoder = _encoders(network, vocabulary, settings)
    return Towers(network.model, network.title_tower, titles, encoder, log, best)


def encode(pairs: Sequence[Pair], vocabulary: list[str], settings: TowerSettings) -> Encoded:
    """Pairs as arrays.

    Returns:
        the numbers of the words, (n_pairs, n_words) for each tower, and the number of each pair's
        question, (n_pairs, 1).
    """
    numbers = {word: number for number, word in enumerate(vocabulary, start=RESERVED)}
    titles = _word_numbers([pair.title for pair in pairs], numbers, TITLE_WORDS)
    texts = _word_numbers([pair.text for pair in pairs], numbers, settings.text_words)
    return [titles, texts], np.array([[pair.question] for pair in pairs], "i4")


def _word_numbers(texts: Sequence[str], numbers: dict[str, int], max_words: int) -> Ints2d:
    """The numbers of the words of texts, (n_texts, max_words): 0 is padding, 1 an unknown word."""
    table = np.zeros((len(texts), max_words), "i4")
    for row, text in enumerate(texts):
        of_text = [numbers.get(word, 1) for word in text.split()[:max_words]]
        table[row, : len(of_text)] = of_text
    return table


def _fit(
    model: Any,
    train_data: Encoded,
    dev_data: Encoded,
    settings: TowerSettings,
    after_epoch: Callable[[dict[str, float]], None],
) -> tuple[list[dict[str, float]], int]:
    """Train a model with early stopping; its weights become those of the best epoch.

    Returns:
        the losses of each epoch, and the best epoch: 0 for the start, if no epoch lowered the loss
        on dev or the loss became NaN.
    """
    keras = load_keras()
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learn_rate),
        loss=contrastive_loss(settings.temperature),
    )
    log: list[dict[str, float]] = []

    def note(epoch: int, logs: dict[str, float]) -> None:
        losses = {"loss": float(logs["loss"]), "dev_loss": float(logs["val_loss"])}
        log.append({"epoch": epoch + 1, **losses})
        after_epoch(log[-1])

    loss_at_start = float(model.evaluate(*dev_data, batch_size=settings.batch_size, verbose=0))
    weights_at_start = model.get_weights()
    stopping = keras.callbacks.EarlyStopping(
        patience=PATIENCE, restore_best_weights=True, baseline=loss_at_start
    )
    model.fit(
        *train_data,
        validation_data=dev_data,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        verbose=0,
        callbacks=[stopping, keras.callbacks.LambdaCallback(on_epoch_end=note)],
    )
    dev_losses = np.nan_to_num([line["dev_loss"] for line in log], nan=np.inf)
    best = int(dev_losses.argmin())
    if not dev_losses[best] < loss_at_start:
        model.set_weights(weights_at_start)
        best = -1
    return log, best + 1


def _encoders(
    network: Network, vocabulary: list[str], settings: TowerSettings
) -> tuple[Encoder, Encoder]:
    """The towers of titles and of texts as arrays."""
    weights = [np.asarray(layer.get_weights()[0])[RESERVED:] for layer in network.layers]
    rows, title_weights, text_weights = weights
    titles = Encoder(vocabulary, rows * title_weights, TITLE_WORDS)
    return titles, Encoder(vocabulary, rows * text_weights, settings.text_words)


def write_towers(folder: Path, towers: Towers) -> None:
    """Write the whole Keras model, the Keras title tower, and both towers as arrays."""
    write_bytes(folder / "model.keras", keras_bytes(towers.model))
    write_bytes(folder / "title_tower.keras", keras_bytes(towers.title_tower))
    np.save(folder / "titles.npy", towers.titles.table, allow_pickle=False)
    np.save(folder / "texts.npy", towers.texts.table, allow_pickle=False)
    max_words = {"titles": towers.titles.max_words, "texts": towers.texts.max_words}
    content = {"format": FORMAT, **max_words, "words": towers.titles.words}
    srsly.write_json(folder / "words.json", content)
