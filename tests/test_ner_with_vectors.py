"""`ner` with what `vectors` made: patterns of a class of words, and static vectors."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import spacy
import srsly

from scripts.vectors.folder import write_folder
from tests.conftest import weasel, wheel_name
from tests.fixtures_ner import FEW


@pytest.fixture(scope="module")
def annotated_with_vectors(
    annotated: Path, vectors: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A copy of the project with the corpus of `ner` and what `vectors` made."""
    folder = tmp_path_factory.mktemp("ner-vectors") / "project"
    shutil.copytree(annotated, folder)
    shutil.copytree(vectors / "training/vectors", folder / "training/vectors")
    return folder


def test_patterns_of_the_class_go_into_ner(vectors: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(vectors, folder)
    (folder / "texts.txt").write_text(
        "We went to France and on to Turkey.\nMy phone has no signal in China.\n"
    )
    own = ["--vars.ner.patterns", "training/vectors/patterns.jsonl"]
    weasel(folder, "ner-annotate", ".", *own, "--vars.ner.texts", "texts.txt")
    assert set(srsly.read_json(folder / "corpus/ner/stats.json")["labels"]) == {"COUNTRY"}


def test_static_vectors(annotated_with_vectors: Path) -> None:
    folder = annotated_with_vectors
    weasel(folder, "ner-vectors", ".", *FEW)
    for name in ("model-best", "pipeline"):
        nlp = spacy.load(folder / "training/ner-vectors" / name)
        assert nlp.vocab.vectors.shape[1] == 32
        assert nlp.config["components"]["tok2vec"]["model"]["embed"]["include_static_vectors"]
        upper, lower = nlp("PHONE")[0], nlp("phone")[0]
        assert np.array_equal(upper.vector, lower.vector) and lower.has_vector
    metrics = srsly.read_json(folder / "training/ner-vectors/metrics.json")
    assert metrics["test_texts"] == 150
    assert (folder / "packages" / wheel_name("ner", "_vectors")).exists()
    assert "Skipping 'ner-vectors-train'" in weasel(folder, "ner-vectors", ".", *FEW).stdout
    other = folder / "training/other"
    spacy.blank("en").to_disk(other)
    write_folder(other, [([b"phone"], np.ones((1, 32), "f4"))], 32)
    changed = ["--vars.vectors.table", "training/other"]
    again = weasel(folder, "ner-vectors", ".", *FEW, *changed).stdout
    assert "Skipping 'ner-vectors-train'" not in again
