"""Small runs of the variants of `ner`, and of the user's own data in each format."""

from pathlib import Path

import pytest
import spacy
import srsly

from tests.conftest import copy_project, shared_data, weasel, wheel_name
from tests.fixtures_ner import FEW

NO_HAND_LABELS = ["--vars.ner.dev", "assets/empty.jsonl", "--vars.ner.test", "assets/empty.jsonl"]


@pytest.mark.slow
def test_encoder_and_transformer(annotated: Path, tiny_bert: Path) -> None:
    own = [*FEW, "--vars.transformer", str(tiny_bert), "--vars.ner.encoder", str(tiny_bert)]
    weasel(annotated, "ner-encoder", ".", *own)
    summary = srsly.read_json(annotated / "corpus/ner-encoder/teach.json")
    assert summary["features"] == ["words", "encoder"]
    assert summary["entities_after"] > summary["entities_before"]
    assert "transformer" not in spacy.load(annotated / "training/ner-encoder/pipeline").pipe_names
    assert "Skipping 'ner-encoder-teach'" in weasel(annotated, "ner-trf", ".", *own).stdout
    assert spacy.load(annotated / "training/ner-trf/pipeline").pipe_names[0] == "transformer"
    for name in ("encoder", "trf"):
        metrics = srsly.read_json(annotated / f"training/ner-{name}/metrics.json")
        assert metrics["test_texts"] == 150
        assert (annotated / "packages" / wheel_name("ner", f"_{name}")).exists()


@pytest.mark.slow
def test_own_data_without_hand_labels_says_silver(tmp_path: Path) -> None:
    folder = copy_project(tmp_path)
    places = [("Bakery", "Elm Road"), ("Deli", "Oak Lane")] * 60
    lines = [
        f"The {shop} on {street} sells tea number {number}"
        for number, (shop, street) in enumerate(places)
    ]
    (folder / "my texts.txt").write_text("\n".join(lines), encoding="utf8")
    street = {"label": "STREET", "pattern": "Elm Road"}
    shop = {"label": "SHOP", "pattern": [{"LOWER": "deli"}]}
    srsly.write_jsonl(folder / "p.jsonl", [street, shop])
    own = ["--vars.ner.texts", "my texts.txt", "--vars.ner.patterns", "p.jsonl"]
    own += ["--vars.ner.name", "town"]
    printed = weasel(folder, "ner", ".", *FEW, *own, *NO_HAND_LABELS).stdout
    assert "SILVER labels" in printed and "There are no hand-labelled test texts" in printed
    metrics = srsly.read_json(folder / "training/ner/metrics.json")
    assert not metrics["test_is_gold"] and metrics["labels"] == ["SHOP", "STREET"]
    page = (folder / "training/ner/report.html").read_text("utf8")
    assert "There are no hand-labelled test texts" in page
    assert (folder / "packages/en_town-0.1.0-py3-none-any.whl").exists()


def published(name: str) -> Path:
    folder = shared_data() / name
    if not folder.exists():
        pytest.skip(f"{folder} is not here")
    return folder


@pytest.mark.slow
def test_published_patterns(tmp_path: Path) -> None:
    source = published("fashion")
    folder = copy_project(tmp_path)
    own = ["--vars.ner.texts", str(source / "training.jsonl")]
    own += ["--vars.ner.patterns", str(source / "patterns.jsonl")]
    own += ["--vars.ner.dev", "assets/empty.jsonl", "--vars.ner.test", str(source / "eval.jsonl")]
    weasel(folder, "ner", ".", *FEW, *own)
    metrics = srsly.read_json(folder / "training/ner/metrics.json")
    assert metrics["test_texts"] == 500
    assert metrics["patterns_alone"]["ents_f"] == pytest.approx(0.465, abs=0.001)


@pytest.mark.slow
def test_published_hand_labels(tmp_path: Path) -> None:
    source = published("wnut17")
    folder = copy_project(tmp_path)
    own = ["--vars.ner.train_on", "labelled", "--vars.ner.labelled", str(source / "train.conll")]
    own += ["--vars.ner.dev", str(source / "dev.conll")]
    own += ["--vars.ner.test", str(source / "test.conll")]
    weasel(folder, "ner", ".", *FEW, *own)
    metrics = srsly.read_json(folder / "training/ner/metrics.json")
    assert metrics["test_texts"] > 1_000 and len(metrics["labels"]) == 6
    assert metrics["patterns_alone"] is None
