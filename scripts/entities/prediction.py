"""What a pipeline predicts for the texts of reference Docs."""

from collections.abc import Iterable, Sequence

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example


def predict(nlp: Language, references: Iterable[Doc]) -> list[Example]:
    """The predictions of a pipeline on the texts of reference Docs."""
    references = list(references)
    return to_examples(nlp.pipe(doc.text for doc in references), references)


def to_examples(predictions: Iterable[Doc], references: Sequence[Doc]) -> list[Example]:
    """Pairs of predicted and reference Docs.

    Aligned spans get their label in the vocab of the reference, so all labels are added to it.
    """
    examples = []
    for predicted, reference in zip(predictions, references):
        for ent in predicted.ents:
            reference.vocab.strings.add(ent.label_)
        examples.append(Example(predicted, reference))
    return examples
