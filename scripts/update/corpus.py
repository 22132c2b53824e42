"""New examples and raw texts in, the mixture that teaches a new label without forgetting the old ones out."""

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
from scripts.update.known import Known, fresh, overlaps

LEFT_OUT = "new texts left out (in a gold file, or twice)"
UNREADABLE = "raw texts left out (empty, too long or half a surrogate pair)"
COUNTED = (
    "new texts",
    LEFT_OUT,
    "raw texts",
    UNREADABLE,
    "entities filled in",
    "entities rehearsed",
)


@dataclass
class Mixture:
    """The Docs to train on and to choose by: mixed ones, and the new examples as they are (naive)."""

    docs: dict[str, list[Doc]] = field(
        default_factory=lambda: {name: [] for name in ("train", "dev", "naive_train", "naive_dev")}
    )
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))


def unclaimed(docs: Iterable[Doc], taken: set[bytes]) -> tuple[list[Doc], int]:
    """The Docs whose text is not among the taken ones, each text once, and how many were left out. Their texts are taken then."""
    kept: list[Doc] = []
    n_dropped = 0
    for doc in docs:
        key = text_key(doc.text)
        if key in taken:
            n_dropped += 1
        else:
            taken.add(key)
            kept.append(doc)
    return kept, n_dropped


def sample(texts: Iterable[str], n: int, seed: int) -> list[str]:
    """`n` of the texts: those with the smallest hashes of text and seed, so that their order does not matter. Holds no more than n."""

    def place(text: str) -> bytes:
        return hashlib.blake2b(
            text_key(text), digest_size=8, salt=str(seed).encode(), person=b"rehearsal"
        ).digest()

    return heapq.nsmallest(n, texts, key=place)


def completed(doc: Doc, by_pipeline: Sequence[Span], by_patterns: Sequence[Span]) -> Doc:
    """A copy of a new example with the pipeline's spans beside its own.

    Where a span of either overlaps one of the example, the example's holds. What only the patterns find is left unknown: the
    pipeline may be right not to find it.
    """
    added = [span for span in by_pipeline if not overlaps(span, doc.ents)]
    doubtful = [span for span in by_patterns if not overlaps(span, [*doc.ents, *added])]
    copy = fresh(doc)
    copy.set_ents(
        [_moved(span, copy) for span in (*doc.ents, *added)],
        missing=[_moved(span, copy) for span in doubtful],
        default="outside",
    )
    return copy


def _moved(span: Span, doc: Doc) -> Span:
    return Span(doc, span.start, span.end, label=span.label_)


def rehearsed(doc: Doc, predicted: Sequence[Span], by_hand: set[str], doubt: bool) -> Doc:
    """A raw text with the pipeline's spans of labels that the new examples do not show; those that they show are left unknown.

    Of the other tokens those that look like names are unknown where `doubt` asks for it: the pipeline knows nothing of the new
    label, so an entity of that may be among them.
    """
    copy = fresh(doc)
    spans = [_moved(span, copy) for span in predicted]
    inside = {token.i for span in spans for token in span}
    unknown = [span for span in spans if span.label_ in by_hand]
    unknown += [
        copy[token.i : token.i + 1]
        for token in copy
        if doubt and token.i not in inside and looks_like_name(token)
    ]
    copy.set_ents(
        [span for span in spans if span.label_ not in by_hand], missing=unknown, default="outside"
    )
    return copy


def mix(
    known: Known,
    new: Iterable[Doc],
    raw: Iterable[str],
    golds: Iterable[Doc],
    *,
    rehearsal: float,
    doubt: bool,
    dev_share: float,
    seed: int,
) -> Mixture:
    """Mix new examples with raw texts that the old pipeline labels.

    Args:
        known: the old pipeline and its patterns.
        new: labelled examples.
        raw: texts for rehearsal.
        golds: texts that must not train.
        rehearsal: raw texts for each new example.
        doubt: leave unfound tokens of raw texts that look like names unknown.
        dev_share: of the texts, to choose by.
        seed: for the draws.

    Raises:
        ValueError: "no new example is left ...", "no raw text is left ..." or "dev got no entity ...".
    """
    mixture = Mixture()
    taken = {text_key(doc.text) for doc in golds}
    examples, mixture.counts[LEFT_OUT] = unclaimed(new, taken)
    if not any(doc.ents for doc in examples):
        raise ValueError(
            "no new example with a label is left that is not in a gold file: give more by vars.update.new"
        )
    by_hand = {
        ent.label_ for doc in examples for ent in doc.ents
    }  # the new examples are the authority on these
    # What the pipeline makes of labels that the examples show better would only teach its mistakes again.
    wanted = round(rehearsal * len(examples)) if known.known - by_hand else 0
    drawn = sample(_usable(raw, mixture, known, taken), wanted, seed)
    if wanted and not drawn:
        raise ValueError(
            "no raw text is left that is neither new nor gold: give more by vars.update.texts, or vars.update.rehearsal 0"
        )
    for doc, by_pipeline, by_patterns in known.find(examples):
        filled = completed(
            doc, [span for span in by_pipeline if span.label_ not in by_hand], by_patterns
        )
        split = draw_split(doc.text, seed, {"dev": dev_share})
        mixture.docs[split].append(filled)
        mixture.docs[f"naive_{split}"].append(doc)
        mixture.counts["entities filled in"] += len(filled.ents) - len(doc.ents)
    # Dev gets no more raw texts than new ones: a model that has learned nothing yet must not look best by the old labels.
    for doc, by_pipeline, _ in known.find(known.nlp.make_doc(text) for text in drawn):
        split = draw_split(doc.text, seed, {"dev": dev_share / max(rehearsal, 1)})
        mixture.docs[split].append(rehearsed(doc, by_pipeline, by_hand, doubt and split == "train"))
        mixture.counts["entities rehearsed"] += len(mixture.docs[split][-1].ents)
    mixture.counts.update({"new texts": len(examples), "raw texts": len(drawn)})
    return _checked(mixture)


def _usable(raw: Iterable[str], mixture: Mixture, known: Known, taken: set[bytes]) -> Iterator[str]:
    for text in raw:
        if why_unreadable(text, known.nlp):
            mixture.counts[UNREADABLE] += 1
        elif text_key(text) not in taken:
            taken.add(text_key(text))
            yield text


def _checked(mixture: Mixture) -> Mixture:
    for name, docs in mixture.docs.items():
        if not any(doc.ents for doc in docs):
            raise ValueError(
                f"{name} got no entity: give more new examples (vars.update.new) or another share (vars.update.dev_share)"
            )
    return mixture


def summary(mixture: Mixture) -> dict[str, Any]:
    """Texts and entities by label of each part, and the counts, for mixture.json."""
    parts = {
        name: {
            "texts": len(docs),
            "entities": dict(
                sorted(Counter(ent.label_ for doc in docs for ent in doc.ents).items())
            ),
        }
        for name, docs in mixture.docs.items()
    }
    return {**parts, **mixture.counts}
