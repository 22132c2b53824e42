"""The questions that `extract` wrote: read them, find the right answer of each, and split them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import srsly

from scripts.questions.text import words
from scripts.reading import read_jsonl, text_key

PARTS = ("train", "dev", "test")
EXTRACT = "python -m weasel run questions-extract"
TRAIN = "python -m weasel run questions-train"
QUESTION_TYPES = {
    "id": int,
    "title": str,
    "body": str,
    "score": int,
    "date": str,
    "tags": list,
    "views": int | None,
    "answers": list,
}
ANSWER_TYPES = {"id": int, "text": str, "score": int, "accepted": bool}


@dataclass(frozen=True)
class Question:
    """A question and the texts of its answers."""

    id: int
    title: str
    body: str
    answers: tuple[str, ...]
    right: int  # position of the accepted answer, else of the highest scored; -1 without answers


@dataclass(frozen=True)
class Split:
    """Positions of questions in a list, by part."""

    train: list[int]
    dev: list[int]
    test: list[int]


def to_question(record: dict[str, Any]) -> Question:
    """The question of a line that `extract` wrote. Answers without a word are left out."""
    answers = [answer for answer in record["answers"] if words(answer["text"])]
    texts = tuple(answer["text"] for answer in answers)
    right = -1
    if answers:
        right = min(range(len(answers)), key=lambda number: _rank_key(answers[number]))
    return Question(record["id"], record["title"], record["body"], texts, right)


def _rank_key(answer: dict[str, Any]) -> tuple[bool, int, int]:
    """Orders answers: the accepted one, then by score, highest first, then by id."""
    return not answer["accepted"], -answer["score"], answer["id"]


def _is_valid(record: dict[str, Any]) -> bool:
    """Whether a record is one that `extract` writes."""
    return _has_types(record, QUESTION_TYPES) and all(
        _has_types(answer, ANSWER_TYPES) for answer in record["answers"]
    )


def _has_types(record: Any, types: dict[str, Any]) -> bool:
    return isinstance(record, dict) and all(
        key in record and isinstance(record[key], kind) for key, kind in types.items()
    )


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """The lines that `extract` wrote.

    Raises:
        ValueError: "... does not exist ...", "... is not a question ...", "... has the id ...",
            "... holds no question".
    """
    if not path.exists():
        raise ValueError(f"{path} does not exist: run {EXTRACT} first")
    seen: set[int] = set()
    for number, record in read_jsonl(path):
        if not _is_valid(record):
            raise ValueError(f"{path}:{number}: is not a question: make the file with {EXTRACT}")
        if record["id"] in seen:
            reason = f"has the id {record['id']}, as an earlier line does"
            raise ValueError(f"{path}:{number}: {reason}: make the file again with {EXTRACT}")
        seen.add(record["id"])
        yield record
    if not seen:
        raise ValueError(f"{path} holds no question: run {EXTRACT} on another dump")


def read_questions(path: Path) -> list[Question]:
    """The questions of a file; raises as `read_records` does."""
    return [to_question(record) for record in read_records(path)]


def stop_words(lang: str) -> frozenset[str]:
    """spaCy's stop words of a language, split as `words` splits."""
    from spacy.util import get_lang_class

    phrases = get_lang_class(lang).Defaults.stop_words
    return frozenset(chain.from_iterable(map(words, phrases)))


def _same_titles(titles: Iterable[str]) -> list[list[int]]:
    """Positions of titles, grouped by title."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for number, title in enumerate(titles):
        groups[text_key(title)].append(number)
    return list(groups.values())


def _members(groups: list[list[int]], chosen: npt.NDArray[np.int64]) -> list[int]:
    """The members of some groups, in ascending order."""
    return sorted(chain.from_iterable(groups[number] for number in chosen))


def split(questions: Sequence[Question], dev_share: float, test_share: float, seed: int) -> Split:
    """Draw dev and test; questions with the same title are in the same part.

    Raises:
        ValueError: "... too few ..." if a part would have no question with an answer.
    """
    groups = _same_titles(question.title for question in questions)
    order = np.random.default_rng(seed).permutation(len(groups))
    sizes = [round(share * len(groups)) for share in (test_share, dev_share)]
    test, dev, train = np.split(order, np.cumsum(sizes))
    return _checked(questions, groups, train, dev, test)


def folds(questions: Sequence[Question], n_folds: int, dev_share: float, seed: int) -> list[Split]:
    """Splits in which each question is in the test part once.

    Raises:
        ValueError: as `split` does.
    """
    groups = _same_titles(question.title for question in questions)
    order = np.random.default_rng(seed).permutation(len(groups))
    n_dev = round(dev_share * len(groups))
    splits = []
    for fold in range(n_folds):
        test, others = order[fold::n_folds], np.delete(order, np.s_[fold::n_folds])
        others = np.random.default_rng([seed, fold]).permutation(others)
        splits.append(_checked(questions, groups, others[n_dev:], others[:n_dev], test))
    return splits


def _checked(
    questions: Sequence[Question], groups: list[list[int]], *parts: npt.NDArray[np.int64]
) -> Split:
    """The split of groups into train, dev and test, if each part can be used."""
    split = Split(*(_members(groups, part) for part in parts))
    check_split(questions, split)
    return split


def check_split(questions: Sequence[Question], split: Split) -> None:
    """Check that each part has a question with an answer.

    Raises:
        ValueError: "... too few ...".
    """
    for name in PARTS:
        if not any(questions[number].answers for number in getattr(split, name)):
            n = sum(bool(question.answers) for question in questions)
            raise ValueError(
                f"{n} questions with an answer are too few: no such question is left for {name}; "
                "take a larger dump"
            )


def ids_of(questions: Sequence[Question], split: Split) -> dict[str, list[int]]:
    """The ids of the questions of each part: the content of split.json."""
    ids = {}
    for name in PARTS:
        ids[name] = [questions[number].id for number in getattr(split, name)]
    return ids


def split_by_ids(questions: Sequence[Question], path: Path) -> Split:
    """The split that a model was trained with.

    Args:
        questions: the same ones.
        path: split.json with the ids of each part.

    Raises:
        ValueError: "... other questions ...".
    """
    numbers = {question.id: number for number, question in enumerate(questions)}
    reason = f"the model with {path} was trained on other questions"
    try:
        ids: Any = srsly.read_json(path)
        parts = [_take(numbers, ids[name]) for name in PARTS]
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"{reason}: run {TRAIN} again") from None
    if numbers:
        raise ValueError(f"{reason}: run {TRAIN} again")
    split = Split(*parts)
    check_split(questions, split)
    return split


def _take(numbers: dict[int, int], ids: Iterable[int]) -> list[int]:
    """Remove the positions of some ids, and return them."""
    return [numbers.pop(each) for each in ids]
