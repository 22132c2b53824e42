"""Mix new examples with raw texts that the old pipeline labels, so that it does not forget."""

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from spacy.tokens import Doc, Span

from scripts.entities.ambiguous import looks_like_name
from scripts.reading import text_key, why_unreadable
from scripts.splits import draw_split
from scripts.update.unlabelled import EntityFinder, copy_span, overlaps, without_annotation

PARTS = ("train", "dev", "naive_train", "naive_dev")
LEFT_OUT = "new texts left out (in a gold file, or twice)"  # these two are keys of mixture.json
UNREADABLE = "raw texts left out (empty, too long or half a surrogate pair)"
COUNTS = (
    "new texts",
    LEFT_OUT,
    "raw texts",
    UNREADABLE,
    "entities filled in",
    "entities rehearsed",
)


@dataclass
class Mixture:
    """The Docs of each part: mixed (train, dev), and the new examples as they are (naive)."""

    docs: dict[str, list[Doc]] = field(default_factory=lambda: {name: [] for name in PARTS})
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))


@dataclass(frozen=True)
class MixtureSettings:
    """How to mix.

    Args:
        rehearsal: raw texts for each new example.
        mask_unmatched: leave tokens of raw texts unknown that look like names and are not found.
        dev_share: share of the texts for dev.
        seed: for the draws.
    """

    rehearsal: float
    mask_unmatched: bool
    dev_share: float
    seed: int


def without_taken(docs: Iterable[Doc], taken: set[bytes]) -> tuple[list[Doc], int]:
    """The Docs whose texts are not taken, each text once, and how many Docs were left out.

    Args:
        docs: any Docs.
        taken: `text_key` of the taken texts; those of the Docs are added.
    """
    kept: list[Doc] = []
    n_left_out = 0
    for doc in docs:
        key = text_key(doc.text)
        if key in taken:
            n_left_out += 1
        else:
            taken.add(key)
            kept.append(doc)
    return kept, n_left_out


def sample(texts: Iterable[str], n: int, seed: int) -> list[str]:
    """Draw `n` texts: those with the smallest hashes of text and seed, whatever their order.

    Never holds more than n texts in memory.
    """

    def rank(text: str) -> bytes:
        salt = str(seed).encode()
        hashed = hashlib.blake2b(text_key(text), digest_size=8, salt=salt, person=b"rehearsal")
        return hashed.digest()

    return heapq.nsmallest(n, texts, key=rank)


def complete_example(doc: Doc, by_pipeline: Sequence[Span], by_patterns: Sequence[Span]) -> Doc:
    """A copy of a new example with the pipeline's entities added to its own.

    The example's own entities win over all that overlap them. What only the patterns find is left
    unknown, because the pipeline may be right not to find it.
    """
    added = [span for span in by_pipeline if not overlaps(span, doc.ents)]
    ambiguous = [span for span in by_patterns if not overlaps(span, [*doc.ents, *added])]
    copy = without_annotation(doc)
    copy.set_ents(
        [copy_span(span, copy) for span in (*doc.ents, *added)],
        missing=[copy_span(span, copy) for span in ambiguous],
        default="outside",
    )
    return copy


def label_raw_text(
    doc: Doc, predicted: Sequence[Span], new_labels: set[str], mask_unmatched: bool
) -> Doc:
    """A copy of a raw text with the pipeline's entities, unless the new examples have their label.

    Those entities are left unknown instead.

    Args:
        doc: the raw text.
        predicted: what the pipeline finds in it.
        new_labels: the labels of the new examples.
        mask_unmatched: also leave tokens unknown that look like names and are not found: the
            pipeline does not know the new label, so they may be entities of it.
    """
    copy = without_annotation(doc)
    spans = [copy_span(span, copy) for span in predicted]
    unknown = [span for span in spans if span.label_ in new_labels]
    if mask_unmatched:
        unknown += _unmatched_names(copy, spans)
    kept = [span for span in spans if span.label_ not in new_labels]
    copy.set_ents(kept, missing=unknown, default="outside")
    return copy


def _unmatched_names(doc: Doc, spans: Iterable[Span]) -> list[Span]:
    """The tokens outside of some spans that look like names, as spans."""
    inside: set[int] = set()
    for span in spans:
        inside.update(range(span.start, span.end))
    outside = [token for token in doc if token.i not in inside]
    return [doc[token.i : token.i + 1] for token in outside if looks_like_name(token)]


