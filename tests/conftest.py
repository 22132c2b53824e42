"""Shared by all tests: where the project is, small files to read, and one small training that many tests look at."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("project.yml", "configs", "assets", "scripts", "benchmarks", "README.md", "docs")


def pytest_report_header() -> str:
    return f"shared data: {'found' if shared_data().exists() else 'not found (tests that compare with published data skip)'}"


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


def weasel(folder: Path, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run weasel in a folder, as a user would."""
    command = [sys.executable, "-m", "weasel", "run", *args]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def run_module(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m ...` in a folder; the project's modules come from the real one."""
    return subprocess.run(
        [sys.executable, "-m", *args], cwd=folder, capture_output=True, text=True, timeout=600
    )


@pytest.fixture
def write_jsonl(tmp_path: Path) -> Callable[[str, list[Any]], Path]:
    def write(name: str, records: list[Any]) -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf8")
        return path

    return write


TINY = [
    "--vars.ner.max_steps",
    "300",
    "--vars.ner.eval_frequency",
    "100",
    "--vars.ner.n_process",
    "1",
]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the workflow `all` ran with few steps. Tests look at it and change nothing."""
    folder = copy_project(tmp_path_factory.mktemp("project"))
    weasel(folder, "all", ".", *TINY)
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random BERT of two layers that spells words by letters: a stand-in for a pretrained encoder."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("bert")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *letters,
        *(f"##{letter}" for letter in letters),
    ]
    (folder / "vocab.txt").write_text("\n".join(pieces))
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    transformers.BertModel(
        transformers.BertConfig(vocab_size=len(pieces), **sizes)
    ).save_pretrained(folder)
    return folder
