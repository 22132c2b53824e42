"""Find the entities of known labels that the new examples leave unlabelled."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from scripts.entities.matching import PatternMatcher, resolve_overlaps
from scripts.entities.patterns import Pattern, read_patterns
from scripts.files import progress_bar
from scripts.reading import read_jsonl


@dataclass(frozen=True)
class FoundEntities:
    """An example and the entities found in it, all of them spans of the example."""

    example: Doc
    by_pipeline: list[Span]
    by_patterns: list[Span]


class EntityFinder:
    """Finds entities of known labels, by a pipeline and by patterns.

    Args:
        nlp: the old pipeline.
        patterns: EntityRuler JSONL; an empty file for none. Patterns of other labels are ignored.
        phrase_attr: what phrases are compared by: ORTH or LOWER.
        labels: the labels to look for.
    """

    def __init__(
        self, nlp: Language, patterns: Path, phrase_attr: str, labels: Iterable[str]
    ) -> None:
        self.nlp, self.labels = nlp, set(labels)
        all_patterns = _read_patterns(patterns)
        self.patterns = [pattern for pattern in all_patterns if pattern.label in self.labels]
        self.ignored_labels = sorted({pattern.label for pattern in all_patterns} - self.labels)
        self.matcher = PatternMatcher(nlp, self.patterns, phrase_attr)

    def find(self, docs: Iterable[Doc]) -> Iterator[FoundEntities]:
        """The entities found in each example, in order, whatever the example itself says."""
        docs = list(docs)
        with progress_bar("find known labels", len(docs), "texts") as bar:
            for doc, predicted in zip(docs, self.nlp.pipe(map(without_annotation, docs))):
                bar.update()
                ents = [ent for ent in predicted.ents if ent.label_ in self.labels]
                by_pipeline = [copy_span(ent, doc) for ent in ents]
                yield FoundEntities(doc, by_pipeline, self._matches(predicted, doc))

    def _matches(self, predicted: Doc, doc: Doc) -> list[Span]:
        """What the patterns match in a Doc with the pipeline's annotation, as spans of `doc`."""
        matches, _ = resolve_overlaps(self.matcher(predicted))
        return [
            Span(doc, start, end, label=self.patterns[index].label) for index, start, end in matches
        ]


def _read_patterns(path: Path) -> list[Pattern]:
    """The patterns of a file; none if the file is empty."""
    if path.is_file() and not any(read_jsonl(path)):
        return []
    return read_patterns(path)


def without_annotation(doc: Doc) -> Doc:
    """The same tokens with nothing annotated."""
    words = [token.text for token in doc]
    return Doc(doc.vocab, words=words, spaces=[bool(token.whitespace_) for token in doc])


def copy_span(span: Span, doc: Doc) -> Span:
    """The same span in another Doc with the same tokens."""
    return Span(doc, span.start, span.end, label=span.label_)


def overlaps(span: Span, others: Iterable[Span]) -> bool:
    """Whether a span shares a token with any of the others."""
    return any(other.start < span.end and span.start < other.end for other in others)


def unlabelled(found_entities: Iterable[FoundEntities]) -> Iterator[dict[str, Any]]:
    """A record for each entity found where the example has no label at all."""
    for found in found_entities:
        doc = found.example
        for (start, end, label), finders in _finders_by_span(found):
            span = doc[start:end]
            place = {"start": span.start_char, "end": span.end_char, "span": span.text}
            yield {"label": label, **place, "found_by": finders, "text": doc.text}


def _finders_by_span(found: FoundEntities) -> list[tuple[tuple[int, int, str], list[str]]]:
    """((first token, token after the last, label), who found it) of unlabelled spans, sorted."""
    finders: dict[tuple[int, int, str], list[str]] = {}
    for name, spans in (("patterns", found.by_patterns), ("pipeline", found.by_pipeline)):
        for span in spans:
            if not overlaps(span, found.example.ents):
                finders.setdefault((span.start, span.end, span.label_), []).append(name)
    return sorted(finders.items())
