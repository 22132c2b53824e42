"""Report which labels of a corpus are too fine for a model.

If the contexts of two labels look the same, a model can't learn to tell them apart, but a table
can.
"""

import random
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from scripts.refine.contexts import Mention, compare, mentions
from scripts.refine.options import By

# Two labels are the same if the whole interval of the AUC lies below SAME_THRESHOLD. They are also
# the same if the AUC may be a guess and the interval ends below GUESS_THRESHOLD; if it ends above,
# there are too few mentions to say.
SAME_THRESHOLD = 0.6
GUESS_THRESHOLD = 0.7
MAX_MENTIONS = 1_000  # of a label that are compared
VERDICTS = {
    "same": "look the same {}: merge them, and tell them apart with a table",
    "unclear": "may or may not look the same {}: label more of them to know",
    "apart": "can be told apart {}",
}
MARKS = {"same": "same", "unclear": "?", "apart": ""}  # in the figure


def compare_labels(docs: Iterable[Doc], by: By, min_mentions: int, seed: int) -> dict[str, Any]:
    """Compare each pair of labels.

    Args:
        docs: with entities.
        by: what is compared: label, id or kb_id.
        min_mentions: labels with fewer mentions are named, but not compared.
        seed: for folds, shuffles, and the draw of MAX_MENTIONS mentions of a label.

    Returns:
        "labels": mentions of each, most first; "too_few": labels left out; "pairs": a, b, auc,
        interval and verdict ("same", "unclear" or "apart"), most alike first.

    Raises:
        ValueError: "there are no two labels with ... mentions ...".
    """
    groups: dict[str, list[Mention]] = defaultdict(list)
    for mention in mentions(docs, by):
        groups[mention.label].append(mention)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    counts = {label: len(group) for label, group in ordered}
    compared = [label for label in counts if _has_enough(groups[label], min_mentions)]
    if len(compared) < 2:
        raise ValueError(
            f"there are no two labels with {min_mentions} mentions in at least two texts: "
            f"{counts or 'no mention at all'} by {by}; give more texts by vars.refine.labelled, "
            "compare by another of label, id, kb_id (vars.refine.by), "
            "or lower vars.refine.min_mentions"
        )
    return {
        "by": by,
        "labels": counts,
        "too_few": [label for label in counts if label not in compared],
        "least": min_mentions,
        "pairs": _compare_pairs({label: groups[label] for label in compared}, seed),
    }


def _has_enough(group: list[Mention], min_mentions: int) -> bool:
    return len(group) >= min_mentions and len({mention.text for mention in group}) >= 2


def _compare_pairs(groups: dict[str, list[Mention]], seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    drawn = {label: _draw(group, rng) for label, group in groups.items()}
    pairs = []
    for a, b in combinations(groups, 2):
        comparison = compare(drawn[a], drawn[b], seed)
        pairs.append({"a": a, "b": b, **comparison, "verdict": verdict(comparison["interval"])})
    return sorted(pairs, key=lambda pair: (pair["auc"], pair["a"], pair["b"]))


def _draw(group: list[Mention], rng: random.Random) -> list[Mention]:
    return group if len(group) <= MAX_MENTIONS else rng.sample(group, MAX_MENTIONS)


def verdict(interval: list[float]) -> str:
    """What an interval of the AUC says about two labels: "same", "unclear" or "apart"."""
    low, high = interval
    if high < SAME_THRESHOLD or (low <= 0.5 and high < GUESS_THRESHOLD):
        return "same"
    return "apart" if low > 0.5 else "unclear"


def describe(report: dict[str, Any]) -> list[str]:
    """The report as lines of text."""
    counts, pairs = report["labels"], report["pairs"]
    lines = []
    for pair in pairs:
        low, high = pair["interval"]
        numbers = f"(AUC {pair['auc']:.2f}, 95% {low:.2f} to {high:.2f}, chance 0.5)"
        result = VERDICTS[pair["verdict"]].format(numbers)
        a, b = (f"{pair[key]} ({counts[pair[key]]})" for key in ("a", "b"))
        lines.append(f"{a} and {b} {result}")
    if report["too_few"]:
        few = ", ".join(f"{label} ({counts[label]})" for label in report["too_few"])
        lines.append(f"too few mentions to compare (fewer than {report['least']}): {few}")
    n = Counter(pair["verdict"] for pair in pairs)
    results = f"{n['same']} look the same, {n['unclear']} unclear, {n['apart']} can be told apart"
    return [*lines, f"{len(pairs)} pairs: {results}"]


def draw(report: dict[str, Any], path: Path) -> None:
    """Save a heat map of the AUC of each pair; pairs that look the same are framed."""
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap

    from scripts import plots
    from scripts.plots import subplots

    names = [label for label in report["labels"] if label not in report["too_few"]]
    size = len(names)
    grid = np.full((size, size), np.nan)
    figure, axes = subplots(figsize=(2.6 + 0.75 * size, 1.6 + 0.6 * size))
    for pair in report["pairs"]:
        row, column = sorted((names.index(pair["a"]), names.index(pair["b"])), reverse=True)
        grid[row, column] = pair["auc"]
        _mark_pair(axes, row, column, pair)
    colours = [plots.COLOURS[2], "#fdf3e7", plots.COLOURS[1]]
    image = axes.imshow(
        grid[1:, :-1],
        vmin=0.5,
        vmax=1,
        cmap=LinearSegmentedColormap.from_list("alike to apart", colours),
        extent=(-0.5, size - 1.5, size - 0.5, 0.5),
    )
    wrapped = ["\n".join(textwrap.wrap(name, 14)) for name in names]
    counted = [f"{text} ({report['labels'][name]})" for text, name in zip(wrapped, names)]
    axes.set_xticks(range(size - 1), wrapped[:-1], rotation=35, ha="right")
    axes.set_yticks(range(1, size), counted[1:])
    axes.set(xlim=(-0.5, size - 1.5), ylim=(size - 0.5, 0.5), aspect="auto")
    axes.set_title("Contexts of labels: framed look the same, ? unclear", loc="left")
    figure.colorbar(image, ax=axes, label="AUC of the context: 0.5 is guessing, 1 is sure")
    plots.save(figure, path)


def _mark_pair(axes: Any, row: int, column: int, pair: dict[str, Any]) -> None:
    """Write the AUC into a cell of the heat map, with a frame if the two look the same."""
    from matplotlib.patches import Rectangle

    text = f"{pair['auc']:.2f}\n{MARKS[pair['verdict']]}".strip()
    axes.text(column, row, text, ha="center", va="center", fontsize=9)
    if pair["verdict"] == "same":
        corner = (column - 0.47, row - 0.45)
        axes.add_patch(Rectangle(corner, 0.94, 0.9, fill=False, edgecolor="black", linewidth=1.8))
