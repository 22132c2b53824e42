"""Write and read the model folder: a Keras model, and arrays and names that need no TensorFlow."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from scipy import sparse

from scripts.files import new_folder, restore_folder, write_bytes, write_json
from scripts.movies.factors import Factors
from scripts.movies.pairs import PARTS, Floats2d, Pairs

FORMAT = 1
MARKER = "train.json"


@dataclass(frozen=True)
class Trained:
    """A trained model: its pairs, its embeddings and the content of train.json."""

    path: Path
    pairs: Pairs
    factors: Factors
    facts: dict[str, Any]

    @property
    def items(self) -> Floats2d:
        """Embeddings of length 1, (n_items, width)."""
        return self.factors.items / self.facts["scale"]

    @property
    def links(self) -> Floats2d:
        """Embeddings of length 1, (n_links, width)."""
        return self.factors.links


def write_trained(
    path: Path, pairs: Pairs, factors: Factors, model: bytes, facts: dict[str, Any]
) -> None:
    """Write model.keras, embeddings.npz, names.json and train.json, all of them or none."""
    arrays: dict[str, Any] = {"items": factors.items, "links": factors.links, "bias": factors.bias}
    for part in PARTS:
        matrix = getattr(pairs, part)
        arrays[f"{part}_indices"] = matrix.indices.astype("i4")
        arrays[f"{part}_indptr"] = matrix.indptr.astype("i4")
    with new_folder(path, MARKER) as new:
        write_bytes(new / "model.keras", model)
        np.savez(new / "embeddings.npz", **arrays)
        write_json(new / "names.json", {"titles": pairs.titles, "links": pairs.links})
        write_json(new / MARKER, {"format": FORMAT, **facts})


def read_trained(path: Path) -> Trained:
    """Read what `write_trained` wrote.

    Raises:
        ValueError: "... does not exist ...", "... is damaged or of an older version ...".
    """
    restore_folder(path)
    if not (path / MARKER).exists():
        raise ValueError(f"{path} does not exist: train first (python -m weasel run movies-train)")
    try:
        return _read(path)
    # numpy, zipfile, srsly and scipy each raise their own errors for damaged files.
    except Exception as error:
        reason = f"is damaged or of an older version ({type(error).__name__})"
        remedy = "train again (python -m weasel run movies-train)"
        raise ValueError(f"{path} {reason}: {remedy}") from None


def _read(path: Path) -> Trained:
    facts: Any = srsly.read_json(path / MARKER)
    names: Any = srsly.read_json(path / "names.json")
    with np.load(path / "embeddings.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    shape = (len(names["titles"]), len(names["links"]))
    parts = {}
    for part in PARTS:
        indices, indptr = arrays[f"{part}_indices"], arrays[f"{part}_indptr"]
        cells = (np.ones(len(indices), "f4"), indices, indptr)
        parts[part] = sparse.csr_matrix(cells, shape)
    factors = Factors(arrays["items"], arrays["links"], arrays["bias"])
    if facts["format"] != FORMAT or (len(factors.items), len(factors.links)) != shape:
        raise ValueError("another format")
    return Trained(path, Pairs(names["titles"], names["links"], **parts), factors, facts)
