"""What `spacy train` of every workflow may ask for by name: a logger and an augmenter. Self-contained, for --code."""

import importlib.util
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.training.loggers import console_logger_v3
from spacy.util import registry

LogStep = Callable[[dict[str, Any] | None], None]
SetUp = Callable[[Language, IO[str], IO[str]], tuple[LogStep, Callable[[], None]]]
Augmenter = Callable[[Language, Example], Iterator[Example]]

# Logger


@registry.loggers("quicksilver.TrainingLogger.v1")
def create_logger(log_to: str, output_file: str, project: str) -> SetUp:
    """Log to the console and a file, and to Weights & Biases too if `log_to` is "wandb".

    Args:
        log_to: "console" or "wandb". wandb works offline unless the user is logged in or has set WANDB_MODE.
        output_file: JSONL, a line for each evaluation; begun anew by each run.
        project: the project's name in Weights & Biases.

    Raises:
        ValueError: "log_to must be console or wandb ...", or "... pip install ...", when the wandb package is missing.
    """
    if log_to not in ("console", "wandb"):
        raise ValueError(f"log_to must be console or wandb, not {log_to!r}")

    def set_up(
        nlp: Language, stdout: IO[str], stderr: IO[str]
    ) -> tuple[LogStep, Callable[[], None]]:
        Path(output_file).unlink(missing_ok=True)
        loggers = [console_logger_v3(progress_bar="eval", output_file=output_file)]
        if log_to == "wandb":
            loggers.append(_wandb_logger(project, Path(output_file).parent))
        pairs = [logger(nlp, stdout, stderr) for logger in loggers]

        def log_step(info: dict[str, Any] | None) -> None:
            for log, _ in pairs:
                log(info)

        def finalize() -> None:
            for _, end in pairs:
                end()

        return log_step, finalize

    return set_up


def _wandb_logger(project: str, folder: Path) -> SetUp:
    if importlib.util.find_spec("wandb") is None:
        raise ValueError(
            "the logger is wandb, which is not installed: pip install -r requirements-wandb.txt"
        )
    from requests.utils import (
        get_netrc_auth,
    )  # wandb brings requests, and `wandb login` writes to netrc
    from spacy_loggers.wandb import wandb_logger_v5

    os.environ.setdefault("WANDB_DIR", str(folder))
    logged_in = os.environ.get("WANDB_API_KEY") or get_netrc_auth(
        os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")
    )
    if not logged_in:
        os.environ.setdefault("WANDB_MODE", "offline")
    return wandb_logger_v5(project_name=project)


# Class weights


@registry.callbacks("quicksilver.ClassWeights.v1")
def create_class_weights(weights: dict[str, float]) -> Callable[[Language], Language]:
    """Weigh the loss of each text by its label, for [initialize.after_init] of a config with a textcat.

    Args:
        weights: of each label; with none, or for a text without a label, the loss stays as it is. Where a text may have several
            labels, each label's own loss is weighed on the texts that have it.
    """

    def weigh(nlp: Language) -> Language:
        pipes: list[Any] = [
            pipe for _, pipe in nlp.pipeline if hasattr(pipe, "support_missing_values")
        ]  # textcat, textcat_multilabel
        for pipe in pipes if weights else ():
            pipe.get_loss = _weighted(pipe, weights, exclusive=not pipe.support_missing_values)
        return nlp

    return weigh


def _weighted(
    pipe: Any, weights: dict[str, float], exclusive: bool
) -> Callable[..., tuple[float, Any]]:
    """The pipe's get_loss, with each row (or cell, where labels do not exclude each other) of the gradient multiplied."""
    plain = pipe.get_loss

    def get_loss(examples: list[Example], scores: Any) -> tuple[float, Any]:
        _, gradient = plain(examples, scores)
        truths = [
            [
                weights.get(label, 1.0) if example.reference.cats.get(label) else 0.0
                for label in pipe.labels
            ]
            for example in examples
        ]
        factors = pipe.model.ops.asarray2f(truths)
        if exclusive:
            factors = factors.max(axis=1, keepdims=True)
        factors[factors == 0] = 1.0
        gradient *= factors
        return float((gradient**2).mean()), gradient

    return get_loss


# Augmenter


@registry.augmenters("quicksilver.InventMentions.v1")
def create_mention_augmenter(level: float, seed: int) -> Augmenter:
    """Swap the mentions of some texts for invented names of the same shape, so that context must tell what they are.

    A model that sees the same few names again and again learns the names; it finds no others. Each letter of a
    mention becomes another letter of its kind (vowel, consonant, upper, lower), each digit another digit.

    Args:
        level: share of the texts with mentions that are swapped; the others pass unchanged.
        seed: for the draw.
    """
    rng = random.Random(seed)

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        doc = example.reference
        if not doc.ents or rng.random() >= level:
            yield example
            return
        invented = replace_mentions(doc, lambda ent: [invent(token.text, rng) for token in ent])
        words, spaces = (
            [token.text for token in invented],
            [bool(token.whitespace_) for token in invented],
        )
        yield Example(Doc(nlp.vocab, words=words, spaces=spaces), invented)

    return augment


def replace_mentions(doc: Doc, words_of: Callable[[Span], list[str]]) -> Doc:
    """A copy of a Doc in which each entity stands in other words; unknown tokens stay unknown.

    Args:
        doc: with entities.
        words_of: the words to put in place of an entity, one or more.
    """
    words: list[str] = []
    spaces: list[bool] = []
    spans, missing = [], []
    starts = {ent.start: ent for ent in doc.ents}
    at = 0
    while at < len(doc):
        ent = starts.get(at)
        if ent is None:
            if doc[at].ent_iob == 0:
                missing.append(len(words))
            words.append(doc[at].text)
            spaces.append(bool(doc[at].whitespace_))
            at += 1
            continue
        new = words_of(ent)
        spans.append((len(words), len(words) + len(new), ent.label_))
        within = (
            [bool(token.whitespace_) for token in ent[:-1]]
            if len(new) == len(ent)
            else [True] * (len(new) - 1)
        )
        words += new
        spaces += [*within, bool(ent[-1].whitespace_)]
        at = ent.end
    made = Doc(doc.vocab, words=words, spaces=spaces)
    unknown = [made[number : number + 1] for number in missing]
    made.set_ents(
        [Span(made, start, end, label=label) for start, end, label in spans],
        missing=unknown,
        default="outside",
    )
    return made


_KINDS = ("aeiou", "bcdfghjklmnpqrstvwxyz", "0123456789")


def invent(word: str, rng: random.Random) -> str:
    """Another word of the same shape: vowels for vowels, consonants for consonants, digits for digits."""
    letters = []
    for letter in word:
        kind = next((kind for kind in _KINDS if letter.lower() in kind), letter)
        drawn = rng.choice(kind)
        letters.append(drawn.upper() if letter.isupper() else drawn)
    return "".join(letters)
