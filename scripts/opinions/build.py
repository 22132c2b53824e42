"""Join a pipeline that finds entities with one that knows sentiment."""

from pathlib import Path

from spacy.language import Language

from scripts.files import new_folder
from scripts.opinions.joined import NAME, sentiment_component
from scripts.pipelines import keep_vectors_attr

NO_NER = (
    "give a folder or an installed package by vars.opinions.ner "
    "(python -m weasel run ner makes the default)"
)
NO_SENTIMENT = (
    "give a folder or an installed package by vars.opinions.sentiment "
    "(python -m weasel run textcat makes the default)"
)


def join(nlp: Language, sentiment: Language, follow: int) -> Language:
    """Add a sentiment pipeline to one that finds entities.

    If no component sets sentences, a sentencizer is added before it.

    Args:
        nlp: finds entities; it is changed. A sentence_sentiment that it may have is replaced.
        sentiment: sets doc.cats.
        follow: at most this many sentences after that of an entity are judged together with it, if
            they name no entity.

    Raises:
        ValueError: "... sets no entities ..." or "the sentiment pipeline sets no doc.cats ...".
    """
    if NAME in nlp.pipe_names:
        nlp.remove_pipe(NAME)
    if not _assigns(nlp, {"doc.ents"}):
        components = ", ".join(nlp.pipe_names) or "nothing"
        raise ValueError(
            f"the pipeline sets no entities (it has {components}): "
            "give one with an ner or an entity_ruler by vars.opinions.ner"
        )
    if not _assigns(nlp, {"doc.sents", "token.is_sent_start"}):
        nlp.add_pipe("sentencizer")
    nlp.add_pipe(NAME, config={"follow": follow})
    sentiment_component(nlp).set_pipeline(sentiment)
    nlp.meta["requirements"] = requirements(nlp, sentiment)
    return nlp


def _assigns(nlp: Language, attributes: set[str]) -> bool:
    """Whether a component of a pipeline sets one of some attributes."""
    return any(attributes & set(nlp.get_pipe_meta(name).assigns) for name in nlp.pipe_names)


def requirements(nlp: Language, sentiment: Language) -> list[str]:
    """What a wheel must require: what either pipeline does.

    `spacy package` sees only the config of the outer one.
    """
    from spacy.cli.package import get_third_party_dependencies

    named = [*nlp.meta.get("requirements", []), *sentiment.meta.get("requirements", [])]
    return sorted({*named, *get_third_party_dependencies(sentiment.config)})


def save_joined(nlp: Language, output: Path) -> None:
    """Save a joined pipeline in one step, each of the two with the attribute of its vectors."""
    sentiment = sentiment_component(nlp).sentiment
    assert sentiment is not None
    with new_folder(output, "meta.json") as folder:
        nlp.to_disk(folder)
        keep_vectors_attr(folder, Path(nlp.path or ""))
        keep_vectors_attr(folder / NAME / "pipeline", Path(sentiment.path or ""))
