"""Load TensorFlow and Keras, and write and read Keras models without running code in a file."""

import contextlib
import io
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.files import need

FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the first date that a zip file can hold


def tensorflow() -> Any:
    """TensorFlow, imported without the lines that it logs.

    Raises:
        ValueError: "tensorflow is not installed ...", "Keras runs on ...".
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    quiet = contextlib.nullcontext() if "tensorflow" in sys.modules else _no_stderr()
    with quiet:
        tf, keras = need("tensorflow", "keras"), need("keras", "keras")
    if (backend := keras.backend.backend()) != "tensorflow":
        raise ValueError(
            f"Keras runs on {backend}, not on TensorFlow: set KERAS_BACKEND=tensorflow"
        )
    return tf


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    """Silence C++ code that writes to stderr before it reads its log level."""
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)


def load_keras() -> Any:
    """Keras, on TensorFlow. Raises as `tensorflow` does."""
    tensorflow()
    import keras

    return keras


def keras_bytes(model: Any) -> bytes:
    """A Keras model as the content of a .keras file. The same weights give the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return _reproducible(path.read_bytes())


def _reproducible(data: bytes) -> bytes:
    """A .keras file (a zip file) without dates and memory addresses, which differ between runs."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new,
    ):
        for name in sorted(old.namelist()):
            content = old.read(name)
            if name.endswith(".json"):
                content = re.sub(rb', "(shared_object_id|date_saved)": ("[^"]*"|\d+)', b"", content)
            new.writestr(zipfile.ZipInfo(name, FIXED_DATE), content)
    return out.getvalue()


def read_keras(path: Path) -> Any:
    """Read the model of a .keras file.

    It is read in safe_mode: only Keras' own layers are allowed, and no code.

    Raises:
        ValueError: "... can't be loaded ...", and what `tensorflow` raises.
    """
    load = load_keras().saving.load_model
    try:
        return load(path, compile=False, safe_mode=True)
    # zipfile, h5py, json and Keras each raise their own errors.
    except Exception as error:
        why = f"damaged, of a newer Keras, or not of Keras' own layers ({type(error).__name__})"
        raise ValueError(f"{path} can't be loaded: {why}: train or save it again") from None
