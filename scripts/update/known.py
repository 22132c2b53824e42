"""What a pipeline and its patterns find in the new examples that these leave unlabelled."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from scripts.entities.matching import PatternMatcher, resolve_overlaps
from scripts.entities.patterns import read_patterns
from scripts.files import progress_bar
from scripts.reading import read_jsonl

Found = tuple[
    Doc, list[Span], list[Span]
]  # (example, spans by the pipeline, spans by the patterns), all spans of the example


class Known:
    """Finds entities of known labels.

    Args:
        nlp: the old pipeline.
        patterns: EntityRuler JSONL; an empty file for none. Patterns of labels that the pipeline does not know are passed over.
        phrase_attr: what phrases are compared by: ORTH or LOWER.
        known: the labels to look for.
    """

    def __init__(
        self, nlp: Language, patterns: Path, phrase_attr: str, known: Iterable[str]
    ) -> None:
        self.nlp, self.known = nlp, set(known)
        lines = (
            read_patterns(patterns) if not patterns.is_file() or any(read_jsonl(patterns)) else []
        )
        self.patterns = [pattern for pattern in lines if pattern.label in self.known]
        self.passed_over = sorted({pattern.label for pattern in lines} - self.known)
        self.matcher = PatternMatcher(nlp, self.patterns, phrase_attr)

    def find(self, docs: Iterable[Doc]) -> Iterator[Found]:
        """What is found in each example, in order. The example's own spans don't count."""
        docs = list(docs)
        with progress_bar("find known labels", len(docs), "texts") as bar:
            for doc, predicted in zip(docs, self.nlp.pipe(fresh(doc) for doc in docs)):
                bar.update()
                yield self._found(doc, predicted)

    def _found(self, doc: Doc, predicted: Doc) -> Found:
        by_pipeline = [
            Span(doc, ent.start, ent.end, label=ent.label_)
            for ent in predicted.ents
            if ent.label_ in self.known
        ]
        matches, _ = resolve_overlaps(self.matcher(predicted))
        return (
            doc,
            by_pipeline,
            [
                Span(doc, start, end, label=self.patterns[index].label)
                for index, start, end in matches
            ],
        )


def fresh(doc: Doc) -> Doc:
    """The same tokens with nothing annotated."""
    return Doc(
        doc.vocab,
        words=[token.text for token in doc],
        spaces=[bool(token.whitespace_) for token in doc],
    )


def overlaps(span: Span, others: Iterable[Span]) -> bool:
    """Whether a span shares a token with any of the others."""
    return any(other.start < span.end and span.start < other.end for other in others)


def unlabelled(found: Iterable[Found]) -> Iterator[dict[str, Any]]:
    """A record for each span that the patterns or the pipeline find where the example has no label at all."""
    for doc, by_pipeline, by_patterns in found:
        spans: dict[tuple[int, int, str], list[str]] = {}
        for name, group in (("patterns", by_patterns), ("pipeline", by_pipeline)):
            for span in group:
                if not overlaps(span, doc.ents):
                    spans.setdefault((span.start, span.end, span.label_), []).append(name)
        for (start, end, label), names in sorted(spans.items()):
            span = doc[start:end]
            place = {"start": span.start_char, "end": span.end_char, "span": span.text}
            yield {"label": label, **place, "found_by": names, "text": doc.text}
