"""From a trained NER to the pipeline that is packaged: with the patterns in front of the model, where that scores better."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_config

from scripts.files import new_folder, replace_folder
from scripts.ner.annotate import Annotator
from scripts.ner.matching import Pattern
from scripts.ner.patterns import needs_annotation, to_ruler
from scripts.ner.scores import score
from scripts.vectors.folder import keep_attr

UseRuler = Literal["auto", "yes", "no"]


def with_ruler(nlp: Language, patterns: list[Pattern], phrase_attr: str) -> Language:
    """Put an entity_ruler with the patterns before the NER, which keeps what the ruler found and adds to it.

    Raises:
        ValueError: "pattern N asks for ...", when a pattern needs annotation that the pipeline has not.
    """
    for number, attr in needs_annotation(patterns):
        raise ValueError(f"pattern {number} asks for {attr}, which the trained pipeline does not set: use vars.ner.ruler no")
    ruler = nlp.add_pipe("entity_ruler", before="ner", config={"phrase_matcher_attr": phrase_attr})
    ruler.add_patterns([to_ruler(pattern) for pattern in patterns])  # type: ignore[attr-defined]
    return nlp


def predict(nlp: Language, gold: Iterable[Doc]) -> list[Example]:
    """What a pipeline makes of the texts of gold Docs."""
    gold = list(gold)
    return _examples(nlp.pipe(doc.text for doc in gold), gold)


def predict_by_patterns(annotator: Annotator, gold: Iterable[Doc]) -> list[Example]:
    """What the patterns alone make of the texts of gold Docs."""
    gold = list(gold)
    return _examples(annotator.annotate(doc.text for doc in gold), gold)


def _examples(predictions: Iterable[Doc], gold: list[Doc]) -> list[Example]:
    examples = []
    for predicted, reference in zip(predictions, gold):
        for ent in predicted.ents:
            reference.vocab.strings.add(ent.label_)  # aligned spans get the label in the reference's vocab, which may not know it
        examples.append(Example(predicted, reference))
    return examples


def compose(new: Path, folder: Path, dev: list[Doc], patterns: list[Pattern], phrase_attr: str, use_ruler: UseRuler) -> dict[str, Any]:
    """Move what `spacy train` made into place, and write the pipeline to package beside it.

    Args:
        new: the output folder of `spacy train`.
        folder: gets model-best, log.jsonl and pipeline.
        dev: Docs with entities, to choose by.
        patterns: for the ruler; empty where the labels are by hand.
        phrase_attr: what phrases are compared by: ORTH or LOWER.
        use_ruler: put the patterns in front of the model: yes, no, or auto: where that scores better on dev.

    Returns:
        what was chosen, with the dev scores that it was chosen by.
    """
    vectors = load_config(new / "model-best" / "config.cfg", interpolate=True)["paths"].get("vectors")
    keep_attr(new / "model-best", Path(vectors or ""))
    nlp = spacy.load(new / "model-best")
    choice: dict[str, Any] = {"ruler": False, "dev": {"model": score(predict(nlp, dev))}}
    if patterns and use_ruler == "auto" and needs_annotation(patterns):
        print(
            "Warning: some patterns ask for annotation that the trained pipeline does not set: it goes without the patterns",
            file=sys.stderr,
        )
    elif patterns and use_ruler != "no":
        ruled = with_ruler(spacy.load(new / "model-best"), patterns, phrase_attr)
        choice["dev"]["pipeline"] = score(predict(ruled, dev))
        choice["ruler"] = use_ruler == "yes" or choice["dev"]["pipeline"]["ents_f"] > choice["dev"]["model"]["ents_f"]
        nlp = ruled if choice["ruler"] else nlp
    with new_folder(folder / "pipeline") as pipeline:
        nlp.to_disk(pipeline)
        keep_attr(pipeline, new / "model-best")
    replace_folder(new / "model-best", folder / "model-best")
    (new / "log.jsonl").replace(folder / "log.jsonl")
    return choice
