"""Figures of all workflows: one style, saved to files, readable at a glance."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from scripts.files import replacing

matplotlib.use("Agg")

COLOURS = ("#9aa5b1", "#4c78a8", "#f58518", "#54a24b")
PALETTE = matplotlib.colormaps["tab10"].colors  # type: ignore[attr-defined]  # for groups none of which is the baseline
MANY_COLOURS = matplotlib.colormaps["tab20"].colors  # type: ignore[attr-defined]
plt.rcParams |= {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "quicksilver",
    "text.parse_math": False,
}


def save(figure: Figure, *paths: Path) -> None:
    """Write a figure, each file in one step; the suffix says the format. Same figure, same bytes."""
    for path in paths:
        with replacing(path) as part:
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(
                part, format=path.suffix[1:], dpi=150, bbox_inches="tight", metadata=metadata
            )
    plt.close(figure)


def bars(groups: Mapping[str, Mapping[str, float]], title: str, label: str) -> Figure:
    """Grouped bars with their values on them: a group for each inner key, a colour for each outer key.

    Args:
        groups: {"patterns alone": {"precision": 96.1, ...}, ...}; NaN leaves a place without a bar.
        title: of the figure.
        label: of the value axis.
    """
    names = list(next(iter(groups.values())))
    figure, axes = plt.subplots(figsize=(max(7.5, 0.5 * len(names) * len(groups)), 3.6))
    width = 0.8 / len(groups)
    for i, (series, values) in enumerate(groups.items()):
        places = [x + (i - (len(groups) - 1) / 2) * width for x in range(len(names))]
        drawn = axes.bar(
            places,
            [values[name] for name in names],
            width * 0.94,
            label=series,
            color=COLOURS[i % len(COLOURS)],
        )
        axes.bar_label(drawn, fmt="%.1f", fontsize=9, padding=2)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylim(0, 108)
    axes.set_ylabel(label)
    axes.set_title(title, loc="left")
    axes.legend(frameon=False, ncols=len(groups), loc="upper center", bbox_to_anchor=(0.5, -0.1))
    return figure


def training_curve(
    log: Sequence[dict[str, Any]],
    loss: str,
    scores: Sequence[str],
    unit: str = "step",
    first: int = 1,
    dev_losses: Sequence[float] = (),
) -> Figure:
    """Loss and dev scores over steps, with the best step marked.

    Args:
        log: lines of spaCy's JSONL log, each with "step", "losses", "scores" and "score".
        loss: the component whose loss to draw.
        scores: keys of the scores to draw, in percent as the log has them; with none there is no panel for them.
        unit: of the horizontal axis.
        first: the first line whose loss is drawn; spaCy's first is that of one batch.
        dev_losses: of the dev data, a value for each line, or none.
    """
    width = 9 if scores else 5.5
    figure, panels = plt.subplots(
        1, 2 if scores else 1, figsize=(width, 3.4), layout="constrained", squeeze=False
    )
    left, right = panels[0][0], panels[0][-1]
    for panel in panels[0]:
        panel.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10], integer=True))
    steps = [line["step"] for line in log]
    left.plot(
        steps[first:],
        [line["losses"].get(loss) for line in log[first:]],
        color=COLOURS[1],
        label="train",
    )
    if dev_losses:
        left.plot(steps, dev_losses, color=COLOURS[2], label="dev")
        left.legend(frameon=False)
    left.set_title(
        f"loss of {loss} since the evaluation before" if first else loss, loc="left", fontsize=11
    )
    left.set(xlabel=unit, ylim=(0, None))
    if not scores:
        return figure
    for key, colour in zip(scores, COLOURS[1:]):
        right.plot(steps, [line["scores"].get(key) or 0 for line in log], color=colour, label=key)
    best = max(log, key=lambda line: line["score"] or 0)
    right.axvline(
        best["step"],
        color="black",
        linewidth=0.8,
        linestyle=":",
        label=f"best: {unit} {best['step']}",
    )
    right.set_title("scores on dev, %", loc="left", fontsize=11)
    right.set(xlabel=unit, ylim=(0, 103))
    right.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure
