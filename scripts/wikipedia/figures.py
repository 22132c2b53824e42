"""The figures of this workflow for the report."""

from scripts.figures import Entry, value_at

FIGURES = (
    Entry(
        file="wikipedia/report.json",
        what="pages with the infobox",
        score="pages",
        value=value_at("pages"),
        unit="count",
    ),
)
