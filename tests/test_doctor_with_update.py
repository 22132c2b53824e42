"""The doctor finds nothing wrong with a healthy training of `update`."""

from collections.abc import Callable
from pathlib import Path

import spacy

from scripts.update.pipeline import extract_ner
from tests.fixtures_doctor import comments, diagnose


def test_nothing_is_found_in_a_healthy_update(
    train_spacy: Callable[..., Path], healthy_ner: Path, tmp_path: Path
) -> None:
    extract_ner(spacy.load(healthy_ner / "model-best"), ["SHOP"], "en").to_disk(tmp_path / "base")
    settings = {"paths.base": str(tmp_path / "base"), "training.batcher.size": 200}
    folder = train_spacy("update.cfg", comments(300, 3), comments(90, 4), **settings)
    assert diagnose(folder) == {}
