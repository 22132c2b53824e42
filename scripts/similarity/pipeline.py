"""The trained pipeline: loaded and checked, and moved into place after training."""

from pathlib import Path

from spacy.language import Language
from spacy.util import load_config

from scripts.pipelines import best_model, install_training, keep_vectors_attr, load_pipeline

TRAIN = "train one (python -m weasel run similarity)"


def load_trained(path: str) -> Language:
    """A pipeline with a trained similarity. Its vectors are checked: they must fit the model.

    Raises:
        ValueError: "... has no text_similarity ...", "the vectors are of width ...", and what
            `load_pipeline` raises.
    """
    nlp = load_pipeline(path, TRAIN)
    if "text_similarity" not in nlp.pipe_factories.values():
        raise ValueError(f"{path} has no text_similarity: {TRAIN}")
    nlp("a text")
    return nlp


def assemble_pipeline(new: Path, folder: Path) -> Language:
    """Move the output of `spacy train` into place: FOLDER/pipeline and FOLDER/log.jsonl.

    Raises:
        ValueError: "... holds no trained model ...", and what `load_trained` raises.
    """
    best = best_model(new)
    paths = load_config(best / "config.cfg", interpolate=True)["paths"]
    keep_vectors_attr(best, Path(paths["vectors"]))
    nlp = load_trained(str(best))
    install_training(new, folder)
    return nlp
