"""A trained similarity of texts for Docs, Spans and Tokens, by spaCy's user hooks. Self-contained, for --code.

`doc.similarity(span)`, `.vector` and `.vector_norm` go through one Thinc model, from a list of Docs to a vector each; Spans and Tokens
get theirs as small Docs of their tokens. The similarity is the cosine of two such vectors.
"""

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from spacy.attrs import NORM
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.strings import get_string_id
from spacy.tokens import Doc, Span, Token
from spacy.training import Example
from spacy.util import registry
from spacy.vectors import Mode
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer, chain, reduce_mean, set_dropout_rate
from thinc.types import Floats1d, Floats2d, Ragged

KEY = "similarity"  # of the two spans of a pair in Doc.spans; their group's attrs hold the score, 0 to 1
N_FEATURES = 6
SLOW = 0.1  # of the full matrix: with few pairs it should move less than the rest
STEM = 5  # characters that words with other endings share
InT, OutT = list[Doc], Floats2d

# Model


@registry.architectures("quicksilver.WeightedVectors.v1")
def weighted_vectors(hash_width: int = 256) -> Model[InT, OutT]:
    """Docs to vectors: the weighted mean of their words, (n_docs, width of the static vectors + hash_width).

    A word is its static vector, moved by a learned projection that starts at identity (and is decayed towards it), and beside it a
    fixed random direction for the word and one for its first letters (random indexing, Kanerva et al. 2000): a cosine of these
    is the overlap of words, also of words that have no vector. Both parts have a learned weight for each word, from its vector, its
    rank in the table and its kind: what inverse frequency does in SIF (Arora et al. 2017) and in tf-idf.

    Args:
        hash_width: width of the part for words; 0 to leave it out.
    """
    return chain(word_features(hash_width), weigh(hash_width), reduce_mean())


def word_features(hash_width: int) -> Model[InT, Ragged]:
    """Each token's static vector, hashed directions and features, (n_tokens, width + hash_width + N_FEATURES)."""
    return Model(
        "word_features",
        _features_forward,
        init=_features_init,
        dims={"nM": None},
        attrs={"hash_width": hash_width, "key_attr": 0, "scale": 1.0},
    )


def _features_init(model: Model[InT, Ragged], X: InT | None = None, Y: Ragged | None = None) -> None:
    if X:
        vectors = X[0].vocab.vectors
        model.set_dim("nM", vectors.shape[1])
        model.attrs["key_attr"] = vectors.attr  # spaCy forgets it when it saves vectors
        norms = np.linalg.norm(vectors.data, axis=1)
        model.attrs["scale"] = float(1 / (norms.mean() or 1))


def _features_forward(model: Model[InT, Ragged], docs: InT, is_train: bool) -> tuple[Ragged, Callable[[Ragged], InT]]:
    lengths = model.ops.asarray1i([len(doc) for doc in docs])
    blocks = [np.zeros((0, model.get_dim("nM") + model.attrs["hash_width"] + N_FEATURES), "f4")]
    if any(len(doc) for doc in docs):
        keys, norms = (np.concatenate([doc.to_array(attr) for doc in docs]).astype("u8") for attr in (model.attrs["key_attr"], NORM))
        vocab = docs[0].vocab
        static, ranks = _static_vectors(vocab, keys, model.get_dim("nM"))
        kinds, place = np.unique(norms, return_inverse=True)
        words = [vocab.strings[kind] for kind in kinds]
        hashed = sum(_directions(ids, model.attrs["hash_width"]) for ids in (kinds, [get_string_id(word[:STEM]) for word in words]))
        told = np.array([(not any(map(str.isalnum, word)), any(map(str.isdigit, word))) for word in words], "f4")[place]
        static *= model.attrs["scale"]
        length = np.linalg.norm(static, axis=1)
        known = length > 0
        features = [known, ~known, ranks, np.log(np.where(known, length, 1)), *told.T]
        blocks.append(np.hstack([static, hashed[place], np.stack(features, axis=1)]).astype("f4"))
    return Ragged(model.ops.asarray2f(np.vstack(blocks)), lengths), lambda d: []


