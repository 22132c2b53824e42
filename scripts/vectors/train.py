"""Train word vectors with gensim: word2vec (Mikolov et al. 2013), with a checkpoint after each epoch."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pooch import file_hash

from scripts.files import need, new_folder, progress_bar, remove, replacing, restore_folder
from scripts.vectors.folder import Attr, Written, write_folder
from scripts.vectors.sources import Block

Algorithm = Literal["skip-gram", "cbow"]
FIRST_ALPHA, LAST_ALPHA = 0.025, 0.0001  # learning rate: gensim's, falling in a straight line
ROWS = 10_000  # written at once
SAMPLED = 5_000  # sentences that the loss is measured on
Ints2d = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Settings:
    """What gensim's Word2Vec is told; names as there."""

    algorithm: Algorithm = "skip-gram"
    vector_size: int = 100
    window: int = 10
    negative: int = 5
    min_count: int = 3
    epochs: int = 20
    seed: int = 0
    workers: int = 1  # with more, no two runs are the same


@dataclass(frozen=True)
class Sample:
    """Places in the sentences that the loss is measured at after each epoch. (gensim's own sum is a float32 and loses digits.)"""

    contexts: Ints2d  # (n_places, n_context), -1 for none
    words: Ints2d  # (n_places, 1 + negative): the word that is there, then words drawn by gensim's noise distribution

    @classmethod
    def draw(cls, sentences: Path, model: Any, settings: Settings) -> "Sample":
        """A place in each of some sentences, spread over the file: its word, and one word of its context, or for CBOW all."""
        rng, known = np.random.default_rng(settings.seed), model.wv.key_to_index
        contexts, words = [], []
        with sentences.open(encoding="utf8") as lines:
            for line in islice(lines, 0, None, max(1, model.corpus_count // SAMPLED)):
                rows = [known[word] for word in line.split() if word in known]
                if len(rows) > 1:
                    at = int(rng.integers(len(rows)))
                    around = (
                        rows[max(0, at - settings.window) : at]
                        + rows[at + 1 : at + 1 + settings.window]
                    )
                    some = (
                        around
                        if settings.algorithm == "cbow"
                        else [around[int(rng.integers(len(around)))]]
                    )
                    contexts.append(some)
                    words.append(rows[at])
        if not words:
            raise ValueError(
                f"no sentence of {sentences} has two words that come {settings.min_count} times or more: add texts"
            )
        noise = np.searchsorted(
            model.cum_table, rng.integers(model.cum_table[-1], size=(len(words), settings.negative))
        )
        most = max(map(len, contexts))
        padded = np.array([some + [-1] * (most - len(some)) for some in contexts], "i8")
        return cls(padded, np.column_stack([np.array(words, "i8"), noise]))

    def loss(self, model: Any) -> float:
        """Mean of the negative sampling loss, -log s(v.u) - sum log s(-v.u'), in nats a place."""
        there = (self.contexts >= 0)[..., None]
        means = (model.wv.vectors[self.contexts] * there).sum(axis=1) / there.sum(axis=1)
        products = np.einsum("nw,nkw->nk", means, model.syn1neg[self.words])
        products[:, 1:] *= -1
        return float(np.logaddexp(0, -products).sum(axis=1).mean())


def find_phrases(sentences: Path, output: Path, min_count: int, threshold: float = 10.0) -> int:
    """Join the words of frequent pairs by an underscore (gensim's Phrases: New_York). Returns how many kinds of pairs were found."""
    models, line_sentence = (
        need("gensim.models.phrases", "vectors"),
        need("gensim.models.word2vec", "vectors").LineSentence,
    )
    phrases = models.Phrases(
        line_sentence(str(sentences)),
        min_count=min_count,
        threshold=threshold,
        connector_words=models.ENGLISH_CONNECTOR_WORDS,
    )
    frozen = phrases.freeze()
    with replacing(output) as part, part.open("w", encoding="utf8") as file:
        file.writelines(
            " ".join(frozen[sentence]) + "\n" for sentence in line_sentence(str(sentences))
        )
    return len(frozen.phrasegrams)


def train(sentences: Path, checkpoint: Path, settings: Settings) -> Any:
    """Train on a file of sentences, the words apart by spaces. A run that was killed goes on after its last finished epoch.

    Args:
        sentences: the file.
        checkpoint: a folder that is there from the first epoch until `finish` removes it.
        settings: for gensim. Same settings, same sentences, one worker: same vectors.

    Returns:
        gensim's KeyedVectors.

    Raises:
        ValueError: "no word comes ... times or more ...".
    """
    word2vec = need("gensim.models.word2vec", "vectors")
    restore_folder(checkpoint)
    name = f"{file_hash(str(sentences))} {settings}"
    model = _load(word2vec, checkpoint, name)
    if model is None:
        model = word2vec.Word2Vec(
            sg=int(settings.algorithm == "skip-gram"),
            **{key: value for key, value in asdict(settings).items() if key != "algorithm"},
        )
        model.build_vocab(corpus_file=str(sentences))
        model.quicksilver = {"name": name, "epochs": 0, "losses": []}
    if not len(model.wv):
        raise ValueError(
            f"no word comes {settings.min_count} times or more in {sentences}: lower vars.vectors.min_count or add texts"
        )
    sample = Sample.draw(sentences, model, settings)
    step = (FIRST_ALPHA - LAST_ALPHA) / settings.epochs
    for epoch in range(model.quicksilver["epochs"], settings.epochs):
        alpha = FIRST_ALPHA - epoch * step
        with _progress(f"epoch {epoch + 1} of {settings.epochs}"):
            model.train(
                corpus_file=str(sentences),
                total_examples=model.corpus_count,
                total_words=model.corpus_total_words,
                epochs=1,
                start_alpha=alpha,
                end_alpha=alpha - step,
                report_delay=0.5,
            )
        loss = sample.loss(model)
        model.quicksilver["epochs"] = epoch + 1
        model.quicksilver["losses"].append(loss)
        print(
            f"epoch {epoch + 1} of {settings.epochs}: loss {loss:.3f}, {model.total_train_time:.1f} s of training so far",
            flush=True,
        )
        if epoch + 1 < settings.epochs:
            with new_folder(checkpoint, "model") as part:
                model.save(str(part / "model"))
    return model


def _load(word2vec: Any, checkpoint: Path, name: str) -> Any:
    """The model of a checkpoint that is whole and was made by the same settings and sentences, or None."""
    if not (checkpoint / "model").exists():
        return None
    try:
        model = word2vec.Word2Vec.load(str(checkpoint / "model"))
    except Exception as error:  # a damaged pickle can raise anything
        print(f"{checkpoint} is damaged ({error}): training begins anew", file=sys.stderr)
        return None
    return model if model.quicksilver["name"] == name else None


@contextmanager
def _progress(title: str) -> Iterator[None]:
    """Show the progress that gensim logs on a bar."""
    logger = logging.getLogger("gensim.models.word2vec")
    level = logger.level
    with progress_bar(title, 100, "%") as bar:

        class Handler(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if (
                    "PROGRESS" in record.msg
                    and isinstance(record.args, tuple)
                    and len(record.args) > 2
                ):
                    bar.set_postfix_str(f"{record.args[2]:,.0f} words/s", refresh=False)
                    bar.update(float(record.args[1]) - bar.n)  # type: ignore[arg-type]

        handler = Handler()
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        propagate, logger.propagate = logger.propagate, False
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate


def finish(model: Any, folder: Path, checkpoint: Path, *, lang: str, attr: Attr) -> Written:
    """Write the trained vectors as a spaCy vectors folder, and remove the checkpoint."""
    written = write_folder(folder, _blocks(model.wv), model.vector_size, lang=lang, attr=attr)
    remove(checkpoint)
    return written


def _blocks(vectors: Any) -> Iterator[Block]:
    for start in range(0, len(vectors), ROWS):
        yield (
            [word.encode() for word in vectors.index_to_key[start : start + ROWS]],
            vectors.vectors[start : start + ROWS],
        )
