"""Train one variant by `spacy train`, with the settings that follow from the corpus."""

import time
from pathlib import Path
from typing import Any

from spacy.cli.train import train as spacy_train

from scripts.files import remove, write_json
from scripts.pipelines import install_training


def corpus_settings(split: dict[str, Any], corpus: Path) -> dict[str, Any]:
    """The settings of a textcat config that follow from the corpus.

    Args:
        split: the content of split.json.
        corpus: the folder of the corpus.
    """
    return {
        "components.textcat.factory": "textcat" if split["exclusive"] else "textcat_multilabel",
        "labels.exclusive": split["exclusive"],
        "initialize.after_init.weights": split["weights"],
        "paths.train": str(corpus / "train.spacy"),
        "paths.dev": str(corpus / "dev.spacy"),
    }


def train_variant(config: Path, folder: Path, settings: dict[str, Any], gpu_id: int) -> float:
    """Train, and move the best model into place. Returns the seconds that `spacy train` took.

    Args:
        config: for `spacy train`.
        folder: gets pipeline, log.jsonl and train.json when the training is complete.
        settings: overrides of the config.
        gpu_id: -1 for the CPU.

    Raises:
        ValueError: what spaCy says about a bad setting; what `install_training` raises.
    """
    new = folder / "new"
    remove(new)
    new.mkdir(parents=True)
    settings = {**settings, "paths.log": str(new / "log.jsonl")}
    start = time.perf_counter()
    try:
        spacy_train(config, new, use_gpu=gpu_id, overrides=settings)
    except SystemExit as error:
        if error.code:
            raise ValueError(f"spacy train refuses {config}: see above") from None
    seconds = time.perf_counter() - start
    install_training(new, folder)
    write_json(folder / "train.json", {"seconds": round(seconds, 1), "gpu": gpu_id >= 0})
    remove(new)
    return seconds
