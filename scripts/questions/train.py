"""Train the towers on the train part of a split, with a line for each epoch."""

import sys
from collections.abc import Sequence

from scripts.questions.records import Question, Split
from scripts.questions.tower import Settings, Towers, train


def fit(questions: Sequence[Question], split: Split, settings: Settings) -> Towers:
    """Train on the split's train, choose the epoch on its dev. Of test only the answers are seen, not which question they belong to."""
    answers = [answer for question in questions for answer in question.answers]
    own, dev = ([questions[number] for number in part] for part in (split.train, split.dev))
    return train(own, dev, answers, settings, _show)


def _show(epoch: int, loss: float, dev_loss: float) -> None:
    print(f"epoch {epoch}: loss {loss:.3f}, on dev {dev_loss:.3f}", file=sys.stderr, flush=True)
