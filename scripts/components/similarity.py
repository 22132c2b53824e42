"""A trained similarity of texts for Docs, Spans and Tokens, by spaCy's user hooks. Self-contained, for --code.

One Thinc model makes a vector of each Doc, and of a Span or Token as a small Doc; the similarity is the cosine of two vectors.
"""

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from spacy.attrs import NORM
from spacy.language import Language
from spacy.lexeme import Lexeme
from spacy.pipeline import TrainablePipe
from spacy.strings import get_string_id
from spacy.tokens import Doc, Span, Token
from spacy.training import Example
from spacy.training.loggers import console_logger_v3
from spacy.util import registry
from spacy.vectors import Mode
from spacy.vocab import Vocab
from thinc.api import Model, chain, reduce_mean, set_dropout_rate, to_numpy
from thinc.types import Ragged

KEY = "similarity"  # of the two spans of a pair in Doc.spans; their group's attrs hold the score, 0 to 1
STEM = 5  # characters that words with other endings share
N_FEATURES = 6
ZIPF, SIF = (
    0.1,
    1e-3,
)  # about the share of the first word of the table in texts; "a" of smooth inverse frequency
SLOW = 0.1  # of the full matrix: with few pairs it should move less than the rest
Array: TypeAlias = Any  # of numpy or cupy
InT: TypeAlias = list[Doc]


@registry.architectures("quicksilver.WeightedVectors.v1")
def weighted_vectors(hash_width: int) -> Model[InT, Array]:
    """Docs to vectors: the weighted mean of their words, (n_docs, width of the static vectors + hash_width).

    A word is its static vector less the mean, moved by a learned projection that starts at identity and decays towards it, and beside it
    fixed random directions, `hash_width` wide, for the word and its first letters (random indexing, Kanerva et al. 2000): their cosine is
    the overlap of words, with vectors or without. Both have a weight for each word that starts at smooth inverse frequency by its rank
    in the table (Arora et al. 2017) and learns from its rank, kind and vector.
    """
    attrs = {"hash_width": hash_width, "key_attr": 0, "scale": 1.0, "dropout_rate": 0.0}
    params = dict.fromkeys(("mean", "shift", "mix", "from_vector", "from_features", "hashed"))
    features: Model[InT, Ragged] = Model(
        "word_features", _features_forward, init=_features_init, dims={"nM": None}, attrs=attrs
    )
    weigh: Model[Ragged, Ragged] = Model(
        "weigh", _weigh_forward, init=_weigh_init, params=params, dims={"nM": None}, attrs=attrs
    )
    return chain(features, weigh, reduce_mean())


def _features_init(
    model: Model[InT, Ragged], X: InT | None = None, Y: Ragged | None = None
) -> None:
    if X:
        vectors = X[0].vocab.vectors
        model.set_dim("nM", vectors.shape[1])
        model.attrs["key_attr"] = vectors.attr  # spaCy forgets it when it saves vectors
        model.attrs["scale"] = float(
            1 / (np.linalg.norm(to_numpy(vectors.data), axis=1).mean() or 1)
        )


def _features_forward(
    model: Model[InT, Ragged], docs: InT, is_train: bool
) -> tuple[Ragged, Callable[[Ragged], InT]]:
    """Each token's static vector, hashed directions and features, (n_tokens, width + hash_width + N_FEATURES)."""
    width, hash_width = model.get_dim("nM"), model.attrs["hash_width"]
    lengths = (
        [len(doc) for doc in docs] if any(len(doc) for doc in docs) else [1] * len(docs)
    )  # without any token: one of zeros each
    rows = np.zeros((len(docs), width + hash_width + N_FEATURES), "f4")
    if any(len(doc) for doc in docs):
        vocab = docs[0].vocab
        keys, norms = (
            np.concatenate([doc.to_array(attr) for doc in docs]).astype("u8")
            for attr in (model.attrs["key_attr"], NORM)
        )
        static, rarity = _static_vectors(vocab, keys, width)
        static *= model.attrs["scale"]
        kinds, place = np.unique(norms, return_inverse=True)
        words = [vocab.strings[kind] for kind in kinds]
        stems = [get_string_id(word[:STEM]) for word in words]
        hashed = _directions(kinds, hash_width) + _directions(stems, hash_width)
        told = np.array(
            [(not any(map(str.isalnum, word)), any(map(str.isdigit, word))) for word in words], "f4"
        )
        length = np.linalg.norm(static, axis=1)
        known = length > 0
        features = np.stack(
            [known, ~known, rarity, np.log(np.where(known, length, 1)), *told[place].T], axis=1
        ).astype("f4")
        rows = np.hstack([static, hashed[place], features])
    return Ragged(model.ops.xp.asarray(rows), model.ops.asarray1i(lengths)), lambda d: []


