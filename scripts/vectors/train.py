"""Train word vectors with gensim's word2vec (Mikolov et al. 2013), with a checkpoint each epoch."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scripts.files import need, new_folder, progress_bar, remove, replacing, restore_folder
from scripts.vectors.folder import Summary, write_folder
from scripts.vectors.options import Attr, Settings
from scripts.vectors.sources import Block

FIRST_ALPHA, LAST_ALPHA = 0.025, 0.0001  # gensim's learning rate, which falls linearly
ROWS_PER_BLOCK = 10_000  # written at once
SAMPLE_SIZE = 5_000  # sentences that the loss is measured on
Ints2d = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """Positions in the sentences at which the loss is measured after each epoch.

    (gensim's own sum is a float32, which loses digits.)
    """

    contexts: Ints2d  # (n_positions, n_context): rows of context words, -1 for none
    words: Ints2d  # (n_positions, 1 + negative): the row of the word, then rows of noise words

    @classmethod
    def draw(cls, sentences: Path, model: Any, settings: Settings) -> "Sample":
        """A position in each of some sentences, spread over the file, with its word and context.

        The noise words are drawn by gensim's own distribution.

        Raises:
            ValueError: "no sentence of ... has two words that come ...".
        """
        rng = np.random.default_rng(settings.seed)
        contexts, words = [], []
        for rows in _sampled_sentences(sentences, model):
            position = int(rng.integers(len(rows)))
            contexts.append(_context(rows, position, settings, rng))
            words.append(rows[position])
        if not words:
            raise ValueError(
                f"no sentence of {sentences} has two words that come {settings.min_count} times "
                "or more: add texts"
            )
        draws = rng.integers(model.cum_table[-1], size=(len(words), settings.negative))
        noise = np.searchsorted(model.cum_table, draws)
        longest = max(map(len, contexts))
        padded = np.array([rows + [-1] * (longest - len(rows)) for rows in contexts], "i8")
        return cls(padded, np.column_stack([np.array(words, "i8"), noise]))

    def loss(self, model: Any) -> float:
        """The mean negative sampling loss, -log s(v.u) - sum log s(-v.u'), in nats a position."""
        there = (self.contexts >= 0)[..., None]
        means = (model.wv.vectors[self.contexts] * there).sum(axis=1) / there.sum(axis=1)
        products = np.einsum("nw,nkw->nk", means, model.syn1neg[self.words])
        products[:, 1:] *= -1
        return float(np.logaddexp(0, -products).sum(axis=1).mean())


def _sampled_sentences(sentences: Path, model: Any) -> Iterator[list[int]]:
    """The rows of the known words of some sentences, of those with two or more."""
    key_to_index = model.wv.key_to_index
    step = max(1, model.corpus_count // SAMPLE_SIZE)
    with sentences.open(encoding="utf8") as lines:
        for line in islice(lines, 0, None, step):
            rows = [key_to_index[word] for word in line.split() if word in key_to_index]
            if len(rows) > 1:
                yield rows


def _context(
    rows: list[int], position: int, settings: Settings, rng: np.random.Generator
) -> list[int]:
    """The context of a word in a sentence: all of it for CBOW, one word of it for skip-gram."""
    before = rows[max(0, position - settings.window) : position]
    context = before + rows[position + 1 : position + 1 + settings.window]
    if settings.algorithm == "cbow":
        return context
    return [context[int(rng.integers(len(context)))]]


def find_phrases(sentences: Path, output: Path, min_count: int, threshold: float = 10.0) -> int:
    """Join the words of frequent pairs by an underscore: New_York (gensim's Phrases).

    Returns:
        How many different pairs are joined.
    """
    models = need("gensim.models.phrases", "vectors")
    line_sentence = need("gensim.models.word2vec", "vectors").LineSentence
    phrases = models.Phrases(
        line_sentence(str(sentences)),
        min_count=min_count,
        threshold=threshold,
        connector_words=models.ENGLISH_CONNECTOR_WORDS,
    )
    frozen = phrases.freeze()
    with replacing(output) as part, part.open("w", encoding="utf8") as file:
        for sentence in line_sentence(str(sentences)):
            file.write(" ".join(frozen[sentence]) + "\n")
    return len(frozen.phrasegrams)


def train_vectors(sentences: Path, checkpoint: Path, settings: Settings) -> Any:
    """Train on a file of sentences. A run that was killed resumes after its last finished epoch.

    Args:
        sentences: a sentence on each line, its words separated by spaces.
        checkpoint: a folder that exists from the first epoch until `finish` removes it.
        settings: for gensim. Same settings, same sentences, one worker: same vectors.

    Returns:
        gensim's Word2Vec model.

    Raises:
        ValueError: "no word comes ... times or more ...", and what `Sample.draw` raises.
    """
    model = _start_or_resume(sentences, checkpoint, settings)
    if not len(model.wv):
        raise ValueError(
            f"no word comes {settings.min_count} times or more in {sentences}: "
            "lower vars.vectors.min_count or add texts"
        )
    sample = Sample.draw(sentences, model, settings)
    for epoch in range(model.quicksilver["epochs"], settings.epochs):
        _train_epoch(model, sentences, epoch, settings.epochs)
        loss = sample.loss(model)
        model.quicksilver["epochs"] = epoch + 1
        model.quicksilver["losses"].append(loss)
        seconds = f"{model.total_train_time:.1f} s of training so far"
        print(f"epoch {epoch + 1} of {settings.epochs}: loss {loss:.3f}, {seconds}", flush=True)
        if epoch + 1 < settings.epochs:
            with new_folder(checkpoint, "model") as part:
                model.save(str(part / "model"))
    return model


def _start_or_resume(sentences: Path, checkpoint: Path, settings: Settings) -> Any:
    """The model of a fitting checkpoint, or a new one with its vocabulary."""
    from pooch import file_hash

    word2vec = need("gensim.models.word2vec", "vectors")
    restore_folder(checkpoint)
    name = f"{file_hash(str(sentences))} {settings}"
    model = _load(word2vec, checkpoint, name)
    if model is None:
        options = asdict(settings)
        skip_gram = options.pop("algorithm") == "skip-gram"
        model = word2vec.Word2Vec(sg=int(skip_gram), **options)
        model.build_vocab(corpus_file=str(sentences))
        model.quicksilver = {"name": name, "epochs": 0, "losses": []}
    return model


def _load(word2vec: Any, checkpoint: Path, name: str) -> Any:
    """The model of a complete checkpoint with the same settings and sentences, or None."""
    if not (checkpoint / "model").exists():
        return None
    try:
        model = word2vec.Word2Vec.load(str(checkpoint / "model"))
    # a damaged pickle can raise anything
    except Exception as error:
        print(f"{checkpoint} is damaged ({error}): training starts over", file=sys.stderr)
        return None
    return model if model.quicksilver["name"] == name else None


def _train_epoch(model: Any, sentences: Path, epoch: int, n_epochs: int) -> None:
    """Train one epoch with its part of the falling learning rate."""
    step = (FIRST_ALPHA - LAST_ALPHA) / n_epochs
    alpha = FIRST_ALPHA - epoch * step
    with _progress(f"epoch {epoch + 1} of {n_epochs}"):
        model.train(
            corpus_file=str(sentences),
            total_examples=model.corpus_count,
            total_words=model.corpus_total_words,
            epochs=1,
            start_alpha=alpha,
            end_alpha=alpha - step,
            report_delay=0.5,
        )


class _BarHandler(logging.Handler):
    """Shows the progress that gensim logs on a bar over percent."""

    def __init__(self, bar: Any) -> None:
        super().__init__()
        self.bar = bar

    def emit(self, record: logging.LogRecord) -> None:
        args = record.args
        if "PROGRESS" in record.msg and isinstance(args, tuple) and len(args) > 2:
            self.bar.set_postfix_str(f"{args[2]:,.0f} words/s", refresh=False)
            self.bar.update(float(args[1]) - self.bar.n)  # type: ignore[arg-type]


@contextmanager
def _progress(title: str) -> Iterator[None]:
    """Show the progress that gensim logs on a bar."""
    logger = logging.getLogger("gensim.models.word2vec")
    level, propagate = logger.level, logger.propagate
    with progress_bar(title, 100, "%") as bar:
        handler = _BarHandler(bar)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate


def finish(model: Any, folder: Path, checkpoint: Path, *, lang: str, attr: Attr) -> Summary:
    """Write the trained vectors as a spaCy vectors folder, and remove the checkpoint."""
    blocks = _blocks(model.wv)
    summary = write_folder(folder, blocks, model.vector_size, lang=lang, attr=attr)
    remove(checkpoint)
    return summary


def _blocks(vectors: Any) -> Iterator[Block]:
    for start in range(0, len(vectors), ROWS_PER_BLOCK):
        words = vectors.index_to_key[start : start + ROWS_PER_BLOCK]
        yield [word.encode() for word in words], vectors.vectors[start : start + ROWS_PER_BLOCK]
