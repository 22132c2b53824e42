"""Load Keras, and Keras models from files: nothing in them is run."""

from pathlib import Path
from typing import Any

from scripts.components.keras_textcat import tensorflow


def load_keras() -> Any:
    """Keras, on TensorFlow.

    Raises:
        ValueError: "TensorFlow is not installed ...", "Keras runs on ...".
    """
    tensorflow()
    import keras

    return keras


def read_keras(path: Path) -> Any:
    """A model of a .keras file, by safe_mode: layers of Keras alone, no code.

    Raises:
        ValueError: "... can't be loaded ...", "TensorFlow is not installed ...".
    """
    load = load_keras().saving.load_model
    try:
        return load(path, compile=False, safe_mode=True)
    except (
        Exception
    ) as error:  # zipfile, h5py, json and Keras each raise their own on damaged bytes
        why = f"damaged, of a newer Keras, or with layers that are not Keras' own ({type(error).__name__})"
        raise ValueError(f"{path} can't be loaded: {why}: train or save it again") from None
