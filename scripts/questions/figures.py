"""The figures of this workflow for the report."""

from scripts.figures import Entry, value_at

FIGURES = (
    Entry(
        file="questions/metrics.json",
        what="right answer among all",
        score="MRR",
        value=value_at("systems", "hybrid", "mrr"),
        baseline=("BM25", value_at("systems", "BM25", "mrr")),
        unit="percent",
    ),
    Entry(
        file="questions-folds/metrics.json",
        what="the same, each held out once",
        score="MRR",
        value=value_at("systems", "hybrid", "mrr"),
        unit="percent",
    ),
)
