"""One small training of the workflow `ner` that many tests look at, and one of its corpora."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import copy_project, weasel

TINY = ["--vars.ner.max_steps", "300", "--vars.ner.eval_frequency", "100"]
TINY += ["--vars.ner.n_process", "1"]
FEW = [*TINY, "--vars.ner.max_steps", "40", "--vars.ner.eval_frequency", "20"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which `ner` ran with few steps. Tests look at it, change nothing."""
    folder = copy_project(tmp_path_factory.mktemp("project"))
    weasel(folder, "ner", ".", *TINY)
    return folder


@pytest.fixture(scope="session")
def annotated(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the corpus of `ner`, for variants to train on."""
    folder = copy_project(tmp_path_factory.mktemp("variants"))
    (folder / "training").mkdir()
    shutil.copytree(trained / "corpus", folder / "corpus")
    shutil.copy(trained / "project.lock", folder)
    return folder
