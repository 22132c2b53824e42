"""Tell findings: on the console, as JSON, and on a page with the learning curves."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console

from scripts import pages, plots
from scripts.doctor.case import Case, Curve, Finding
from scripts.doctor.curves import main_loss
from scripts.doctor.layers import Layer, total
from scripts.doctor.places import Places

MOST_SCORES = 3  # that are drawn
COLOURS = {"serious": "red", "warning": "yellow"}


def console() -> Console:
    """Where findings and tables are printed: as wide as the terminal, or 140 columns in a log."""
    return Console(
        width=None if Console().is_terminal else 140, highlight=False, markup=False, soft_wrap=True
    )


def looked_at(case: Case, places: Places) -> dict[str, str]:
    """What there was to look at, as the first lines of what is told."""
    told = {name: str(path) for name, path in vars(places).items() if path}
    if case.curve:
        told["log"] += (
            f" ({len(case.curve.steps)} evaluations, to {case.curve.unit} {case.curve.steps[-1]})"
        )
    for name in ("train", "dev"):
        if part := getattr(case, name):
            told[name] += f" ({len(part.texts)} texts)"
    missing = [name for name in vars(places) if name not in told]
    return {**told, **({"not looked at": ", ".join(missing)} if missing else {})}


def print_findings(findings: Iterable[Finding], told: dict[str, str], notes: Iterable[str]) -> None:
    """Print what was looked at and what was found."""
    out = console()
    for name, what in told.items():
        out.print(f"{name}: {what}")
    for note in notes:
        out.print(f"note: {note}")
    found = list(findings)
    for finding in found:
        out.print(f"\n{finding.severity}: {finding.name}", style=COLOURS[finding.severity])
        out.print(f"  {finding.what}.\n  Try: {finding.remedy}.")
    counts = {
        severity: sum(finding.severity == severity for finding in found) for severity in COLOURS
    }
    out.print(
        "\n"
        + (
            f"{counts['serious']} serious, {counts['warning']} warnings"
            if found
            else "nothing found"
        )
    )


def as_data(
    findings: Iterable[Finding], told: dict[str, str], notes: Iterable[str]
) -> dict[str, Any]:
    """The same for programs."""
    return {
        "looked_at": told,
        "notes": list(notes),
        "findings": [asdict(finding) for finding in findings],
    }


def draw(curve: Curve) -> Figure:
    """The learning curves."""
    lines = [
        {
            "step": step,
            "losses": {name: values[i] for name, values in curve.losses.items()},
            "scores": {name: 100 * values[i] for name, values in curve.scores.items()},
            "score": curve.score[i] if curve.score else 0,
        }
        for i, step in enumerate(curve.steps)
    ]
    chosen_by_first = sorted(curve.scores, key=lambda name: curve.scores[name] != curve.score)
    different = {
        tuple(curve.scores[name]): name for name in reversed(chosen_by_first)
    }  # cats_score and what it stands for are the same
    scores = [name for name in chosen_by_first if name in different.values()][:MOST_SCORES]
    return plots.training_curve(
        lines, main_loss(curve), scores, curve.unit, curve.first, curve.dev_losses
    )


def render(data: dict[str, Any], curve: Path | None, layers: list[Layer], title: str) -> str:
    """The page as HTML.

    Args:
        data: what `as_data` gives.
        curve: a PNG of the learning curves.
        layers: of the model.
        title: heading of the page.
    """
    template = Path(__file__).with_name("findings.html.jinja")
    image = pages.embed(curve) if curve else ""
    return pages.render(
        template, title=title, curve=image, layers=layers, total=total(layers), **data
    )
