"""Join a pipeline that finds entities and one that knows sentiment, and say beforehand why the two can't be joined."""

from collections.abc import Sequence
from pathlib import Path

import spacy
from spacy.cli.package import get_third_party_dependencies
from spacy.language import Language
from spacy.util import import_file, is_package

from scripts.components.opinions import SentenceSentiment

NAME = "sentence_sentiment"


def import_code(files: Sequence[Path]) -> None:
    """Import files with registered functions, so that pipelines that name these can be loaded.

    Raises:
        ValueError: "... does not exist ..." or "... can't be imported ...".
    """
    for number, file in enumerate(files):
        if not file.is_file():
            raise ValueError(
                f"{file} does not exist: give the file with the pipeline's own code by vars.opinions.code"
            )
        try:
            import_file(f"code_of_pipeline_{number}", file)
        except (
            Exception
        ) as error:  # whatever the file does, or a library that it needs and is not there
            raise ValueError(
                f"{file} can't be imported: mend it, or install what it needs ({error or type(error).__name__})"
            ) from error


def load_pipeline(name: str, workflow: str) -> Language:
    """An installed or saved pipeline.

    Args:
        name: a folder, or an installed package.
        workflow: what makes the default, for the error.

    Raises:
        ValueError: "... does not exist: run ..." or "... can't be loaded ...".
    """
    if not Path(name).exists() and not is_package(name):
        raise ValueError(
            f"{name} does not exist: make it (python -m weasel run {workflow}), or give another pipeline by its var"
        )
    try:
        return spacy.load(name)
    except Exception as error:  # msgpack, zlib, numpy and the config system each raise their own on missing or damaged files
        what = (
            f"{name} can't be loaded, make or install it again (its own code: vars.opinions.code)"
        )
        raise ValueError(f"{what}: {error or type(error).__name__}") from error


def join(nlp: Language, sentiment: Language, follow: int) -> Language:
    """Put a sentiment pipeline behind one that finds entities, with a sentencizer before it where no component sets sentences.

    Args:
        nlp: finds entities; is changed. A sentence_sentiment that it may have is replaced.
        sentiment: sets doc.cats.
        follow: sentences behind that of an entity which name none and are judged together with it.

    Raises:
        ValueError: "... sets no entities ..." or "the sentiment pipeline sets no doc.cats ...".
    """
    if NAME in nlp.pipe_names:
        nlp.remove_pipe(NAME)
    if not _set_by(nlp, "doc.ents"):
        has = ", ".join(nlp.pipe_names) or "nothing"
        raise ValueError(
            f"the pipeline sets no entities (it has {has}): give one with an ner or an entity_ruler by vars.opinions.ner"
        )
    if not _set_by(nlp, "doc.sents", "token.is_sent_start"):
        nlp.add_pipe("sentencizer")
    component: SentenceSentiment = nlp.add_pipe(NAME, config={"follow": follow})  # type: ignore[assignment]
    component.set_pipeline(sentiment)
    nlp.meta["requirements"] = requirements(nlp, sentiment)
    return nlp


def _set_by(nlp: Language, *what: str) -> list[str]:
    return [name for name in nlp.pipe_names if set(what) & set(nlp.get_pipe_meta(name).assigns)]


def requirements(nlp: Language, sentiment: Language) -> list[str]:
    """What a wheel must require: what either pipeline does. `spacy package` sees only the config of the outer one."""
    given = [*nlp.meta.get("requirements", []), *sentiment.meta.get("requirements", [])]
    return sorted({*given, *get_third_party_dependencies(sentiment.config)})


def check_labels(labels: Sequence[str], praise: str, complaint: str) -> None:
    """Raise ValueError "... is not among the labels ..." unless praise and complaint are two labels of the sentiment pipeline."""
    for label, var in ((praise, "praise"), (complaint, "complaint")):
        if label not in labels:
            known = ", ".join(labels)
            raise ValueError(
                f"{label!r} is not among the labels of the sentiment pipeline ({known}): give one by vars.opinions.{var}"
            )
    if praise == complaint:
        raise ValueError(
            f"praise and complaint are both {praise!r}: give two labels by vars.opinions.praise and vars.opinions.complaint"
        )
