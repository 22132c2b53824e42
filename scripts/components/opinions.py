"""The component `sentence_sentiment`: what each sentence, and so each entity in it, is said with. Self-contained, for --code.

It holds a whole pipeline for sentiment, with its own vocab, vectors, tokenizer and settings, and gives it the sentences as texts: so the
sentiment pipeline sees what it saw in training, whatever pipeline it stands in, and its files lie in a folder of the component's own.

    doc.sents, doc.ents: span._.sentiment is {label: score}, for an entity that of the piece of text it stands in
    doc._.opinions: [(entity, label, score), ...]
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc, Span
from spacy.util import get_model_meta, load_model, load_model_from_config, minibatch
from thinc.api import Config

UNITS = ("text", "sentence", "clause", "passage")
TURNS = frozenset({"but", "although", "though", "whereas", "while", "however", ";"})

if not Span.has_extension("sentiment"):
    Span.set_extension("sentiment", default=None)


def opinions(doc: Doc) -> list[tuple[Span, str, float]]:
    """(entity, label, score) of each entity that has a sentiment, by the label with the highest score."""
    found = [(ent, ent._.sentiment) for ent in doc.ents if ent._.sentiment]
    return [(ent, *max(cats.items(), key=lambda item: item[1])) for ent, cats in found]


if not Doc.has_extension("opinions"):
    Doc.set_extension("opinions", getter=opinions)


# Pieces of text


def clauses(sentence: Span) -> list[Span]:
    """A sentence cut before its turns (but, although, while ...), where entities stand on either side of a cut."""
    doc, cuts = sentence.doc, [sentence.start]
    for token in sentence:
        before, after = _has_entity(doc[cuts[-1] : token.i]), _has_entity(doc[token.i : sentence.end])
        if token.lower_ in TURNS and not token.ent_type and before and after:
            cuts.append(token.i)
    return [doc[start:end] for start, end in pairwise([*cuts, sentence.end])]


def passages(doc: Doc) -> list[Span]:
    """Each sentence with the sentences behind it up to the next one that names an entity."""
    starts = [sentence.start for sentence in doc.sents if sentence.start == 0 or _has_entity(sentence)]
    return [doc[start:end] for start, end in pairwise([*starts, len(doc)])]


def _has_entity(span: Span) -> bool:
    return any(token.ent_type for token in span)


def pieces(doc: Doc, unit: str) -> list[Span]:
    """The pieces of a Doc that are judged by themselves, in order and without gaps."""
    if not len(doc):
        return []
    if unit == "text":
        return [doc[:]]
    if unit == "passage":
        return passages(doc)
    return [piece for sentence in doc.sents for piece in (clauses(sentence) if unit == "clause" else [sentence])]


# Component


class SentenceSentiment(Pipe):
    """Runs a sentiment pipeline over the pieces of Docs, all pieces of a batch of Docs in one call."""

    def __init__(self, vocab: Any, name: str, *, unit: str, only_entities: bool) -> None:
        if unit not in UNITS:
            raise ValueError(f"unit must be one of {', '.join(UNITS)}, not {unit!r}")
        self.vocab, self.name, self.unit, self.only_entities = vocab, name, unit, only_entities
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
            raise ValueError(f"the sentiment pipeline sets no doc.cats (it has {has}): give one with a trained textcat")
        self.sentiment = sentiment

    def initialize(self, get_examples: Any, *, nlp: Language | None = None, pipeline: str | None = None) -> None:
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
        for doc in docs:
            if len(doc) and self.unit != "text" and not doc.has_annotation("SENT_START"):
                raise ValueError(f"{self.name} needs sentences, which no component sets: put a sentencizer before it")
        judged = [piece for doc in docs for piece in pieces(doc, self.unit) if piece.text.strip()]
        if self.only_entities:
            judged = [piece for piece in judged if _has_entity(piece)]
        # A batch of the sentiment pipeline's own size would cut an already small list of short texts into smaller ones.
        for piece, result in zip(judged, sentiment.pipe((piece.text.strip() for piece in judged), batch_size=1024)):
            piece._.sentiment = dict(result.cats)
            # Read the entities through the Doc: an entity over the end of a sentence belongs to the one where it begins.
            for ent in piece.doc.ents:
                if piece.start <= ent.start < piece.end:
                    ent._.sentiment = dict(result.cats)

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The settings and the sentiment pipeline as bytes."""
        nlp = self.sentiment
        parts = None if nlp is None else {"config": nlp.config.to_bytes(), "meta": srsly.json_dumps(nlp.meta), "data": nlp.to_bytes()}
        return srsly.msgpack_dumps({"cfg": self._cfg(), "pipeline": parts})

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "SentenceSentiment":
        """Load what `to_bytes` made."""
        found = srsly.msgpack_loads(data)
        if parts := found["pipeline"]:
            nlp = load_model_from_config(Config().from_bytes(parts["config"], interpolate=False), meta=srsly.json_loads(parts["meta"]))
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
            self.set_pipeline(load_model(folder, meta=get_model_meta(folder)))
        return self._configure(srsly.read_json(Path(path) / "cfg"))

    def _cfg(self) -> dict[str, Any]:
        return {"unit": self.unit, "only_entities": self.only_entities}

    def _configure(self, cfg: dict[str, Any]) -> "SentenceSentiment":
        self.unit, self.only_entities = cfg["unit"], cfg["only_entities"]
        return self


def cats_labels(nlp: Language) -> tuple[str, ...]:
    """The labels that a pipeline puts into doc.cats."""
    setters = [name for name in nlp.pipe_names if "doc.cats" in nlp.get_pipe_meta(name).assigns]
    return tuple(label for name in setters for label in getattr(nlp.get_pipe(name), "labels", ()))


@Language.factory(
    "sentence_sentiment",
    assigns=["span._.sentiment", "doc._.opinions"],
    requires=["doc.ents"],
    default_config={"unit": "sentence", "only_entities": False},
)
def create_sentence_sentiment(nlp: Language, name: str, unit: str, only_entities: bool) -> SentenceSentiment:
    """A component without a sentiment pipeline yet.

    Args:
        nlp: the pipeline that it goes into.
        name: of the component.
        unit: what is judged by itself, and gives the entities in it their sentiment: sentence, clause, passage or text.
        only_entities: leave out the pieces that name no entity, which is faster.
    """
    return SentenceSentiment(nlp.vocab, name, unit=unit, only_entities=only_entities)
