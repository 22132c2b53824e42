"""Figures have one style and the same bytes each time; matplotlib is imported by the first one."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.plots import bars, save, training_curve
from tests.conftest import ROOT

LOG = [
    {"step": 20 * i, "losses": {"ner": 50.0}, "scores": {"ents_f": 0.1 * i}, "score": 0.001 * i}
    for i in range(5)
]


def test_importing_it_does_not_import_matplotlib() -> None:
    code = "import sys, scripts.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_all_figures_are_drawn_in_the_style_of_the_project() -> None:
    scripts = (ROOT / "scripts").rglob("*.py")
    users = [path.name for path in scripts if "import pyplot" in path.read_text("utf8")]
    assert users == ["plots.py"], "start a figure with scripts.plots.subplots"


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_same_figure_same_bytes(suffix: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(training_curve(LOG, "ner", ["ents_f"]), tmp_path / f"{name}.{suffix}")
    once, again = (path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert once == again


def test_panels_and_bars() -> None:
    curve = training_curve(LOG, "ner", ["ents_f"], dev_losses=[1.0] * 5)
    left, right = curve.axes
    assert [line.get_label() for line in left.lines] == ["train", "dev"]
    assert right.lines[-1].get_label() == "best: step 80"
    assert not left.spines["top"].get_visible()
    assert len(training_curve(LOG, "ner", []).axes) == 1
    figure = bars({"patterns": {"P": 96.1, "R": 30.0}, "model": {"P": 80.0, "R": 70.0}}, "t", "%")
    assert [bar.get_height() for bar in figure.axes[0].patches] == [96.1, 30.0, 80.0, 70.0]
