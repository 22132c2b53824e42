"""The checkpoint of a training, from which a run that was killed resumes."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from scripts.files import digest, replacing
from scripts.movies.options import Settings
from scripts.movies.pairs import Pairs

SAVE_SECONDS = 30.0  # between two checkpoints


class Checkpoint:
    """The state of a training on disk. It is only read with the same pairs and settings."""

    def __init__(self, path: Path | None, pairs: Pairs, settings: Settings) -> None:
        self.path = path
        content = json.dumps(asdict(settings)).encode()
        for matrix in (pairs.train, pairs.dev):
            content += matrix.indptr.tobytes() + matrix.indices.tobytes()
        self.key = digest(content)
        self.saved = time.monotonic()

    def read(self) -> tuple[list[Any], list[Any], list[dict[str, Any]]] | None:
        """(state, best weights, log), or None if there is nothing to resume from."""
        if self.path is None or not self.path.exists():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as file:
                facts = json.loads(str(file["facts"]))
                arrays = [file[f"arr_{number}"] for number in range(facts["n_arrays"])]
                n_best = facts["n_best"]
        # zipfile, numpy and json each raise their own errors for a damaged file.
        except Exception:
            return None
        if facts["key"] != self.key:
            return None
        return arrays[n_best:], arrays[:n_best], facts["log"]

    def write(self, state: list[Any], best: list[Any], log: list[dict[str, Any]]) -> None:
        """Save, unless the last checkpoint is only seconds old."""
        if self.path is None or time.monotonic() - self.saved < SAVE_SECONDS:
            return
        arrays = [*best, *state]
        facts = {"log": log, "key": self.key, "n_best": len(best), "n_arrays": len(arrays)}
        with replacing(self.path) as part, part.open("wb") as file:
            np.savez(file, *arrays, facts=np.asarray(json.dumps(facts)))
        self.saved = time.monotonic()
