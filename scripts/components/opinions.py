"""The component `sentence_sentiment`: the sentiment of each sentence and of each entity.

It holds a whole sentiment pipeline, with its own vocab, vectors, tokenizer and settings, and gives
it the sentences as texts. So the sentiment pipeline sees what it saw in training, whatever pipeline
the component is in, and its files are in the component's own folder.

    span._.sentiment    {label: score}, for each of doc.sents; for each of doc.ents, the sentiment
                        of the passage it is in (see `passages`)
    doc._.opinions      [(entity, label, score), ...]

Self-contained, for --code.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc, Span
from spacy.util import load_model, load_model_from_config, minibatch
from thinc.api import Config

if not Span.has_extension("sentiment"):
    Span.set_extension("sentiment", default=None)


def opinions(doc: Doc) -> list[tuple[Span, str, float]]:
    """(entity, label, score) of each entity with a sentiment: the label with the highest score."""
    judged = [(ent, ent._.sentiment) for ent in doc.ents if ent._.sentiment]
    return [(ent, *max(cats.items(), key=lambda item: item[1])) for ent, cats in judged]


if not Doc.has_extension("opinions"):
    Doc.set_extension("opinions", getter=opinions)


# Passages


def passages(doc: Doc, follow: int) -> Iterator[tuple[Span, list[Span]]]:
    """(passage, entities in it): a sentence with entities and the sentences about them after it.

    People name a thing and go on about it: "Got the Zenfone last week. Love it." An entity belongs
    to the sentence in which it begins.

    Args:
        doc: with sentences and entities.
        follow: at most this many sentences without an entity follow in a passage.
    """
    sentences = list(doc.sents)
    starts = [sentence.start for sentence in sentences]
    ents_by_sentence: dict[int, list[Span]] = {}
    for ent in doc.ents:
        ents_by_sentence.setdefault(bisect_right(starts, ent.start) - 1, []).append(ent)
    for first, ents in ents_by_sentence.items():
        last = first
        limit = min(first + follow, len(sentences) - 1)
        while last < limit and last + 1 not in ents_by_sentence:
            last += 1
        yield doc[sentences[first].start : sentences[last].end], ents


# Component


class SentenceSentiment(Pipe):
    """Runs a sentiment pipeline over sentences and passages, a batch of Docs in one call."""

    def __init__(self, vocab: Any, name: str, *, follow: int, only_entities: bool) -> None:
        if follow < 0:
            raise ValueError(f"follow must be 0 or more sentences, not {follow}")
        self.vocab, self.name, self.follow, self.only_entities = vocab, name, follow, only_entities
        self.sentiment: Language | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the sentiment pipeline."""
        return cats_labels(self.sentiment) if self.sentiment else ()

    def set_pipeline(self, sentiment: Language) -> None:
        """Set the sentiment pipeline.

        Raises:
            ValueError: "the sentiment pipeline sets no doc.cats ...".
        """
        if not cats_labels(sentiment):
            components = ", ".join(sentiment.pipe_names) or "nothing"
            raise ValueError(
                f"the sentiment pipeline sets no doc.cats (it has {components}): "
                "give one with a trained textcat"
            )
        self.sentiment = sentiment

    def initialize(
        self, get_examples: Any, *, nlp: Language | None = None, pipeline: str | None = None
    ) -> None:
        """Load the pipeline named in [initialize.components.sentence_sentiment]."""
        if pipeline:
            self.set_pipeline(load_model(pipeline))

    def __call__(self, doc: Doc) -> Doc:
        """Set the sentiments of a Doc. Raises what `pipe` raises."""
        return next(self.pipe([doc]))

    def pipe(
        self,
        stream: Iterable[Doc],
        *,
        batch_size: int = 256,
        follow: int | None = None,
        only_entities: bool | None = None,
    ) -> Iterator[Doc]:
        """Set the sentiments of Docs.

        Args:
            stream: the Docs.
            batch_size: Docs whose sentences go through the sentiment pipeline in one call.
            follow: in place of the component's setting, for this call only. nlp.pipe passes it on:
                nlp.pipe(texts, component_cfg={"sentence_sentiment": {"follow": 0}}).
            only_entities: likewise.

        Raises:
            ValueError: "... has no sentiment pipeline ...", or "... needs sentences ...".
        """
        if self.sentiment is None:
            raise ValueError(f"{self.name} has no sentiment pipeline: give it one by set_pipeline")
        follow = self.follow if follow is None else follow
        only_entities = self.only_entities if only_entities is None else only_entities
        for docs in minibatch(stream, batch_size):
            self._judge(docs, self.sentiment, follow, only_entities)
            yield from docs

    def _judge(
        self, docs: list[Doc], sentiment: Language, follow: int, only_entities: bool
    ) -> None:
        """Set the sentiments of a batch of Docs by one call of the sentiment pipeline."""
        pieces: list[tuple[Span, list[Span]]] = []
        for doc in docs:
            if len(doc) and not doc.has_annotation("SENT_START"):
                raise ValueError(
                    f"{self.name} needs sentences, which no component sets: "
                    "put a sentencizer before it"
                )
            pieces += _pieces(doc, follow, only_entities)
        texts = [piece.text.strip() for piece, _ in pieces]
        for judged, (piece, ents) in zip(sentiment.pipe(texts), pieces):
            for span in (piece, *ents):
                span._.sentiment = dict(judged.cats)

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The settings and the sentiment pipeline as bytes."""
        parts = None
        if (nlp := self.sentiment) is not None:
            parts = {
                "config": nlp.config.to_bytes(),
                "meta": srsly.json_dumps(nlp.meta),
                "data": nlp.to_bytes(),
            }
        return srsly.msgpack_dumps({"cfg": self._cfg(), "pipeline": parts})

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "SentenceSentiment":
        """Load the output of `to_bytes`."""
        content = srsly.msgpack_loads(data)
        if parts := content["pipeline"]:
            config = Config().from_bytes(parts["config"], interpolate=False)
            nlp = load_model_from_config(config, meta=srsly.json_loads(parts["meta"]))
            self.set_pipeline(nlp.from_bytes(parts["data"]))
        return self._configure(content["cfg"])

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write cfg and the folder `pipeline`."""
        Path(path).mkdir(exist_ok=True, parents=True)
        srsly.write_json(Path(path) / "cfg", self._cfg())
        if self.sentiment is not None:
            self.sentiment.to_disk(Path(path) / "pipeline")

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "SentenceSentiment":
        """Load the output of `to_disk`."""
        if (folder := Path(path) / "pipeline").exists():
            self.set_pipeline(load_model(folder))
        return self._configure(srsly.read_json(Path(path) / "cfg"))

    def _cfg(self) -> dict[str, Any]:
        return {"follow": self.follow, "only_entities": self.only_entities}

    def _configure(self, cfg: dict[str, Any]) -> "SentenceSentiment":
        self.follow, self.only_entities = cfg["follow"], cfg["only_entities"]
        return self


