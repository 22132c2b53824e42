"""What a training leaves on the disk: a checkpoint while it runs, a model folder at its end."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import srsly

from scripts.files import new_folder, replacing, restore_folder, write_bytes, write_json
from scripts.keras_models import keras_bytes, read_keras
from scripts.textgen.characters import Characters
from scripts.textgen.train import Arrays

MODEL, FACTS = "model.keras", "model.json"


@dataclass(frozen=True)
class Saved:
    """A model folder: the Keras model, its characters, and what else is known of it (config, steps, bits)."""

    model: Any
    characters: Characters
    facts: dict[str, Any]


def save(folder: Path, saved: Saved) -> None:
    """Write a model folder in one step."""
    with new_folder(folder, marker=FACTS) as new:
        write_bytes(new / MODEL, keras_bytes(saved.model))
        write_json(new / FACTS, {"characters": saved.characters.known, **saved.facts})


def load(folder: Path) -> Saved:
    """Read a model folder.

    Raises:
        ValueError: "... does not exist: run textgen-train first", "... is damaged ...", "... other characters ...".
    """
    restore_folder(folder)
    if not (folder / MODEL).exists() or not (folder / FACTS).exists():
        raise ValueError(f"{folder} does not exist or holds no model: run textgen-train first")
    model = read_keras(folder / MODEL)
    try:
        facts = dict(srsly.read_json(folder / FACTS))
        characters = Characters(str(facts.pop("characters")))
        facts["step"] = int(facts["step"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder / FACTS} is damaged: run textgen-train again ({type(error).__name__})"
        ) from None
    if model.name != "textgen" or model.outputs[0].shape[-1] != len(characters.known):
        raise ValueError(
            f"{folder}: model and characters do not belong together: run textgen-train again"
        )
    return Saved(model, characters, facts)


def write_checkpoint(path: Path, arrays: Arrays, fingerprint: str, characters: Characters) -> None:
    """Write the arrays of an evaluation in one step."""
    with replacing(path) as part, part.open("wb") as file:
        np.savez(
            file, fingerprint=np.array(fingerprint), characters=np.array(characters.known), **arrays
        )  # type: ignore[arg-type]


def read_checkpoint(path: Path, fingerprint: str, characters: Characters) -> Arrays | None:
    """The arrays that a run left which was stopped; None where there is no checkpoint.

    Raises:
        ValueError: "... checkpoint of a text with other characters ...", "... of other settings ...", "... is damaged ...".
    """
    if not path.exists():
        return None
    remedy = f"delete {path} to begin anew"
    try:
        with np.load(path, allow_pickle=False) as left:
            arrays = dict(left)
        found, known = str(arrays.pop("fingerprint")), str(arrays.pop("characters"))
    except (ValueError, OSError, EOFError, KeyError, TypeError, zipfile.BadZipFile):
        raise ValueError(f"the checkpoint is damaged: {remedy}") from None
    if known != characters.known:
        differ = " ".join(map(repr, sorted(set(known) ^ set(characters.known))))
        raise ValueError(
            f"the checkpoint is of a text with other characters ({differ}): {remedy}, or give that text again"
        )
    if found != fingerprint:
        raise ValueError(
            f"the checkpoint is of another text, config or seed: {remedy}, or give the same again"
        )
    return arrays
