"""The figures of this workflow for the report."""

from scripts.figures import Entry, value_at

FIGURES = (
    Entry(
        file="textcat/metrics.json",
        what="best variant on dev",
        score="macro F",
        value=value_at("cats_macro_f"),
        baseline=("tf-idf", value_at("variants", "baseline", "cats_macro_f")),
    ),
    Entry(
        file="textcat/*/metrics.json",
        what="variant",
        score="macro F",
        value=value_at("cats_macro_f"),
    ),
)