def _pieces(doc: Doc, follow: int, only_entities: bool) -> list[tuple[Span, list[Span]]]:
    """(piece of text to judge, entities that get its sentiment), without empty pieces."""
    ents_by_place: dict[tuple[int, int], list[Span]] = {}
    # Sentences come first: if a passage is a sentence, it takes the sentence's place; if a sentence
    # is nothing but an entity, the passage of the entity is judged later and wins.
    if not only_entities:
        ents_by_place = {(sentence.start, sentence.end): [] for sentence in doc.sents}
    for passage, ents in passages(doc, follow):
        ents_by_place.setdefault((passage.start, passage.end), []).extend(ents)
    pieces = [(doc[start:end], ents) for (start, end), ents in ents_by_place.items()]
    return [(piece, ents) for piece, ents in pieces if piece.text.strip()]


def cats_labels(nlp: Language) -> tuple[str, ...]:
    """The labels that a pipeline puts into doc.cats."""
    labels: list[str] = []
    for name in nlp.pipe_names:
        if "doc.cats" in nlp.get_pipe_meta(name).assigns:
            labels += getattr(nlp.get_pipe(name), "labels", ())
    return tuple(labels)


@Language.factory(
    "sentence_sentiment",
    assigns=["span._.sentiment", "doc._.opinions"],
    requires=["doc.ents"],
    default_config={"follow": 1, "only_entities": False},
)
def create_sentence_sentiment(
    nlp: Language, name: str, follow: int, only_entities: bool
) -> SentenceSentiment:
    """A component without a sentiment pipeline yet.

    Args:
        nlp: the pipeline that it goes into.
        name: of the component.
        follow: at most this many sentences after that of an entity are judged together with it,
            if they name no entity.
        only_entities: skip the sentences that are in no passage with an entity, which is faster.
    """
    return SentenceSentiment(nlp.vocab, name, follow=follow, only_entities=only_entities)
