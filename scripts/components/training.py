"""What `spacy train` of every workflow may ask for by name. Self-contained, for --code.

A logger, class weights for text classification, and an augmenter for entities.
"""

import importlib.util
import os
import random
from collections.abc import Callable, Iterable, Iterator
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
    """Log to the console and a file, and with "wandb" to Weights & Biases, too.

    Args:
        log_to: "console" or "wandb". wandb works offline unless the user is logged in or has set
            WANDB_MODE.
        output_file: JSONL, one line per evaluation. Each run starts it anew.
        project: the project's name in Weights & Biases.

    Raises:
        ValueError: "log_to must be console or wandb ...", or "... pip install ..." if the package
            wandb is missing.
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
    from spacy_loggers.wandb import wandb_logger_v5

    os.environ.setdefault("WANDB_DIR", str(folder))
    if not _wandb_login():
        os.environ.setdefault("WANDB_MODE", "offline")
    return wandb_logger_v5(project_name=project)


def _wandb_login() -> bool:
    """Whether the user is logged in to Weights & Biases: `wandb login` writes to netrc."""
    from requests.utils import get_netrc_auth  # wandb needs requests

    url = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")
    return bool(os.environ.get("WANDB_API_KEY") or get_netrc_auth(url))


# Class weights


@registry.callbacks("quicksilver.ClassWeights.v1")
def create_class_weights(weights: dict[str, float]) -> Callable[[Language], Language]:
    """Weigh the loss of each text by its label, for [initialize.after_init] with a textcat.

    Args:
        weights: by label. Without any, or for a text without a label, the loss stays as it is. If
            a text may have several labels, each label's own loss is weighed on the texts with it.
    """

    def weigh(nlp: Language) -> Language:
        for pipe in _text_classifiers(nlp) if weights else ():
            pipe.get_loss = _weighted_loss(pipe, weights)
        return nlp

    return weigh


def _text_classifiers(nlp: Language) -> list[Any]:
    """The components that are a textcat or a textcat_multilabel."""
    return [pipe for _, pipe in nlp.pipeline if hasattr(pipe, "support_missing_values")]


def _weighted_loss(pipe: Any, weights: dict[str, float]) -> Callable[..., tuple[float, Any]]:
    """The get_loss of a text classifier, with weights in the gradient.

    A row of the gradient is multiplied by the weight of the text's label; if a text may have
    several labels, each of its columns by that label's weight.
    """
    plain = pipe.get_loss
    exclusive = not pipe.support_missing_values

    def get_loss(examples: list[Example], scores: Any) -> tuple[float, Any]:
        _, gradient = plain(examples, scores)
        rows = [_label_weights(example, pipe.labels, weights) for example in examples]
        factors = pipe.model.ops.asarray2f(rows)
        if exclusive:
            factors = factors.max(axis=1, keepdims=True)
        factors[factors == 0] = 1.0
        gradient *= factors
        return float((gradient**2).mean()), gradient

    return get_loss


def _label_weights(
    example: Example, labels: Iterable[str], weights: dict[str, float]
) -> list[float]:
    """For each label: its weight if the text has it, else 0."""
    cats = example.reference.cats
    return [weights.get(label, 1.0) if cats.get(label) else 0.0 for label in labels]


# Augmenter


@registry.augmenters("quicksilver.InventMentions.v1")
def create_entity_augmenter(level: float, seed: int) -> Augmenter:
    """Replace the mentions of some texts by invented names of the same shape.

    A model that sees the same few names again and again learns the names and finds no others. With
    invented names it has to learn from the context. Each letter of a mention becomes another letter
    of its kind (vowel, consonant, upper case, lower case), each digit another digit.

    Args:
        level: share of the texts with mentions that are changed; the others pass unchanged.
        seed: for the draw.
    """
    rng = random.Random(seed)

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        doc = example.reference
        if not doc.ents or rng.random() >= level:
            yield example
            return
        changed = replace_mentions(doc, lambda ent: [word_like(token.text, rng) for token in ent])
        words = [token.text for token in changed]
        spaces = [bool(token.whitespace_) for token in changed]
        yield Example(Doc(nlp.vocab, words=words, spaces=spaces), changed)

    return augment


def replace_mentions(doc: Doc, words_for: Callable[[Span], list[str]]) -> Doc:
    """A copy of a Doc with other words for each entity. Unknown tokens stay unknown.

    Args:
        doc: with entities.
        words_for: gives the words that replace an entity, one or more.
    """
    words: list[str] = []
    spaces: list[bool] = []
    entities: list[tuple[int, int, str]] = []
    unknown: list[int] = []
    position = 0
    for ent in doc.ents:
        _copy_tokens(doc, position, ent.start, words, spaces, unknown)
        new_words = words_for(ent)
        entities.append((len(words), len(words) + len(new_words), ent.label_))
        words += new_words
        spaces += _spaces(ent, len(new_words))
        position = ent.end
    _copy_tokens(doc, position, len(doc), words, spaces, unknown)
    copy = Doc(doc.vocab, words=words, spaces=spaces)
    spans = [Span(copy, start, end, label=label) for start, end, label in entities]
    missing = [copy[at : at + 1] for at in unknown]
    copy.set_ents(spans, missing=missing, default="outside")
    return copy


def _copy_tokens(
    doc: Doc, start: int, end: int, words: list[str], spaces: list[bool], unknown: list[int]
) -> None:
    """Append the tokens of a Doc from `start` to `end` to the lists of a copy."""
    for token in doc[start:end]:
        if token.ent_iob == 0:
            unknown.append(len(words))
        words.append(token.text)
        spaces.append(bool(token.whitespace_))


def _spaces(ent: Span, n_words: int) -> list[bool]:
    """Whether a space follows each of the words that replace an entity."""
    between = [True] * (n_words - 1)
    if n_words == len(ent):
        between = [bool(token.whitespace_) for token in ent[:-1]]
    return [*between, bool(ent[-1].whitespace_)]


_KINDS = ("aeiou", "bcdfghjklmnpqrstvwxyz", "0123456789")


def word_like(word: str, rng: random.Random) -> str:
    """Another word of the same shape: vowels for vowels, consonants for consonants, and so on."""
    letters = []
    for letter in word:
        kind = next((kind for kind in _KINDS if letter.lower() in kind), letter)
        drawn = rng.choice(kind)
        letters.append(drawn.upper() if letter.isupper() else drawn)
    return "".join(letters)