def _static_vectors(vocab: Vocab, keys: Array, width: int) -> tuple[Array, Array]:
    """Vectors, (n, width), zeros where there is none, and the log of smooth inverse frequency by rank, (n,). Raises ValueError."""
    vectors = vocab.vectors
    if vectors.shape[1] != width:
        raise ValueError(
            f"the vectors are of width {vectors.shape[1]}, but {width} in training: load the vectors of the training"
        )
    if vectors.mode == Mode.floret:
        return np.array(to_numpy(vectors.get_batch(keys)), "f4"), np.zeros(len(keys))
    rows = to_numpy(vectors.find(keys=keys))
    found = np.where(rows[:, None] >= 0, to_numpy(vectors.data)[rows], 0).astype("f4")
    return found, np.where(rows >= 0, -np.log1p(ZIPF / (SIF * (np.maximum(rows, 0) + 1))), 0.0)


def _directions(ids: Iterable[int], width: int) -> Array:
    """A fixed sparse direction for each id, (n_ids, width): 1/2 or -1/2 in four places."""
    ids = np.fromiter(ids, "u8")
    directions = np.zeros((len(ids), width), "f4")
    for number in range(4 if width else 0):
        mixed = (ids ^ np.uint64(0x9E3779B97F4A7C15 * (number + 1) % 2**64)) * np.uint64(
            0xFF51AFD7ED558CCD
        )
        mixed ^= mixed >> np.uint64(33)
        places = (mixed >> np.uint64(1)) % np.uint64(width)
        np.add.at(
            directions, (np.arange(len(ids)), places), np.where(mixed & np.uint64(1), 0.5, -0.5)
        )
    return directions


def _weigh_init(
    model: Model[Ragged, Ragged], X: Ragged | None = None, Y: Ragged | None = None
) -> None:
    data: Array = X.dataXd if X is not None else None
    width = data.shape[1] - model.attrs["hash_width"] - N_FEATURES
    model.set_dim("nM", width)
    shapes = {
        "shift": (width,),
        "mix": (width, width),
        "from_vector": (width,),
        "from_features": (N_FEATURES,),
        "hashed": (N_FEATURES,),
    }
    for name, shape in shapes.items():
        model.set_param(name, model.ops.alloc(shape, dtype="f4"))  # type: ignore[arg-type]
    weights = data[:, -N_FEATURES] * model.ops.xp.exp(data[:, 2 - N_FEATURES])
    model.set_param(
        "mean", weights @ data[:, :width] / max(float(weights.sum()), 1e-8)
    )  # gets no gradient