def mix(
    finder: EntityFinder,
    new: Iterable[Doc],
    raw: Iterable[str],
    test: Iterable[Doc],
    settings: MixtureSettings,
) -> Mixture:
    """Mix new examples with raw texts that the old pipeline labels.

    Args:
        finder: the old pipeline and its patterns.
        new: labelled examples.
        raw: texts for rehearsal.
        test: texts that must not be in the mixture.
        settings: how to mix.

    Raises:
        ValueError: "no new example with a label is left ...", "no raw text is left ..." or
            "... got no entity ...".
    """
    mixture = Mixture()
    taken = {text_key(doc.text) for doc in test}
    examples, mixture.counts[LEFT_OUT] = without_taken(new, taken)
    new_labels = set(_count_labels(examples))
    if not new_labels:
        raise ValueError(
            "no new example with a label is left that is not in a test file: "
            "give more by vars.update.new"
        )
    # The new examples say how their labels are used. For these the pipeline's own predictions
    # would only repeat its mistakes.
    n_raw = round(settings.rehearsal * len(examples)) if finder.labels - new_labels else 0
    drawn = sample(_usable(raw, mixture, finder, taken), n_raw, settings.seed)
    if n_raw and not drawn:
        raise ValueError(
            "no raw text is left that is neither a new example nor a test text: "
            "give more by vars.update.texts, or set vars.update.rehearsal to 0"
        )
    _add_examples(mixture, finder, examples, new_labels, settings)
    _add_raw_texts(mixture, finder, drawn, new_labels, settings)
    mixture.counts |= {"new texts": len(examples), "raw texts": len(drawn)}
    _check_parts(mixture)
    return mixture


def _usable(
    raw: Iterable[str], mixture: Mixture, finder: EntityFinder, taken: set[bytes]
) -> Iterator[str]:
    """The raw texts that can be processed and are not taken, each once."""
    for text in raw:
        if why_unreadable(text, finder.nlp):
            mixture.counts[UNREADABLE] += 1
        elif text_key(text) not in taken:
            taken.add(text_key(text))
            yield text


def _add_examples(
    mixture: Mixture,
    finder: EntityFinder,
    examples: Iterable[Doc],
    new_labels: set[str],
    settings: MixtureSettings,
) -> None:
    shares = {"dev": settings.dev_share}
    for found in finder.find(examples):
        doc = found.example
        old = [span for span in found.by_pipeline if span.label_ not in new_labels]
        completed = complete_example(doc, old, found.by_patterns)
        split = draw_split(doc.text, settings.seed, shares)
        mixture.docs[split].append(completed)
        mixture.docs[f"naive_{split}"].append(doc)
        mixture.counts["entities filled in"] += len(completed.ents) - len(doc.ents)


def _add_raw_texts(
    mixture: Mixture,
    finder: EntityFinder,
    texts: Iterable[str],
    new_labels: set[str],
    settings: MixtureSettings,
) -> None:
    # Dev gets no more raw texts than new examples: otherwise a model that has not learned anything
    # yet could score best, by the old labels alone.
    shares = {"dev": settings.dev_share / max(settings.rehearsal, 1)}
    for found in finder.find(map(finder.nlp.make_doc, texts)):
        split = draw_split(found.example.text, settings.seed, shares)
        masked = settings.mask_unmatched and split == "train"
        doc = label_raw_text(found.example, found.by_pipeline, new_labels, masked)
        mixture.docs[split].append(doc)
        mixture.counts["entities rehearsed"] += len(doc.ents)


def _check_parts(mixture: Mixture) -> None:
    for name, docs in mixture.docs.items():
        if not _count_labels(docs):
            raise ValueError(
                f"{name} got no entity: give more new examples (vars.update.new) "
                "or another share (vars.update.dev_share)"
            )


def _count_labels(docs: Iterable[Doc]) -> "Counter[str]":
    """How many entities each label has."""
    counts: Counter[str] = Counter()
    for doc in docs:
        counts.update(ent.label_ for ent in doc.ents)
    return counts


def summary(mixture: Mixture) -> dict[str, Any]:
    """Texts and entities by label of each part, and the counts, for mixture.json."""
    parts = {}
    for name, docs in mixture.docs.items():
        entities = dict(sorted(_count_labels(docs).items()))
        parts[name] = {"texts": len(docs), "entities": entities}
    return {**parts, **mixture.counts}
