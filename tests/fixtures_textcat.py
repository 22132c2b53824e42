"""Shared by the tests of `textcat`: a copy of the project in which it ran."""

from pathlib import Path

import pytest

from tests.conftest import copy_project, weasel

FEW_STEPS = ["--vars.textcat.max_steps", "60", "--vars.textcat.eval_frequency", "20"]


@pytest.fixture(scope="session")
def classified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the bag of words and the baseline ran with few steps.

    Tests read it and change nothing.
    """
    folder = copy_project(tmp_path_factory.mktemp("textcat"))
    for step in ("corpus", "baseline", "bow-train", "bow-evaluate", "bow-package", "compare"):
        weasel(folder, f"textcat-{step}", ".", *FEW_STEPS)
    return folder
