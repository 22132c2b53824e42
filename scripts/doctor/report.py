"""Show findings: on the console, as JSON, and on a page with the learning curves."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import pages, plots
from scripts.doctor.curves import main_loss
from scripts.doctor.layers import Layer, total
from scripts.doctor.paths import RunPaths
from scripts.doctor.training_run import Curve, Finding, TrainingRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

MAX_SCORES = 3  # that are drawn
COLOURS = {"serious": "red", "warning": "yellow"}
WIDTH = 140  # columns, in a log


def console() -> "Console":
    """A console for findings and tables: as wide as the terminal, or 140 columns in a log."""
    from rich.console import Console

    width = None if Console().is_terminal else WIDTH
    return Console(width=width, highlight=False, markup=False, soft_wrap=True)


def describe_sources(run: TrainingRun, paths: RunPaths) -> dict[str, str]:
    """What was examined, by name, and what was not."""
    sources = {name: str(path) for name, path in vars(paths).items() if path}
    if curve := run.curve:
        sources["log"] += f" ({len(curve.steps)} evaluations, to {curve.unit} {curve.steps[-1]})"
    for name, dataset in (("train", run.train), ("dev", run.dev)):
        if dataset:
            sources[name] += f" ({len(dataset.texts)} texts)"
    missing = [name for name in vars(paths) if name not in sources]
    if missing:
        sources["not looked at"] = ", ".join(missing)
    return sources


def print_findings(findings: list[Finding], sources: dict[str, str], notes: Iterable[str]) -> None:
    """Print what was examined and what is wrong."""
    out = console()
    for name, source in sources.items():
        out.print(f"{name}: {source}")
    for note in notes:
        out.print(f"note: {note}")
    for finding in findings:
        out.print(f"\n{finding.severity}: {finding.name}", style=COLOURS[finding.severity])
        out.print(f"  {finding.what}.\n  Try: {finding.remedy}.")
    severities = [finding.severity for finding in findings]
    n_serious, n_warnings = severities.count("serious"), severities.count("warning")
    out.print("")
    out.print(f"{n_serious} serious, {n_warnings} warnings" if findings else "nothing found")


def as_data(
    findings: Iterable[Finding], sources: dict[str, str], notes: Iterable[str]
) -> dict[str, Any]:
    """The same for programs."""
    records = [asdict(finding) for finding in findings]
    return {"looked_at": sources, "notes": list(notes), "findings": records}


def draw(curve: Curve) -> "Figure":
    """The learning curves."""
    lines = [_log_line(curve, i) for i in range(len(curve.steps))]
    scores = _scores_to_draw(curve)
    losses = (main_loss(curve), scores, curve.unit, curve.first, curve.dev_losses)
    return plots.training_curve(lines, *losses)


def _log_line(curve: Curve, i: int) -> dict[str, Any]:
    """An evaluation as a line of spaCy's log."""
    return {
        "step": curve.steps[i],
        "losses": {name: values[i] for name, values in curve.losses.items()},
        "scores": {name: 100 * values[i] for name, values in curve.scores.items()},
        "score": curve.score[i] if curve.score else 0,
    }


def _scores_to_draw(curve: Curve) -> list[str]:
    """The names of the first different scores, that which selects the best step first.

    Scores may be the same under two names, such as cats_score and the score that it stands for.
    """
    names = sorted(curve.scores, key=lambda name: curve.scores[name] != curve.score)
    first_by_values = {tuple(curve.scores[name]): name for name in reversed(names)}
    return [name for name in names if name in first_by_values.values()][:MAX_SCORES]


def render(data: dict[str, Any], curve: Path | None, layers: list[Layer], title: str) -> str:
    """The page as HTML.

    Args:
        data: as `as_data` returns it.
        curve: a PNG of the learning curves.
        layers: of the model.
        title: heading of the page.
    """
    template = Path(__file__).with_name("findings.html.jinja")
    image = pages.embed(curve) if curve else ""
    values = {"title": title, "curve": image, "layers": layers, "total": total(layers)}
    return pages.render(template, **values, **data)
