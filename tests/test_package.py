"""The wheel: its meta, the same bytes again, nothing half-made after a kill, and an empty environment that loads it."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, run_module


def wheel_of(project: Path) -> Path:
    (wheel,) = (project / "packages").glob("*.whl")
    return wheel


def command(project: Path, output: Path, name: str = "gadget_ner") -> list[str]:
    paths = [
        str(project / "training/ner/pipeline"),
        str(project / "training/ner/metrics.json"),
        str(output),
    ]
    return ["scripts.package", *paths, "--name", name, "--version", "0.1.0"]


def test_meta_says_what_it_is_and_how_good(trained: Path) -> None:
    with zipfile.ZipFile(wheel_of(trained)) as archive:
        meta = json.loads(archive.read("en_gadget_ner/meta.json"))
    metrics = json.loads((trained / "training/ner/metrics.json").read_text())
    assert (meta["lang"], meta["name"], meta["version"], meta["license"]) == (
        "en",
        "gadget_ner",
        "0.1.0",
        "MIT",
    )
    assert "phones" in meta["description"] and meta["sources"][0]["name"] and meta["author"]
    assert (
        meta["performance"]["ents_f"] == metrics["ents_f"]
        and meta["performance"]["patterns_alone"]["ents_f"]
    )
    assert any(requirement.startswith("spacy") for requirement in meta["requirements"])


def test_same_pipeline_same_bytes(trained: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        done = run_module(ROOT, *command(trained, tmp_path / name))
        assert done.returncode == 0, done.stderr
    wheels = [next((tmp_path / name).glob("*.whl")).read_bytes() for name in ("a", "b")]
    assert wheels[0] == wheels[1]


def test_kill_in_mid_package_leaves_the_earlier_wheel(trained: Path, tmp_path: Path) -> None:
    assert run_module(ROOT, *command(trained, tmp_path)).returncode == 0
    (wheel,) = tmp_path.glob("*.whl")
    before = wheel.read_bytes()
    process = subprocess.Popen(
        [sys.executable, "-m", *command(trained, tmp_path)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    while process.poll() is None and not [path for path in tmp_path.iterdir() if path.is_dir()]:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert wheel.read_bytes() == before and [path.name for path in tmp_path.glob("*.whl")] == [
        wheel.name
    ]
    assert run_module(ROOT, *command(trained, tmp_path)).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == [wheel.name]


@pytest.mark.parametrize(
    ("name", "words"),
    [("no-dash", "refuses"), ("gadget_ner", "is no pipeline: run the training first")],
)
def test_bad_name_and_no_pipeline_are_one_line(
    trained: Path, tmp_path: Path, name: str, words: str
) -> None:
    done = run_module(
        ROOT, *command(trained if name == "no-dash" else tmp_path, tmp_path / "out", name)
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert words in done.stderr or "does not exist: run the evaluation first" in done.stderr
    assert not list((tmp_path).rglob("*.whl"))


@pytest.mark.slow
def test_wheel_installs_in_an_empty_environment_and_loads_elsewhere(
    trained: Path, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = str(tmp_path / "env" / "bin" / "python")
    constraints = str(ROOT / "constraints.txt")
    subprocess.run(
        [python, "-m", "pip", "install", "-q", str(wheel_of(trained)), "-c", constraints],
        check=True,
    )
    program = (
        "import spacy; doc = spacy.load('en_gadget_ner')('Sold my iPhone 13 for a Galaxy S21.')"
    )
    program += "; print([(ent.text, ent.label_) for ent in doc.ents])"
    done = subprocess.run(
        [python, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "('iPhone 13', 'GADGET')" in done.stdout and "('Galaxy S21', 'GADGET')" in done.stdout
