"""Add a label_refiner with a table to any pipeline, and find what in the table can't work."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Span

from scripts.components.refine import LabelRefiner, generic_labels
from scripts.entities.matching import Pattern
from scripts.entities.patterns import never_match
from scripts.reading import read_jsonl

NAME = "label_refiner"
EXAMPLE = '{"from": "GPE", "label": "TOURIST_DESTINATION", "text": "Bali"}'


def read_table(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of a table, and FILE:LINE of each.

    Raises:
        ValueError: "... does not exist ...", "... holds no row ...", "FILE:LINE: broken JSON ...".
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist: give a JSONL file of rows by vars.refine.table")
    lines = list(read_jsonl(path))
    if not lines:
        raise ValueError(f"{path} holds no row: add lines such as {EXAMPLE}")
    return [row for _, row in lines], [f"{path}:{number}" for number, _ in lines]


def add_refiner(
    nlp: Language, rows: Sequence[dict[str, Any]], names: Sequence[str], window: int
) -> LabelRefiner:
    """Add a refiner as the last component; it replaces one that the pipeline may have.

    If rows need sentences and the pipeline sets none, a sentencizer is added before it.

    Args:
        nlp: a pipeline that sets entities.
        rows: of the table.
        names: what errors call the rows.
        window: tokens on either side in which contexts are looked for.

    Raises:
        ValueError: "... sets no entities ...", "... no component of the pipeline gives ...", and
            what `add_rows` raises.
    """
    if NAME in nlp.pipe_names:
        nlp.remove_pipe(NAME)
    setters = [name for name in nlp.pipe_names if "doc.ents" in nlp.get_pipe_meta(name).assigns]
    if not setters:
        raise ValueError(
            f"the pipeline {nlp.pipe_names} sets no entities: "
            "give one with an ner or an entity_ruler by vars.refine.pipeline"
        )
    refiner: Any = nlp.add_pipe(NAME, config={"window": window})
    refiner.add_rows(rows, names)
    _check_labels(nlp, setters, refiner)
    if any(refiner.table.needs_sentences.values()) and not _sets_sentences(nlp):
        nlp.add_pipe("sentencizer", before=NAME)
        print("rows of the table need sentences, so a sentencizer is added before the refiner")
    _try_out(nlp, refiner)
    return refiner


def _check_labels(nlp: Language, setters: list[str], refiner: LabelRefiner) -> None:
    """See that the pipeline gives the labels that the table refines."""
    known: set[str] = set()
    for name in setters:
        known.update(getattr(nlp.get_pipe(name), "labels", ()))
    unknown = sorted(refiner.table.needs_sentences.keys() - known)
    if not known or not unknown:
        return
    problem = (
        f"the table refines {unknown}, which no component of the pipeline gives "
        f"(it gives {sorted(known)})"
    )
    if len(unknown) == len(refiner.table.needs_sentences):
        raise ValueError(
            f'{problem}: correct the "from" of the rows, '
            "or give another pipeline by vars.refine.pipeline"
        )
    print(f"Warning: {problem}: their rows never apply", file=sys.stderr)


def _sets_sentences(nlp: Language) -> bool:
    sentences = {"doc.sents", "token.is_sent_start"}
    return any(sentences & set(nlp.get_pipe_meta(name).assigns) for name in nlp.pipe_names)


def _try_out(nlp: Language, refiner: LabelRefiner) -> None:
    """Refine a short text: patterns that need annotation the pipeline lacks are refused now."""
    for label in refiner.table.needs_sentences:
        doc = nlp("This is a short text.")
        doc.set_ents([Span(doc, 0, 1, label=label)])
        refiner(doc)


def impossible_patterns(refiner: LabelRefiner, nlp: Language) -> Iterator[str]:
    """A line for each pattern of the table that can never match."""
    for row, name in zip(refiner.rows, refiner.table.names):
        patterns = [Pattern(row["label"], pattern) for pattern in _token_patterns(row)]
        for _, reason in never_match(patterns, nlp):
            yield f"{name}: a pattern can never match: {reason}"


def _token_patterns(row: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The token patterns of a row, without its phrases."""
    patterns: list[Any] = []
    for key in ("mention", "context"):
        value = row.get(key)
        if isinstance(value, list):
            is_pattern = all(isinstance(token, dict) for token in value)
            patterns += [value] if is_pattern else value
    return [pattern for pattern in patterns if isinstance(pattern, list)]


def summary(refiner: LabelRefiner) -> list[str]:
    """Lines such as "GADGET -> PHONE (2 rows), TABLET (1 row)"."""
    lines = []
    for generic in sorted(refiner.table.needs_sentences):
        rows = [row for row in refiner.rows if generic in generic_labels(row)]
        counts = Counter(row["label"] for row in rows)
        parts = [f"{label} ({_n_rows(count)})" for label, count in sorted(counts.items())]
        lines.append(f"{generic} -> {', '.join(parts)}")
    return lines


def _n_rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
