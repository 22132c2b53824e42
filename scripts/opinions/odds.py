"""Which entities go with praise and which with complaint: log-odds with a prior and intervals, as a table and a chart."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import Patch
from numpy.typing import NDArray
from rich.table import Table

from scripts import plots
from scripts.scores import console

Z95 = 1.959964
VERDICTS = {"praise": plots.COLOURS[3], "complaint": plots.COLOURS[2], "open": plots.COLOURS[0]}


@dataclass(frozen=True, slots=True)
class Mention:
    """An entity somewhere: the key it is counted by, and the label of what is said there."""

    key: str
    sentiment: str


@dataclass(frozen=True, slots=True)
class Row:
    """An entity in the table. `log_odds` is praise against complaint, beside all other entities; `low` and `high` are its 95% interval."""

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
        """praise or complaint where the interval excludes 0, else open."""
        return "praise" if self.low > 0 else "complaint" if self.high < 0 else "open"


def log_odds(
    praise: NDArray[np.float64],
    complaint: NDArray[np.float64],
    mentions: NDArray[np.float64],
    prior: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log-odds of each entity among the praise against among the complaints, with an informative Dirichlet prior.

    Monroe, Colaresi & Quinn, "Fightin' Words", Political Analysis 16 (2008), with entities in the place of words.
    The prior of an entity is in proportion to its mentions, so that one that nobody judges has log-odds of 0.

    Args:
        praise, complaint, mentions: counts of all entities, (n_entities,); mentions of any sentiment.
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


def count(
    mentions: Iterable[Mention], praise: str, complaint: str, least: int, prior: float
) -> list[Row]:
    """The table: entities with `least` mentions or more, most surely praised first (by z). The others count among the rest.

    Raises:
        ValueError: "no entity ...", "there is only one entity ..." or "no entity has N mentions ...".
    """
    counts: dict[str, Counter[str]] = {}
    for mention in mentions:
        counts.setdefault(mention.key, Counter())[mention.sentiment] += 1
    if not counts:
        raise ValueError(
            "no entity is found in any text: give other texts (vars.opinions.texts), or another pipeline (vars.opinions.ner)"
        )
    if len(counts) == 1:
        raise ValueError(
            f"there is only one entity, {next(iter(counts))!r}, and nothing to compare it with: count by another vars.opinions.by"
        )
    keys = sorted(counts)
    praised, blamed, all_ = (
        np.array([float(number(counts[key])) for key in keys])
        for number in (lambda c: c[praise], lambda c: c[complaint], lambda c: c.total())
    )
    rows = []
    for i, (delta, deviation) in enumerate(zip(*log_odds(praised, blamed, all_, prior))):
        p, c, n = int(praised[i]), int(blamed[i]), int(all_[i])
        values = (delta, delta / deviation, delta - Z95 * deviation, delta + Z95 * deviation)
        rows.append(Row(keys[i], n, p, c, n - p - c, *(round(float(value), 4) for value in values)))
    kept = [row for row in rows if row.mentions >= least]
    if not kept:
        most = max(row.mentions for row in rows)
        raise ValueError(
            f"no entity has {least} mentions, the most frequent of {len(rows)} has {most}: lower vars.opinions.min_mentions"
        )
    return sorted(kept, key=lambda row: (-row.z, row.key))


def in_words(rows: Sequence[Row]) -> str:
    """A sentence on what the table tells, with how much of it chance alone would give."""
    sure = [row for row in rows if row.verdict != "open"]
    chance = (
        f"intervals of 95% would name about {0.05 * len(rows):.1f} of {len(rows)} by chance alone"
    )
    if not sure:
        return f"no entity's interval excludes 0: these texts do not tell which of the {len(rows)} entities are praised or blamed"
    named = [
        f"{verdict}: {', '.join(row.key for row in sure if row.verdict == verdict) or '-'}"
        for verdict in ("praise", "complaint")
    ]
    return f"intervals that exclude 0: {len(sure)} of {len(rows)} ({'; '.join(named)}); {chance}"


def shown(rows: Sequence[Row], top: int) -> list[Row]:
    """The first and the last `top` rows, or all of them where there are no more."""
    return list(rows) if len(rows) <= 2 * top else [*rows[:top], *rows[-top:]]


def print_table(rows: Sequence[Row], top: int) -> None:
    """Print the table, without its middle where it is long."""
    some = shown(rows, top)
    table = Table(
        title=f"praise against complaint, {len(some)} of {len(rows)} entities", title_justify="left"
    )
    for column in (
        "entity",
        "mentions",
        "praise",
        "complaint",
        "neutral",
        "log-odds",
        "95% interval",
        "z",
    ):
        table.add_column(column, justify="left" if column == "entity" else "right")
    for i, row in enumerate(some):
        numbers = (row.mentions, row.praise, row.complaint, row.neutral)
        interval = f"{row.low:+.2f} - {row.high:+.2f}"
        style = {"praise": "green", "complaint": "dark_orange"}.get(row.verdict)
        table.add_row(
            row.key,
            *map(str, numbers),
            f"{row.log_odds:+.2f}",
            interval,
            f"{row.z:+.1f}",
            style=style,
        )
        if len(some) < len(rows) and i == top - 1:
            table.add_section()
    console().print(table)


def draw(rows: Sequence[Row], top: int, path: Path) -> None:
    """Save a chart with a bar and its interval for each entity, most surely praised at the top."""
    some = shown(rows, top)
    figure, axes = plt.subplots(figsize=(7.5, 1.4 + 0.28 * len(some)))
    places = range(len(some))
    values = [row.log_odds for row in some]
    errors = [[row.log_odds - row.low for row in some], [row.high - row.log_odds for row in some]]
    colours = [VERDICTS[row.verdict] for row in some]
    axes.barh(
        places,
        values,
        0.72,
        xerr=errors,
        color=colours,
        error_kw={"elinewidth": 1, "capsize": 2, "ecolor": "#4a5560"},
    )
    axes.set_yticks(places, [f"{row.key} ({row.mentions})" for row in some])
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel(
        "more complaint   <   log-odds beside the other entities, 95% interval   >   more praise"
    )
    axes.set_title(
        f"Praise and complaint: {len(some)} of {len(rows)} entities (mentions)", loc="left"
    )
    titles = {"praise": "praised", "complaint": "blamed", "open": "can't be told"}
    handles = [Patch(color=VERDICTS[verdict], label=title) for verdict, title in titles.items()]
    axes.legend(
        handles=handles,
        frameon=False,
        ncols=3,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.6 / (0.28 * len(some))),
    )
    plots.save(figure, path)
