"""The figures of this workflow for the report."""

from scripts.figures import Entry, value_at

FIGURES = (
    Entry(
        file="similarity/metrics.json",
        what="pairs of texts",
        score="Spearman",
        value=value_at("similarity_spearman"),
        baseline=("averaged vectors", value_at("systems", "averaged vectors", "spearman")),
        unit="",
    ),
)
