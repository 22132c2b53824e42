"""A trained similarity of texts for Docs, Spans and Tokens, by spaCy's user hooks.

Self-contained, for --code. One Thinc model makes a vector of each Doc, and of a Span or Token as a
small Doc; the similarity is the cosine of two vectors.
"""

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
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

KEY = "similarity"  # of the spans of a pair in Doc.spans; their group's attrs hold the score, 0..1
STEM = 5  # characters that words with other endings share
N_FEATURES = 6
ZIPF = 0.1  # about the share of the first word of the table in texts
SIF = 1e-3  # "a" of smooth inverse frequency (Arora et al. 2017)
MIX_RATE = 0.1  # of the full matrix: with few pairs it should move less than the rest
MAX_LOG_WEIGHT = 8
Array: TypeAlias = Any  # of numpy or cupy
InT: TypeAlias = list[Doc]

# Model


@registry.architectures("quicksilver.WeightedVectors.v1")
def weighted_vectors(hash_width: int) -> Model[InT, Array]:
    """Docs to vectors: the weighted mean of their words, (n_docs, vectors' width + hash_width).

    A word is its static vector less the mean, moved by a learned projection that starts at identity
    and decays towards it. Next to it are fixed random directions, `hash_width` wide, of the word
    and its first letters (random indexing, Kanerva et al. 2000): their cosine is the overlap of
    words, with or without vectors. Both parts have a weight for each word, which starts at smooth
    inverse frequency by the word's rank in the table and is learned from its rank, kind and vector.
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
        lengths = np.linalg.norm(to_numpy(vectors.data), axis=1)
        model.set_dim("nM", vectors.shape[1])
        model.attrs["key_attr"] = vectors.attr  # spaCy forgets it when it saves vectors
        model.attrs["scale"] = float(1 / (lengths.mean() or 1))


def _features_forward(
    model: Model[InT, Ragged], docs: InT, is_train: bool
) -> tuple[Ragged, Callable[[Ragged], InT]]:
    """Static vector, hashed directions and features of each token.

    The rows are (n_tokens, width + hash_width + N_FEATURES). If no Doc has a token, each gets one
    row of zeros.
    """
    lengths = [len(doc) for doc in docs]
    if any(lengths):
        rows = _token_rows(model, docs)
    else:
        width = model.get_dim("nM") + model.attrs["hash_width"] + N_FEATURES
        rows, lengths = np.zeros((len(docs), width), "f4"), [1] * len(docs)
    return Ragged(model.ops.xp.asarray(rows), model.ops.asarray1i(lengths)), lambda d: []


def _token_rows(model: Model[InT, Ragged], docs: InT) -> Array:
    """The rows of all tokens, (n_tokens, width + hash_width + N_FEATURES)."""
    vocab = docs[0].vocab
    keys = _attribute(docs, model.attrs["key_attr"])
    norms, positions = np.unique(_attribute(docs, NORM), return_inverse=True)
    static, rarity = _static_vectors(vocab, keys, model.get_dim("nM"))
    static *= model.attrs["scale"]
    words = [vocab.strings[norm] for norm in norms]
    stems = [get_string_id(word[:STEM]) for word in words]
    hash_width = model.attrs["hash_width"]
    hashed = _directions(norms, hash_width) + _directions(stems, hash_width)
    kinds = np.array([_kind(word) for word in words], "f4")
    features = _features(static, rarity, kinds[positions])
    return np.hstack([static, hashed[positions], features])


def _attribute(docs: InT, attr: int) -> Array:
    """An attribute of all tokens, (n_tokens,)."""
    return np.concatenate([doc.to_array(attr) for doc in docs]).astype("u8")


def _kind(word: str) -> tuple[bool, bool]:
    """Whether a word is punctuation, and whether it has digits."""
    return not any(map(str.isalnum, word)), any(map(str.isdigit, word))


def _features(static: Array, rarity: Array, kinds: Array) -> Array:
    """Features of tokens, (n_tokens, N_FEATURES), by static vectors, rarity and kind."""
    length = np.linalg.norm(static, axis=1)
    known = length > 0
    log_length = np.log(np.where(known, length, 1))
    columns = [known, ~known, rarity, log_length, *kinds.T]
    return np.stack(columns, axis=1).astype("f4")


def _static_vectors(vocab: Vocab, keys: Array, width: int) -> tuple[Array, Array]:
    """Vectors of words, (n, width), and the log of smooth inverse frequency by rank, (n,).

    Words without a vector have zeros.

    Raises:
        ValueError: "the vectors are of width ...".
    """
    vectors = vocab.vectors
    if vectors.shape[1] != width:
        problem = f"the vectors are of width {vectors.shape[1]}, but {width} in training"
        raise ValueError(f"{problem}: load the vectors of the training")
    if vectors.mode == Mode.floret:
        return np.array(to_numpy(vectors.get_batch(keys)), "f4"), np.zeros(len(keys))
    rows = to_numpy(vectors.find(keys=keys))
    known = rows >= 0
    static = np.where(known[:, None], to_numpy(vectors.data)[rows], 0).astype("f4")
    return static, np.where(known, -np.log1p(ZIPF / (SIF * (np.maximum(rows, 0) + 1))), 0.0)


def _directions(ids: Iterable[int], width: int) -> Array:
    """A fixed sparse direction for each id, (n_ids, width): 1/2 or -1/2 in four places."""
    ids = np.fromiter(ids, "u8")
    directions = np.zeros((len(ids), width), "f4")
    for number in range(4 if width else 0):
        salt = np.uint64(0x9E3779B97F4A7C15 * (number + 1) % 2**64)
        mixed = (ids ^ salt) * np.uint64(0xFF51AFD7ED558CCD)
        mixed ^= mixed >> np.uint64(33)
        places = (mixed >> np.uint64(1)) % np.uint64(width)
        signs = np.where(mixed & np.uint64(1), 0.5, -0.5)
        np.add.at(directions, (np.arange(len(ids)), places), signs)
    return directions


def _weigh_init(
    model: Model[Ragged, Ragged], X: Ragged | None = None, Y: Ragged | None = None
) -> None:
    data: Array = X.dataXd if X is not None else None
    width = data.shape[1] - model.attrs["hash_width"] - N_FEATURES
    model.set_dim("nM", width)
    shapes: dict[str, tuple[int, ...]] = {
        "shift": (width,),
        "mix": (width, width),
        "from_vector": (width,),
        "from_features": (N_FEATURES,),
        "hashed": (N_FEATURES,),
    }
    for name, shape in shapes.items():
        model.set_param(name, model.ops.alloc(shape, dtype="f4"))  # type: ignore[arg-type]
    weights = data[:, -N_FEATURES] * model.ops.xp.exp(data[:, 2 - N_FEATURES])
    mean = weights @ data[:, :width] / max(float(weights.sum()), 1e-8)
    model.set_param("mean", mean)  # gets no gradient


def _weigh_forward(
    model: Model[Ragged, Ragged], X: Ragged, is_train: bool
) -> tuple[Ragged, Callable[[Ragged], Ragged]]:
    """Project the static part of each token and weigh both, (n_tokens, width + hash_width)."""
    xp, width, get = model.ops.xp, model.get_dim("nM"), model.get_param
    ends = [width, width + model.attrs["hash_width"]]
    static, hashed, features = xp.split(X.dataXd, ends, axis=1)
    known = features[:, :1]
    centred = known * (static - get("mean") - get("shift"))
    moved = centred + MIX_RATE * centred @ get("mix")
    dropout = model.attrs["dropout_rate"] if is_train else 0.0
    keep = model.ops.get_dropout_mask((len(static), 1), dropout)

    def weights_of(logs: Array) -> Array:
        """Weights of tokens, (n_tokens, 1), of their logarithms, (n_tokens,)."""
        return keep * xp.exp(xp.clip(logs, -MAX_LOG_WEIGHT, MAX_LOG_WEIGHT))[:, None]

    rarity = features[:, 2]
    weights = weights_of(rarity + static @ get("from_vector") + features @ get("from_features"))
    hash_weights = weights_of(rarity + features @ get("hashed"))

    def backprop(d: Ragged) -> Ragged:
        d_static, d_hashed = xp.split(d.dataXd, [width], axis=1)
        d_log_weights = (d_static * moved).sum(axis=1) * weights[:, 0]
        d_log_hash_weights = (d_hashed * hashed).sum(axis=1) * hash_weights[:, 0]
        d_moved = d_static * weights
        d_centred = d_moved + MIX_RATE * d_moved @ get("mix").T
        model.inc_grad("from_vector", d_log_weights @ static)
        model.inc_grad("from_features", d_log_weights @ features)
        model.inc_grad("hashed", d_log_hash_weights @ features)
        model.inc_grad("mix", MIX_RATE * centred.T @ d_moved)
        model.inc_grad("shift", -(known * d_centred).sum(axis=0))
        return d  # nothing below is learned

    return Ragged(xp.hstack([weights * moved, hash_weights * hashed]), X.lengths), backprop


# Hooks


class TextHooks:
    """The functions behind the hooks of a Doc.

    They pickle with the model and without a vocab, so that a pickled Doc stays small.
    """

    def __init__(self, model: Model[InT, Array]):
        self.model = model

    def install(self, doc: Doc, vector: Array | None = None) -> None:
        """Set the hooks of a Doc, and its vector, (width,), if that is known."""
        doc.vector = vector  # type: ignore[assignment]  # spaCy's own place for it
        hooks: dict[str, Any] = {
            "similarity": self.similarity,
            "vector": self.vector,
            "vector_norm": self.vector_norm,
        }
        doc.user_hooks.update(hooks)
        doc.user_token_hooks.update(hooks)
        # With a hook for vector_norm spaCy 3.8 returns a Span's vector as its norm; without one,
        # the norm of the hook's vector.
        doc.user_span_hooks.update({"similarity": self.similarity, "vector": self.vector})

    def vector(self, text: Any) -> Any:
        """The vector of a Doc, Span, Token or Lexeme, (width,); zeros if no word has a vector."""
        if not isinstance(text, Doc):
            return self.model.predict([_as_doc(text)])[0]
        if text.user_hooks.get("vector") != self.vector:  # it has no hooks, or others
            return self.model.predict([text])[0]
        if text._vector is None:  # type: ignore[attr-defined]
            text.vector = self.model.predict([text])[0]
        return text._vector  # type: ignore[attr-defined]

    def vector_norm(self, text: Any) -> float:
        """The length of the vector."""
        return float((self.vector(text) ** 2).sum() ** 0.5)

    def similarity(self, one: Any, other: Any) -> float:
        """The cosine of the two vectors, -1 to 1; 0 if one of them is zeros."""
        return float(cosines(self.vector(one)[None], self.vector(other)[None])[0])


def _as_doc(part: Any) -> Doc:
    """A Span, a Token or a Lexeme as a Doc. (Span.as_doc would ask the hook for the vector.)"""
    if isinstance(part, Token):
        part = part.doc[part.i : part.i + 1]
    if isinstance(part, Lexeme):
        return Doc(part.vocab, words=[part.text])  # type: ignore[attr-defined]
    words = [token.text for token in part]
    doc = Doc(part.vocab, words=words, spaces=[bool(token.whitespace_) for token in part])
    return doc.from_array([NORM], part.to_array([NORM])) if len(doc) else doc


def cosines(a: Array, b: Array) -> Array:
    """Cosines of rows, (n, width) both, to (n,); 0 if a row is zeros."""
    squares = (a * a).sum(axis=1) * (b * b).sum(axis=1)
    return ((a * b).sum(axis=1) / (squares + (squares == 0)) ** 0.5).clip(-1, 1)


# Component


def pair_of(doc: Doc) -> tuple[Span, Span, float]:
    """The two texts of a training example, and their score.

    Raises:
        ValueError: "a pair needs two spans ...".
    """
    group = doc.spans.get(KEY, ())
    if len(group) != 2 or not isinstance(group.attrs.get("score"), (int, float)):
        problem = f'a pair needs two spans in doc.spans["{KEY}"] and a "score" in its attrs'
        raise ValueError(f"{problem}: make the corpus by similarity-corpus")
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
        """Give a Doc its hooks again: one from a DocBin or from bytes, which keep no hooks.

        Its vector is computed when it is asked for.
        """
        self.hooks.install(doc)
        return doc

    def initialize(
        self, get_examples: Callable[[], Iterable[Example]], *, nlp: Language | None = None
    ) -> None:
        """Initialize the model with the texts of the examples and the vectors of the vocab.

        Raises:
            ValueError: "there are no vectors ...".
        """
        if not self.vocab.vectors.size:
            raise ValueError(
                "there are no vectors to train on: name some by [initialize.vectors] "
                "(vars.similarity.vectors)"
            )
        texts = []
        for example in get_examples():
            texts += [_as_doc(span) for span in pair_of(example.reference)[:2]]
        self.model.initialize(X=texts)

    def update(
        self, examples: Iterable[Example], *, drop: float = 0.0, sgd: Any = None, losses: Any = None
    ) -> dict[str, float]:
        """Learn from pairs: the two spans and the score in the references of the examples."""
        losses = {} if losses is None else losses
        pairs = [pair_of(example.reference) for example in examples]
        texts = [_as_doc(pair[0]) for pair in pairs] + [_as_doc(pair[1]) for pair in pairs]
        set_dropout_rate(self.model, drop)
        vectors, backprop = self.model.begin_update(texts)
        loss, d_vectors = self.get_loss(examples, vectors)
        backprop(d_vectors)
        if sgd is not None:
            self.finish_update(sgd)
        losses[self.name] = losses.get(self.name, 0.0) + loss
        return losses

    def get_loss(self, examples: Iterable[Example], vectors: Array) -> tuple[float, Array]:
        """The mean squared error of the cosines, plus `rank_loss` times 1 - Pearson's r.

        Args:
            examples: a batch, within which r is taken.
            vectors: of the first texts and then of the second ones, (2 * n_pairs, width).

        Returns:
            The loss, and the gradient of the vectors.
        """
        scores: Array = self.model.ops.asarray1f(
            [pair_of(example.reference)[2] for example in examples]
        )
        a, b = vectors[: len(scores)], vectors[len(scores) :]
        cosine = cosines(a, b)
        loss, d_cosine = float(((cosine - scores) ** 2).mean()), 2 * (cosine - scores) / len(scores)
        rank_loss, d_rank = _correlation_loss(cosine, scores)
        d_vectors = _cosine_gradient(a, b, cosine, d_cosine + self.rank_loss * d_rank)
        return loss + self.rank_loss * rank_loss, self.model.ops.xp.vstack(d_vectors)


def _correlation_loss(cosine: Array, scores: Array) -> tuple[float, Array]:
    """1 - Pearson's r of two arrays, (n,), and the gradient of the first.

    Zeros if one of them is constant.
    """
    x, y = cosine - cosine.mean(), scores - scores.mean()
    x_norm, y_norm = float((x**2).sum() ** 0.5), float((y**2).sum() ** 0.5)
    if not (x_norm > 0 and y_norm > 0):
        return 0.0, 0 * cosine
    r = float((x * y).sum()) / (x_norm * y_norm)
    return 1 - r, r * x / x_norm**2 - y / (x_norm * y_norm)


def _cosine_gradient(a: Array, b: Array, cosine: Array, d_cosine: Array) -> tuple[Array, Array]:
    """The gradients of the rows of a and b, (n, width) each, by those of their cosines, (n,)."""
    cosine, d_cosine = cosine[:, None], d_cosine[:, None]
    length_a = ((a**2).sum(axis=1, keepdims=True) ** 0.5).clip(1e-8, None)
    length_b = ((b**2).sum(axis=1, keepdims=True) ** 0.5).clip(1e-8, None)
    d_a = d_cosine * (b / length_b - cosine * a / length_a) / length_a
    d_b = d_cosine * (a / length_a - cosine * b / length_b) / length_b
    return d_a, d_b


class PipeWithHooks:
    """`nlp.pipe` that gives Docs which came from other processes their hooks again.

    With n_process, spaCy sends Docs as bytes, which keep no hooks, and no component sees the Docs
    after that.
    """

    def __init__(self, nlp: Language):
        self.nlp = nlp

    def __call__(
        self, texts: Any, *, as_tuples: bool = False, n_process: int = 1, **kwargs: Any
    ) -> Iterator[Any]:
        """As Language.pipe."""
        pipe: Any = type(self.nlp).pipe
        docs = pipe(self.nlp, texts, as_tuples=as_tuples, n_process=n_process, **kwargs)
        # spaCy makes tuples by calling nlp.pipe again, without as_tuples
        if as_tuples or n_process == 1:
            return docs
        return self._restored(docs, kwargs.get("disable", ()))

    def _restored(self, docs: Iterator[Doc], disabled: Sequence[str]) -> Iterator[Doc]:
        enabled = [pipe for name, pipe in self.nlp.pipeline if name not in disabled]
        pipes = [pipe for pipe in enabled if isinstance(pipe, TextSimilarity)]
        # the processes start with the first Doc; each would warn that hooks are not sent back
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"\[W109\]")
            first = list(itertools.islice(docs, 1))
        for doc in itertools.chain(first, docs):
            for pipe in pipes:
                pipe.restore(doc)
            yield doc


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
    """The component. `nlp.pipe` will give Docs from other processes their hooks again.

    Args:
        nlp: the pipeline.
        name: of the component.
        model: from a list of Docs to one vector each.
        scorer: of pairs.
        rank_loss: weight of the correlation in the loss, next to the squared error.
    """
    nlp.pipe = PipeWithHooks(nlp)  # type: ignore[method-assign, assignment]
    return TextSimilarity(nlp.vocab, model, name, scorer=scorer, rank_loss=rank_loss)


# Scorer and logger


@registry.scorers("quicksilver.similarity_scorer.v1")
def create_scorer() -> Callable[..., dict[str, float]]:
    """Spearman and Pearson of span.similarity(span) with the scores, for the pairs of examples."""

    def score(examples: Iterable[Example], **kwargs: Any) -> dict[str, float]:
        similarities = [_predicted_similarity(example) for example in examples]
        scores = [pair_of(example.reference)[2] for example in examples]
        x, y = np.array(similarities, "f8"), np.array(scores, "f8")
        spearman, pearson = _correlation(_ranks(x), _ranks(y)), _correlation(x, y)
        return {"similarity_spearman": spearman, "similarity_pearson": pearson}

    return score


def _predicted_similarity(example: Example) -> float:
    """The similarity of the two texts of a pair in the predicted Doc."""
    a, b = (
        example.predicted.char_span(span.start_char, span.end_char, alignment_mode="expand")
        for span in pair_of(example.reference)[:2]
    )
    return a.similarity(b)  # type: ignore[union-attr, arg-type]


def _correlation(x: Array, y: Array) -> float:
    """Pearson's r of two arrays, (n,); 0 if one is constant."""
    with np.errstate(invalid="ignore"):
        return float(np.nan_to_num(np.corrcoef(x, y)[0, 1]))


def _ranks(values: Array) -> Array:
    """Ranks of values, (n,); equal values share the mean of theirs."""
    _, positions, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[positions]


@registry.loggers("quicksilver.SimilarityLogger.v1")
def create_logger(output_file: str) -> Any:
    """Log to the console and to a JSONL file, which is started anew.

    (`spacy train --code` takes one file, so this logger is not the one in training.py.)
    """
    Path(output_file).unlink(missing_ok=True)
    return console_logger_v3(progress_bar="eval", output_file=output_file)
