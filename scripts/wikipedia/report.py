"""Summarise the records of a dump: how many pages have which property, and what they link to."""

from collections import Counter
from collections.abc import Iterable
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from scripts.plots import COLOURS, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SHOWN = 20  # properties and links


def summarize(records: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Count over the records of `extract`, one at a time.

    Returns:
        infobox, pages, with_score, mean and median number of links; and, the most frequent first,
        `properties` {name: pages that have it} and `links` {title: pages that link there}.

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
        "links": dict(links.most_common(MAX_SHOWN)),
    }


def print_summary(summary: dict[str, Any]) -> None:
    """Print the counts, and the most frequent properties and links side by side."""
    from rich.console import Console
    from rich.table import Table

    out = Console(markup=False, emoji=False, highlight=False)
    n_pages = summary["pages"]
    mean = f" (mean {summary['mean_score']:.0f})" if summary["with_score"] else ""
    links = f"{summary['mean_links']:.0f} links per page, to {summary['link_targets']:,} titles"
    out.print(f"{n_pages:,} pages, {summary['with_score']:,} with a review score{mean}; {links}")
    table = Table("property", "pages", "%", "link", "pages")
    properties = [
        (name, f"{n:,}", f"{100 * n / n_pages:.0f}") for name, n in summary["properties"].items()
    ]
    targets = [(title, f"{n:,}") for title, n in summary["links"].items()]
    for left, right in zip_longest(properties[:MAX_SHOWN], targets):
        table.add_row(*(left or ("", "", "")), *(right or ("", "")))
    out.print(table)


def draw(summary: dict[str, Any]) -> "Figure":
    """Draw a bar for each of the most frequent properties: the share of the pages that have it."""
    n_pages = summary["pages"]
    names = list(summary["properties"])[:MAX_SHOWN]
    shares = [100 * summary["properties"][name] / n_pages for name in names]
    figure, axes = subplots(figsize=(7.5, 0.6 + 0.26 * max(4, len(names))))
    bars = axes.barh(names, shares, color=COLOURS[1])
    axes.bar_label(bars, fmt="%.0f", fontsize=9, padding=2)
    axes.invert_yaxis()
    axes.set(xlim=(0, 108), xlabel="pages that give the property, %")
    axes.set_title(f"{n_pages:,} pages with Infobox {summary['infobox']}", loc="left")
    return figure
