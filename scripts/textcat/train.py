"""Run `spacy train` for one variant, with what the data says: whether labels exclude each other, and how much each weighs."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spacy.cli.train import train as spacy_train
from spacy.util import import_file

from scripts.files import remove, replace_folder, write_json

os.environ.setdefault(
    "USE_TF", "0"
)  # or transformers imports TensorFlow where that is installed, which takes seconds


def import_code(files: Sequence[Path]) -> None:
    """Import files with registered functions, as --code does.

    Raises:
        ValueError: "... does not exist ...".
    """
    for file in files:
        if not file.exists():
            raise ValueError(f"{file} does not exist: --code takes files with registered functions")
        import_file(file.stem, file)


def overrides(split: dict[str, Any]) -> dict[str, Any]:
    """The settings of a textcat config that follow from split.json."""
    return {
        "components.textcat.factory": "textcat" if split["exclusive"] else "textcat_multilabel",
        "labels.exclusive": split["exclusive"],
        "initialize.after_init.weights": split["weights"],
    }


def train(config: Path, folder: Path, settings: dict[str, Any], gpu_id: int) -> float:
    """Train, and move the best model into place. Returns the seconds that `spacy train` took.

    Args:
        config: for `spacy train`.
        folder: gets pipeline, log.jsonl and train.json, once all went well.
        settings: overrides of the config.
        gpu_id: -1 for the CPU.

    Raises:
        ValueError: what spaCy says of a bad setting; "... ended without a model ...".
    """
    new = folder / "new"
    remove(new)
    new.mkdir(parents=True)
    start = time.perf_counter()
    try:
        spacy_train(
            config, new, use_gpu=gpu_id, overrides={**settings, "paths.log": str(new / "log.jsonl")}
        )
    except SystemExit as error:
        if error.code:
            raise ValueError(f"spacy train refuses {config}: see above") from None
    seconds = time.perf_counter() - start
    if not (new / "model-best").exists():
        raise ValueError(f"the training with {config} ended without a model: see above")
    replace_folder(new / "model-best", folder / "pipeline")
    (new / "log.jsonl").replace(folder / "log.jsonl")
    write_json(folder / "train.json", {"seconds": round(seconds, 1), "gpu": gpu_id >= 0})
    remove(new)
    return seconds
