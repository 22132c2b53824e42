"""What the records of a dump hold: counts, how many pages give which property, what is linked to most."""

from collections import Counter
from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from scripts.plots import COLOURS

MOST_SHOWN = 20  # properties and links


def summarize(records: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Counts over records of `extract`, which are not held.

    Returns:
        infobox, pages, with_score, mean and median number of links, and, the most frequent first, `properties` {name: pages that have
        it} and `links` {title: pages that link there}.

    Raises:
        ValueError: "no record ...".
    """
    properties, links = Counter[str](), Counter[str]()
    n_links, scores, infobox = [], [], ""
    for record in records:
        infobox = infobox or record.get("infobox", "")
        properties.update(record.get("properties", {}).keys())
        links.update(record.get("links", []))
        n_links.append(len(record.get("links", [])))
        if record.get("score") is not None:
            scores.append(record["score"])
    if not n_links:
        raise ValueError("no record to report on: run wikipedia-extract first")
    return {
        "infobox": infobox,
        "pages": len(n_links),
        "with_score": len(scores),
        "mean_score": sum(scores) / len(scores) if scores else None,
        "mean_links": sum(n_links) / len(n_links),
        "median_links": sorted(n_links)[len(n_links) // 2],
        "link_targets": len(links),
        "properties": dict(properties.most_common()),
        "links": dict(links.most_common(MOST_SHOWN)),
    }


def print_summary(found: dict[str, Any]) -> None:
    """Print the counts, and the commonest properties and links side by side."""
    out = Console(markup=False, emoji=False, highlight=False)
    mean = f" (mean {found['mean_score']:.0f})" if found["with_score"] else ""
    links = f"{found['mean_links']:.0f} links a page, to {found['link_targets']:,} titles"
    out.print(
        f"{found['pages']:,} pages, {found['with_score']:,} with a review score{mean}; {links}"
    )
    table = Table("property", "pages", "%", "link", "pages")
    properties = [
        (name, f"{n:,}", f"{100 * n / found['pages']:.0f}")
        for name, n in found["properties"].items()
    ][:MOST_SHOWN]
    targets = [(title, f"{n:,}") for title, n in found["links"].items()]
    for left, right in zip_longest(properties, targets):
        table.add_row(*(left or ("", "", "")), *(right or ("", "")))
    out.print(table)


def draw(found: dict[str, Any]) -> Figure:
    """A bar for each of the commonest properties: the share of the pages that have it."""
    names = list(found["properties"])[:MOST_SHOWN]
    shares = [100 * found["properties"][name] / found["pages"] for name in names]
    figure, axes = plt.subplots(figsize=(7.5, 0.6 + 0.26 * max(4, len(names))))
    drawn = axes.barh(names, shares, color=COLOURS[1])
    axes.bar_label(drawn, fmt="%.0f", fontsize=9, padding=2)
    axes.invert_yaxis()
    axes.set(xlim=(0, 108), xlabel="pages that give the property, %")
    axes.set_title(f"{found['pages']:,} pages with Infobox {found['infobox']}", loc="left")
    return figure
