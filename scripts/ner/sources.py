"""Several sources of silver labels, combined by weight: patterns by id, more patterns, another pipeline's predictions.

The weight of a source is how often it is right. Where sources agree on an entity, the weights add up as independent chances of
being right do (noisy-or: 1 - product of (1 - weight)). What is more likely right than wrong becomes silver; the rest stays unknown,
for the teacher to judge.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, Span

from scripts.entities.matching import PatternMatcher, resolve_overlaps
from scripts.entities.patterns import read_patterns
from scripts.pipelines import load_nlp
from scripts.reading import read_jsonl

Entity = tuple[int, int, str]  # first token, token after the last, label
Find = Callable[[Doc], Iterable[Entity]]


@dataclass
class Sources:
    """Weighs the entities that Docs have against those of other sources."""

    by_id: dict[str, float] = field(
        default_factory=dict
    )  # weight of the silver entities of patterns with that id; 1 for others
    others: list[tuple[float, Find]] = field(default_factory=list)

    def apply(self, doc: Doc) -> None:
        """Set the entities of a Doc that are more likely right than wrong; tokens of the others become unknown."""
        if not self.by_id and not self.others:
            return
        wrong: dict[Entity, float] = defaultdict(lambda: 1.0)
        ids = {(ent.start, ent.end, ent.label_): ent.ent_id_ for ent in doc.ents}
        for entity, name in ids.items():
            wrong[entity] *= 1 - self.by_id.get(name, 1.0)
        for weight, find in self.others:
            for entity in find(doc):
                wrong[entity] *= 1 - weight
        taken: set[int] = set()
        spans = []
        for start, end, label in sorted(
            wrong, key=lambda entity: (wrong[entity], entity[0] - entity[1], entity)
        ):
            if wrong[start, end, label] < 0.5 and taken.isdisjoint(range(start, end)):
                spans.append(
                    Span(doc, start, end, label=label, span_id=ids.get((start, end, label), ""))
                )
                taken.update(range(start, end))
        doubtful = {token for start, end, _ in wrong for token in range(start, end)} | {
            token.i for token in doc if token.ent_iob == 0
        }
        doc.set_ents(
            spans, missing=[doc[at : at + 1] for at in sorted(doubtful - taken)], default="outside"
        )


def read_sources(path: Path, nlp: Language) -> Sources:
    """The sources that a file names, a line each; an empty file names none.

    A line is `{"id": ..., "weight"}` (patterns of vars.ner.patterns with that id), `{"patterns": FILE, "weight"}`, or
    `{"pipeline": NAME, "weight", "labels": {its label: label here}}`.

    Args:
        path: JSONL.
        nlp: whose vocab and tokenizer the Docs have.

    Raises:
        ValueError: "FILE:LINE: not a source ...", and what reading patterns or loading a pipeline raises.
    """
    sources = Sources()
    for number, record in read_jsonl(path):
        kinds = [
            kind for kind in ("id", "patterns", "pipeline") if isinstance(record.get(kind), str)
        ]
        weight = record.get("weight")
        if len(kinds) != 1 or not isinstance(weight, int | float) or not 0 <= weight <= 1:
            raise ValueError(
                f'{path}:{number}: not a source: a line needs an "id", "patterns" or "pipeline", and a "weight" from 0 to 1'
            )
        name = record[kinds[0]]
        if kinds == ["id"]:
            sources.by_id[name] = weight
        elif kinds == ["patterns"]:
            sources.others.append((weight, _by_patterns(Path(name), nlp)))
        else:
            labels = record.get("labels")
            if not isinstance(labels, dict) or not labels:
                raise ValueError(
                    f'{path}:{number}: not a source: a pipeline needs "labels", which of its labels is which here'
                )
            sources.others.append((weight, _by_pipeline(name, labels)))
    return sources


def _by_patterns(path: Path, nlp: Language) -> Find:
    patterns = read_patterns(path)
    matcher = PatternMatcher(nlp, patterns)
    return lambda doc: [
        (start, end, patterns[index].label)
        for index, start, end in resolve_overlaps(matcher(doc))[0]
    ]


def _by_pipeline(name: str, labels: dict[str, str]) -> Find:
    other = load_nlp(name)

    def find(doc: Doc) -> Iterable[Entity]:
        for ent in other(doc.text).ents:
            span = doc.char_span(ent.start_char, ent.end_char)
            if ent.label_ in labels and span is not None:
                yield span.start, span.end, labels[ent.label_]

    return find
