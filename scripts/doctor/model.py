"""Let a trained pipeline label its own texts."""

import random
from collections.abc import Sequence
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from scripts.doctor.training_run import Predictions, is_set

MAX_TEXTS = 300  # of train and of dev, each: a second or two


def predict(nlp: Language, train: Sequence[Doc], dev: Sequence[Doc]) -> Predictions | None:
    """What a pipeline predicts for its training texts and for dev; None if they have no labels.

    Of many texts a random part is taken.

    Args:
        nlp: the pipeline; the Docs have its vocab.
        train: annotated Docs.
        dev: the same.

    Raises:
        ValueError: "the model can't label the texts ...", for instance if it was never trained.
    """
    try:
        train_examples, examples = (_examples(nlp, _sample(docs)) for docs in (train, dev))
    # each component raises its own exceptions
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        remedy = f"train it, or leave the texts out ({reason[:200]})"
        raise ValueError(f"the model can't label the texts: {remedy}") from None
    predicted = [example.predicted for example in examples]
    reference = [example.reference for example in examples]
    scores = (_score(nlp, train_examples), _score(nlp, examples))
    if any(doc.cats for doc in reference):
        exclusive = any(nlp.get_pipe_meta(name).factory == "textcat" for name in nlp.pipe_names)
        labels = [_text_labels(docs, exclusive) for docs in (predicted, reference)]
        return Predictions("texts", labels[0], labels[1], *scores)
    if any(doc.ents for doc in reference):
        labels = [_entity_labels(docs) for docs in (predicted, reference)]
        return Predictions("entities", labels[0], labels[1], *scores)
    return None


def _sample(docs: Sequence[Doc]) -> Sequence[Doc]:
    return docs if len(docs) <= MAX_TEXTS else random.Random(0).sample(docs, MAX_TEXTS)


def _examples(nlp: Language, docs: Sequence[Doc]) -> list[Example]:
    """Docs with the pipeline's labels next to the annotated ones, with the same tokens."""
    bare = (_without_labels(nlp, doc) for doc in docs)
    return [Example(predicted, doc) for predicted, doc in zip(nlp.pipe(bare), docs)]


def _without_labels(nlp: Language, doc: Doc) -> Doc:
    words = [token.text for token in doc]
    return Doc(nlp.vocab, words=words, spaces=[bool(token.whitespace_) for token in doc])


def _score(nlp: Language, examples: list[Example]) -> float | None:
    """The mean score by the weights of the training (training.score_weights), a share of 1.

    None if no score that has a weight is known.
    """
    scores: dict[str, Any] = {}
    for _, pipe in nlp.pipeline:
        if hasattr(pipe, "score"):
            scores |= pipe.score(examples)
    weights = {
        name: weight
        for name, weight in nlp.config["training"]["score_weights"].items()
        if weight and isinstance(scores.get(name), float)
    }
    if not weights:
        return None
    return sum(scores[name] * weight for name, weight in weights.items()) / sum(weights.values())


def _text_labels(docs: Sequence[Doc], exclusive: bool) -> list[str]:
    """The label of each text; several are joined by +."""
    labels = []
    for doc in docs:
        if exclusive:
            labels.append(max(doc.cats, key=doc.cats.__getitem__) if doc.cats else "")
        else:
            chosen = sorted(label for label, value in doc.cats.items() if is_set(value))
            labels.append("+".join(chosen))
    return labels


def _entity_labels(docs: Sequence[Doc]) -> list[str]:
    labels: list[str] = []
    for doc in docs:
        labels += [ent.label_ for ent in doc.ents]
    return labels
