"""The figures of this workflow for the report."""

from scripts.figures import Entry, value_at

FIGURES = (
    Entry(
        file="refine/metrics.json",
        what="specific labels",
        score="F",
        value=value_at("ents_f"),
        baseline=("names alone", value_at("names_alone", "ents_f")),
    ),
)
