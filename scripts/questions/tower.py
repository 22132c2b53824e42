"""Two towers with Keras: a title and a text that belongs to it come to lie near each other.

A tower is the sum of the embeddings of a text's words, each times a weight of its own, scaled to length 1; so the product of two is a
cosine. The embeddings are shared; the weights are each tower's own, and start as idf. Within a batch the texts of other questions are the
negatives, in both directions, by one matrix product (Henderson et al. 2017, "Efficient Natural Language Response Suggestion").
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import srsly

from scripts.files import need, write_bytes
from scripts.keras_models import keras_bytes, load_keras
from scripts.pipelines import load_nlp
from scripts.questions.encoder import FORMAT, Encoder
from scripts.questions.records import Question
from scripts.questions.text import words

Floats2d = npt.NDArray[np.float32]
Ints2d = npt.NDArray[np.int32]
RESERVED = 2  # rows of the table that are no word: padding, and words that are not known
TITLE_WORDS = 40  # words of a title that count
AWAY = -1e9  # the score of a pair that is no negative
PATIENCE = 3  # epochs without a better loss on dev after which training ends


@dataclass(frozen=True)
class Settings:
    """How to train."""

    positives: str = "both"  # what belongs to a title: body, answer or both
    start: str = "lsa"  # where embeddings start: lsa, random, or a pipeline or vectors folder with word vectors
    vocabulary: int = 20_000  # words at most
    width: int = 64
    text_words: int = 120  # words of a body or an answer that count
    temperature: float = 0.05
    dropout: float = 0.2  # share of the words of a text that are left out at random while training
    learn_rate: float = 0.001
    batch_size: int = 64
    epochs: int = 20
    seed: int = 0


@dataclass
class Towers:
    """The trained model: of Keras, which takes texts, and as arrays."""

    model: Any  # (titles, texts) -> cosines
    title_tower: Any  # titles -> unit vectors
    titles: Encoder
    texts: Encoder
    log: list[dict[str, float]]  # losses of each epoch
    best: int  # the epoch that was kept, from 1; 0 for the start


def spaced(text: str) -> str:
    """The words of a text with a space between them: what the saved models take."""
    return " ".join(words(text))


def pairs_of(questions: Sequence[Question], positives: str) -> list[tuple[int, str, str]]:
    """(number of the question, title, text that belongs to it), for questions whose title has a word.

    Args:
        questions: to learn from.
        positives: "body", "answer" or "both".
    """
    found = []
    for number, question in enumerate(questions):
        texts = [question.body] if positives in ("body", "both") else []
        texts += question.answers if positives in ("answer", "both") else ()
        found += [
            (number, spaced(question.title), spaced(text))
            for text in texts
            if words(question.title) and words(text)
        ]
    return found


def choose_words(
    texts: Iterable[str], most: int, least: int = 2
) -> tuple[list[str], npt.NDArray[np.float32]]:
    """The words that are in most texts, and their idf, (n_words,); those in fewer than `least` are left out.

    Raises:
        ValueError: "no word ...".
    """
    texts = list(texts)
    counts = Counter(word for text in texts for word in set(text.split()))
    chosen = sorted(
        (word for word, n in counts.items() if n >= least), key=lambda word: (-counts[word], word)
    )[:most]
    if not chosen:
        raise ValueError(
            f"no word is in {least} texts of the training questions: take a larger dump"
        )
    return chosen, np.log(1 + len(texts) / np.array([counts[word] for word in chosen], "f4"))


def start_table(vocabulary: list[str], texts: Sequence[str], settings: Settings) -> Floats2d:
    """Embeddings to start from, (RESERVED + n_words, width).

    "lsa" takes the right singular vectors of the texts' tf-idf (Deerwester et al. 1990), "random" draws, and a name is of a pipeline whose
    vectors are taken, with their own width.

    Raises:
        ValueError: "... has no vectors ..." or "... knows none of ... words ...".
    """
    rng, n = np.random.default_rng(settings.seed), len(vocabulary)
    if settings.start not in ("lsa", "random"):
        vectors = load_nlp(settings.start).vocab
        if not vectors.vectors_length:
            raise ValueError(
                f"{settings.start} has no vectors: give lsa, random, or a pipeline with vectors by vars.questions.start"
            )
        rows = np.array([vectors.get_vector(word) for word in vocabulary], "f4")
        if not rows.any():
            raise ValueError(
                f"{settings.start} knows none of the {n:,} words of the training questions: give other vectors"
            )
        rows /= np.sqrt((rows**2).sum(axis=1)[rows.any(axis=1)].mean())
    else:
        rows = rng.normal(0, settings.width**-0.5, (n, settings.width)).astype("f4")
        size = min(settings.width, n - 1, len(texts) - 1)
        if settings.start == "lsa" and size > 0:
            extraction, decomposition = (
                need("sklearn.feature_extraction.text", "questions"),
                need("sklearn.decomposition", "questions"),
            )
            vectorizer = extraction.TfidfVectorizer(
                vocabulary=vocabulary, tokenizer=str.split, token_pattern=None, sublinear_tf=True
            )
            found = (
                decomposition.TruncatedSVD(size, random_state=settings.seed)
                .fit(vectorizer.fit_transform(texts))
                .components_.T
            )
            rows = np.zeros_like(rows)
            rows[:, :size] = (
                found * np.sqrt(n / size) * settings.width**-0.5
            )  # as long, on average, as those that are drawn
    return np.concatenate([np.zeros((RESERVED, rows.shape[1]), "f4"), rows])


@dataclass(frozen=True)
class _Network:
    """The layers of both towers, and the models over them."""

    both: Any  # numbers of the words of titles and texts -> (n, 2, width) unit vectors; the one that trains
    model: Any  # titles, texts -> cosines
    title_tower: Any  # titles -> unit vectors
    layers: list[Any]  # embeddings, weights of titles, weights of texts


def _build(vocabulary: list[str], table: Floats2d, idf: Any, settings: Settings) -> _Network:
    """The towers over numbers of words, and over texts."""
    k = load_keras()
    weights = np.concatenate([np.zeros(RESERVED, "f4"), idf])[:, None]
    layers = [k.layers.Embedding(*table.shape, weights=[table], name="words")]
    numbers, vectors, titles_and_texts, of_texts = [], [], [], []
    for name, longest in (("title", TITLE_WORDS), ("text", settings.text_words)):
        weight = k.layers.Embedding(len(table), 1, weights=[weights], name=f"{name}_weights")
        drop, unit = (
            k.layers.Dropout(settings.dropout),
            k.layers.UnitNormalization(name=f"{name}_vector"),
        )
        layers.append(weight)

        def tower(ids: Any, parts: Any = (layers[0], weight, drop, unit)) -> Any:
            shared, weight, drop, unit = parts
            known = k.ops.cast(ids >= RESERVED, "float32")[..., None]
            return unit(k.ops.sum(shared(ids) * weight(ids) * drop(known), axis=1))

        numbers.append(k.Input((longest,), dtype="int32", name=f"{name}_words"))
        vectors.append(tower(numbers[-1]))
        options = {
            "standardize": None,
            "split": "whitespace",
            "output_sequence_length": longest,
            "vocabulary": vocabulary,
        }
        titles_and_texts.append(k.Input((), dtype="string", name=name))
        of_texts.append(
            tower(
                k.layers.TextVectorization(**options, name=f"{name}_vocabulary")(
                    titles_and_texts[-1]
                )
            )
        )
    return _Network(
        k.Model(numbers, k.ops.stack(vectors, axis=1)),
        k.Model(titles_and_texts, k.layers.Dot(axes=1, name="cosine")(of_texts), name="two_towers"),
        k.Model(titles_and_texts[0], of_texts[0], name="title_tower"),
        layers,
    )


def _loss(temperature: float) -> Any:
    """Softmax over the batch in both directions; a text of the same question is no negative."""
    ops = load_keras().ops

    def loss(group: Any, vectors: Any) -> Any:
        scores = ops.matmul(vectors[:, 0], ops.transpose(vectors[:, 1])) / temperature
        group = ops.reshape(group, (-1,))
        n = ops.shape(group)[0]
        same = ops.logical_and(
            group[:, None] == group[None], ops.logical_not(ops.eye(n, dtype="bool"))
        )
        scores = ops.where(same, AWAY, scores)
        right = ops.diagonal(scores)
        return (ops.logsumexp(scores, axis=1) + ops.logsumexp(scores, axis=0)) / 2 - right

    return loss


def train(
    questions: Sequence[Question],
    dev: Sequence[Question],
    answers: Sequence[str],
    settings: Settings,
    show: Any = None,
) -> Towers:
    """Train the towers on questions; the epoch with the lowest loss on dev is kept.

    Args:
        questions: to learn from.
        dev: to choose the epoch by.
        answers: texts that will be searched; which question each belongs to is not told. They take part in the vocabulary, in idf, and in
            what the embeddings start from.
        settings: see there.
        show: called with (epoch, loss, loss on dev) after each.

    Raises:
        ValueError: "... too few pairs ...", and what `load_keras`, `choose_words` and `start_table` raise.
    """
    k = load_keras()
    k.utils.clear_session()  # the names of layers are counted on, and are part of what is saved
    k.utils.set_random_seed(settings.seed)
    pairs, dev_pairs = (pairs_of(some, settings.positives) for some in (questions, dev))
    if len(pairs) < 2 or len(dev_pairs) < 2:
        raise ValueError(
            f"{len(pairs)} pairs to train on and {len(dev_pairs)} to choose by are too few pairs: take a larger dump"
        )
    texts = list(
        dict.fromkeys(
            [*(text for _, title, body in pairs for text in (title, body)), *map(spaced, answers)]
        )
    )
    vocabulary, idf = choose_words(texts, settings.vocabulary)
    table = start_table(vocabulary, texts, settings)
    network = _build(vocabulary, table, idf, settings)
    both = network.both
    both.compile(optimizer=k.optimizers.Adam(settings.learn_rate), loss=_loss(settings.temperature))
    encoded, dev_encoded = (_encode(some, vocabulary, settings) for some in (pairs, dev_pairs))
    log: list[dict[str, float]] = []

    def note(epoch: int, logs: dict[str, float]) -> None:
        log.append(
            {"epoch": epoch + 1, "loss": float(logs["loss"]), "dev_loss": float(logs["val_loss"])}
        )
        if show:
            show(epoch + 1, log[-1]["loss"], log[-1]["dev_loss"])

    at_start = float(both.evaluate(*dev_encoded, batch_size=settings.batch_size, verbose=0))
    stopping = k.callbacks.EarlyStopping(
        patience=PATIENCE, restore_best_weights=True, baseline=at_start
    )
    first = both.get_weights()
    callbacks = [stopping, k.callbacks.LambdaCallback(on_epoch_end=note)]
    options = {
        "batch_size": settings.batch_size,
        "epochs": settings.epochs,
        "verbose": 0,
        "callbacks": callbacks,
    }
    both.fit(*encoded, validation_data=dev_encoded, **options)
    best = min(range(len(log)), key=lambda i: np.nan_to_num(log[i]["dev_loss"], nan=np.inf))
    if (
        not log[best]["dev_loss"] < at_start
    ):  # then no epoch helped, or the loss is no number, and the start is kept
        both.set_weights(first)
        best = -1
    rows, title_weights, text_weights = (
        np.asarray(layer.get_weights()[0])[RESERVED:] for layer in network.layers
    )
    encoders = (
        Encoder(vocabulary, rows * title_weights, TITLE_WORDS),
        Encoder(vocabulary, rows * text_weights, settings.text_words),
    )
    return Towers(network.model, network.title_tower, *encoders, log, best + 1)


def _encode(
    pairs: Sequence[tuple[Any, ...]], vocabulary: list[str], settings: Settings
) -> tuple[list[Ints2d], Ints2d]:
    """Pairs as numbers of words, (n_pairs, n_words) for each tower, and the number of the question of each, (n_pairs, 1)."""
    places = {word: number for number, word in enumerate(vocabulary, start=RESERVED)}
    inputs = []
    for side, longest in ((1, TITLE_WORDS), (2, settings.text_words)):
        ids = np.zeros((len(pairs), longest), "i4")
        for row, pair in enumerate(pairs):
            found = [places.get(word, 1) for word in pair[side].split()[:longest]]
            ids[row, : len(found)] = found
        inputs.append(ids)
    return inputs, np.array([[number] for number, _, _ in pairs], "i4")


def write(folder: Path, towers: Towers) -> None:
    """Write the whole model, the title tower alone, and the title tower's arrays."""
    for name, model in (("model", towers.model), ("title_tower", towers.title_tower)):
        write_bytes(folder / f"{name}.keras", keras_bytes(model))
    for name, encoder in (("titles", towers.titles), ("texts", towers.texts)):
        np.save(folder / f"{name}.npy", encoder.table, allow_pickle=False)
    srsly.write_json(
        folder / "words.json",
        {
            "format": FORMAT,
            "titles": towers.titles.longest,
            "texts": towers.texts.longest,
            "words": towers.titles.words,
        },
    )
