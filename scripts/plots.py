"""Figures of all workflows: one style, saved to files, readable at a glance.

matplotlib is imported when the first figure is drawn. All figures start with `subplots`, which sets
the style.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#9aa5b1", "#4c78a8", "#f58518", "#54a24b")  # the first is for the baseline
# matplotlib's tab10 and tab20: for groups of equal rank
PALETTE = (
    *("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd"),
    *("#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"),
)
LIGHT_PALETTE = (
    *("#aec7e8", "#ffbb78", "#98df8a", "#ff9896", "#c5b0d5"),
    *("#c49c94", "#f7b6d2", "#c7c7c7", "#dbdb8d", "#9edae5"),
)
MANY_COLOURS = tuple(chain.from_iterable(zip(PALETTE, LIGHT_PALETTE)))
STYLE: Any = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "quicksilver",
    "text.parse_math": False,
}


@cache
def _pyplot() -> Any:
    """matplotlib.pyplot, with the style of the project set."""
    import matplotlib
    from matplotlib import pyplot

    matplotlib.use("Agg")
    pyplot.rcParams |= STYLE
    return pyplot


def subplots(*args: Any, **kwargs: Any) -> "tuple[Figure, Any]":
    """A new figure with its axes, in the style of the project: see matplotlib's `subplots`."""
    figure, axes = _pyplot().subplots(*args, **kwargs)
    return figure, axes


def save(figure: "Figure", *paths: Path) -> None:
    """Write a figure, each file in one step; the suffix decides the format."""
    for path in paths:
        with replacing(path) as part:
            metadata = {"Date": None} if path.suffix == ".svg" else None
            options: dict[str, Any] = {"dpi": 150, "bbox_inches": "tight", "metadata": metadata}
            figure.savefig(part, format=path.suffix[1:], **options)
    _pyplot().close(figure)


def bars(groups: Mapping[str, Mapping[str, float]], title: str, label: str) -> "Figure":
    """Grouped bars with their values: a group for each inner key, a colour for each outer key.

    Args:
        groups: {"patterns alone": {"precision": 96.1, ...}, ...}; NaN leaves a place without a bar.
        title: of the figure.
        label: of the value axis.
    """
    names = list(next(iter(groups.values())))
    figure, axes = subplots(figsize=(max(7.5, 0.5 * len(names) * len(groups)), 3.6))
    width = 0.8 / len(groups)
    for i, (series, values) in enumerate(groups.items()):
        centres = [x + (i - (len(groups) - 1) / 2) * width for x in range(len(names))]
        heights = [values[name] for name in names]
        colour = COLOURS[i % len(COLOURS)]
        drawn = axes.bar(centres, heights, width * 0.94, label=series, color=colour)
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
) -> "Figure":
    """Loss and dev scores over steps, with the best step marked.

    Args:
        log: lines of spaCy's JSONL log, each with "step", "losses", "scores" and "score".
        loss: the component whose loss to draw.
        scores: keys of the scores to draw, in percent as in the log; none for no panel.
        unit: of the horizontal axis.
        first: the first line whose loss is drawn; the first line of spaCy's log is for one batch.
        dev_losses: of the dev data, a value for each line, or none.
    """
    from matplotlib.ticker import MaxNLocator

    n_panels = 2 if scores else 1
    size = (9 if scores else 5.5, 3.4)
    figure, grid = subplots(1, n_panels, figsize=size, layout="constrained", squeeze=False)
    panels = grid[0]
    for panel in panels:
        panel.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10], integer=True))
        panel.set(xlabel=unit)
    _draw_losses(panels[0], log, loss, first, dev_losses)
    if scores:
        _draw_scores(panels[1], log, scores, unit)
    return figure


def _draw_losses(
    axes: Any, log: Sequence[dict[str, Any]], loss: str, first: int, dev_losses: Sequence[float]
) -> None:
    steps = [line["step"] for line in log]
    losses = [line["losses"].get(loss) for line in log[first:]]
    axes.plot(steps[first:], losses, color=COLOURS[1], label="train")
    if dev_losses:
        axes.plot(steps, dev_losses, color=COLOURS[2], label="dev")
        axes.legend(frameon=False)
    title = f"loss of {loss} since the evaluation before" if first else loss
    axes.set_title(title, loc="left", fontsize=11)
    axes.set(ylim=(0, None))


def _draw_scores(
    axes: Any, log: Sequence[dict[str, Any]], scores: Sequence[str], unit: str
) -> None:
    steps = [line["step"] for line in log]
    for key, colour in zip(scores, COLOURS[1:]):
        values = [line["scores"].get(key) or 0 for line in log]
        axes.plot(steps, values, color=colour, label=key)
    best = max(log, key=lambda line: line["score"] or 0)["step"]
    label = f"best: {unit} {best}"
    axes.axvline(best, color="black", linewidth=0.8, linestyle=":", label=label)
    axes.set_title("scores on dev, %", loc="left", fontsize=11)
    axes.set(ylim=(0, 103))
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
