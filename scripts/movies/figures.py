"""The figures of this workflow for the report."""

from scripts.figures import Entry, value_at

FIGURES = (
    Entry(
        file="movies/metrics.json",
        what="held-out links",
        score="recall@10",
        value=value_at("recall"),
        baseline=("popularity", value_at("methods", "popularity", "recall")),
    ),
)
