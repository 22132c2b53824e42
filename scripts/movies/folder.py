"""What `train` leaves and the other steps read, without TensorFlow: arrays and names."""

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
    """A training: its pairs and embeddings."""

    path: Path
    pairs: Pairs
    factors: Factors
    facts: dict[str, Any]

    @property
    def items(self) -> Floats2d:
        """(n_items, width): embeddings of length 1."""
        return self.factors.items / self.facts["scale"]

    @property
    def links(self) -> Floats2d:
        """(n_links, width): embeddings of length 1."""
        return self.factors.links


def write_trained(
    path: Path, pairs: Pairs, factors: Factors, model: bytes, facts: dict[str, Any]
) -> None:
    """Write a folder with model.keras, embeddings.npz, names.json and train.json, whole or not at all."""
    arrays: dict[str, Any] = {"items": factors.items, "links": factors.links, "bias": factors.bias}
    for part in PARTS:
        matrix = getattr(pairs, part)
        arrays |= {
            f"{part}_{name}": getattr(matrix, name).astype("i4") for name in ("indices", "indptr")
        }
    with new_folder(path, MARKER) as new:
        write_bytes(new / "model.keras", model)
        np.savez(new / "embeddings.npz", **arrays)
        write_json(new / "names.json", {"titles": pairs.titles, "links": pairs.links})
        write_json(new / MARKER, {"format": FORMAT, **facts})


def read_trained(path: Path) -> Trained:
    """Read what `write_trained` wrote.

    Raises:
        ValueError: "... does not exist: run movies-train first", "... is damaged or of an older version ...".
    """
    restore_folder(path)
    if not (path / MARKER).exists():
        raise ValueError(f"{path} does not exist: run movies-train first")
    try:
        facts: Any = srsly.read_json(path / MARKER)
        names: Any = srsly.read_json(path / "names.json")
        with np.load(path / "embeddings.npz", allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        shape = (len(names["titles"]), len(names["links"]))
        parts = [
            sparse.csr_matrix(
                (
                    np.ones(len(found[f"{part}_indices"]), "f4"),
                    found[f"{part}_indices"],
                    found[f"{part}_indptr"],
                ),
                shape,
            )
            for part in PARTS
        ]
        factors = Factors(found["items"], found["links"], found["bias"])
        if facts["format"] != FORMAT or (len(factors.items), len(factors.links)) != shape:
            raise ValueError("another format")
    except (
        Exception
    ) as error:  # numpy, zipfile, srsly and scipy each raise their own on damaged files
        raise ValueError(
            f"{path} is damaged or of an older version: run movies-train again ({type(error).__name__})"
        ) from None
    return Trained(path, Pairs(names["titles"], names["links"], *parts), factors, facts)