def _static_vectors(vocab: Vocab, keys: Any, width: int) -> tuple[Any, Any]:
    """Vectors, (n, width), zeros where there is none, and ranks, (n,): 0 for the first row of the table, about 1 for the last, 1 for no row.

    Raises:
        ValueError: "the vectors are of width ...".
    """
    vectors = vocab.vectors
    if vectors.shape[1] != width:
        raise ValueError(
            f"the vectors are of width {vectors.shape[1]}, the model was trained with {width}: load those that it was trained with"
        )
    if vectors.mode == Mode.floret:
        return np.asarray(vectors.get_batch(keys), "f4"), np.zeros(len(keys))
    rows = np.asarray(vectors.find(keys=keys))
    data = vectors.data if isinstance(vectors.data, np.ndarray) else vectors.data.get()
    found = np.where(rows[:, None] >= 0, data[rows], 0).astype("f4")
    return found, np.where(rows >= 0, np.log1p(np.maximum(rows, 0)) / np.log1p(len(data)), 1.0)


def _directions(ids: Iterable[int], width: int) -> Any:
    """A fixed sparse direction for each id, (n_ids, width): four places of it are 1/2 or -1/2."""
    ids = np.fromiter(ids, "u8")
    directions = np.zeros((len(ids), width), "f4")
    for number in range(4 if width else 0):
        mixed = (ids ^ np.uint64(0x9E3779B97F4A7C15 * (number + 1) % 2**64)) * np.uint64(0xFF51AFD7ED558CCD)
        mixed ^= mixed >> np.uint64(33)
        signs = np.where(mixed & np.uint64(1), 0.5, -0.5)
        np.add.at(directions, (np.arange(len(ids)), (mixed >> np.uint64(1)) % np.uint64(width)), signs)
    return directions


def weigh(hash_width: int) -> Model[Ragged, Ragged]:
    """Project and weigh the two parts of each token, (n_tokens, width + hash_width). With weights of 0 it is the plain static vector."""
    params = {name: None for name in ("mean", "shift", "stretch", "mix", "from_vector", "from_features", "hashed")}
    return Model(
        "weigh", _weigh_forward, init=_weigh_init, params=params, dims={"nM": None}, attrs={"hash_width": hash_width, "dropout_rate": 0.0}
    )


def _weigh_init(model: Model[Ragged, Ragged], X: Ragged | None = None, Y: Ragged | None = None) -> None:
    if X is None:
        return
    width = X.dataXd.shape[1] - model.attrs["hash_width"] - N_FEATURES
    model.set_dim("nM", width)
    shapes = {"shift": (width,), "stretch": (width,), "mix": (width, width), "from_vector": (width,)}
    shapes |= {"from_features": (N_FEATURES,), "hashed": (N_FEATURES,)}
    for name, shape in shapes.items():
        model.set_param(name, model.ops.alloc(shape, dtype="f4"))
    known = X.dataXd[:, width + model.attrs["hash_width"]] > 0
    rows = X.dataXd[known][:, :width]
    model.set_param("mean", rows.mean(axis=0) if len(rows) else model.ops.alloc1f(width))  # has no gradient


def _weigh_forward(model: Model[Ragged, Ragged], X: Ragged, is_train: bool) -> tuple[Ragged, Callable[[Ragged], Ragged]]:
    xp, width, hash_width = model.ops.xp, model.get_dim("nM"), model.attrs["hash_width"]
    get = model.get_param
    static, hashed, features = xp.split(X.dataXd, [width, width + hash_width], axis=1)
    known = features[:, :1]
    centred = known * (static - get("mean") - get("shift"))
    moved = centred + centred * get("stretch") + SLOW * centred @ get("mix")
    keep = xp.ones((len(static), 1), "f4")
    if is_train and model.attrs["dropout_rate"]:
        keep = model.ops.get_dropout_mask(keep.shape, model.attrs["dropout_rate"])
    weights = keep * xp.exp(xp.clip(static @ get("from_vector") + features @ get("from_features"), -6, 6))[:, None]
    hash_weights = keep * xp.exp(xp.clip(features @ get("hashed"), -6, 6))[:, None]
    made = xp.hstack([weights * moved, hash_weights * hashed])

    def backprop(d: Ragged) -> Ragged:
        d_static, d_hashed = xp.split(d.dataXd, [width], axis=1)
        d_weights = (d_static * moved).sum(axis=1) * weights[:, 0]
        d_moved = d_static * weights
        model.inc_grad("from_vector", d_weights @ static)
        model.inc_grad("from_features", d_weights @ features)
        model.inc_grad("stretch", (d_moved * centred).sum(axis=0))
        model.inc_grad("mix", SLOW * centred.T @ d_moved)
        model.inc_grad("shift", -(known * (d_moved + d_moved * get("stretch") + SLOW * d_moved @ get("mix").T)).sum(axis=0))
        model.inc_grad("hashed", ((d_hashed * hashed).sum(axis=1) * hash_weights[:, 0]) @ features)
        return Ragged(xp.zeros_like(X.dataXd), X.lengths)  # nothing below is learned

    return Ragged(made, X.lengths), backprop


# Hooks


class TextHooks:
    """What `.similarity`, `.vector` and `.vector_norm` of a Doc and of its Spans and Tokens call. Pickles with its model, without a vocab."""

    def __init__(self, model: Model[InT, OutT]):
        self.model = model

    def install(self, doc: Doc, vector: Floats1d | None = None) -> None:
        """Set the hooks of a Doc, and keep its vector, (width,), where it is known already."""
        doc.vector = vector  # spaCy's own place for it, which `Doc.copy` copies
        hooks = {"similarity": self.similarity, "vector": self.vector, "vector_norm": self.vector_norm}
        doc.user_hooks.update(hooks)
        doc.user_token_hooks.update(hooks)
        # With a hook for vector_norm spaCy 3.8 gives a Span's vector as its norm; without one, the norm of the hook's vector.
        doc.user_span_hooks.update({"similarity": self.similarity, "vector": self.vector})

    def vector(self, thing: Any) -> Floats1d:
        """The vector of a Doc, Span, Token or Lexeme, (width,); zeros where no word has one."""
        if not isinstance(thing, Doc):
            return self.model.predict([_as_doc(thing)])[0]
        if thing.user_hooks.get("vector") != self.vector:  # has no hooks, or those of another model
            return self.model.predict([thing])[0]
        if thing._vector is None:
            thing.vector = self.model.predict([thing])[0]
        return thing._vector

    def vector_norm(self, thing: Any) -> float:
        """The length of the vector."""
        return float(np.sqrt(float((self.vector(thing) ** 2).sum())))

    def similarity(self, one: Any, other: Any) -> float:
        """The cosine of the two vectors, -1 to 1; 0 where one of them is zeros."""
        return float(cosines(self.vector(one)[None], self.vector(other)[None])[0])


def _as_doc(thing: Any) -> Doc:
    """The tokens of a Span, a Token or a Lexeme as a Doc. (Span.as_doc asks for the Span's vector, so for the hook that calls this.)"""
    if isinstance(thing, Token):
        thing = thing.doc[thing.i : thing.i + 1]
    if not isinstance(thing, Span):
        return Doc(thing.vocab, words=[thing.text])
    doc = Doc(thing.vocab, words=[token.text for token in thing], spaces=[bool(token.whitespace_) for token in thing])
    return doc.from_array([NORM], thing.to_array([NORM])) if len(doc) else doc


def cosines(a: Floats2d, b: Floats2d) -> Floats1d:
    """Cosines of rows, (n, width) both, to (n,); 0 where a row is zeros."""
    lengths = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return ((a * b).sum(axis=1) / np.where(lengths > 0, lengths, 1)).clip(-1, 1)


# Component


def pair_of(doc: Doc) -> tuple[Span, Span, float]:
    """The two texts of a training example, and their score.

    Raises:
        ValueError: "a pair needs two spans ...".
    """
    group = doc.spans.get(KEY, ())
    if len(group) != 2 or not isinstance(group.attrs.get("score"), (int, float)):
        raise ValueError(f'a pair needs two spans in doc.spans["{KEY}"] and a "score" in its attrs: make the corpus with similarity-corpus')
    return group[0], group[1], float(group.attrs["score"])


class TextSimilarity(TrainablePipe):
    """Gives Docs the hooks, and learns the model behind them from pairs with a score."""

    def __init__(self, vocab: Vocab, model: Model[InT, OutT], name: str, *, scorer: Any, rank_loss: float):
        super().__init__(vocab, model, name)
        self.scorer, self.rank_loss = scorer, rank_loss
        self.hooks = TextHooks(model)

    def predict(self, docs: Iterable[Doc]) -> Floats2d:
        """Vectors of Docs, (n_docs, width)."""
        return self.model.predict(list(docs))

    def set_annotations(self, docs: Iterable[Doc], vectors: Floats2d) -> None:
        """Give Docs their hooks and vectors, (n_docs, width)."""
        for doc, vector in zip(docs, vectors):
            self.hooks.install(doc, vector)

    def restore(self, doc: Doc) -> Doc:
        """Give a Doc from a DocBin or from bytes, which keep no hooks, its hooks again. Its vector is made when it is asked for."""
        self.hooks.install(doc)
        return doc

    def initialize(self, get_examples: Callable[[], Iterable[Example]], *, nlp: Language | None = None) -> None:
        """Make the model ready for the vectors of the vocab.

        Raises:
            ValueError: "there are no vectors ...", or "a pair needs two spans ...".
        """
        if not self.vocab.vectors.size:
            raise ValueError("there are no vectors: give some by [initialize.vectors] (vars.similarity.vectors)")
        docs = [_as_doc(span) for example in get_examples() for span in pair_of(example.reference)[:2]]
        self.model.initialize(X=docs)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from pairs: the two spans and the score in the references of the examples."""
        losses = {} if losses is None else losses
        pairs = [pair_of(example.reference) for example in examples]
        set_dropout_rate(self.model, drop)
        vectors, backprop = self.model.begin_update([_as_doc(span) for side in (0, 1) for span in (pair[side] for pair in pairs)])
        loss, d_vectors = self.get_loss(examples, vectors)
        backprop(d_vectors)
        if sgd is not None:
            self.finish_update(sgd)
        losses[self.name] = losses.get(self.name, 0.0) + loss
        return losses

    def get_loss(self, examples: Iterable[Example], vectors: Floats2d) -> tuple[float, Floats2d]:
        """The squared error of the cosines, and beside it `rank_loss` times 1 - their correlation with the scores (Pearson) in the batch.

        Args:
            examples: pairs.
            vectors: of the first texts and then of the second ones, (2 * n_pairs, width).
        """
        xp = self.model.ops.xp
        scores = self.model.ops.asarray1f([pair_of(example.reference)[2] for example in examples])
        a, b = vectors[: len(scores)], vectors[len(scores) :]
        lengths = [xp.sqrt((side * side).sum(axis=1)) for side in (a, b)]
        safe = [xp.where(length > 0, length, 1)[:, None] for length in lengths]
        cosine = cosines(a, b)
        loss, d_cosine = float(((cosine - scores) ** 2).mean()), 2 * (cosine - scores) / len(scores)
        centred, wanted = cosine - cosine.mean(), scores - scores.mean()
        spread, aim = float((centred**2).sum() ** 0.5), float((wanted**2).sum() ** 0.5)
        if spread > 0 and aim > 0:
            r = float((centred * wanted).sum()) / (spread * aim)
            loss += self.rank_loss * (1 - r)
            d_cosine += self.rank_loss * (r * centred / spread**2 - wanted / (spread * aim))
        d_cosine, cosine = d_cosine[:, None], cosine[:, None]
        d_a = d_cosine * (b / safe[1] - cosine * a / safe[0]) / safe[0]
        d_b = d_cosine * (a / safe[0] - cosine * b / safe[1]) / safe[1]
        return loss, xp.vstack([d_a, d_b])


class _WithHooks(Language):
    """A pipeline whose `pipe` gives Docs their hooks again that came from another process."""

    def pipe(self, texts: Iterable[Any], *, as_tuples: bool = False, n_process: int = 1, **kwargs: Any) -> Iterator[Any]:  # type: ignore[override]
        docs = super().pipe(texts, as_tuples=as_tuples, n_process=n_process, **kwargs)  # type: ignore[call-overload]
        if as_tuples or n_process == 1:  # tuples come by this very method
            yield from docs
            return
        pipes = [pipe for name, pipe in self.pipeline if isinstance(pipe, TextSimilarity) and name not in kwargs.get("disable", ())]
        with warnings.catch_warnings():  # processes start with the first Doc, and would each say that hooks are not sent back
            warnings.filterwarnings("ignore", message=r"\[W109\]")
            first = list(itertools.islice(docs, 1))
        for doc in itertools.chain(first, docs):
            for pipe in pipes:
                pipe.restore(doc)
            yield doc


def _ranks(values: Sequence[float]) -> Any:
    """Ranks, (n,), of equal values their mean."""
    _, place, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Pearson's r of two lists, or 0 where one of them is all the same."""
    x, y = (np.asarray(values, "f8") - np.mean(values) for values in (a, b))
    length = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / length) if length > 1e-12 else 0.0


def score_pairs(examples: Iterable[Example], **kwargs: Any) -> dict[str, float]:
    """Spearman and Pearson of span.similarity(span) with the scores, of the spans of the pairs in the predicted Docs."""
    found: list[tuple[float, float]] = []
    for example in examples:
        a, b, score = pair_of(example.reference)
        a, b = (example.predicted.char_span(span.start_char, span.end_char, alignment_mode="expand") for span in (a, b))
        found.append((a.similarity(b), score))
    if not found:
        return {}
    predicted, wanted = zip(*found)
    return {"similarity_spearman": correlation(_ranks(predicted), _ranks(wanted)), "similarity_pearson": correlation(predicted, wanted)}


@registry.scorers("quicksilver.similarity_scorer.v1")
def create_scorer() -> Callable[..., dict[str, float]]:
    """Spearman and Pearson of the similarities of the pairs."""
    return score_pairs


@Language.factory(
    "text_similarity",
    assigns=["doc.vector"],
    default_config={
        "model": {"@architectures": "quicksilver.WeightedVectors.v1", "hash_width": 256},
        "scorer": {"@scorers": "quicksilver.similarity_scorer.v1"},
        "rank_loss": 1.0,
    },
    default_score_weights={"similarity_spearman": 1.0, "similarity_pearson": 0.0},
)
def create_text_similarity(nlp: Language, name: str, model: Model[InT, OutT], scorer: Any, rank_loss: float) -> TextSimilarity:
    """The component, and an `nlp.pipe` that gives back the hooks where Docs come from another process.

    Args:
        nlp: the pipeline, whose class gets that `pipe`.
        name: of the component.
        model: Docs to vectors, (n_docs, width).
        scorer: for `spacy train` and `spacy evaluate`.
        rank_loss: weight of the correlation in the loss, beside the squared error.
    """
    if not isinstance(nlp, _WithHooks):
        nlp.__class__ = type(type(nlp).__name__, (_WithHooks, type(nlp)), {})
    return TextSimilarity(nlp.vocab, model, name, scorer=scorer, rank_loss=rank_loss)
