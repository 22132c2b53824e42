"""The component `sentence_sentiment`: the sentiment of each sentence, and of each entity by where it stands. Self-contained, for --code.

It holds a whole pipeline for sentiment, with its own vocab, vectors, tokenizer and settings, and gives it the sentences as texts: so the
sentiment pipeline sees what it saw in training, whatever pipeline it stands in, and its files lie in a folder of the component's own.

    span._.sentiment    {label: score}, for each of doc.sents; for each of doc.ents, that of the passage it stands in (see `passages`)
    doc._.opinions      [(entity, label, score), ...]
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
    """(entity, label, score) of each entity that has a sentiment, by the label with the highest score."""
    found = [(ent, ent._.sentiment) for ent in doc.ents if ent._.sentiment]
    return [(ent, *max(cats.items(), key=lambda item: item[1])) for ent, cats in found]


if not Doc.has_extension("opinions"):
    Doc.set_extension("opinions", getter=opinions)


# Passages


def passages(doc: Doc, follow: int) -> Iterator[tuple[Span, list[Span]]]:
    """(passage, entities in it): a sentence that names entities, with up to `follow` sentences behind it that name none.

    People name a thing and go on about it: "Got the Zenfone last week. Love it." An entity belongs to the sentence it begins in.
    """
    sentences = list(doc.sents)
    starts = [sentence.start for sentence in sentences]
    named: dict[int, list[Span]] = {}
    for ent in doc.ents:
        named.setdefault(bisect_right(starts, ent.start) - 1, []).append(ent)
    for first, ents in named.items():
        last = first
        while last - first < follow and last + 1 < len(sentences) and last + 1 not in named:
            last += 1
        yield doc[sentences[first].start : sentences[last].end], ents


# Component


class SentenceSentiment(Pipe):
    """Runs a sentiment pipeline over the sentences and passages of Docs, all of a batch of Docs in one call."""

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
        """Take a pipeline for sentiment.

        Raises:
            ValueError: "the sentiment pipeline sets no doc.cats ...".
        """
        if not cats_labels(sentiment):
            has = ", ".join(sentiment.pipe_names) or "nothing"
            raise ValueError(
                f"the sentiment pipeline sets no doc.cats (it has {has}): give one with a trained textcat"
            )
        self.sentiment = sentiment

    def initialize(
        self, get_examples: Any, *, nlp: Language | None = None, pipeline: str | None = None
    ) -> None:
        """Load the pipeline that [initialize.components.sentence_sentiment] names."""
        if pipeline:
            self.set_pipeline(load_model(pipeline))

    def __call__(self, doc: Doc) -> Doc:
        """Set the sentiments of a Doc. Raises what `pipe` raises."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 256) -> Iterator[Doc]:
        """Set the sentiments of Docs.

        Raises:
            ValueError: "... has no sentiment pipeline ...", or "... needs sentences ...".
        """
        if self.sentiment is None:
            raise ValueError(f"{self.name} has no sentiment pipeline: give it one by set_pipeline")
        for docs in minibatch(stream, batch_size):
            self._judge(docs, self.sentiment)
            yield from docs

    def _judge(self, docs: list[Doc], sentiment: Language) -> None:
        wanted: dict[
            tuple[int, int, int], list[Span]
        ] = {}  # Doc, first token, token after the last -> entities that get its sentiment
        for number, doc in enumerate(docs):
            if len(doc) and not doc.has_annotation("SENT_START"):
                raise ValueError(
                    f"{self.name} needs sentences, which no component sets: put a sentencizer before it"
                )
            # Sentences first: a sentence that is nothing but an entity shares its place, and the passage counts more.
            for sentence in [] if self.only_entities else doc.sents:
                wanted[number, sentence.start, sentence.end] = []
            for passage, ents in passages(doc, self.follow):
                wanted.setdefault((number, passage.start, passage.end), []).extend(ents)
        pieces = [(docs[number][start:end], ents) for (number, start, end), ents in wanted.items()]
        pieces = [(piece, ents) for piece, ents in pieces if piece.text.strip()]
        for judged, (piece, ents) in zip(
            sentiment.pipe(piece.text.strip() for piece, _ in pieces), pieces
        ):
            for span in (piece, *ents):
                span._.sentiment = dict(judged.cats)

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The settings and the sentiment pipeline as bytes."""
        nlp = self.sentiment
        parts = (
            None
            if nlp is None
            else {
                "config": nlp.config.to_bytes(),
                "meta": srsly.json_dumps(nlp.meta),
                "data": nlp.to_bytes(),
            }
        )
        return srsly.msgpack_dumps({"cfg": self._cfg(), "pipeline": parts})

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "SentenceSentiment":
        """Load what `to_bytes` made."""
        found = srsly.msgpack_loads(data)
        if parts := found["pipeline"]:
            nlp = load_model_from_config(
                Config().from_bytes(parts["config"], interpolate=False),
                meta=srsly.json_loads(parts["meta"]),
            )
            self.set_pipeline(nlp.from_bytes(parts["data"]))
        return self._configure(found["cfg"])

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write cfg and the folder `pipeline`."""
        Path(path).mkdir(exist_ok=True, parents=True)
        srsly.write_json(Path(path) / "cfg", self._cfg())
        if self.sentiment is not None:
            self.sentiment.to_disk(Path(path) / "pipeline")

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "SentenceSentiment":
        """Load what `to_disk` wrote."""
        if (folder := Path(path) / "pipeline").exists():
            self.set_pipeline(load_model(folder))
        return self._configure(srsly.read_json(Path(path) / "cfg"))

    def _cfg(self) -> dict[str, Any]:
        return {"follow": self.follow, "only_entities": self.only_entities}

    def _configure(self, cfg: dict[str, Any]) -> "SentenceSentiment":
        self.follow, self.only_entities = cfg["follow"], cfg["only_entities"]
        return self


def cats_labels(nlp: Language) -> tuple[str, ...]:
    """The labels that a pipeline puts into doc.cats."""
    setters = [name for name in nlp.pipe_names if "doc.cats" in nlp.get_pipe_meta(name).assigns]
    return tuple(label for name in setters for label in getattr(nlp.get_pipe(name), "labels", ()))


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
        follow: sentences behind that of an entity which name none and are judged together with it.
        only_entities: leave out the sentences that have nothing to do with an entity, which is faster.
    """
    return SentenceSentiment(nlp.vocab, name, follow=follow, only_entities=only_entities)
