"""The vectors that a similarity is trained on, and the trained pipeline: found, checked, moved into place."""

import contextlib
from pathlib import Path
from typing import Any
from zlib import crc32

import spacy
import srsly
from spacy.language import Language
from spacy.util import load_config

from scripts.components.similarity import TextSimilarity
from scripts.files import new_folder
from scripts.pipelines import keep_vectors_attr


def load(name: str, what: str) -> Language:
    """An installed pipeline or a folder.

    Raises:
        ValueError: "no WHAT called ...", or "... can't be loaded ...".
    """
    try:
        with contextlib.redirect_stderr(None):
            return spacy.load(name)
    except OSError:
        raise ValueError(
            f"no {what} called {name!r}: give a folder or an installed pipeline, or make it first"
        ) from None
    except Exception as error:  # damaged files raise what their readers raise
        raise ValueError(
            f"{name} can't be loaded, make or install it again ({type(error).__name__}: {str(error)[:200]})"
        ) from error


def describe_vectors(name: str) -> dict[str, Any]:
    """What tells these vectors from others.

    Raises:
        ValueError: "... has no static vectors ...", and what `load` raises.
    """
    table = load(name, "vectors").vocab.vectors
    if not table.size:
        raise ValueError(
            f"{name!r} has no static vectors: train some (python -m weasel run vectors), "
            "or name a pipeline that has some by vars.similarity.vectors"
        )
    checksum = crc32(srsly.msgpack_dumps(table.key2row), crc32(table.data.tobytes(), table.attr))
    return {"name": name, "rows": table.shape[0], "width": table.shape[1], "crc32": checksum}


def load_trained(path: str) -> tuple[Language, TextSimilarity]:
    """A pipeline with a trained similarity, and that component; its vectors are those that it was trained with.

    Raises:
        ValueError: "... has no text_similarity ...", "the vectors are of width ...", and what `load` raises.
    """
    nlp = load(path, "pipeline")
    found = [pipe for _, pipe in nlp.pipeline if isinstance(pipe, TextSimilarity)]
    if not found:
        raise ValueError(f"{path} has no text_similarity: train one (similarity-train)")
    found[0].predict([nlp.make_doc("a text")])
    return nlp, found[0]


def compose(new: Path, folder: Path) -> Language:
    """Move what `spacy train` made into place: `folder`/pipeline and `folder`/log.jsonl.

    Raises:
        ValueError: "... holds no trained model ...".
    """
    best = new / "model-best"
    if not best.exists():
        raise ValueError(f"{new} holds no trained model: run the training first")
    paths = load_config(best / "config.cfg", interpolate=True)["paths"]
    nlp, _ = load_trained(str(best))
    with new_folder(folder / "pipeline") as pipeline:
        nlp.to_disk(pipeline)
        keep_vectors_attr(pipeline, Path(paths["vectors"]))
    Path(paths["log"]).replace(folder / "log.jsonl")
    return nlp
