"""Load a pipeline that is to learn more, cut its NER out for training, and put the trained NER back in its place."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.util import get_lang_class, is_package

from scripts.files import digest, new_folder

NER_FACTORIES = ("ner", "beam_ner")


def load_pipeline(name: str) -> Language:
    """An installed or saved pipeline with one NER.

    Raises:
        ValueError: "no pipeline called ...", "... can't be loaded ..." or "... has no NER to update ...".
    """
    if not Path(name).exists() and not is_package(name):
        what = f"no pipeline called {name!r}: give an installed one or a folder by vars.update.pipeline"
        raise ValueError(f"{what} (the default is what the workflow all leaves)")
    try:
        nlp = spacy.load(name)
    except Exception as error:  # msgpack, zlib, numpy and the config system each raise their own on missing or damaged files
        raise ValueError(
            f"{name} can't be loaded, make or install it again: {error or type(error).__name__}"
        ) from error
    ner_name(nlp, name)
    return nlp


def ner_name(nlp: Language, title: str = "the pipeline") -> str:
    """The name of the component that finds entities by a model.

    Raises:
        ValueError: "... has no NER to update ..." or "... has N NERs ...".
    """
    names = [name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory in NER_FACTORIES]
    if not names:
        has = ", ".join(nlp.pipe_names) or "nothing"
        raise ValueError(
            f"{title} has no NER to update (it has {has}): give a pipeline with one by vars.update.pipeline"
        )
    if len(names) > 1:
        raise ValueError(
            f"{title} has {len(names)} NERs ({', '.join(names)}): disable all but one and save it again"
        )
    return names[0]


def labels(nlp: Language) -> list[str]:
    """The labels that the NER of a pipeline knows, sorted."""
    return sorted(nlp.get_pipe(ner_name(nlp)).labels)  # type: ignore[attr-defined]


def describe(nlp: Language, name: str, wanted: set[str]) -> dict[str, Any]:
    """Which pipeline this is and what it knows.

    Args:
        nlp: the pipeline.
        name: what it was loaded by.
        wanted: the labels of the new examples.

    Raises:
        ValueError: "the new examples have no labelled span ...".
    """
    if not wanted:
        raise ValueError(
            "the new examples have no labelled span that fits the tokens: give others by vars.update.new"
        )
    known = labels(nlp)
    return {
        "pipeline": name,
        "components": nlp.pipe_names,
        "labels": known,
        "new_labels": sorted(wanted - set(known)),
        "fingerprint": fingerprint(nlp.path) if nlp.path else "",
    }


def fingerprint(folder: Path) -> str:
    """A fingerprint of all files of a pipeline: another one for another pipeline of the same name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return digest(
        "\n".join(
            f"{path.relative_to(folder)} {digest(path.read_bytes())}" for path in files
        ).encode()
    )


def own_tok2vec(nlp: Language) -> None:
    """Give the NER its own copy of the layer that it shares (tok2vec, transformer), so that training it changes no other component.

    A shared layer to which nothing listens any more is taken out.
    """
    ner = ner_name(nlp)
    for name in list(nlp.pipe_names):
        if ner in getattr(nlp.get_pipe(name), "listening_components", []):
            # The copy's settings may refer to the original ("${components.tok2vec...}"), which may go.
            nlp.get_pipe_config(name)["model"] = nlp.config.interpolate()["components"][name][
                "model"
            ]
            nlp.replace_listeners(name, ner, ["model.tok2vec"])
            if not nlp.get_pipe(name).listening_components:  # type: ignore[attr-defined]
                nlp.remove_pipe(name)


def extract_ner(nlp: Language, new_labels: Iterable[str], lang: str) -> Language:
    """The pipeline cut down to its NER (called "ner"), with room for the new labels. The pipeline given is changed.

    A sourced component is resumed, not initialised, so `spacy train` would not add labels to it.

    Raises:
        ValueError: "the pipeline's language is ...", or "... has a tokenizer of its own kind ...".
    """
    if nlp.lang != lang:
        raise ValueError(
            f"the pipeline's language is {nlp.lang}, not {lang}: give --vars.lang {nlp.lang}"
        )
    plain = get_lang_class(lang)().config["nlp"]["tokenizer"]
    if nlp.config["nlp"]["tokenizer"] != plain:
        raise ValueError(
            f"the pipeline has a tokenizer of its own kind ({nlp.config['nlp']['tokenizer']}): name it in configs/update.cfg"
        )
    own_tok2vec(nlp)
    ner = ner_name(nlp)
    for name in [name for name in nlp.component_names if name != ner]:
        nlp.remove_pipe(name)
    if ner != "ner":
        nlp.rename_pipe(ner, "ner")
    for label in sorted(new_labels):
        nlp.get_pipe("ner").add_label(label)  # type: ignore[attr-defined]
    return nlp


def put_back(nlp: Language, trained: Language) -> Language:
    """The pipeline with the trained NER in the place of its own. All else is as it was; the pipeline given is changed."""
    own_tok2vec(nlp)
    name = ner_name(nlp)
    after = nlp.component_names[: nlp.component_names.index(name)]
    nlp.remove_pipe(name)
    place: dict[str, Any] = {"after": after[-1]} if after else {"first": True}
    nlp.add_pipe("ner", name=name, source=trained, **place)
    return nlp


def compose(new: Path, folder: Path, nlp: Language | None) -> Language:
    """Move what `spacy train` made into place: `folder`/pipeline and `folder`/log.jsonl.

    Args:
        new: the output folder of `spacy train`.
        folder: gets pipeline and log.jsonl.
        nlp: the pipeline that gets the trained NER; None to keep the training's own.

    Raises:
        ValueError: "... holds no trained model ...".
    """
    if not (new / "model-best").exists():
        raise ValueError(f"{new} holds no trained model: run the training first")
    trained = spacy.load(new / "model-best")
    made = trained if nlp is None else put_back(nlp, trained)
    with new_folder(folder / "pipeline") as pipeline:
        made.to_disk(pipeline)
    (new / "log.jsonl").replace(folder / "log.jsonl")
    return made
