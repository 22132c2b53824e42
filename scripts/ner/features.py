"""What a teacher looks at: the words around a token, hashed, or the vectors of a frozen encoder."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from spacy.attrs import IS_PUNCT, IS_STOP, IS_TITLE, LIKE_NUM, LOWER, PREFIX, SHAPE, SUFFIX
from spacy.tokens import Doc

from scripts.files import need, progress_bar

HASH_BITS = 18
N_HASHED = 2**HASH_BITS
WINDOW = range(-3, 4)  # the tokens around a token, by their offset
CACHE_SIZE = 200_000  # tokens whose vectors an encoder keeps in memory
MAX_WINDOW = 200  # word pieces that an encoder reads at once
BATCH_SIZE = 16  # windows
KIND = -1  # not an attribute of spaCy: title case, punctuation, stop word and number in one


class Template(NamedTuple):
    """One kind of features.

    Args:
        attr: what is looked at.
        offsets: of the tokens that are looked at.
        weight: value of the features.
        ordered: whether the same word at another offset is another feature.
    """

    attr: int
    offsets: Sequence[int]
    weight: float
    ordered: bool = True


TEMPLATES = (
    Template(SHAPE, WINDOW, 1.0),
    Template(LOWER, WINDOW, 1.0),
    Template(LOWER, WINDOW, 0.3, ordered=False),
    Template(SUFFIX, range(-2, 3), 0.5),
    Template(PREFIX, (0,), 0.5),
    Template(KIND, (-1, 0, 1), 1.0),
)


def word_features(docs: Sequence[Doc]) -> csr_matrix:
    """Shapes, words, suffixes and kinds of each token and its neighbours, as hashed features.

    The hashing trick (Weinberger et al. 2009) on spaCy's 64-bit keys of strings: no vocabulary has
    to be kept.

    Returns:
        (n_tokens, N_HASHED), the tokens of the Docs one after the other.
    """
    values = _attributes(docs)
    lengths = [len(doc) for doc in docs]
    doc_numbers = np.repeat(np.arange(len(docs)), lengths)
    tokens = np.arange(len(doc_numbers))
    columns, weights = [], []
    for number, template in enumerate(TEMPLATES):
        for offset in template.offsets:
            neighbours = np.clip(tokens + offset, 0, len(tokens) - 1)
            same_doc = doc_numbers[neighbours] == doc_numbers
            inside = (tokens + offset == neighbours) & same_doc
            place = offset - WINDOW[0] if template.ordered else 500
            seen = np.where(inside, values[template.attr][neighbours], 0)
            columns.append(_hash(seen, np.uint64(1000 * number + place)))
            weights.append(template.weight)
    indices = np.stack(columns, axis=1)
    data = np.tile(np.array(weights, dtype="f4"), len(tokens))
    starts = np.arange(len(tokens) + 1) * indices.shape[1]
    matrix = csr_matrix((data, indices.ravel(), starts), shape=(len(tokens), N_HASHED))
    matrix.sum_duplicates()
    return matrix


def _attributes(docs: Sequence[Doc]) -> dict[int, np.ndarray]:
    """(n_tokens,) of each attribute that the templates look at."""
    attrs: list[int | str] = [SHAPE, LOWER, SUFFIX, PREFIX, IS_TITLE, IS_PUNCT, IS_STOP, LIKE_NUM]
    values = np.concatenate([doc.to_array(attrs) for doc in docs]).astype("uint64").T
    shape, lower, suffix, prefix, title, punct, stop, number = values
    kind = 1 + title + 2 * punct + 4 * stop + 8 * number
    return {SHAPE: shape, LOWER: lower, SUFFIX: suffix, PREFIX: prefix, KIND: kind}


def _hash(values: np.ndarray, key: np.uint64) -> np.ndarray:
    """(n_tokens,) keys of strings -> (n_tokens,) columns.

    The multiplication overflows on purpose (Fibonacci hashing).
    """
    salt = np.uint64(int(key) * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (values ^ salt) * np.uint64(0xD6E8FEB86659FD93)
    mixed ^= mixed >> np.uint64(32)
    return ((mixed * np.uint64(0xD6E8FEB86659FD93)) >> np.uint64(64 - HASH_BITS)).astype("int32")


class Window(NamedTuple):
    """The word pieces that an encoder reads at once, and the token that each belongs to."""

    pieces: list[int]
    tokens: np.ndarray


class Encoder:
    """Vectors of two middle layers of a frozen encoder, which know names better than the last one.

    Args:
        name: a hub name or a local folder.
        gpu_id: -1 for the CPU.

    Raises:
        ValueError: "no encoder called ...", or that a package must be installed.
    """

    def __init__(self, name: str, gpu_id: int = -1) -> None:
        transformers = need("transformers", "transformers")
        self.torch = need("torch", "transformers")
        transformers.logging.set_verbosity_error()
        try:
            config = transformers.AutoConfig.from_pretrained(name)
            depth = max(1, round(2 * config.num_hidden_layers / 3))
            config.num_hidden_layers = depth  # the layers above are not needed
            self.model = transformers.AutoModel.from_pretrained(name, config=config).eval()
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(
                name, use_fast=True, add_prefix_space=True
            )
        except (OSError, ValueError) as error:
            reason = str(error).split("\n")[0]
            raise ValueError(
                f"no encoder called {name!r}: give the teacher a hub name or a folder as encoder "
                f"({reason})"
            ) from None
        self.layers = (max(1, depth // 2), depth)
        unknown = self.tokenizer.unk_token_id
        self.n_before = self.tokenizer.build_inputs_with_special_tokens([unknown]).index(unknown)
        self.device = f"cuda:{gpu_id}" if gpu_id >= 0 else "cpu"
        self.model.to(self.device)
        self.window = min(MAX_WINDOW, config.max_position_embeddings - 8)
        # By text: a teacher asks for the same texts when it learns and when it judges.
        self._cache: dict[str, np.ndarray] = {}

    def __call__(self, docs: Sequence[Doc]) -> np.ndarray:
        """(n_tokens, 2 * width), the tokens of the Docs one after the other; 0 for white space."""
        new = [doc for doc in docs if doc.text not in self._cache]
        vectors = dict(zip((doc.text for doc in new), self._encode_docs(new))) if new else {}
        if sum(map(len, self._cache.values())) < CACHE_SIZE:
            self._cache |= vectors
        known = self._cache | vectors
        return np.concatenate([known[doc.text] for doc in docs]).astype("f4")

    def _encode_docs(self, docs: Sequence[Doc]) -> list[np.ndarray]:
        """(n_tokens, 2 * width) for each Doc. A token in several windows gets the mean of them."""
        ends = np.cumsum([len(doc) for doc in docs])
        windows: list[Window] = []
        for doc, end in zip(docs, ends):
            windows += self._windows(doc, end - len(doc))
        windows.sort(key=lambda window: len(window.pieces))
        width = len(self.layers) * self.model.config.hidden_size
        sums = np.zeros((ends[-1], width), dtype="f4")
        times = np.zeros((ends[-1], 1), dtype="f4")
        with progress_bar("encode", len(sums), " tokens") as bar:
            for start in range(0, len(windows), BATCH_SIZE):
                batch = windows[start : start + BATCH_SIZE]
                for window, vectors in zip(batch, self._encode_windows(batch)):
                    np.add.at(sums, window.tokens, vectors)
                    np.add.at(times, window.tokens, 1)
                    bar.update(len(np.unique(window.tokens)))
        return np.split((sums / np.maximum(times, 1)).astype("f2"), ends[:-1])

    def _windows(self, doc: Doc, first: int) -> Iterator[Window]:
        """The word pieces of a Doc, in windows that overlap by a quarter.

        Args:
            doc: the text.
            first: the number of its first token among those of all Docs.
        """
        pieces = self.tokenizer(
            [token.text for token in doc],
            is_split_into_words=True,
            add_special_tokens=False,
            verbose=False,
        )
        ids = pieces["input_ids"]
        tokens = np.array(pieces.word_ids(), dtype="int64") + first
        overlap = self.window // 4
        for start in range(0, max(1, len(ids) - overlap), self.window - overlap):
            end = start + self.window
            yield Window(ids[start:end], tokens[start:end])

    def _encode_windows(self, windows: Sequence[Window]) -> list[np.ndarray]:
        """(n_pieces, 2 * width) for each window."""
        rows = [self.tokenizer.build_inputs_with_special_tokens(item.pieces) for item in windows]
        batch = self.tokenizer.pad({"input_ids": rows}, return_tensors="pt").to(self.device)
        with self.torch.no_grad():
            states = self.model(**batch, output_hidden_states=True).hidden_states
        layers = [states[layer] for layer in self.layers]
        vectors: Any = self.torch.cat(layers, dim=-1).cpu().numpy()
        first = self.n_before
        return [
            vectors[row, first : first + len(window.pieces)] for row, window in enumerate(windows)
        ]
