"""Draw the course of a training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scripts.plots import COLOURS, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_log(log: Sequence[dict[str, Any]]) -> "Figure":
    """Draw bits per character over minutes of training."""
    figure, axes = subplots(figsize=(7.5, 3.6))
    minutes = [line["seconds"] / 60 for line in log]
    series = (("train_bits", "training text", COLOURS[0]), ("dev_bits", "dev text", COLOURS[1]))
    for key, label, colour in series:
        bits = [line[key] for line in log]
        axes.plot(minutes, bits, color=colour, label=label, marker="o", markersize=3)
    best = min(log, key=lambda line: line["dev_bits"])
    axes.annotate(
        f"{best['dev_bits']:.2f}",
        (best["seconds"] / 60, best["dev_bits"]),
        (0, 8),
        textcoords="offset points",
        ha="center",
    )
    axes.set(xlabel="minutes", ylabel="bits per character", ylim=(0, None))
    axes.set_title("Training of the network", loc="left")
    axes.legend(frameon=False)
    return figure
