"""The figures of this workflow for the report."""

from scripts.figures import Entry, value_at

FIGURES = (
    Entry(
        file="opinions/metrics.json",
        what="entities with their sentiment",
        score="F",
        value=value_at("ents_f"),
        baseline=("commonest label", value_at("commonest_label", "ents_f")),
    ),
)
