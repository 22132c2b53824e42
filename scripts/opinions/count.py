"""Go through texts and note each mention of an entity with what is said of it: the evidence for the counts."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from typing import Any, Literal

from spacy.language import Language
from spacy.tokens import Span

from scripts.components.opinions import SentenceSentiment, passages
from scripts.entities.scores import entity_key
from scripts.opinions.build import NAME
from scripts.reading import Skipped, Text, text_key, why_unreadable

By = Literal["text", "ent_id", "kb_id", "label"]


def key_of(ent: Span, by: By) -> str:
    """What an entity is counted by: its text with case and white space evened out, its ent_id, kb_id or label. "" where it has none."""
    return {
        "text": entity_key(ent),
        "ent_id": ent.ent_id_,
        "kb_id": ent.kb_id_,
        "label": ent.label_,
    }[by]


def decide(cats: dict[str, float], threshold: float, neutral: str = "") -> str:
    """The label with the highest score, or `neutral` where that score is below the threshold."""
    label = max(cats, key=lambda name: cats[name])
    return label if cats[label] >= threshold else neutral


def usable(
    texts: Iterable[Text], nlp: Language, known: Container[bytes], skipped: Skipped
) -> Iterator[tuple[str, Text]]:
    """(text, text with its place) of the texts that can be processed and are not known; `skipped` takes note of the others.

    Args:
        texts: all of them.
        nlp: tells how long a text may be.
        known: `text_key` of the texts that the sentiment pipeline was trained on: what it says of these it has learned by heart.
        skipped: takes note of what is left out.
    """
    for text in texts:
        if reason := why_unreadable(text.text, nlp) or (
            text_key(text.text) in known and "sentiment was trained on it"
        ):
            skipped.add(reason, text.file, text.line)
        else:
            yield text.text, text


def evidence(
    nlp: Language,
    texts: Iterable[Text],
    by: By,
    threshold: float,
    known: Container[bytes],
    skipped: Skipped,
    seen: "Counter[str]",
) -> Iterator[dict[str, Any]]:
    """A line for each mention of an entity that has a key.

    Args:
        nlp: the joined pipeline.
        texts: to go through; each is needed once.
        by: what counts as one entity.
        threshold: least score of a label; below it the mention is neutral, with "" as its sentiment.
        known: `text_key` of texts to leave out.
        skipped: takes note of texts that are left out.
        seen: counts "texts", "mentions" and those "without key".

    Yields:
        entity, key, label, ent_id and kb_id where given, sentiment, passage (the text that was judged), cats, file and line.
    """
    component: SentenceSentiment = nlp.get_pipe(NAME)  # type: ignore[assignment]
    component.only_entities = True
    for doc, text in nlp.pipe(usable(texts, nlp, known, skipped), as_tuples=True):
        seen["texts"] += 1
        for passage, ents in passages(doc, component.follow):
            for ent in ents:
                seen["mentions"] += 1
                if not (key := key_of(ent, by)):
                    seen["without key"] += 1
                    continue
                ids = {
                    name: value
                    for name, value in (("ent_id", ent.ent_id_), ("kb_id", ent.kb_id_))
                    if value
                }
                cats = {label: round(score, 4) for label, score in (ent._.sentiment or {}).items()}
                said = {
                    "sentiment": decide(cats, threshold) if cats else "",
                    "passage": passage.text.strip(),
                    "cats": cats,
                }
                yield {
                    "entity": ent.text,
                    "key": key,
                    "label": ent.label_,
                    **ids,
                    **said,
                    "file": text.file,
                    "line": text.line,
                }
