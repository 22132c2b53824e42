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

from scripts.entities.matching import Pattern
from scripts.entities.patterns import needs_annotation, to_ruler
from scripts.entities.prediction import predict, to_examples
from scripts.entities.scores import score
from scripts.files import new_folder, replace_folder
from scripts.ner.annotate import Annotator
from scripts.pipelines import keep_vectors_attr

UseRuler = Literal["auto", "terms", "yes", "no"]
TITLES = {
    "no": "model alone",
    "yes": "patterns in front of the model",
    "terms": "patterns in front of the model, terms behind it",
}


def with_rulers(
    nlp: Language, patterns: list[Pattern], terms: list[Pattern], phrase_attr: str
) -> Language:
    """Put an entity_ruler with the patterns before the NER, which keeps what the ruler found, and one with terms after it.

    What the terms find counts where neither patterns nor model found anything: the model has seen where a phrase ends in its text.

    Raises:
        ValueError: "pattern N asks for ...", when a pattern needs annotation that the pipeline has not.
    """
    for number, attr in needs_annotation(patterns):
        raise ValueError(
            f"pattern {number} asks for {attr}, which the trained pipeline does not set: use vars.ner.ruler no"
        )
    for name, wanted, before, after in (
        ("entity_ruler", patterns, "ner", None),
        ("term_ruler", terms, None, "ner"),
    ):
        if wanted:
            ruler = nlp.add_pipe(
                "entity_ruler",
                name=name,
                before=before,
                after=after,
                config={"phrase_matcher_attr": phrase_attr},
            )
            ruler.add_patterns([to_ruler(pattern) for pattern in wanted])  # type: ignore[attr-defined]
    return nlp


def predict_by_patterns(annotator: Annotator, gold: Iterable[Doc]) -> list[Example]:
    """What the patterns alone make of the texts of gold Docs."""
    gold = list(gold)
    return to_examples(annotator.annotate(doc.text for doc in gold), gold)


def compose(
    new: Path,
    folder: Path,
    dev: list[Doc],
    patterns: list[Pattern],
    terms: list[Pattern],
    phrase_attr: str,
    use_ruler: UseRuler,
    by_dev: bool = True,
) -> dict[str, Any]:
    """Move what `spacy train` made into place, and write the pipeline to package beside it.

    Args:
        new: the output folder of `spacy train`.
        folder: gets model-best, log.jsonl and pipeline.
        dev: Docs with entities, to choose by.
        patterns: for the ruler; empty where the labels are by hand.
        terms: more of them, that a teacher found.
        phrase_attr: what phrases are compared by: ORTH or LOWER.
        use_ruler: what to put around the model: nothing (no), the patterns (yes), patterns and terms (terms), or auto.
        by_dev: auto takes what scores best on dev; else (dev holds what the teacher says) patterns and terms.

    Returns:
        what was chosen ("ruler"), with the scores on dev.
    """
    best = new / "model-best"
    vectors = load_config(best / "config.cfg", interpolate=True)["paths"].get("vectors")
    keep_vectors_attr(best, Path(vectors or ""))
    rulers: dict[str, tuple[list[Pattern], list[Pattern]]] = {
        "no": ([], []),
        "yes": (patterns, []),
        "terms": (patterns, terms),
    }
    if use_ruler == "auto" and needs_annotation(patterns):
        print(
            "Warning: some patterns ask for annotation that the trained pipeline does not set: it goes without the patterns",
            file=sys.stderr,
        )
        use_ruler = "no"
    tried = (
        [use_ruler]
        if use_ruler != "auto"
        else ["no", *(["yes"] if patterns else []), *(["terms"] if terms else [])]
    )
    made = {name: with_rulers(spacy.load(best), *rulers[name], phrase_attr) for name in tried}
    scores = {name: score(predict(nlp, dev)) for name, nlp in made.items()}
    chosen = max(tried, key=lambda name: scores[name]["ents_f"] or 0) if by_dev else tried[-1]
    with new_folder(folder / "pipeline") as pipeline:
        made[chosen].to_disk(pipeline)
        keep_vectors_attr(pipeline, best)
    replace_folder(best, folder / "model-best")
    (new / "log.jsonl").replace(folder / "log.jsonl")
    return {"ruler": chosen, "dev": scores}
