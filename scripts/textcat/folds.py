"""Cross-validation: each variant trained and scored on each fold, in a fresh process each."""

import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from rich.table import Table
from sklearn.model_selection import StratifiedKFold

from scripts.files import remove, write_json
from scripts.reading import text_key
from scripts.scores import console, percent
from scripts.textcat.compare import BASELINE, NAMES
from scripts.textcat.labelled import Labelled
from scripts.textcat.split import Split, split

KEYS = ("cats_macro_f", "accuracy", "train_seconds", "texts_per_second", "megabytes")


def make_folds(texts: Sequence[Labelled], n_folds: int, seed: int) -> Iterable[Split]:
    """Splits, each with another part of the texts as test and a tenth of the rest as dev; the same mix of labels in all.

    Raises:
        ValueError: "the label ... has fewer texts than folds ..." and what `split` raises.
    """
    unique = list({text_key(text.text): text for text in texts}.values())
    kinds = ["+".join(text.labels) for text in unique]
    rarest = min(kinds, key=kinds.count, default="")
    if kinds.count(rarest) < n_folds:
        raise ValueError(
            f"the label {rarest!r} has {kinds.count(rarest)} texts, fewer than folds ({n_folds}): give fewer by vars.textcat.folds"
        )
    for rest, held_out in StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(
        kinds, kinds
    ):
        pool, test = ([unique[i] for i in part] for part in (rest, held_out))
        yield split(pool, [], test, labels="auto", shares=(0.1, 0.0), seed=seed)


def run_variant(
    variant: str, folder: Path, corpus: Path, code: Sequence[Path], settings: Sequence[str]
) -> dict[str, Any]:
    """Train and score one variant on one fold, unless that is done. Returns its scores.

    Raises:
        ValueError: "VARIANT ...", with the last line of what failed.
    """
    done = folder / "metrics.json"
    if not done.exists():
        own = [item for file in code for item in ("--code", str(file))]
        steps = [["baseline", str(corpus), str(folder)]]
        if variant != BASELINE:
            train = [
                "train",
                f"configs/textcat_{variant}.cfg",
                str(folder),
                str(corpus),
                *own,
                *settings,
            ]
            steps = [train, ["evaluate", str(folder), str(corpus), *own]]
        for step in steps:
            ran = subprocess.run(
                [sys.executable, "-m", "scripts.textcat", *step], capture_output=True, text=True
            )
            if ran.returncode:
                raise ValueError(
                    f"{variant}: {(ran.stderr.strip() or ran.stdout.strip()).splitlines()[-1]}"
                )
        remove(folder / "pipeline")
    metrics = srsly.read_json(done)
    return {key: metrics[key] for key in KEYS}


def fresh(folder: Path, settings: dict[str, Any]) -> None:
    """Throw away folds that were made with other settings."""
    path = folder / "settings.json"
    if not path.exists() or srsly.read_json(path) != settings:
        remove(folder)
        write_json(path, settings)


def summary(results: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """Mean, standard deviation (n - 1) and values of each score of each variant over the folds."""
    told: dict[str, Any] = {}
    for variant, rows in results.items():
        values = {key: [row[key] for row in rows] for key in KEYS}
        told[variant] = {
            key: {
                "mean": float(np.mean(found)),
                "sd": float(np.std(found, ddof=1)) if len(found) > 1 else 0.0,
                "values": found,
            }
            for key, found in values.items()
        }
    return told


def print_table(told: Mapping[str, Any], n_folds: int) -> None:
    """Print mean and spread of each variant."""
    n_done = len(next(iter(told.values()))["accuracy"]["values"])
    table = Table(
        title=f"{n_done} of {n_folds} folds: mean, and standard deviation over folds",
        title_justify="left",
    )
    for column in ("variant", "accuracy", "±", "macro F", "±", "train s", "texts/s", "MB"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    for variant, row in sorted(told.items(), key=lambda item: item[1]["accuracy"]["mean"]):
        shares = [
            percent(row[key][of]) for key in ("accuracy", "cats_macro_f") for of in ("mean", "sd")
        ]
        costs = [
            f"{row[key]['mean']:,.{digits}f}"
            for key, digits in (("train_seconds", 0), ("texts_per_second", 0), ("megabytes", 1))
        ]
        table.add_row(NAMES.get(variant, variant), *shares, *costs)
    console().print(table)
