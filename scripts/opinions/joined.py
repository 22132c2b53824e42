"""Load a joined pipeline, and decide on a label by the scores of its sentiment pipeline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spacy.language import Language

from scripts.components.opinions import SentenceSentiment
from scripts.pipelines import load_pipeline

NAME = "sentence_sentiment"
NO_JOINED = "run opinions-build first"


def load_with_code(name: str, remedy: str, code: Sequence[Path]) -> Language:
    """A pipeline that may have registered functions of its own.

    Args:
        name: a folder, or an installed package.
        remedy: what to do if the pipeline does not exist, for the error.
        code: files with the functions.

    Raises:
        ValueError: what `load_pipeline` raises; it says where the code goes.
    """
    try:
        return load_pipeline(name, remedy, code)
    except ValueError as error:
        hint = "registered functions of its own go into vars.opinions.code"
        raise ValueError(f"{error} ({hint})") from error


def load_joined(
    folder: Path, code: Sequence[Path], praise: str, complaint: str
) -> tuple[Language, tuple[str, ...]]:
    """The pipeline that `join` made, and the labels of its sentiment pipeline.

    Raises:
        ValueError: "... is not a joined pipeline ...", and what `load_with_code` and `check_labels`
            raise.
    """
    nlp = load_with_code(str(folder), NO_JOINED, code)
    if NAME not in nlp.pipe_names:
        raise ValueError(f"{folder} is not a joined pipeline: {NO_JOINED}")
    labels = sentiment_component(nlp).labels
    check_labels(labels, praise, complaint)
    return nlp, labels


def sentiment_component(nlp: Language) -> SentenceSentiment:
    """The sentence_sentiment of a joined pipeline."""
    component: Any = nlp.get_pipe(NAME)
    return component


def check_labels(labels: Sequence[str], praise: str, complaint: str) -> None:
    """See that praise and complaint are two labels of the sentiment pipeline.

    Raises:
        ValueError: "... is not among the labels ..." or "praise and complaint are both ...".
    """
    for label, var in ((praise, "praise"), (complaint, "complaint")):
        if label not in labels:
            raise ValueError(
                f"{label!r} is not among the labels of the sentiment pipeline "
                f"({', '.join(labels)}): give one by vars.opinions.{var}"
            )
    if praise == complaint:
        raise ValueError(
            f"praise and complaint are both {praise!r}: "
            "give two labels by vars.opinions.praise and vars.opinions.complaint"
        )


def decide(cats: dict[str, float], threshold: float, neutral: str = "") -> str:
    """The label with the highest score, or `neutral` if that score is below the threshold."""
    label = max(cats, key=lambda name: cats[name])
    return label if cats[label] >= threshold else neutral
