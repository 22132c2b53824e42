"""What a teacher knows of each token: the words around it, hashed, or what a frozen pretrained encoder makes of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from spacy.attrs import IS_PUNCT, IS_STOP, IS_TITLE, LIKE_NUM, LOWER, PREFIX, SHAPE, SUFFIX
from spacy.tokens import Doc

from scripts.files import need, progress_bar

N_HASHED = 2**18
REACH = 3  # tokens on each side
REMEMBERED = 200_000  # tokens whose features an encoder keeps in memory
_KIND = -1  # not an attribute of spaCy: title case, punctuation, stop word and number at once
_ATTRS: list[int | str] = [SHAPE, LOWER, SUFFIX, PREFIX, IS_TITLE, IS_PUNCT, IS_STOP, LIKE_NUM]
# (attribute, offsets, weight, whether the offset counts)
_TEMPLATES = (
    (SHAPE, range(-REACH, REACH + 1), 1.0, True),
    (LOWER, range(-REACH, REACH + 1), 1.0, True),
    (LOWER, range(-REACH, REACH + 1), 0.3, False),
    (SUFFIX, range(-2, 3), 0.5, True),
    (PREFIX, (0,), 0.5, True),
    (_KIND, (-1, 0, 1), 1.0, True),
)


def word_features(docs: Sequence[Doc]) -> csr_matrix:
    """Shapes, words, suffixes and kinds of each token and its neighbours, as hashed features.

    The hashing trick (Weinberger et al. 2009) on spaCy's own 64-bit keys of strings: no table of words to keep.

    Returns:
        (n_tokens, N_HASHED), the tokens of the Docs one after the other.
    """
    values = np.concatenate([doc.to_array(_ATTRS) for doc in docs]).astype("uint64")
    columns = {attr: values[:, number] for number, attr in enumerate(_ATTRS[:4])}
    columns[_KIND] = 1 + values[:, 4] + 2 * values[:, 5] + 4 * values[:, 6] + 8 * values[:, 7]
    owner = np.repeat(np.arange(len(docs)), [len(doc) for doc in docs])
    places = np.arange(len(owner))
    found, weights = [], []
    for number, (attr, offsets, weight, placed) in enumerate(_TEMPLATES):
        for offset in offsets:
            there = np.clip(places + offset, 0, len(owner) - 1)
            inside = (places + offset == there) & (owner[there] == owner)
            key = np.uint64(1000 * number + (offset + REACH if placed else 500))
            found.append(_hash(np.where(inside, columns[attr][there], 0), key))
            weights.append(weight)
    indices = np.stack(found, axis=1)
    data = np.tile(np.array(weights, dtype="f4"), len(owner))
    matrix = csr_matrix(
        (data, indices.ravel(), np.arange(len(owner) + 1) * indices.shape[1]),
        shape=(len(owner), N_HASHED),
    )
    matrix.sum_duplicates()
    return matrix


def _hash(values: np.ndarray, key: np.uint64) -> np.ndarray:
    """(n_tokens,) keys of strings -> (n_tokens,) columns. The multiplication wraps around, as it should (Fibonacci hashing)."""
    salt = np.uint64(int(key) * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (values ^ salt) * np.uint64(0xD6E8FEB86659FD93)
    mixed ^= mixed >> np.uint64(32)
    return ((mixed * np.uint64(0xD6E8FEB86659FD93)) >> np.uint64(64 - 18)).astype("int32")


class Encoder:
    """Features of a frozen pretrained encoder: two of its middle layers, which know names better than the last one.

    Args:
        name: a hub name or a local folder.
        gpu_id: -1 for the CPU.

    Raises:
        ValueError: "no encoder called ...", or "... pip install -r requirements-transformers.txt ...".
    """

    def __init__(self, name: str, gpu_id: int = -1) -> None:
        transformers = need("transformers", "transformers")
        self.torch = need("torch", "transformers")
        transformers.logging.set_verbosity_error()
        try:
            config = transformers.AutoConfig.from_pretrained(name)
            depth = max(1, round(2 * config.num_hidden_layers / 3))
            self.layers = (max(1, depth // 2), depth)
            config.num_hidden_layers = depth  # nothing is asked of the layers above
            self.model = transformers.AutoModel.from_pretrained(name, config=config).eval()
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(
                name, use_fast=True, add_prefix_space=True
            )
        except (OSError, ValueError) as error:
            reason = str(error).split("\n")[0]
            raise ValueError(
                f"no encoder called {name!r}: give a hub name or a folder by vars.ner.encoder ({reason})"
            ) from None
        unknown = self.tokenizer.unk_token_id
        self.n_before = self.tokenizer.build_inputs_with_special_tokens([unknown]).index(unknown)
        self.device = f"cuda:{gpu_id}" if gpu_id >= 0 else "cpu"
        self.model.to(self.device)
        self._known: dict[
            str, np.ndarray
        ] = {}  # by text: a teacher asks for the same texts when it learns and when it judges
        self.window = min(200, config.max_position_embeddings - 8)

    def __call__(self, docs: Sequence[Doc]) -> np.ndarray:
        """(n_tokens, 2 * width) features, the tokens of the Docs one after the other; zeros for white space."""
        new = [doc for doc in docs if doc.text not in self._known]
        made = dict(zip((doc.text for doc in new), self._features(new))) if new else {}
        if sum(map(len, self._known.values())) < REMEMBERED:
            self._known |= made
        return np.concatenate(
            [made[doc.text] if doc.text in made else self._known[doc.text] for doc in docs]
        ).astype("f4")

    def _features(self, docs: Sequence[Doc]) -> list[np.ndarray]:
        """(n_tokens, 2 * width) for each Doc. A long text is read in windows that overlap by a quarter; a token in two gets their mean."""
        ends = np.cumsum([len(doc) for doc in docs])
        jobs: list[tuple[list[int], np.ndarray]] = []
        for doc, end in zip(docs, ends):
            pieces = self.tokenizer(
                [token.text for token in doc],
                is_split_into_words=True,
                add_special_tokens=False,
                verbose=False,
            )
            ids, rows = (
                pieces["input_ids"],
                np.array(pieces.word_ids(), dtype="int64") + end - len(doc),
            )
            for start in range(
                0, max(1, len(ids) - self.window // 4), self.window - self.window // 4
            ):
                jobs.append((ids[start : start + self.window], rows[start : start + self.window]))
        features = np.zeros(
            (ends[-1], len(self.layers) * self.model.config.hidden_size), dtype="f4"
        )
        times = np.zeros((ends[-1], 1), dtype="f4")
        jobs.sort(key=lambda job: len(job[0]))
        with progress_bar("encode", len(features), " tokens") as bar:
            for start in range(0, len(jobs), 16):
                lot = jobs[start : start + 16]
                for (_, rows), vectors in zip(lot, self._encode([ids for ids, _ in lot])):
                    np.add.at(features, rows, vectors)
                    np.add.at(times, rows, 1)
                    bar.update(len(np.unique(rows)))
        return np.split((features / np.maximum(times, 1)).astype("f2"), ends[:-1])

    def _encode(self, lot: list[list[int]]) -> Any:
        """Piece ids of some windows -> (n_pieces, 2 * width) for each."""
        rows = [self.tokenizer.build_inputs_with_special_tokens(ids) for ids in lot]
        first = self.n_before
        batch = self.tokenizer.pad({"input_ids": rows}, return_tensors="pt").to(self.device)
        with self.torch.no_grad():
            states = self.model(**batch, output_hidden_states=True).hidden_states
        both = self.torch.cat([states[layer] for layer in self.layers], dim=-1).cpu().numpy()
        return [both[row, first : first + len(ids)] for row, ids in enumerate(lot)]
