"""Cross-validation: each variant is trained and scored on each fold, in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from rich.table import Table
from sklearn.model_selection import StratifiedKFold
from spacy.language import Language

from scripts.files import remove, write_json
from scripts.reading import text_key, write_docs
from scripts.scores import console, percent
from scripts.textcat.labelled import Labelled
from scripts.textcat.split import Split, make_split, summarize, to_docs
from scripts.textcat.variants import BASELINE, NAMES, config_of

KEYS = ("cats_macro_f", "accuracy", "train_seconds", "texts_per_second", "megabytes")
DEV_SHARE = 0.1  # of the texts that are not in test


def make_folds(texts: Sequence[Labelled], n_folds: int, seed: int) -> Iterator[Split]:
    """Splits, each with another part of the texts as test and a tenth of the others as dev.

    All have the same mix of labels.

    Raises:
        ValueError: "the label ... has ... texts, fewer than folds ...", and what `make_split`
            raises.
    """
    unique = list({text_key(text.text): text for text in texts}.values())
    kinds = ["+".join(text.labels) for text in unique]
    rarest = min(kinds, key=kinds.count, default="")
    n_texts = kinds.count(rarest)
    if n_texts < n_folds:
        raise ValueError(
            f"the label {rarest!r} has {n_texts} texts, fewer than folds ({n_folds}): "
            "set vars.textcat.n_folds to less"
        )
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    for train, test in folds.split(kinds, kinds):
        pool, held_out = [unique[i] for i in train], [unique[i] for i in test]
        shares = (DEV_SHARE, 0.0)
        yield make_split(pool, [], held_out, labels="auto", shares=shares, seed=seed)


def write_fold(split: Split, corpus: Path, nlp: Language) -> None:
    """Write the corpus of a fold, as textcat-corpus does."""
    for name, texts in split.parts.items():
        write_docs(corpus / f"{name}.spacy", to_docs(texts, split, nlp))
    write_json(corpus / "split.json", {**summarize(split), "balance": "none", "weights": {}})


def run_variant(
    variant: str, folder: Path, corpus: Path, code: str, settings: Sequence[str]
) -> dict[str, Any]:
    """Train and score one variant on one fold, unless that is done. Returns its scores.

    Args:
        variant: its name, or "baseline".
        folder: gets metrics.json.
        corpus: of the fold.
        code: files with registered functions, comma-separated.
        settings: further options of the training.

    Raises:
        ValueError: "VARIANT: ...", with the last line of what failed.
    """
    metrics = folder / "metrics.json"
    if not metrics.exists():
        if variant == BASELINE:
            _run_step(variant, "baseline", corpus, folder)
        else:
            config = config_of(variant)
            _run_step(variant, "train", config, folder, corpus, "--code", code, *settings)
            _run_step(variant, "evaluate", folder, corpus, "--code", code)
        remove(folder / "pipeline")
    scores = srsly.read_json(metrics)
    return {key: scores[key] for key in KEYS}


def _run_step(variant: str, *arguments: object) -> None:
    command = [sys.executable, "-m", "scripts.textcat", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        output = done.stderr.strip() or done.stdout.strip()
        raise ValueError(f"{variant}: {output.splitlines()[-1]}")


def clear_other_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Delete folds that were made with other settings, and note the new ones."""
    path = folder / "settings.json"
    if not path.exists() or srsly.read_json(path) != settings:
        remove(folder)
        write_json(path, settings)


def summarize_folds(results: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """Mean, standard deviation (n - 1) and values of each score of each variant over the folds."""
    return {variant: _summarize_variant(rows) for variant, rows in results.items()}


def _summarize_variant(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    statistics = {}
    for key in KEYS:
        values = [row[key] for row in rows]
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        statistics[key] = {"mean": float(np.mean(values)), "sd": deviation, "values": values}
    return statistics


def print_folds(results: Mapping[str, Any], n_folds: int) -> None:
    """Print mean and deviation of each variant.

    Args:
        results: what `summarize_folds` gives.
        n_folds: how many folds there are; not all need to be done.
    """
    n_done = len(next(iter(results.values()))["accuracy"]["values"])
    title = f"{n_done} of {n_folds} folds: mean, and standard deviation over folds"
    table = Table(title=title, title_justify="left")
    for column in ("variant", "accuracy", "±", "macro F", "±", "train s", "texts/s", "MB"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    for variant, row in sorted(results.items(), key=lambda item: item[1]["accuracy"]["mean"]):
        table.add_row(NAMES.get(variant, variant), *_cells(row))
    console().print(table)


def _cells(row: Mapping[str, Any]) -> list[str]:
    accuracy, macro_f = row["accuracy"], row["cats_macro_f"]
    return [
        percent(accuracy["mean"]),
        percent(accuracy["sd"]),
        percent(macro_f["mean"]),
        percent(macro_f["sd"]),
        f"{row['train_seconds']['mean']:,.0f}",
        f"{row['texts_per_second']['mean']:,.0f}",
        f"{row['megabytes']['mean']:,.1f}",
    ]
