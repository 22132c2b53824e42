"""Draw groups of words as points of a plane (t-SNE), their names kept apart."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text

from scripts.files import need
from scripts.plots import MANY_COLOURS, PALETTE
from scripts.reading import read_jsonl
from scripts.vectors.neighbours import WordVectors
from scripts.vectors.sources import Floats2d

MOST_NAMED = 150  # words; more names than that cover each other
STEPS = 300  # to push names apart; without it adjustText stops after a second, wherever it is then


def read_groups(path: Path) -> dict[str, list[str]]:
    """Named groups of words: JSONL with a "group" and its "words" a line.

    Raises:
        ValueError: "FILE:LINE: no group ...", or "FILE: no group in it".
    """
    groups: dict[str, list[str]] = {}
    for number, record in read_jsonl(path):
        name, words = record.get("group"), record.get("words")
        if (
            not isinstance(name, str)
            or not isinstance(words, list)
            or not all(isinstance(word, str) for word in words)
        ):
            raise ValueError(
                f'{path}:{number}: no group: each line should be {{"group": "sports", "words": ["tennis", ...]}}'
            )
        groups[name] = list(dict.fromkeys([*groups.get(name, []), *words]))
    if not groups:
        raise ValueError(f"{path}: no group in it")
    return groups


def known_words(
    vectors: WordVectors, groups: Mapping[str, Sequence[str]]
) -> tuple[dict[str, list[str]], list[str]]:
    """The words of the groups that have vectors, and those that have none.

    Raises:
        ValueError: "fewer than five words ...".
    """
    known = {
        name: [word for word in words if vectors.row(word) is not None]
        for name, words in groups.items()
    }
    if sum(map(len, known.values())) < 5:
        raise ValueError(
            f"fewer than five words of the groups have vectors in {vectors.path}: there is nothing to draw"
        )
    known = {name: words for name, words in known.items() if words}
    return known, [word for words in groups.values() for word in words if vectors.row(word) is None]


def draw(groups: Mapping[str, Sequence[str]], places: Floats2d, title: str) -> Figure:
    """A point for each word, (n, 2) in the order of the groups, a colour for each group, and names that do not cover each other."""
    adjust_text = need("adjustText", "vectors").adjust_text
    figure, axes = plt.subplots(figsize=(11, 8))
    names: list[Text] = []
    start = 0
    for (name, words), colour in zip(
        groups.items(), cycle(PALETTE if len(groups) <= len(PALETTE) else MANY_COLOURS)
    ):
        some = places[start : start + len(words)]
        start += len(words)
        axes.scatter(some[:, 0], some[:, 1], s=22, color=colour, label=f"{name} ({len(words)})")
        names += [
            axes.text(x, y, word, fontsize=8, color=colour)
            for (x, y), word in zip(some.tolist(), words)
        ]
    for text in names[MOST_NAMED:]:
        text.remove()
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, loc="left")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    for spine in axes.spines.values():
        spine.set_visible(False)
    adjust_text(
        names[:MOST_NAMED],
        x=places[:, 0],
        y=places[:, 1],
        ax=axes,
        expand=(1.15, 1.5),
        iter_lim=STEPS,
        arrowprops={"arrowstyle": "-", "color": "#c0c0c0", "lw": 0.5},
    )
    return figure
