"""Which labels of a corpus are too fine: a pair whose contexts look the same is nothing to learn, but a table can still tell it apart."""

import random
import textwrap
from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import LinearSegmentedColormap
from spacy.tokens import Doc

from scripts import plots
from scripts.refine.contexts import By, Mention, compare, mentions

ALIKE = (
    0.6  # an AUC whose whole interval lies below this is as good as guessing, however sure it is
)
WEAK = 0.7  # an AUC that may be a guess is one, if its interval ends below this; else there are too few examples to say
ALIKE_TO_APART = LinearSegmentedColormap.from_list(
    "alike to apart", [plots.COLOURS[2], "#fdf3e7", plots.COLOURS[1]]
)
MOST = 1_000  # mentions of a label that are looked at


def compare_labels(docs: Iterable[Doc], by: By, least: int, seed: int) -> dict[str, Any]:
    """Compare each pair of labels.

    Args:
        docs: with entities.
        by: what is compared: label, id or kb_id.
        least: labels with fewer mentions are named, not compared.
        seed: for folds, bootstrap, and the draw of at most 1,000 mentions of a label.

    Returns:
        "labels": mentions of each, most first; "too_few": labels left out; "pairs": a, b, auc, interval and verdict
        ("same", "unclear" or "apart"), most alike first.

    Raises:
        ValueError: "... no two labels with ... mentions ...".
    """
    groups: dict[str, list[Mention]] = defaultdict(list)
    for mention in mentions(docs, by):
        groups[mention.label].append(mention)
    counts = {
        label: len(group)
        for label, group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    }
    enough = [
        label
        for label, count in counts.items()
        if count >= least and len({mention.text for mention in groups[label]}) >= 2
    ]
    if len(enough) < 2:
        raise ValueError(
            f"there are no two labels with {least} mentions in two texts or more: {counts or 'no mention at all'} by {by}; "
            "give more texts by vars.refine.labelled, compare by another of label, id, kb_id (vars.refine.by), or lower vars.refine.min_mentions"
        )
    rng = random.Random(seed)
    drawn = {
        label: groups[label] if counts[label] <= MOST else rng.sample(groups[label], MOST)
        for label in enough
    }
    pairs = []
    for a, b in combinations(enough, 2):
        found = compare(drawn[a], drawn[b], seed)
        pairs.append({"a": a, "b": b, **found, "verdict": verdict(found["interval"])})
    pairs.sort(key=lambda pair: (pair["auc"], pair["a"], pair["b"]))
    return {
        "by": by,
        "labels": counts,
        "too_few": [label for label in counts if label not in enough],
        "least": least,
        "pairs": pairs,
    }


def verdict(interval: list[float]) -> str:
    """What an interval of the AUC says of two labels: "same", "unclear" or "apart"."""
    low, high = interval
    if high < ALIKE or (low <= 0.5 and high < WEAK):
        return "same"
    return "apart" if low > 0.5 else "unclear"


def in_words(report: dict[str, Any]) -> list[str]:
    """The report as lines of plain words."""
    lines = []
    for pair in report["pairs"]:
        low, high = pair["interval"]
        numbers = f"(AUC {pair['auc']:.2f}, 95% {low:.2f} to {high:.2f}, chance 0.5)"
        says = {
            "same": f"look the same {numbers}: merge them, and tell them apart by a table",
            "unclear": f"may or may not look the same {numbers}: label more of them to know",
            "apart": f"can be told apart {numbers}",
        }[pair["verdict"]]
        lines.append(
            f"{pair['a']} ({report['labels'][pair['a']]}) and {pair['b']} ({report['labels'][pair['b']]}) {says}"
        )
    if report["too_few"]:
        few = ", ".join(f"{label} ({report['labels'][label]})" for label in report["too_few"])
        lines.append(f"too few mentions to compare (fewer than {report['least']}): {few}")
    count = {
        kind: sum(pair["verdict"] == kind for pair in report["pairs"])
        for kind in ("same", "unclear", "apart")
    }
    lines.append(
        f"{len(report['pairs'])} pairs: {count['same']} look the same, {count['unclear']} unclear, {count['apart']} can be told apart"
    )
    return lines


def draw(report: dict[str, Any], path: Path) -> None:
    """Save a heat map of the AUC of each pair; pairs that look the same are framed."""
    names = [label for label in report["labels"] if label not in report["too_few"]]
    size = len(names)
    grid = np.full((size, size), np.nan)
    figure, axes = plt.subplots(figsize=(2.6 + 0.75 * size, 1.6 + 0.6 * size))
    for pair in report["pairs"]:
        row, column = sorted((names.index(pair["a"]), names.index(pair["b"])), reverse=True)
        grid[row, column] = pair["auc"]
        mark = {"same": "same", "unclear": "?", "apart": ""}[pair["verdict"]]
        axes.text(
            column, row, f"{pair['auc']:.2f}\n{mark}".strip(), ha="center", va="center", fontsize=9
        )
        if pair["verdict"] == "same":
            axes.add_patch(
                plt.Rectangle(
                    (column - 0.47, row - 0.45),
                    0.94,
                    0.9,
                    fill=False,
                    edgecolor="black",
                    linewidth=1.8,
                )
            )
    image = axes.imshow(
        grid[1:, :-1],
        vmin=0.5,
        vmax=1,
        cmap=ALIKE_TO_APART,
        extent=(-0.5, size - 1.5, size - 0.5, 0.5),
    )
    wrapped = ["\n".join(textwrap.wrap(name, 14)) for name in names]
    axes.set_xticks(range(size - 1), wrapped[:-1], rotation=35, ha="right")
    axes.set_yticks(
        range(1, size),
        [f"{name} ({report['labels'][label]})" for name, label in zip(wrapped[1:], names[1:])],
    )
    axes.set(xlim=(-0.5, size - 1.5), ylim=(size - 0.5, 0.5), aspect="auto")
    axes.set_title("Contexts of labels: framed look the same, ? unclear", loc="left")
    figure.colorbar(image, ax=axes, label="AUC of the context: 0.5 is guessing, 1 is sure")
    plots.save(figure, path)
