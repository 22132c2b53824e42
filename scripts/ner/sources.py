"""Several sources of silver labels, combined by weight.

A source is the patterns with a certain id, another file of patterns, or the predictions of another
pipeline. Its weight is how often it is right. If sources agree on an entity, their weights combine
as independent chances of being right (noisy-or: 1 - product of (1 - weight)). An entity that is
more likely right than wrong becomes silver. The tokens of the others stay unknown, for the teacher
to judge.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from scripts.entities.matching import PatternMatcher, resolve_overlaps
from scripts.entities.patterns import read_patterns
from scripts.pipelines import load_nlp
from scripts.reading import read_jsonl

Entity = tuple[int, int, str]  # first token, token after the last, label
Find = Callable[[Doc], Iterable[Entity]]
KINDS = ("id", "patterns", "pipeline")


@dataclass
class Sources:
    """Weighs the entities that Docs have against those of other sources.

    Args:
        by_id: weight of the silver entities of patterns with that id; of others it is 1.
        others: (weight, what finds the entities) of each other source.
    """

    by_id: dict[str, float] = field(default_factory=dict)
    others: list[tuple[float, Find]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is any source besides the patterns."""
        return bool(self.by_id or self.others)

    def apply(self, doc: Doc) -> None:
        """Set the entities of a Doc that are more likely right than wrong.

        The tokens of the other entities become unknown.
        """
        if not self:
            return
        ids = {(ent.start, ent.end, ent.label_): ent.ent_id_ for ent in doc.ents}
        error_rates = self._error_rates(doc, ids)
        chosen = _likely(error_rates)
        covered = _tokens(chosen)
        unknown = {token.i for token in doc if token.ent_iob == 0} | _tokens(error_rates)
        doc.set_ents(
            [
                Span(doc, start, end, label=label, span_id=ids.get((start, end, label), ""))
                for start, end, label in chosen
            ],
            missing=[doc[at : at + 1] for at in sorted(unknown - covered)],
            default="outside",
        )

    def _error_rates(self, doc: Doc, ids: Mapping[Entity, str]) -> dict[Entity, float]:
        """The probability that an entity is wrong, for each entity that some source finds."""
        error_rates: dict[Entity, float] = defaultdict(lambda: 1.0)
        for entity, name in ids.items():
            error_rates[entity] *= 1 - self.by_id.get(name, 1.0)
        for weight, find in self.others:
            for entity in find(doc):
                error_rates[entity] *= 1 - weight
        return error_rates


def _likely(error_rates: Mapping[Entity, float]) -> list[Entity]:
    """The entities that are more likely right than wrong; of overlapping ones, the likeliest."""
    taken: set[int] = set()
    chosen = []
    for entity in sorted(error_rates, key=lambda one: (error_rates[one], one[0] - one[1], one)):
        tokens = range(entity[0], entity[1])
        if error_rates[entity] < 0.5 and taken.isdisjoint(tokens):
            chosen.append(entity)
            taken.update(tokens)
    return chosen


def _tokens(entities: Iterable[Entity]) -> set[int]:
    """The positions of all tokens in some entities."""
    return set(chain.from_iterable(range(start, end) for start, end, _ in entities))


def read_sources(path: Path, nlp: Language) -> Sources:
    """The sources that a file names, one per line; an empty file names none.

    A line is `{"id": ..., "weight": ...}` (the patterns of vars.ner.patterns with that id),
    `{"patterns": FILE, "weight": ...}`, or
    `{"pipeline": NAME, "weight": ..., "labels": {its label: label here}}`.

    Args:
        path: JSONL.
        nlp: the pipeline whose vocab and tokenizer the Docs have.

    Raises:
        ValueError: "FILE:LINE: not a source ...", and what reading patterns or loading a pipeline
            raises.
    """
    sources = Sources()
    for number, record in read_jsonl(path):
        problem = _problem(record)
        if problem:
            raise ValueError(f"{path}:{number}: not a source: {problem}")
        _add(sources, record, nlp)
    return sources


def _kinds(record: dict[str, Any]) -> list[str]:
    return [kind for kind in KINDS if isinstance(record.get(kind), str)]


def _problem(record: dict[str, Any]) -> str:
    """What is wrong with a line of a sources file; "" if nothing is."""
    weight, labels = record.get("weight"), record.get("labels")
    kinds = _kinds(record)
    if len(kinds) != 1 or not isinstance(weight, int | float) or not 0 <= weight <= 1:
        return 'a line needs an "id", "patterns" or "pipeline", and a "weight" from 0 to 1'
    if kinds == ["pipeline"] and (not isinstance(labels, dict) or not labels):
        return 'a pipeline needs "labels", which of its labels is which here'
    return ""


def _add(sources: Sources, record: dict[str, Any], nlp: Language) -> None:
    (kind,) = _kinds(record)
    name, weight = record[kind], record["weight"]
    if kind == "id":
        sources.by_id[name] = weight
    elif kind == "patterns":
        sources.others.append((weight, _find_by_patterns(Path(name), nlp)))
    else:
        sources.others.append((weight, _find_by_pipeline(name, record["labels"])))


def _find_by_patterns(path: Path, nlp: Language) -> Find:
    patterns = read_patterns(path)
    matcher = PatternMatcher(nlp, patterns)

    def find(doc: Doc) -> Iterable[Entity]:
        for index, start, end in resolve_overlaps(matcher(doc))[0]:
            yield start, end, patterns[index].label

    return find


def _find_by_pipeline(name: str, labels: dict[str, str]) -> Find:
    other = load_nlp(name)

    def find(doc: Doc) -> Iterable[Entity]:
        for ent in other(doc.text).ents:
            span = doc.char_span(ent.start_char, ent.end_char)
            if ent.label_ in labels and span is not None:
                yield span.start, span.end, labels[ent.label_]

    return find
