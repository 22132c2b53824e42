"""Put a label_refiner with a table behind the NER of any pipeline, and say beforehand what in the table can't work."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Span

from scripts.components.refine import LabelRefiner
from scripts.entities.matching import Pattern
from scripts.entities.patterns import never_match
from scripts.reading import read_jsonl

NAME = "label_refiner"


def read_table(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of a table, and FILE:LINE of each.

    Raises:
        ValueError: "... does not exist ...", "... holds no row ...", "FILE:LINE: broken JSON ...".
    """
    if not path.is_file():
        raise ValueError(
            f"{path} does not exist: give a JSONL file with a row a line (vars.refine.table)"
        )
    lines = list(read_jsonl(path))
    if not lines:
        raise ValueError(
            f'{path} holds no row: add lines such as {{"from": "GPE", "label": "TOURIST_DESTINATION", "text": "Bali"}}'
        )
    return [row for _, row in lines], [f"{path}:{number}" for number, _ in lines]


def add_refiner(
    nlp: Language, rows: Sequence[dict[str, Any]], names: Sequence[str], window: int
) -> LabelRefiner:
    """Add a refiner as the last component, in place of one that may be there; a sentencizer before it where rows need one.

    Args:
        nlp: a pipeline that sets entities.
        rows: of the table.
        names: what errors call the rows.
        window: tokens on either side in which contexts are looked for.

    Raises:
        ValueError: "... sets no entities ...", "... which no component of the pipeline gives ...", and what `add_rows` raises.
    """
    if NAME in nlp.pipe_names:
        nlp.remove_pipe(NAME)
    setters = [name for name in nlp.pipe_names if "doc.ents" in nlp.get_pipe_meta(name).assigns]
    if not setters:
        raise ValueError(
            f"the pipeline {nlp.pipe_names} sets no entities: give one with an ner or an entity_ruler by vars.refine.pipeline"
        )
    refiner: LabelRefiner = nlp.add_pipe(NAME, config={"window": window})  # type: ignore[assignment]
    refiner.add_rows(rows, names)
    _check_labels(nlp, setters, refiner)
    if any(refiner.table.generic.values()) and not _sets_sentences(nlp):
        nlp.add_pipe("sentencizer", before=NAME)
        print("rows of the table ask for the sentence, so a sentencizer goes before the refiner")
    _try(nlp, refiner)
    return refiner


def _check_labels(nlp: Language, setters: list[str], refiner: LabelRefiner) -> None:
    known = {label for name in setters for label in getattr(nlp.get_pipe(name), "labels", ())}
    unknown = sorted(set(refiner.table.generic) - known)
    what = f"the table refines {unknown}, which no component of the pipeline gives (it gives {sorted(known)})"
    if known and len(unknown) == len(refiner.table.generic):
        raise ValueError(f'{what}: correct the "from" of the rows, or give another pipeline')
    if known and unknown:
        print(f"Warning: {what}: their rows never apply", file=sys.stderr)


def _sets_sentences(nlp: Language) -> bool:
    return any(
        {"doc.sents", "token.is_sent_start"} & set(nlp.get_pipe_meta(name).assigns)
        for name in nlp.pipe_names
    )


def _try(nlp: Language, refiner: LabelRefiner) -> None:
    """Refine something, so that a pattern which asks for what the pipeline does not annotate is refused now."""
    for label in refiner.table.generic:
        doc = nlp("This is a short text.")
        doc.set_ents([Span(doc, 0, 1, label=label)])
        refiner(doc)


def hopeless(refiner: LabelRefiner, nlp: Language) -> Iterator[str]:
    """A line for each pattern of the table that can never match."""
    for row, name in zip(refiner.rows, refiner.table.names):
        values = [row[key] for key in ("mention", "context") if isinstance(row.get(key), list)]
        nested = [
            [value] if all(isinstance(token, dict) for token in value) else value
            for value in values
        ]
        given = [
            pattern for patterns in nested for pattern in patterns if isinstance(pattern, list)
        ]
        for _, reason in never_match([Pattern(row["label"], pattern) for pattern in given], nlp):
            yield f"{name}: a pattern can never match: {reason}"


def summary(refiner: LabelRefiner) -> list[str]:
    """Lines that say how many rows lead from which labels to which."""
    lines = []
    for generic in sorted(refiner.table.generic):
        rows = [
            row
            for row in refiner.rows
            if generic in ([row["from"]] if isinstance(row["from"], str) else row["from"])
        ]
        counts = {
            label: sum(row["label"] == label for row in rows)
            for label in sorted({row["label"] for row in rows})
        }
        parts = [
            f"{label} ({count} row{'' if count == 1 else 's'})" for label, count in counts.items()
        ]
        lines.append(f"{generic} -> {', '.join(parts)}")
    return lines
