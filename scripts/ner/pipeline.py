"""From a trained NER to the pipeline that is packaged: with the patterns, if that scores better."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_config

from scripts.entities.matching import Pattern
from scripts.entities.patterns import needs_annotation, to_ruler
from scripts.entities.prediction import predict, to_examples
from scripts.entities.scores import score
from scripts.files import replace_folder
from scripts.ner.annotate import Annotator
from scripts.ner.options import UseRuler
from scripts.pipelines import best_model, keep_vectors_attr, load_pipeline, save_pipeline

TITLES = {
    "no": "model alone",
    "yes": "patterns in front of the model",
    "terms": "patterns in front of the model, terms behind it",
}


def with_rulers(
    nlp: Language, patterns: list[Pattern], terms: list[Pattern], phrase_attr: str
) -> Language:
    """Add an entity_ruler with the patterns before the NER, and one with the terms after it.

    The NER keeps what the patterns found. Terms only count if neither patterns nor model found
    anything in their place: the model has seen where a phrase ends in its text.

    Raises:
        ValueError: "pattern N asks for ...", if a pattern needs a component that `nlp` lacks.
    """
    for number, attr in needs_annotation(patterns):
        raise ValueError(
            f"pattern {number} asks for {attr}, which the trained pipeline does not set: "
            "use vars.ner.ruler no"
        )
    _add_ruler(nlp, "entity_ruler", patterns, phrase_attr, before="ner")
    _add_ruler(nlp, "term_ruler", terms, phrase_attr, after="ner")
    return nlp


def _add_ruler(
    nlp: Language, name: str, patterns: list[Pattern], phrase_attr: str, **position: Any
) -> None:
    """Add an entity_ruler, if there are patterns for it and the pipeline does not have it yet."""
    if not patterns or name in nlp.pipe_names:
        return
    config = {"phrase_matcher_attr": phrase_attr}
    ruler: Any = nlp.add_pipe("entity_ruler", name=name, config=config, **position)
    ruler.add_patterns([to_ruler(pattern) for pattern in patterns])


def predict_by_patterns(annotator: Annotator, references: Iterable[Doc]) -> list[Example]:
    """What the patterns alone find in the texts of reference Docs."""
    references = list(references)
    return to_examples(annotator.annotate(doc.text for doc in references), references)


def assemble_pipeline(
    new: Path,
    folder: Path,
    dev: list[Doc],
    patterns: list[Pattern],
    terms: list[Pattern],
    phrase_attr: str,
    use_ruler: UseRuler,
    by_dev: bool = True,
) -> dict[str, Any]:
    """Move the output of `spacy train` into place, and write the pipeline to package next to it.

    Args:
        new: the output folder of `spacy train`.
        folder: gets model-best, log.jsonl and pipeline.
        dev: Docs with entities, to choose by.
        patterns: for the ruler; empty if only hand labels are trained.
        terms: phrases that the teacher found, as patterns.
        phrase_attr: what phrases are compared by: ORTH or LOWER.
        use_ruler: what to put around the model: nothing (no), the patterns (yes), patterns and
            terms (terms), or auto.
        by_dev: auto takes what scores best on dev. If False, because dev holds what the teacher
            found, it takes patterns and terms.

    Returns:
        what was chosen ("ruler"), and the scores on dev.

    Raises:
        ValueError: what `best_model` and `with_rulers` raise.
    """
    best = best_model(new)
    vectors = load_config(best / "config.cfg", interpolate=True)["paths"].get("vectors")
    keep_vectors_attr(best, Path(vectors or ""))
    candidates = _candidates(use_ruler, patterns, terms)
    nlp = load_pipeline(str(best), "run the training first")
    scores: dict[str, dict[str, Any]] = {}
    for name, rulers in candidates.items():  # each has the rulers of the one before
        scores[name] = score(predict(with_rulers(nlp, *rulers, phrase_attr), dev))
    last = list(candidates)[-1]
    chosen = max(scores, key=lambda name: scores[name]["ents_f"] or 0) if by_dev else last
    if chosen != last:
        nlp = load_pipeline(str(best), "run the training first")
        nlp = with_rulers(nlp, *candidates[chosen], phrase_attr)
    save_pipeline(nlp, folder / "pipeline", best)
    replace_folder(best, folder / "model-best")
    (new / "log.jsonl").replace(folder / "log.jsonl")
    return {"ruler": chosen, "dev": scores}


def _candidates(
    use_ruler: UseRuler, patterns: list[Pattern], terms: list[Pattern]
) -> dict[str, tuple[list[Pattern], list[Pattern]]]:
    """(patterns, terms) of each pipeline to try, the simplest first."""
    rulers: dict[str, tuple[list[Pattern], list[Pattern]]] = {
        "no": ([], []),
        "yes": (patterns, []),
        "terms": (patterns, terms),
    }
    if use_ruler != "auto":
        return {use_ruler: rulers[use_ruler]}
    if needs_annotation(patterns):
        print(
            "Warning: some patterns ask for annotation that the trained pipeline does not set: "
            "it goes without the patterns",
            file=sys.stderr,
        )
        return {"no": rulers["no"]}
    names = ["no", *(["yes"] if patterns else []), *(["terms"] if terms else [])]
    return {name: rulers[name] for name in names}
