"""Every question held out once: a tower and a setting for each fold, and the ranks of all questions together."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from scripts.files import progress_bar
from scripts.questions import evaluate as evaluating
from scripts.questions.records import Question, folds
from scripts.questions.tower import Settings
from scripts.questions.train import fit


def validate(
    questions: Sequence[Question], n_folds: int, dev_share: float, settings: Settings, lang: str
) -> dict[str, Any]:
    """Metrics over all questions, and the settings that the folds chose.

    Raises:
        ValueError: "... too few ..." where a fold has nothing to train on, to choose by or to score by.
    """
    found: dict[str, list[Any]] = defaultdict(list)
    chosen = []
    with progress_bar("folds", n_folds, "fold") as bar:
        for split in folds(questions, n_folds, dev_share, settings.seed):
            towers = fit(questions, split, settings)
            ranks, setting, _ = evaluating.rank_all(
                questions, split, (towers.titles, towers.texts), lang, settings.seed
            )
            for name, values in ranks.items():
                found[name].append(values)
            chosen.append(asdict(setting))
            bar.update()
    n_texts = sum(len(question.answers) for question in questions)
    return {
        **evaluating.summarize(
            {name: np.concatenate(values) for name, values in found.items()}, n_texts
        ),
        "settings": chosen,
    }
