"""What a pipeline finds in the texts of gold Docs."""

from collections.abc import Iterable

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example


def predict(nlp: Language, gold: Iterable[Doc]) -> list[Example]:
    """What a pipeline makes of the texts of gold Docs."""
    gold = list(gold)
    return to_examples(nlp.pipe(doc.text for doc in gold), gold)


def to_examples(predictions: Iterable[Doc], gold: list[Doc]) -> list[Example]:
    examples = []
    for predicted, reference in zip(predictions, gold):
        for ent in predicted.ents:
            reference.vocab.strings.add(
                ent.label_
            )  # aligned spans get the label in the reference's vocab, which may not know it
        examples.append(Example(predicted, reference))
    return examples
