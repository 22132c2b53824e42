"""The figures of this workflow for the report."""

from scripts.figures import Entry, value_at

FIGURES = (
    Entry(
        file="{workflow}/metrics.json",
        what="entities, shipped pipeline",
        score="F",
        value=value_at("ents_f"),
        baseline=("patterns alone", value_at("patterns_alone", "ents_f")),
    ),
)
