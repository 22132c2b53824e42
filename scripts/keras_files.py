"""Keras models as files: the same weights give the same bytes, and nothing in them is run."""

import io
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from scripts.files import need, write_bytes

FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can hold


def write_keras(path: Path, model: Any) -> None:
    """Write a model as .keras, in one step, without what differs from run to run: dates, and addresses of objects in memory."""
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        with zipfile.ZipFile(Path(folder) / "model.keras") as old, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new:
            for name in sorted(old.namelist()):
                content = old.read(name)
                if name.endswith(".json"):
                    content = re.sub(rb', "(shared_object_id|date_saved)": ("[^"]*"|\d+)', b"", content)
                new.writestr(zipfile.ZipInfo(name, FIXED_DATE), content)
    write_bytes(path, out.getvalue())


def read_keras(path: Path) -> Any:
    """A model of a .keras file, by safe_mode: layers of Keras alone, no code.

    Raises:
        ValueError: "... is damaged ...", "tensorflow is not installed ...".
    """
    need("tensorflow", "keras")
    try:
        return need("keras.saving", "keras").load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # zipfile, h5py, json and Keras each raise their own on damaged bytes
        raise ValueError(f"{path} is damaged, or made by a newer Keras ({type(error).__name__}): train again") from None
