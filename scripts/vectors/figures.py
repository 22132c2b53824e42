"""The figures of this workflow for the report."""

from scripts.figures import Entry, value_at

FIGURES = (
    Entry(
        file="vectors/metrics.json",
        what="analogies",
        score="accuracy",
        value=value_at("analogies", "all", "accuracy"),
    ),
    Entry(
        file="vectors/metrics.json",
        what="WordSim-353",
        score="Spearman",
        value=value_at("similarities", "WordSim-353", "spearman"),
        unit="",
    ),
)
