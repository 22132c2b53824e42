"""The wheel of the workflow `ner`: its meta, and an empty environment that loads it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import srsly

from tests.conftest import PROJECT, ROOT, wheel_name

NAME = PROJECT["vars"]["ner"]["name"]
PACKAGE = f"{PROJECT['vars']['lang']}_{NAME}"


def test_meta_says_what_it_is_and_how_good(trained: Path) -> None:
    with zipfile.ZipFile(trained / "packages" / wheel_name("ner")) as archive:
        meta = srsly.json_loads(archive.read(f"{PACKAGE}/meta.json"))
    metrics = srsly.read_json(trained / "training/ner/metrics.json")
    assert (meta["lang"], meta["name"]) == ("en", NAME)
    assert (meta["version"], meta["license"]) == ("0.1.0", "MIT")
    assert "phones" in meta["description"] and meta["sources"][0]["name"] and meta["author"]
    assert meta["performance"]["ents_f"] == metrics["ents_f"]
    assert meta["performance"]["patterns_alone"]["ents_f"]
    assert any(requirement.startswith("spacy") for requirement in meta["requirements"])


@pytest.mark.slow
def test_wheel_installs_in_an_empty_environment_and_loads_elsewhere(
    trained: Path, tmp_path: Path
) -> None:
    wheel = str(trained / "packages" / wheel_name("ner"))
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = str(tmp_path / "env" / "bin" / "python")
    install = ["pip", "install", "-q", wheel, "-c", str(ROOT / "constraints.txt")]
    subprocess.run([python, "-m", *install], check=True)
    program = (
        f"import spacy; doc = spacy.load('{PACKAGE}')('Sold my iPhone 13 for a Galaxy S21.')\n"
        "print([(ent.text, ent.label_) for ent in doc.ents])"
    )
    done = subprocess.run(
        [python, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "('iPhone 13', 'GADGET')" in done.stdout and "('Galaxy S21', 'GADGET')" in done.stdout
