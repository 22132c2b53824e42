"""Load a trained pipeline and ask it for the labels of texts."""

import random
import re
from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import import_file, is_package

from scripts.doctor.case import Predictions

MOST_TEXTS = 300  # of train and of dev that are predicted: a second or two
COMPONENTS = Path(__file__).parents[1] / "components"


def load(name: str, code: Sequence[Path] = ()) -> Language:
    """A saved or installed pipeline; the project's own components that it names are imported first.

    Raises:
        ValueError: "... is no pipeline ...", "... can't be loaded ...", and what the component's own package lacks.
    """
    folder = Path(name)
    if not (folder / "config.cfg").is_file() and not is_package(name):
        raise ValueError(
            f"{name} is no pipeline: give a folder with a config.cfg, an installed pipeline, or a .keras file"
        )
    try:
        for file in [*code, *own_code(folder)]:
            import_file(file.stem, file)
        with redirect_stderr(StringIO()):
            return spacy.load(name)
    except Exception as error:  # msgpack, zlib, numpy and the config system each raise their own on missing or damaged files
        what = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{name} can't be loaded: train it again, or give what registers its functions by --code ({what[:300]})"
        ) from None


def own_code(folder: Path) -> list[Path]:
    """The files of scripts/components that register what a pipeline's config names."""
    path = folder / "config.cfg"
    text = path.read_text("utf8") if path.is_file() else ""
    names = set(re.findall(r'^(?:@\w+|factory) *= *("[^"]+")', text, re.MULTILINE))
    return [
        file
        for file in sorted(COMPONENTS.glob("*.py"))
        if any(f"({name}" in file.read_text("utf8") for name in names)
    ]


def predict(nlp: Language, train: Sequence[Doc], dev: Sequence[Doc]) -> Predictions | None:
    """What a pipeline makes of its own training texts and of dev (of a part where there are many); None without labels.

    Args:
        nlp: the pipeline; its vocab is that of the Docs.
        train: annotated Docs.
        dev: the same.

    Raises:
        ValueError: "the model can't label the texts ...", such as of one that was never trained.
    """
    try:
        train_examples, examples = (_predicted(nlp, _some(docs)) for docs in (train, dev))
    except Exception as error:  # each component raises its own
        told = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"the model can't label the texts: train it, or leave the texts out ({told[:200]})"
        ) from None
    pairs = [(example.predicted, example.reference) for example in examples]
    scores = (_score(nlp, train_examples), _score(nlp, examples))
    if any(gold.cats for _, gold in pairs):
        exclusive = any(nlp.get_pipe_meta(name).factory == "textcat" for name in nlp.pipe_names)
        return Predictions(
            "texts",
            [_key(doc, exclusive) for doc, _ in pairs],
            [_key(doc, exclusive) for _, doc in pairs],
            *scores,
        )
    if any(gold.ents for _, gold in pairs):
        found, wanted = (
            [ent.label_ for pair in pairs for ent in pair[side].ents] for side in (0, 1)
        )
        return Predictions("entities", found, wanted, *scores)
    return None


def _some(docs: Sequence[Doc]) -> Sequence[Doc]:
    return docs if len(docs) <= MOST_TEXTS else random.Random(0).sample(docs, MOST_TEXTS)


def _predicted(nlp: Language, docs: Sequence[Doc]) -> list[Example]:
    """Docs of the same tokens with the pipeline's labels, beside the annotated ones."""
    bare = (
        Doc(
            nlp.vocab,
            words=[token.text for token in doc],
            spaces=[bool(token.whitespace_) for token in doc],
        )
        for doc in docs
    )
    return [Example(predicted, doc) for predicted, doc in zip(nlp.pipe(bare), docs)]


def _score(nlp: Language, examples: list[Example]) -> float | None:
    """The score by the training's own weights (training.score_weights), a share of 1; None where they ask for what is not scored."""
    weights = {
        name: weight for name, weight in nlp.config["training"]["score_weights"].items() if weight
    }
    found: dict[str, Any] = {}
    for _, pipe in nlp.pipeline:
        if hasattr(pipe, "score"):
            found |= pipe.score(examples)
    values = [
        (found[name], weight)
        for name, weight in weights.items()
        if isinstance(found.get(name), float)
    ]
    return (
        sum(value * weight for value, weight in values) / sum(weight for _, weight in values)
        if values
        else None
    )


def _key(doc: Doc, exclusive: bool) -> str:
    if exclusive:
        return max(doc.cats, key=lambda label: doc.cats[label]) if doc.cats else ""
    return "+".join(sorted(label for label, value in doc.cats.items() if value >= 0.5))