def _weigh_forward(
    model: Model[Ragged, Ragged], X: Ragged, is_train: bool
) -> tuple[Ragged, Callable[[Ragged], Ragged]]:
    """Project the static part of each token and weigh both parts, (n_tokens, width + hash_width)."""
    xp, width, get = model.ops.xp, model.get_dim("nM"), model.get_param
    static, hashed, features = xp.split(
        X.dataXd, [width, width + model.attrs["hash_width"]], axis=1
    )
    known = features[:, :1]
    centred = known * (static - get("mean") - get("shift"))
    moved = centred + SLOW * centred @ get("mix")
    keep = model.ops.get_dropout_mask(
        (len(static), 1), model.attrs["dropout_rate"] if is_train else 0.0
    )
    weights = (
        keep
        * xp.exp(
            xp.clip(
                features[:, 2] + static @ get("from_vector") + features @ get("from_features"),
                -8,
                8,
            )
        )[:, None]
    )
    hash_weights = keep * xp.exp(xp.clip(features[:, 2] + features @ get("hashed"), -8, 8))[:, None]

    def backprop(d: Ragged) -> Ragged:
        d_static, d_hashed = xp.split(d.dataXd, [width], axis=1)
        d_log_weights = (d_static * moved).sum(axis=1) * weights[:, 0]
        d_moved = d_static * weights
        model.inc_grad("from_vector", d_log_weights @ static)
        model.inc_grad("from_features", d_log_weights @ features)
        model.inc_grad("hashed", ((d_hashed * hashed).sum(axis=1) * hash_weights[:, 0]) @ features)
        model.inc_grad("mix", SLOW * centred.T @ d_moved)
        model.inc_grad("shift", -(known * (d_moved + SLOW * d_moved @ get("mix").T)).sum(axis=0))
        return d  # nothing below is learned

    return Ragged(xp.hstack([weights * moved, hash_weights * hashed]), X.lengths), backprop


class TextHooks:
    """What the hooks of a Doc call. Pickles with its model and without a vocab, so that a pickled Doc stays small."""

    def __init__(self, model: Model[InT, Array]):
        self.model = model

    def install(self, doc: Doc, vector: Array | None = None) -> None:
        """Set the hooks of a Doc, and its vector, (width,), where that is known."""
        doc.vector = vector  # type: ignore[assignment]  # spaCy's own place for it
        hooks: dict[str, Any] = {
            "similarity": self.similarity,
            "vector": self.vector,
            "vector_norm": self.vector_norm,
        }
        doc.user_hooks.update(hooks)
        doc.user_token_hooks.update(hooks)
        # With a hook for vector_norm spaCy 3.8 gives a Span's vector as its norm; without one, the norm of the hook's vector.
        doc.user_span_hooks.update({"similarity": self.similarity, "vector": self.vector})

    def vector(self, thing: Any) -> Any:
        """The vector of a Doc, Span, Token or Lexeme, (width,); zeros where no word has one."""
        if (
            not isinstance(thing, Doc) or thing.user_hooks.get("vector") != self.vector
        ):  # a part, or a Doc without hooks or with others
            return self.model.predict([thing if isinstance(thing, Doc) else _as_doc(thing)])[0]
        if thing._vector is None:  # type: ignore[attr-defined]
            thing.vector = self.model.predict([thing])[0]
        return thing._vector  # type: ignore[attr-defined]

    def vector_norm(self, thing: Any) -> float:
        """The length of the vector."""
        return float((self.vector(thing) ** 2).sum() ** 0.5)

    def similarity(self, one: Any, other: Any) -> float:
        """The cosine of the two vectors, -1 to 1; 0 where one of them is zeros."""
        return float(cosines(self.vector(one)[None], self.vector(other)[None])[0])


def _as_doc(thing: Any) -> Doc:
    """The tokens of a Span, a Token or a Lexeme as a Doc. (Span.as_doc asks for the vector, so for the hook.)"""
    if isinstance(thing, Token):
        thing = thing.doc[thing.i : thing.i + 1]
    if isinstance(thing, Lexeme):
        return Doc(thing.vocab, words=[thing.text])  # type: ignore[attr-defined]
    doc = Doc(
        thing.vocab,
        words=[token.text for token in thing],
        spaces=[bool(token.whitespace_) for token in thing],
    )
    return doc.from_array([NORM], thing.to_array([NORM])) if len(doc) else doc


def cosines(a: Array, b: Array) -> Array:
    """Cosines of rows, (n, width) both, to (n,); 0 where a row is zeros."""
    squares = (a * a).sum(axis=1) * (b * b).sum(axis=1)
    return ((a * b).sum(axis=1) / (squares + (squares == 0)) ** 0.5).clip(-1, 1)


def pair_of(doc: Doc) -> tuple[Span, Span, float]:
    """The two texts of a training example, and their score. Raises ValueError: "a pair needs two spans ..."."""
    group = doc.spans.get(KEY, ())
    if len(group) != 2 or not isinstance(group.attrs.get("score"), (int, float)):
        raise ValueError(
            f'a pair needs two spans in doc.spans["{KEY}"] and a "score" in its attrs: make the corpus by similarity-corpus'
        )
    return group[0], group[1], float(group.attrs["score"])


class TextSimilarity(TrainablePipe):
    """Gives Docs the hooks, and learns the model behind them from pairs with a score."""

    def __init__(
        self, vocab: Vocab, model: Model[InT, Array], name: str, *, scorer: Any, rank_loss: float
    ):
        super().__init__(vocab, model, name)
        self.scorer, self.rank_loss, self.hooks = scorer, rank_loss, TextHooks(model)

    def predict(self, docs: Iterable[Doc]) -> Array:
        """Vectors of Docs, (n_docs, width)."""
        return self.model.predict(list(docs))

    def set_annotations(self, docs: Iterable[Doc], vectors: Array) -> None:
        """Give Docs their hooks and vectors, (n_docs, width)."""
        for doc, vector in zip(docs, vectors):
            self.hooks.install(doc, vector)

    def restore(self, doc: Doc) -> Doc:
        """Give a Doc from a DocBin or from bytes, which keep no hooks, its hooks again. Its vector is made when it is asked for."""
        self.hooks.install(doc)
        return doc

    def initialize(
        self, get_examples: Callable[[], Iterable[Example]], *, nlp: Language | None = None
    ) -> None:
        """Make the model ready for the vectors of the vocab. Raises ValueError: "there are no vectors ..."."""
        if not self.vocab.vectors.size:
            raise ValueError(
                "there are no vectors to train on: name some by [initialize.vectors] (vars.similarity.vectors)"
            )
        self.model.initialize(
            X=[
                _as_doc(span)
                for example in get_examples()
                for span in pair_of(example.reference)[:2]
            ]
        )

    def update(
        self, examples: Iterable[Example], *, drop: float = 0.0, sgd: Any = None, losses: Any = None
    ) -> dict[str, float]:
        """Learn from pairs: the two spans and the score in the references of the examples."""
        losses = {} if losses is None else losses
        pairs = [pair_of(example.reference) for example in examples]
        set_dropout_rate(self.model, drop)
        vectors, backprop = self.model.begin_update(
            [_as_doc(pair[side]) for side in (0, 1) for pair in pairs]
        )
        loss, d_vectors = self.get_loss(examples, vectors)
        backprop(d_vectors)
        if sgd is not None:
            self.finish_update(sgd)
        losses[self.name] = losses.get(self.name, 0.0) + loss
        return losses

    def get_loss(self, examples: Iterable[Example], vectors: Array) -> tuple[float, Array]:
        """The mean squared error of the cosines, and `rank_loss` times 1 - Pearson's r with the scores, both within the batch, and the
        gradient. `vectors` are those of the first texts and then of the second ones, (2 * n_pairs, width)."""
        scores: Array = self.model.ops.asarray1f(
            [pair_of(example.reference)[2] for example in examples]
        )
        a, b = vectors[: len(scores)], vectors[len(scores) :]
        cosine = cosines(a, b)
        loss, d_cosine = float(((cosine - scores) ** 2).mean()), 2 * (cosine - scores) / len(scores)
        centred, wanted = cosine - cosine.mean(), scores - scores.mean()
        spread, aim = float((centred**2).sum() ** 0.5), float((wanted**2).sum() ** 0.5)
        if spread > 0 and aim > 0:
            r = float((centred * wanted).sum()) / (spread * aim)
            loss += self.rank_loss * (1 - r)
            d_cosine += self.rank_loss * (r * centred / spread**2 - wanted / (spread * aim))
        d_cosine, cosine = d_cosine[:, None], cosine[:, None]
        length_a, length_b = (
            ((side**2).sum(axis=1, keepdims=True) ** 0.5).clip(1e-8, None) for side in (a, b)
        )
        d_a = d_cosine * (b / length_b - cosine * a / length_a) / length_a
        d_b = d_cosine * (a / length_a - cosine * b / length_b) / length_b
        return loss, self.model.ops.xp.vstack([d_a, d_b])


class _WithHooks(Language):
    """A pipeline whose `pipe` gives Docs their hooks again that came from another process."""

    def pipe(
        self, texts: Any, *, as_tuples: bool = False, n_process: int = 1, **kwargs: Any
    ) -> Iterator[Any]:  # type: ignore[override]
        docs = super().pipe(texts, as_tuples=as_tuples, n_process=n_process, **kwargs)  # type: ignore[call-overload]
        if as_tuples or n_process == 1:  # tuples come by this very method
            yield from docs
            return
        pipes = [
            pipe
            for name, pipe in self.pipeline
            if isinstance(pipe, TextSimilarity) and name not in kwargs.get("disable", ())
        ]
        with (
            warnings.catch_warnings()
        ):  # processes start with the first Doc, and would each say that hooks are not sent back
            warnings.filterwarnings("ignore", message=r"\[W109\]")
            first = list(itertools.islice(docs, 1))
        for doc in itertools.chain(first, docs):
            for pipe in pipes:
                pipe.restore(doc)
            yield doc


def _ranks(values: Array) -> Array:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


@registry.scorers("quicksilver.similarity_scorer.v1")
def create_scorer() -> Callable[..., dict[str, float]]:
    """Spearman and Pearson of span.similarity(span) with the scores, for the pairs of examples."""

    def score(examples: Iterable[Example], **kwargs: Any) -> dict[str, float]:
        found = []
        for example in examples:
            *spans, wanted = pair_of(example.reference)
            a, b = (
                example.predicted.char_span(span.start_char, span.end_char, alignment_mode="expand")
                for span in spans
            )
            found.append((a.similarity(b), wanted))  # type: ignore[union-attr, arg-type]
        x, y = np.array(found, "f8").reshape(-1, 2).T
        with np.errstate(invalid="ignore"):  # all the same: no correlation
            pearson, spearman = (
                float(np.nan_to_num(np.corrcoef(*sides)[0, 1]))
                for sides in ((x, y), (_ranks(x), _ranks(y)))
            )
        return {"similarity_spearman": spearman, "similarity_pearson": pearson}

    return score


@registry.loggers("quicksilver.SimilarityLogger.v1")
def create_logger(output_file: str) -> Any:
    """Log to the console and to a JSONL file, which is begun anew. (`spacy train --code` takes one file, so this is not in training.py.)"""
    Path(output_file).unlink(missing_ok=True)
    return console_logger_v3(progress_bar="eval", output_file=output_file)


@Language.factory(
    "text_similarity",
    assigns=["doc.vector"],
    default_config={
        "model": {"@architectures": "quicksilver.WeightedVectors.v1", "hash_width": 1024},
        "scorer": {"@scorers": "quicksilver.similarity_scorer.v1"},
    },
    default_score_weights={"similarity_spearman": 1.0, "similarity_pearson": 0.0},
)
def create_text_similarity(
    nlp: Language, name: str, model: Model[InT, Array], scorer: Any, rank_loss: float = 1.0
) -> TextSimilarity:
    """The component; `nlp` gets a `pipe` that gives Docs from other processes their hooks again. `rank_loss`: weight beside the error."""
    if not isinstance(nlp, _WithHooks):
        nlp.__class__ = type(type(nlp).__name__, (_WithHooks, type(nlp)), {})
    return TextSimilarity(nlp.vocab, model, name, scorer=scorer, rank_loss=rank_loss)
