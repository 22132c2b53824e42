"""A tiny run of each variant in a copy of the project, and of the user's own data in each format."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import spacy
import srsly

from tests.conftest import TINY, copy_project, shared_data, weasel

FEW = [*TINY, "--vars.ner.max_steps", "40", "--vars.ner.eval_frequency", "20"]


@pytest.fixture(scope="session")
def annotated(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the corpus made, for the variants to train on."""
    folder = copy_project(tmp_path_factory.mktemp("variants"))
    (folder / "training").mkdir()
    subprocess.run(["cp", "-r", str(trained / "corpus"), str(trained / "project.lock"), str(folder)], check=True)
    return folder


def test_static_vectors(annotated: Path) -> None:
    nlp = spacy.blank("en")
    rng = np.random.default_rng(0)
    for line in srsly.read_jsonl(annotated / "assets/ner/texts.jsonl"):
        for token in nlp.make_doc(line["text"]):
            if not nlp.vocab.has_vector(token.text):
                nlp.vocab.set_vector(token.text, rng.normal(size=16).astype("float32"))
        if nlp.vocab.vectors.n_keys > 500:
            break
    nlp.to_disk(annotated / "training" / "some_vectors")
    weasel(annotated, "ner-vectors", ".", *FEW, "--vars.vectors", "training/some_vectors")
    pipeline = spacy.load(annotated / "training/ner-vectors/pipeline")
    assert pipeline.vocab.vectors.shape[1] == 16 and pipeline.config["components"]["tok2vec"]["model"]["embed"]["include_static_vectors"]
    assert json.loads((annotated / "training/ner-vectors/metrics.json").read_text())["test_texts"] == 150
    assert (annotated / "packages/en_gadget_ner_vectors-0.1.0-py3-none-any.whl").exists()


@pytest.mark.parametrize(
    ("name", "words"), [("nowhere", "no static vectors called 'nowhere'"), ("training/empty", "has no static vectors")]
)
def test_vectors_that_are_none(annotated: Path, name: str, words: str) -> None:
    spacy.blank("en").to_disk(annotated / "training/empty")
    done = weasel(annotated, "ner-vectors-train", ".", *FEW, "--vars.vectors", name, check=False)
    assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_transformer(annotated: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"abcdefghijklmnopqrstuvwxyz0123456789",
        *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"),
    ]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path / "bert")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    transformers.BertModel(transformers.BertConfig(vocab_size=len(words), **sizes)).save_pretrained(tmp_path / "bert")
    weasel(annotated, "ner-trf", ".", *FEW, "--vars.transformer", str(tmp_path / "bert"))
    assert spacy.load(annotated / "training/ner-trf/pipeline").pipe_names[0] == "transformer"
    assert json.loads((annotated / "training/ner-trf/metrics.json").read_text())["test_texts"] == 150
    assert (annotated / "packages/en_gadget_ner_trf-0.1.0-py3-none-any.whl").exists()


@pytest.mark.slow
def test_own_data_without_gold_says_silver(tmp_path: Path) -> None:
    folder = copy_project(tmp_path)
    lines = [
        f"The {shop} on {street} sells tea number {i}"
        for i, (shop, street) in enumerate([("Bakery", "Elm Road"), ("Deli", "Oak Lane")] * 60)
    ]
    (folder / "my texts.txt").write_text("\n".join(lines), encoding="utf8")
    srsly.write_jsonl(folder / "p.jsonl", [{"label": "STREET", "pattern": "Elm Road"}, {"label": "SHOP", "pattern": [{"LOWER": "deli"}]}])
    own = ["--vars.ner.texts", "my texts.txt", "--vars.ner.patterns", "p.jsonl", "--vars.ner.name", "town"]
    none = ["--vars.ner.dev", "assets/empty.jsonl", "--vars.ner.gold", "assets/empty.jsonl"]
    done = weasel(folder, "ner", ".", *FEW, *own, *none)
    assert "SILVER labels" in done.stdout and "No gold file was given" in done.stdout
    metrics = json.loads((folder / "training/ner/metrics.json").read_text())
    assert not metrics["test_is_gold"] and metrics["labels"] == ["SHOP", "STREET"]
    assert "No gold file was given" in (folder / "training/ner/report.html").read_text("utf8")
    assert (folder / "packages/en_town-0.1.0-py3-none-any.whl").exists()


@pytest.mark.slow
@pytest.mark.parametrize("data", ["fashion", "wnut17"])
def test_published_data(tmp_path: Path, data: str) -> None:
    source = shared_data() / data
    if not source.exists():
        pytest.skip(f"{source} is not here")
    folder = copy_project(tmp_path)
    own = ["--vars.ner.texts", str(source / "training.jsonl"), "--vars.ner.patterns", str(source / "patterns.jsonl")]
    own += ["--vars.ner.dev", "assets/empty.jsonl", "--vars.ner.gold", str(source / "eval.jsonl")]
    if data == "wnut17":
        own = ["--vars.ner.train_on", "labelled", "--vars.ner.labelled", str(source / "train.conll")]
        own += ["--vars.ner.dev", str(source / "dev.conll"), "--vars.ner.gold", str(source / "test.conll")]
    weasel(folder, "ner", ".", *FEW, *own)
    metrics = json.loads((folder / "training/ner/metrics.json").read_text())
    if data == "fashion":
        assert metrics["test_texts"] == 500 and metrics["patterns_alone"]["ents_f"] == pytest.approx(0.465, abs=0.001)
    else:
        assert metrics["test_texts"] > 1_000 and len(metrics["labels"]) == 6 and metrics["patterns_alone"] is None
