"""One small run of the workflow `vectors` that many tests look at."""

from pathlib import Path

import pytest

from tests.conftest import copy_project, weasel

FEW_EPOCHS = ["--vars.vectors.epochs", "2", "--vars.vectors.vector_size", "32"]


@pytest.fixture(scope="session")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which `vectors` ran with few epochs."""
    folder = copy_project(tmp_path_factory.mktemp("vectors"))
    printed = weasel(folder, "vectors", ".", *FEW_EPOCHS).stdout
    assert "epoch 2 of 2: loss" in printed and "recall@10" in printed
    return folder
