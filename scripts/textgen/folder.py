"""The files of a training: a log and a checkpoint while it runs, a model folder at its end."""

import math
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
    """A model folder.

    Attributes:
        model: of Keras.
        characters: that it knows.
        facts: its settings, steps and dev bits.
    """

    model: Any
    characters: Characters
    facts: dict[str, Any]


def save(folder: Path, saved: Saved) -> None:
    """Write a model folder in one step."""
    with new_folder(folder, marker=FACTS) as new:
        write_bytes(new / MODEL, keras_bytes(saved.model))
        write_json(new / FACTS, {"characters": saved.characters.alphabet, **saved.facts})


def load(folder: Path) -> Saved:
    """Read a model folder.

    Raises:
        ValueError: "... does not exist or holds no model ...", "... is damaged ...",
            "... do not belong together ...".
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
    if model.name != "textgen" or model.outputs[0].shape[-1] != len(characters.alphabet):
        raise ValueError(
            f"{folder}: model and characters do not belong together: run textgen-train again"
        )
    return Saved(model, characters, facts)


def write_checkpoint(path: Path, arrays: Arrays, fingerprint: str, characters: Characters) -> None:
    """Write a checkpoint in one step.

    Args:
        path: its file.
        arrays: of the trainer.
        fingerprint: a digest of texts, settings and seed.
        characters: that the model knows.
    """
    content: dict[str, Any] = {
        "fingerprint": np.array(fingerprint),
        "characters": np.array(characters.alphabet),
        **arrays,
    }
    with replacing(path) as part, part.open("wb") as file:
        np.savez(file, **content)


def read_checkpoint(path: Path, fingerprint: str, characters: Characters) -> Arrays | None:
    """The arrays of a checkpoint, as `write_checkpoint` took them; None where there is none.

    Raises:
        ValueError: "... of a text with other characters ...", "... of another text, config or seed
            ...", "the checkpoint is damaged ...".
    """
    if not path.exists():
        return None
    remedy = f"delete {path} to start again"
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        earlier, alphabet = str(arrays.pop("fingerprint")), str(arrays.pop("characters"))
    except (ValueError, OSError, EOFError, KeyError, TypeError, zipfile.BadZipFile):
        raise ValueError(f"the checkpoint is damaged: {remedy}") from None
    if alphabet != characters.alphabet:
        differ = " ".join(map(repr, sorted(set(alphabet) ^ set(characters.alphabet))))
        raise ValueError(
            f"the checkpoint is of a text with other characters ({differ}): "
            f"{remedy}, or give that text again"
        )
    if earlier != fingerprint:
        raise ValueError(
            "the checkpoint is of another text, config or seed: "
            f"{remedy}, or give the same ones again"
        )
    return arrays


def read_log(path: Path, step: int) -> list[dict[str, Any]]:
    """The lines of the log of a training that was stopped, up to a step.

    Raises:
        ValueError: "... is damaged ...".
    """
    try:
        log: list[Any] = [line for line in srsly.read_jsonl(path) if line["step"] <= step]
        return [line for line in log if _is_finite(line)]
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"{path} is damaged: delete {path.with_name('checkpoint.npz')} to start again"
        ) from None


def _is_finite(line: dict[str, Any]) -> bool:
    return math.isfinite(line["seconds"] + line["train_bits"] + line["dev_bits"])
