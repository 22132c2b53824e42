"""Draw groups of words as points of a plane (t-SNE), with names that do not overlap."""

from collections.abc import Mapping, Sequence
from itertools import chain, cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.files import need
from scripts.reading import read_jsonl
from scripts.vectors.sources import Floats2d
from scripts.vectors.word_vectors import WordVectors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIN_WORDS = 5  # to draw
MAX_NAMES = 150  # more names than that cover each other
MAX_STEPS = 300  # to push names apart; without a limit adjustText stops after a second


def read_groups(path: Path) -> dict[str, list[str]]:
    """Named groups of words: JSONL with a "group" and its "words" on each line.

    Raises:
        ValueError: "FILE:LINE: not a group ...", or "FILE: no group in it ...".
    """
    groups: dict[str, list[str]] = {}
    example = '{"group": "sports", "words": ["tennis", ...]}'
    for number, record in read_jsonl(path):
        name, words = record.get("group"), record.get("words")
        if not isinstance(name, str) or not isinstance(words, list) or not _are_texts(words):
            raise ValueError(f"{path}:{number}: not a group: each line should be {example}")
        groups[name] = list(dict.fromkeys([*groups.get(name, []), *words]))
    if not groups:
        raise ValueError(f"{path}: no group in it: write lines such as {example}")
    return groups


def _are_texts(words: list[Any]) -> bool:
    return all(isinstance(word, str) for word in words)


def known_words(
    vectors: WordVectors, groups: Mapping[str, Sequence[str]]
) -> tuple[dict[str, list[str]], list[str]]:
    """The words of the groups that have vectors, and a list of those without.

    Raises:
        ValueError: "fewer than 5 words ...".
    """
    words = list(chain.from_iterable(groups.values()))
    missing = [word for word in words if vectors.row(word) is None]
    if len(words) - len(missing) < MIN_WORDS:
        raise ValueError(
            f"fewer than {MIN_WORDS} words of the groups have vectors in {vectors.path}, so there "
            "is nothing to draw: name other groups by vars.vectors.groups"
        )
    known = {name: _without(missing, words) for name, words in groups.items()}
    return {name: words for name, words in known.items() if words}, missing


def _without(missing: Sequence[str], words: Sequence[str]) -> list[str]:
    return [word for word in words if word not in missing]


def draw(groups: Mapping[str, Sequence[str]], points: Floats2d, title: str) -> "Figure":
    """Draw a point for each word, a colour for each group, and names that do not overlap.

    Args:
        groups: the words.
        points: (n_words, 2), in the order of the groups.
        title: of the figure.
    """
    from scripts.plots import MANY_COLOURS, PALETTE, subplots

    figure, axes = subplots(figsize=(11, 8))
    names: list[Any] = []
    colours = cycle(PALETTE if len(groups) <= len(PALETTE) else MANY_COLOURS)
    start = 0
    for (name, words), colour in zip(groups.items(), colours):
        x, y = points[start : start + len(words)].T.tolist()
        start += len(words)
        axes.scatter(x, y, s=22, color=colour, label=f"{name} ({len(words)})")
        for word, left, bottom in zip(words, x, y):
            names.append(axes.text(left, bottom, word, fontsize=8, color=colour))
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, loc="left")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    for spine in axes.spines.values():
        spine.set_visible(False)
    _separate(names, points, axes)
    return figure


def _separate(names: list[Any], points: Floats2d, axes: Any) -> None:
    """Push the first names apart, and remove the others."""
    adjust_text = need("adjustText", "vectors").adjust_text
    for text in names[MAX_NAMES:]:
        text.remove()
    adjust_text(
        names[:MAX_NAMES],
        x=points[:, 0],
        y=points[:, 1],
        ax=axes,
        expand=(1.15, 1.5),
        iter_lim=MAX_STEPS,
        arrowprops={"arrowstyle": "-", "color": "#c0c0c0", "lw": 0.5},
    )
