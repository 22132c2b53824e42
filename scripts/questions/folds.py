"""Cross-validation: each question is held out once, with towers and settings for each fold."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from scripts.files import progress_bar
from scripts.questions.evaluate import rank_all, summarize
from scripts.questions.options import TowerSettings
from scripts.questions.records import Question, folds
from scripts.questions.train import train_on_split


def cross_validate(
    questions: Sequence[Question],
    n_folds: int,
    dev_share: float,
    settings: TowerSettings,
    lang: str,
) -> dict[str, Any]:
    """Metrics over all questions, and the settings that each fold chose.

    Raises:
        ValueError: "... too few ..." if a fold has too few questions in train, dev or test.
    """
    by_system: dict[str, list[Any]] = defaultdict(list)
    chosen_settings = []
    with progress_bar("folds", n_folds, "fold") as bar:
        for split in folds(questions, n_folds, dev_share, settings.seed):
            towers = train_on_split(questions, split, settings)
            encoders = towers.titles, towers.texts
            ranks, chosen = rank_all(questions, split, encoders, lang, settings.seed)
            for name, values in ranks.items():
                by_system[name].append(values)
            chosen_settings.append(asdict(chosen.hybrid))
            bar.update()
    n_texts = sum(len(question.answers) for question in questions)
    ranks = {name: np.concatenate(values) for name, values in by_system.items()}
    return {**summarize(ranks, n_texts), "settings": chosen_settings}
