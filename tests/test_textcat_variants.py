"""A tiny run of each variant of `textcat`, and the wheels of its networks in a fresh environment.

It needs `textcat-vectors`, `textcat-keras`, `textcat-torch` and `textcat-trf`.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import spacy
import srsly

from scripts.textcat.variants import NAMES
from scripts.vectors.folder import write_folder
from tests.conftest import ROOT, weasel, wheel_name
from tests.fixtures_textcat import FEW_STEPS

TEST = ROOT / "assets/textcat/test.jsonl"
FEW_TRF_STEPS = ["--vars.textcat.trf_max_steps", "4", "--vars.textcat.trf_eval_frequency", "2"]
PROGRAM = """
import json, sys, spacy
lines = [json.loads(line) for line in open(sys.argv[1])]
docs = list(spacy.load(sys.argv[2]).pipe(line["text"] for line in lines))
right = [max(doc.cats, key=doc.cats.get) == line["label"] for doc, line in zip(docs, lines)]
print(sum(right) / len(right))
"""
ABSENT = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is not None)"


@pytest.fixture(scope="module")
def variants(
    classified: Path, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """(project, printed lines of the comparison) after a run of all variants."""
    folder = shutil.copytree(classified, tmp_path_factory.mktemp("variants") / "project")
    words, table = [b"great", b"broken"], np.eye(2, 16, dtype="f4")
    write_folder(folder / "training/vectors/table", [(words, table)], 16)
    weasel(folder, "vectors-table", ".")
    few = [*FEW_STEPS, *FEW_TRF_STEPS, "--vars.transformer", str(tiny_bert)]
    for variant in ("cnn", "vectors", "keras", "torch", "trf"):
        for step in ("train", "evaluate"):
            weasel(folder, f"textcat-{variant}-{step}", ".", *few)
    done = weasel(folder, "textcat-compare", ".", "--vars.textcat.ship", "torch")
    return folder, done.stdout


@pytest.mark.slow
def test_all_variants_are_compared_and_the_one_asked_for_is_shipped(
    variants: tuple[Path, str],
) -> None:
    folder, printed = variants
    metrics = srsly.read_json(folder / "training/textcat/metrics.json")
    assert set(metrics["variants"]) == set(NAMES) and metrics["variant"] == "torch"
    assert "trf" in metrics["below_baseline"], "a random BERT learns nothing in 4 steps"
    assert "training/textcat/pipeline: ships PyTorch, set by vars.textcat.ship" in printed
    beats = metrics["cats_macro_f"] > metrics["variants"]["baseline"]["cats_macro_f"]
    assert ("does not beat the baseline" in printed) is not beats
    nlp = spacy.load(folder / "training/textcat/vectors/pipeline")
    assert nlp.vocab.vectors.shape == (2, 16)


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "other"), [("keras", "torch"), ("torch", "tensorflow")])
def test_wheel_of_a_network_runs_without_the_other_framework(
    variants: tuple[Path, str], tmp_path: Path, variant: str, other: str
) -> None:
    folder, _ = variants
    weasel(folder, f"textcat-{variant}-package", ".")
    wheel = folder / "packages" / wheel_name("textcat", f"_{variant}")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = str(tmp_path / "env" / "bin" / "python")
    install = ["-m", "pip", "install", "-q", str(wheel), "-c", str(ROOT / "constraints.txt")]
    subprocess.run([python, *install], check=True)
    subprocess.run([python, "-c", ABSENT, other], check=True)
    command = [python, "-c", PROGRAM, str(TEST), wheel.name.split("-")[0]]
    scored = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    metrics = srsly.read_json(folder / f"training/textcat/{variant}/metrics.json")
    assert float(scored.stdout.split()[-1]) == pytest.approx(metrics["accuracy"])
