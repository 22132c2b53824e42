"""Shared by all tests: where the project is, a copy of it, small files to read.

What only the tests of one workflow share is in tests/fixtures_NOUN.py.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import srsly

ROOT = Path(__file__).parent.parent
PARTS = ("project.yml", "configs", "assets", "scripts", "benchmarks", "README.md", "docs")
PROJECT = srsly.read_yaml(ROOT / "project.yml")

pytest_plugins = [f"tests.{path.stem}" for path in sorted(Path(__file__).parent.glob("fixtures_*"))]


def pytest_report_header() -> str:
    where = "found" if shared_data().exists() else "not found (tests of published data skip)"
    return f"shared data: {where}"


def shared_data() -> Path:
    return ROOT.parent / "shared" / "data"


def copy_project(to: Path) -> Path:
    """A copy of the project without anything that was generated."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, to / part, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, to / part)
    return to


def wheel_name(noun: str, variant: str = "") -> str:
    """The file name of the wheel that a workflow makes with the project's own vars."""
    variables = PROJECT["vars"]
    name = f"{variables['lang']}_{variables[noun]['name']}{variant}"
    return f"{name}-{variables['version']}-py3-none-any.whl"


def weasel(folder: Path, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run weasel in a folder, as a user would."""
    command = [sys.executable, "-m", "weasel", "run", *args]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def run_module(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m ...` in a folder; the project's modules come from the real one."""
    command = [sys.executable, "-m", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)


def run_benchmark(workflow: str, folder: Path) -> tuple[str, ...]:
    """Run the benchmark of a workflow on a tiny input. Returns the names of the peers, by row."""
    output = folder / "benchmark.json"
    options = [str(output), "--scale", "0.005", "--only", workflow]
    done = run_module(ROOT, "benchmarks", *options)
    assert done.returncode == 0 and "to reach" in done.stdout, done.stdout + done.stderr
    result = srsly.read_json(output)
    assert {"cores", "python", "spacy"} <= set(result["machine"])
    for row in result["rows"]:
        assert row["ours"] > 0 and row["peer"] > 0 and row["reached"] in (True, False)
        assert row["ratio"] == pytest.approx(row["ours"] / row["peer"])
    return tuple(row["peer_name"] for row in result["rows"])


@pytest.fixture
def write_jsonl(tmp_path: Path) -> Callable[[str, list[Any]], Path]:
    def write(name: str, records: list[Any]) -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf8")
        return path

    return write


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random BERT of two layers that spells words by letters.

    It stands in for a pretrained encoder.
    """
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("bert")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    pieces += [f"##{letter}" for letter in letters]
    (folder / "vocab.txt").write_text("\n".join(pieces))
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=len(pieces), intermediate_size=64, **sizes)
    transformers.BertModel(config).save_pretrained(folder)
    return folder
