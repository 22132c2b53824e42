"""Which entities go with praise and which with complaint.

Log-odds with a prior and intervals, as a table and a chart.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from scripts.scores import console

Array1d = NDArray[np.float64]

Z95 = 1.959964
COLUMNS = (
    "entity",
    "mentions",
    "praise",
    "complaint",
    "neutral",
    "log-odds",
    "95% interval",
    "z",
)
STYLES = {"praise": "green", "complaint": "dark_orange"}
TITLES = {"praise": "praised", "complaint": "blamed", "open": "can't be told"}


@dataclass(frozen=True, slots=True)
class Mention:
    """A mention of an entity: the key it is counted by, and the sentiment of its passage."""

    key: str
    sentiment: str


@dataclass(frozen=True, slots=True)
class Row:
    """An entity in the table.

    `log_odds` is praise against complaint, compared with all other entities; `low` and `high` are
    its 95% interval.
    """

    key: str
    mentions: int
    praise: int
    complaint: int
    neutral: int
    log_odds: float
    z: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """praise or complaint if the interval excludes 0, else open."""
        if self.low > 0:
            return "praise"
        return "complaint" if self.high < 0 else "open"


def log_odds(
    praise: Array1d, complaint: Array1d, mentions: Array1d, prior: float
) -> tuple[Array1d, Array1d]:
    """Log-odds of each entity in praise against complaint, with an informative Dirichlet prior.

    Monroe, Colaresi & Quinn, "Fightin' Words", Political Analysis 16 (2008), with entities in place
    of words. The prior of an entity is in proportion to its mentions, so that one that is neither
    praised nor blamed has log-odds of 0.

    Args:
        praise: mentions of each entity that praise it, (n_entities,).
        complaint: mentions that complain about it, (n_entities,).
        mentions: mentions of any sentiment, (n_entities,).
        prior: what is added to praise and to complaint, as a share of the mentions.

    Returns:
        log-odds and their standard deviations, both (n_entities,).
    """
    alpha = prior * mentions
    total = alpha.sum()
    odds = [
        np.log(counts + alpha) - np.log(counts.sum() + total - counts - alpha)
        for counts in (praise, complaint)
    ]
    return odds[0] - odds[1], np.sqrt(1 / (praise + alpha) + 1 / (complaint + alpha))


def count_opinions(
    mentions: Iterable[Mention], praise: str, complaint: str, min_mentions: int, prior: float
) -> list[Row]:
    """The table, most surely praised entity first (by z).

    Args:
        mentions: of all entities.
        praise: the label of praise.
        complaint: the label of complaint.
        min_mentions: entities with fewer are not in the table, but count among the others.
        prior: as `log_odds` takes it.

    Raises:
        ValueError: "no entity is found ...", "there is only one entity ..." or
            "no entity has N mentions ...".
    """
    counts: dict[str, Counter[str]] = {}
    for mention in mentions:
        counts.setdefault(mention.key, Counter())[mention.sentiment] += 1
    _check_entities(sorted(counts))
    rows = _rows(counts, praise, complaint, prior)
    frequent = [row for row in rows if row.mentions >= min_mentions]
    if not frequent:
        highest = max(row.mentions for row in rows)
        raise ValueError(
            f"no entity has {min_mentions} mentions, the most frequent of {len(rows)} has "
            f"{highest}: lower vars.opinions.min_mentions"
        )
    return sorted(frequent, key=lambda row: (-row.z, row.key))


def _rows(
    counts: dict[str, "Counter[str]"], praise: str, complaint: str, prior: float
) -> list[Row]:
    keys = sorted(counts)
    n_praise = np.array([float(counts[key][praise]) for key in keys])
    n_complaint = np.array([float(counts[key][complaint]) for key in keys])
    n_all = np.array([float(counts[key].total()) for key in keys])
    rows = []
    for i, (delta, deviation) in enumerate(zip(*log_odds(n_praise, n_complaint, n_all, prior))):
        p, c, n = int(n_praise[i]), int(n_complaint[i]), int(n_all[i])
        values = (delta, delta / deviation, delta - Z95 * deviation, delta + Z95 * deviation)
        rounded = (round(float(value), 4) for value in values)
        rows.append(Row(keys[i], n, p, c, n - p - c, *rounded))
    return rows


def _check_entities(keys: Sequence[str]) -> None:
    if not keys:
        raise ValueError(
            "no entity is found in any text: give other texts (vars.opinions.texts), "
            "or another pipeline (vars.opinions.ner)"
        )
    if len(keys) == 1:
        raise ValueError(
            f"there is only one entity, {keys[0]!r}, and nothing to compare it with: "
            "count by another vars.opinions.by"
        )


def describe(rows: Sequence[Row]) -> str:
    """A sentence on which intervals exclude 0, and how many would do so by chance."""
    decided = [row for row in rows if row.verdict != "open"]
    if not decided:
        return (
            "no entity's interval excludes 0: these texts do not tell which of the "
            f"{len(rows)} entities are praised or blamed"
        )
    keys: dict[str, list[str]] = {"praise": [], "complaint": []}
    for row in decided:
        keys[row.verdict].append(row.key)
    names = "; ".join(f"{verdict}: {', '.join(group) or '-'}" for verdict, group in keys.items())
    by_chance = f"{0.05 * len(rows):.1f} of {len(rows)}"
    return (
        f"intervals that exclude 0: {len(decided)} of {len(rows)} ({names}); "
        f"intervals of 95% would name about {by_chance} by chance alone"
    )


def both_ends(rows: Sequence[Row], top: int) -> list[Row]:
    """The first and the last `top` rows, or all of them if there are no more."""
    return list(rows) if len(rows) <= 2 * top else [*rows[:top], *rows[-top:]]


def print_table(rows: Sequence[Row], top: int) -> None:
    """Print the first and the last `top` rows of the table."""
    shown = both_ends(rows, top)
    title = f"praise against complaint, {len(shown)} of {len(rows)} entities"
    table = Table(title=title, title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "entity" else "right")
    for i, row in enumerate(shown):
        table.add_row(*_cells(row), style=STYLES.get(row.verdict))
        if len(shown) < len(rows) and i == top - 1:
            table.add_section()
    console().print(table)


def _cells(row: Row) -> list[str]:
    counts = map(str, (row.mentions, row.praise, row.complaint, row.neutral))
    interval = f"{row.low:+.2f} - {row.high:+.2f}"
    return [row.key, *counts, f"{row.log_odds:+.2f}", interval, f"{row.z:+.1f}"]


def draw(rows: Sequence[Row], top: int, path: Path) -> None:
    """Save a chart with a bar and its interval for each entity, most surely praised at the top."""
    from scripts import plots
    from scripts.plots import subplots

    shown = both_ends(rows, top)
    height = 0.28 * len(shown)
    figure, axes = subplots(figsize=(7.5, 1.4 + height))
    places = range(len(shown))
    colours = _colours()
    axes.barh(
        places,
        [row.log_odds for row in shown],
        0.72,
        xerr=[
            [row.log_odds - row.low for row in shown],
            [row.high - row.log_odds for row in shown],
        ],
        color=[colours[row.verdict] for row in shown],
        error_kw={"elinewidth": 1, "capsize": 2, "ecolor": "#4a5560"},
    )
    axes.set_yticks(places, [f"{row.key} ({row.mentions})" for row in shown])
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel(
        "more complaint   <   log-odds against the other entities, 95% interval   >   more praise"
    )
    title = f"Praise and complaint: {len(shown)} of {len(rows)} entities (mentions)"
    axes.set_title(title, loc="left")
    _add_legend(axes, colours, -0.6 / height)
    plots.save(figure, path)


def _colours() -> dict[str, str]:
    from scripts.plots import COLOURS

    return {"praise": COLOURS[3], "complaint": COLOURS[2], "open": COLOURS[0]}


def _add_legend(axes: Any, colours: dict[str, str], y: float) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=colours[verdict], label=title) for verdict, title in TITLES.items()]
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, y)}
    axes.legend(handles=handles, frameon=False, ncols=3, **place)
