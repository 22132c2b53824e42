"""Small runs of the workflow `vectors`, and of vectors that others made."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import spacy
import srsly

from tests.conftest import copy_project, weasel
from tests.fixtures_vectors import FEW_EPOCHS

RING = [[0, 0], [9, 0], [9, 9], [0, 0]]
NORWAY = {
    "type": "Feature",
    "id": "NOR",
    "properties": {},
    "geometry": {"type": "Polygon", "coordinates": [RING]},
}


def test_vectors_from_text_to_patterns(vectors: Path) -> None:
    folder = vectors / "training/vectors"
    scores = srsly.read_json(folder / "metrics.json")
    assert scores["words"] > 10_000
    assert scores["analogies"]["all"]["covered"] > 4_000
    assert scores["similarities"]["WordSim-353"]["covered"] > 250
    n_members = len(list(srsly.read_jsonl(folder / "members.jsonl")))
    assert srsly.read_json(folder / "classify.json")["members"] == n_members > 12
    for name in ("patterns.jsonl", "ranking.jsonl"):
        assert len(list(srsly.read_jsonl(folder / name))) == n_members
    for name in ("tsne.png", "tsne.svg", "ranking.png"):
        assert (folder / name).stat().st_size > 10_000
    assert (folder / "index/index.faiss").exists()
    assert srsly.read_json(folder / "index.json")["recall"] > 0.5
    again = weasel(vectors, "vectors-train", ".", *FEW_EPOCHS).stdout
    assert "Skipping 'vectors-train'" in again
    assert "coffee" in weasel(vectors, "vectors-nearest", ".").stdout
    assert "king" in weasel(vectors, "vectors-analogy", ".").stdout


def other_vectors(folder: Path) -> bytes:
    """word2vec's binary format: countries in one direction, other words in all."""
    countries = [line["text"] for line in srsly.read_jsonl(folder / "countries.jsonl")]
    words = list(countries)
    for line in srsly.read_jsonl(folder / "groups.jsonl"):
        words += line["words"]
    words = [word.replace(" ", "_") for word in dict.fromkeys(words)]
    words += [f"other{number}" for number in range(800)]
    rows = np.random.default_rng(0).standard_normal((len(words), 24)).astype("f4")
    rows[: len(countries), 0] += 6
    lines = [word.encode() + b" " + row.tobytes() + b"\n" for word, row in zip(words, rows)]
    return f"{len(words)} 24\n".encode() + b"".join(lines)


def test_vectors_that_others_made(tmp_path: Path) -> None:
    folder = copy_project(tmp_path)
    (folder / "v.bin.gz").write_bytes(gzip.compress(other_vectors(folder / "assets/vectors")))
    world = {"type": "FeatureCollection", "features": [NORWAY]}
    srsly.write_json(folder / "world.geo.json", world)
    own = ["--vars.vectors.source", "v.bin.gz", "--vars.vectors.top", "0"]
    own += ["--vars.vectors.world", "world.geo.json"]
    weasel(folder, "vectors-pretrained", ".", *own)
    assert srsly.read_json(folder / "training/vectors/classify.json")["gold_r"] > 0.9
    assert (folder / "training/vectors/map.png").stat().st_size > 5_000


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere", "no static vectors called 'nowhere'"),
        ("training/empty", "has no static vectors"),
    ],
)
def test_a_table_without_vectors(tmp_path: Path, name: str, words: str) -> None:
    folder = copy_project(tmp_path)
    (folder / "training").mkdir()
    spacy.blank("en").to_disk(folder / "training/empty")
    done = weasel(folder, "vectors-table", ".", "--vars.vectors.table", name, check=False)
    assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr
