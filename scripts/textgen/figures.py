"""The figures of this workflow for the report."""

from scripts.figures import Entry, value_at

FIGURES = (
    Entry(
        file="textgen/metrics.json",
        what="dev text",
        score="per character",
        value=value_at("dev_bits"),
        baseline=("n-grams", value_at("ngram_bits")),
        unit="bits",
    ),
)
