"""The wheel: its meta, the same bytes again, nothing half-made after a kill."""

import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly

from tests.conftest import ROOT, run_module

METRICS = {"ents_f": 0.726, "patterns_alone": {"ents_f": 0.484}}
COMPONENT = """
from spacy.language import Language

@Language.component("shout")
def shout(doc):
    return doc
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pipeline, its metrics, and a file with the function that it registers."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "own_code.py").write_text(COMPONENT)
    spacy.util.import_file("own_code", folder / "own_code.py")
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "GADGET", "pattern": "iPhone 13"}])
    nlp.add_pipe("shout")
    nlp.to_disk(folder / "pipeline")
    srsly.write_json(folder / "metrics.json", METRICS)
    return folder


def command(folder: Path, output: Path, name: str = "my_ner") -> list[str]:
    paths = [str(folder / "pipeline"), str(folder / "metrics.json"), str(output)]
    options = ["--version", "0.1.0", "--license", "MIT", "--source", "comments"]
    return ["scripts.package", *paths, "--name", name, *options, "--code", f"{folder}/own_code.py"]


def package(folder: Path, output: Path, name: str = "my_ner") -> subprocess.CompletedProcess[str]:
    return run_module(ROOT, *command(folder, output, name))


def meta_of(wheel: Path, name: str) -> dict[str, Any]:
    with zipfile.ZipFile(wheel) as archive:
        return srsly.json_loads(archive.read(f"{name}/meta.json"))


def test_meta_says_what_it_is_and_how_good(trained: Path, tmp_path: Path) -> None:
    done = package(trained, tmp_path)
    assert done.returncode == 0, done.stderr
    meta = meta_of(tmp_path / "en_my_ner-0.1.0-py3-none-any.whl", "en_my_ner")
    assert (meta["lang"], meta["name"], meta["version"]) == ("en", "my_ner", "0.1.0")
    assert meta["license"] == "MIT" and meta["performance"] == METRICS
    assert meta["sources"] == [{"name": "comments", "license": "MIT"}]


def test_capitals_of_a_name_are_kept_in_the_package(trained: Path, tmp_path: Path) -> None:
    assert package(trained, tmp_path, "My_Ner").returncode == 0
    assert meta_of(tmp_path / "en_my_ner-0.1.0-py3-none-any.whl", "en_My_Ner")["name"] == "My_Ner"


def test_same_pipeline_same_bytes(trained: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        done = package(trained, tmp_path / name)
        assert done.returncode == 0, done.stderr
    wheels = [next((tmp_path / name).glob("*.whl")).read_bytes() for name in ("a", "b")]
    assert wheels[0] == wheels[1]


def test_kill_in_mid_package_leaves_the_earlier_wheel(trained: Path, tmp_path: Path) -> None:
    assert package(trained, tmp_path).returncode == 0
    (wheel,) = tmp_path.glob("*.whl")
    before = wheel.read_bytes()
    process = subprocess.Popen(
        [sys.executable, "-m", *command(trained, tmp_path)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    while process.poll() is None and not any(path.is_dir() for path in tmp_path.iterdir()):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert wheel.read_bytes() == before and list(tmp_path.glob("*.whl")) == [wheel]
    assert package(trained, tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == [wheel]


def test_bad_name_is_one_line(trained: Path, tmp_path: Path) -> None:
    done = package(trained, tmp_path, "no-dash")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"Error: spacy package refuses {trained / 'pipeline'}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_pipeline_and_no_metrics_are_one_line(trained: Path, tmp_path: Path) -> None:
    done = package(tmp_path, tmp_path / "out")
    assert done.returncode == 1 and "does not exist: run the evaluation first" in done.stderr
    srsly.write_json(tmp_path / "metrics.json", METRICS)
    done = package(tmp_path, tmp_path / "out")
    assert done.returncode == 1 and "is not a pipeline: run the training first" in done.stderr
    assert done.stderr.count("\n") == 1 and not (tmp_path / "out").exists()


def test_build_that_fails_is_one_line(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "setuptools").mkdir()
    (tmp_path / "setuptools" / "__init__.py").write_text("raise ImportError('broken')")
    done = package(trained, tmp_path / "out")
    assert done.returncode == 1 and "the wheel could not be built: " in done.stderr
    assert "broken" in done.stderr and list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
def test_wheel_installs_in_an_empty_environment_and_loads_elsewhere(
    trained: Path, tmp_path: Path
) -> None:
    assert package(trained, tmp_path).returncode == 0
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = str(tmp_path / "env" / "bin" / "python")
    install = ["pip", "install", "-q", str(wheel), "-c", str(ROOT / "constraints.txt")]
    subprocess.run([python, "-m", *install], check=True)
    program = (
        "import spacy; doc = spacy.load('en_my_ner')('Sold my iPhone 13 for a Galaxy S21.')\n"
        "print([(ent.text, ent.label_) for ent in doc.ents])"
    )
    run = subprocess.run([python, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert run.stdout == "[('iPhone 13', 'GADGET')]\n", run.stderr
