"""The questions that `extract` wrote: read them, know the right answer of each, and split them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from spacy.util import get_lang_class

from scripts.questions.text import words
from scripts.reading import read_jsonl, text_key


@dataclass(frozen=True)
class Question:
    """A question and the texts of its answers."""

    id: int
    title: str
    body: str
    answers: tuple[str, ...]
    right: int  # the accepted answer; where there is none the one with the highest score; -1 where there is no answer


@dataclass(frozen=True)
class Split:
    """Questions to learn from, to choose by, and to score by: numbers of a list of questions."""

    train: list[int]
    dev: list[int]
    test: list[int]


def to_question(record: dict[str, Any]) -> Question:
    """A question of a line that `extract` wrote. Answers without a word are left out."""
    answers = [answer for answer in record["answers"] if words(answer["text"])]
    order = sorted(
        range(len(answers)),
        key=lambda i: (not answers[i]["accepted"], -answers[i]["score"], answers[i]["id"]),
    )
    return Question(
        record["id"],
        record["title"],
        record["body"],
        tuple(answer["text"] for answer in answers),
        order[0] if order else -1,
    )


_KINDS = {
    "id": int,
    "title": str,
    "body": str,
    "score": int,
    "date": str,
    "tags": list,
    "views": int | None,
    "answers": list,
}
_KINDS_OF_ANSWERS = {"id": int, "text": str, "score": int, "accepted": bool}


def _is_sound(record: dict[str, Any]) -> bool:
    """Whether a record is one that `extract` writes."""

    def has(found: Any, kinds: dict[str, Any]) -> bool:
        return isinstance(found, dict) and all(
            key in found and isinstance(found[key], kind) for key, kind in kinds.items()
        )

    return has(record, _KINDS) and all(
        has(answer, _KINDS_OF_ANSWERS) for answer in record["answers"]
    )


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """The lines that `extract` wrote.

    Raises:
        ValueError: "... does not exist ...", "... is no question ...", "... was there before ...", "... holds no question".
    """
    if not path.exists():
        raise ValueError(f"{path} does not exist: run python -m weasel run questions-extract first")
    seen: set[int] = set()
    for number, record in read_jsonl(path):
        if not _is_sound(record) or record["id"] in seen:
            why = (
                f"has the id {record['id']}, which was there before"
                if _is_sound(record)
                else "is no question"
            )
            raise ValueError(
                f"{path}:{number}: {why}: make the file again with python -m weasel run questions-extract"
            )
        seen.add(record["id"])
        yield record
    if not seen:
        raise ValueError(
            f"{path} holds no question: run python -m weasel run questions-extract on another dump"
        )


def read_questions(path: Path) -> list[Question]:
    """The questions of a file; raises as `read_records` does."""
    return [to_question(record) for record in read_records(path)]


def stop_words(lang: str) -> frozenset[str]:
    """The words that spaCy calls frequent in a language, cut as `words` cuts."""
    return frozenset(
        word for stop in get_lang_class(lang).Defaults.stop_words for word in words(stop)
    )


def _groups(titles: Iterable[str]) -> list[list[int]]:
    """Numbers of titles, those of the same title together."""
    same: dict[bytes, list[int]] = defaultdict(list)
    for number, title in enumerate(titles):
        same[text_key(title)].append(number)
    return list(same.values())


def split(questions: Sequence[Question], dev_share: float, test_share: float, seed: int) -> Split:
    """Draw the questions to choose by and to score by; a question that was asked twice in the same words is in one part only.

    Raises:
        ValueError: "... too few ..." where a part would have no question with an answer.
    """
    groups = _groups(question.title for question in questions)
    order = np.random.default_rng(seed).permutation(len(groups))
    ends = np.cumsum([round(share * len(groups)) for share in (test_share, dev_share)])
    parts = [
        sorted(number for group in some for number in groups[group])
        for some in np.split(order, ends)
    ]
    return _checked(questions, Split(train=parts[2], dev=parts[1], test=parts[0]))


def folds(questions: Sequence[Question], n_folds: int, dev_share: float, seed: int) -> list[Split]:
    """Splits in which each question is in the test part once.

    Raises:
        ValueError: as `split` does.
    """
    groups = _groups(question.title for question in questions)
    order = np.random.default_rng(seed).permutation(len(groups))
    made = []
    for fold in range(n_folds):
        test, others = order[fold::n_folds], np.delete(order, np.s_[fold::n_folds])
        dev, train = np.split(
            np.random.default_rng([seed, fold]).permutation(others),
            [round(dev_share * len(groups))],
        )
        parts = (
            sorted(number for group in some for number in groups[group])
            for some in (train, dev, test)
        )
        made.append(_checked(questions, Split(*parts)))
    return made


def _checked(questions: Sequence[Question], made: Split) -> Split:
    for name in ("train", "dev", "test"):
        if not any(questions[number].answers for number in getattr(made, name)):
            n = sum(bool(question.answers) for question in questions)
            raise ValueError(
                f"{n} questions with an answer are too few: no such question is left for {name}; take a larger dump"
            )
    return made


def split_by_ids(questions: Sequence[Question], path: Path) -> Split:
    """The split that a model was trained with.

    Args:
        questions: the same ones.
        path: split.json with the ids of each part.

    Raises:
        ValueError: "... other questions ...".
    """
    places = {question.id: number for number, question in enumerate(questions)}
    try:
        told: Any = srsly.read_json(path)
        parts = Split(
            *([places.pop(number) for number in told[name]] for name in ("train", "dev", "test"))
        )
    except (OSError, ValueError, KeyError, TypeError):
        places[-1] = -1
    if places:
        raise ValueError(
            f"the model beside {path} was trained on other questions: run python -m weasel run questions-train again"
        )
    return _checked(questions, parts)
