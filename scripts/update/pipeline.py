"""Extract the NER of a pipeline for training, and put the trained NER back in its place."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.util import get_lang_class

from scripts.files import digest
from scripts.pipelines import best_model, install_training, keep_vectors_attr, load_pipeline

NER_FACTORIES = ("ner", "beam_ner")
NO_PIPELINE = (
    "give a folder or an installed package by vars.update.pipeline "
    "(python -m weasel run ner makes the default)"
)
NO_TRAINED = "run update-train, update-naive and update-alone first"


def load_with_ner(name: str, remedy: str = NO_PIPELINE) -> Language:
    """An installed or saved pipeline with one NER.

    Args:
        name: a folder, or an installed package.
        remedy: what to do if the pipeline does not exist, for the error.

    Raises:
        ValueError: what `load_pipeline` and `ner_name` raise.
    """
    nlp = load_pipeline(name, remedy)
    ner_name(nlp, name)
    return nlp


def ner_name(nlp: Language, title: str = "the pipeline") -> str:
    """The name of the component that is a trained NER.

    Raises:
        ValueError: "... has no NER to update ..." or "... has N NERs ...".
    """
    names = [name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory in NER_FACTORIES]
    if not names:
        components = ", ".join(nlp.pipe_names) or "nothing"
        raise ValueError(
            f"{title} has no NER to update (it has {components}): "
            "give a pipeline with one by vars.update.pipeline"
        )
    if len(names) > 1:
        raise ValueError(
            f"{title} has {len(names)} NERs ({', '.join(names)}): "
            "disable all but one and save it again"
        )
    return names[0]


def ner_labels(nlp: Language) -> list[str]:
    """The labels that the NER of a pipeline knows, sorted."""
    return sorted(nlp.get_pipe(ner_name(nlp)).labels)  # type: ignore[attr-defined]


def describe(nlp: Language, name: str, labels: set[str]) -> dict[str, Any]:
    """Which pipeline this is, and which labels it knows.

    Args:
        nlp: the pipeline.
        name: the name it was loaded by.
        labels: those of the new examples.

    Raises:
        ValueError: "the new examples have no labelled span ...".
    """
    if not labels:
        raise ValueError(
            "the new examples have no labelled span that fits the tokens: "
            "give others by vars.update.new"
        )
    known = ner_labels(nlp)
    return {
        "pipeline": name,
        "components": nlp.pipe_names,
        "labels": known,
        "new_labels": sorted(labels - set(known)),
        "fingerprint": fingerprint(nlp.path) if nlp.path else "",
    }


def fingerprint(folder: Path) -> str:
    """A digest of all files of a pipeline: it changes when the pipeline does."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    lines = [f"{path.relative_to(folder)} {digest(path.read_bytes())}" for path in files]
    return digest("\n".join(lines).encode())


def separate_ner(nlp: Language) -> None:
    """Give the NER its own copy of a layer that it shares with others (tok2vec, transformer).

    Training the NER then changes no other component. A shared layer that has no listener left is
    removed.
    """
    ner = ner_name(nlp)
    for name in list(nlp.pipe_names):
        if ner in getattr(nlp.get_pipe(name), "listening_components", []):
            # The settings of the copy may refer to the original ("${components.tok2vec...}"),
            # which may be removed.
            settings = nlp.config.interpolate()["components"][name]["model"]
            nlp.get_pipe_config(name)["model"] = settings
            nlp.replace_listeners(name, ner, ["model.tok2vec"])
            if not nlp.get_pipe(name).listening_components:  # type: ignore[attr-defined]
                nlp.remove_pipe(name)


def extract_ner(nlp: Language, new_labels: Iterable[str], lang: str) -> Language:
    """Remove all but the NER from a pipeline, call it "ner", and add the new labels to it.

    The labels are added here because `spacy train` does not add any to a sourced component: it
    resumes the component and does not initialise it.

    Args:
        nlp: the pipeline; it is changed.
        new_labels: the labels to add.
        lang: the language code of the training.

    Raises:
        ValueError: "the pipeline's language is ...", or "the pipeline has a tokenizer ...".
    """
    check_language(nlp, lang)
    separate_ner(nlp)
    ner = ner_name(nlp)
    for name in [name for name in nlp.component_names if name != ner]:
        nlp.remove_pipe(name)
    if ner != "ner":
        nlp.rename_pipe(ner, "ner")
    for label in sorted(new_labels):
        nlp.get_pipe("ner").add_label(label)  # type: ignore[attr-defined]
    return nlp


def check_language(nlp: Language, lang: str) -> None:
    """See that the training config fits a pipeline.

    Raises:
        ValueError: "the pipeline's language is ...", or "the pipeline has a tokenizer ...".
    """
    if nlp.lang != lang:
        raise ValueError(
            f"the pipeline's language is {nlp.lang}, not {lang}: give --vars.lang {nlp.lang}"
        )
    tokenizer = nlp.config["nlp"]["tokenizer"]
    if tokenizer != get_lang_class(lang)().config["nlp"]["tokenizer"]:
        raise ValueError(
            f"the pipeline has a tokenizer of another kind ({tokenizer}): "
            "name it in configs/update.cfg"
        )


def replace_ner(nlp: Language, trained: Language) -> Language:
    """Put the trained NER in the place of a pipeline's own. The pipeline is changed."""
    separate_ner(nlp)
    name = ner_name(nlp)
    before = nlp.component_names[: nlp.component_names.index(name)]
    nlp.remove_pipe(name)
    place: dict[str, Any] = {"after": before[-1]} if before else {"first": True}
    nlp.add_pipe("ner", name=name, source=trained, **place)
    return nlp


def install_ner(new: Path, folder: Path, nlp: Language | None) -> Language:
    """Move the output of `spacy train` into place: FOLDER/pipeline and FOLDER/log.jsonl.

    Args:
        new: the output folder of `spacy train`.
        folder: keeps its earlier pipeline until the new one is complete.
        nlp: the pipeline that gets the trained NER; None for the trained pipeline as it is.

    Returns:
        the pipeline in FOLDER/pipeline.

    Raises:
        ValueError: "... holds no trained model ...".
    """
    best = best_model(new)
    trained = load_pipeline(str(best), "run the training first")
    if nlp is not None:
        keep_vectors_attr(best, Path(nlp.path or ""))
        replace_ner(nlp, trained)
    install_training(new, folder, nlp)
    return nlp or trained
