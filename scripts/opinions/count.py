"""Go through texts and record each mention of an entity with its sentiment."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.tokens import Span

from scripts.components.opinions import passages
from scripts.entities.scores import entity_key
from scripts.files import progress_bar
from scripts.opinions.joined import NAME, decide, sentiment_component
from scripts.opinions.log_odds import Mention
from scripts.opinions.options import By
from scripts.reading import (
    Skipped,
    Text,
    read_texts,
    source_files,
    text_key,
    why_unreadable,
)


def read_all(paths: Iterable[Path], skipped: Skipped) -> Iterator[Text]:
    """The texts of several files or folders, with a progress bar over bytes."""
    files = list(chain.from_iterable(map(source_files, paths)))
    with progress_bar("texts", sum(file.stat().st_size for file in files), "B") as bar:
        for file in files:
            yield from read_texts(file, skipped, bar)


def text_keys(paths: Iterable[Path]) -> set[bytes]:
    """The `text_key` of each text of several files or folders."""
    texts = chain.from_iterable(map(read_texts, paths))
    return {text_key(text.text) for text in texts}


def key_of(ent: Span, by: By) -> str:
    """What an entity is counted by; "" if it has none.

    This is its text (without case and extra white space), its ent_id, its kb_id or its label.
    """
    keys = {
        "text": entity_key(ent),
        "ent_id": ent.ent_id_,
        "kb_id": ent.kb_id_,
        "label": ent.label_,
    }
    return keys[by]


def usable(
    texts: Iterable[Text], nlp: Language, trained_on: Container[bytes], skipped: Skipped
) -> Iterator[tuple[str, Text]]:
    """(text, the same with its place) of the texts that can be processed and are not trained on.

    Args:
        texts: all of them.
        nlp: sets how long a text may be.
        trained_on: `text_key` of the texts that the sentiment pipeline was trained on: it may have
            learned their labels by heart.
        skipped: records what is left out.
    """
    for text in texts:
        reason = why_unreadable(text.text, nlp)
        if reason is None and text_key(text.text) in trained_on:
            reason = "sentiment was trained on it"
        if reason:
            skipped.add(reason, text.file, text.line)
        else:
            yield text.text, text


def evidence(
    nlp: Language,
    texts: Iterable[Text],
    by: By,
    threshold: float,
    trained_on: Container[bytes],
    skipped: Skipped,
    counts: "Counter[str]",
) -> Iterator[dict[str, Any]]:
    """A record for each mention of an entity that has a key.

    Args:
        nlp: the joined pipeline.
        texts: each is read once.
        by: what counts as one entity.
        threshold: minimum score of a label; below it the sentiment of a mention is "".
        trained_on: `text_key` of texts to leave out.
        skipped: records texts that are left out.
        counts: counts "texts", "mentions" and those "without key".

    Yields:
        entity, key, label, ent_id and kb_id if there are any, sentiment, passage (the text that was
        judged), cats, file and line.
    """
    follow = sentiment_component(nlp).follow
    settings = {NAME: {"only_entities": True}}
    pairs = usable(texts, nlp, trained_on, skipped)
    for doc, text in nlp.pipe(pairs, as_tuples=True, component_cfg=settings):
        counts["texts"] += 1
        for passage, ents in passages(doc, follow):
            for ent in ents:
                counts["mentions"] += 1
                if key := key_of(ent, by):
                    yield _record(ent, key, passage, text, threshold)
                else:
                    counts["without key"] += 1


def _record(ent: Span, key: str, passage: Span, text: Text, threshold: float) -> dict[str, Any]:
    ids = {"ent_id": ent.ent_id_, "kb_id": ent.kb_id_}
    cats = {label: round(score, 4) for label, score in (ent._.sentiment or {}).items()}
    return {
        "entity": ent.text,
        "key": key,
        "label": ent.label_,
        **{name: value for name, value in ids.items() if value},
        "sentiment": decide(cats, threshold) if cats else "",
        "passage": passage.text.strip(),
        "cats": cats,
        "file": text.file,
        "line": text.line,
    }


def write_evidence(path: Path, records: Iterable[dict[str, Any]]) -> list[Mention]:
    """Write each record as it comes, as JSONL. Returns what is counted."""
    mentions = []
    with path.open("w", encoding="utf8") as stream:
        for record in records:
            mentions.append(Mention(record["key"], record["sentiment"]))
            stream.write(srsly.json_dumps(record) + "\n")
    return mentions
