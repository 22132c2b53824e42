"""Classify texts by a PyTorch network inside spaCy's own textcat. Self-contained, for --code.

Thinc's PyTorchShim runs the network; what is stored are its weights as arrays, without pickle.
"""

import importlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import ArgsKwargs, Model, Optimizer, PyTorchShim
from thinc.backends import get_array_ops
from thinc.types import Floats2d
from thinc.util import get_torch_default_device, torch2xp, xp2torch

InT: TypeAlias = list[Doc]
OutT: TypeAlias = Floats2d
Network = Literal["bilstm", "cnn"]
Embeddings = Literal["learned", "frozen", "tuned"]
CHUNK = 128  # texts of similar length that are predicted together
OWN_VOCAB = "give paths.vectors to train it, load it with its own vocab"
SPREAD = 0.1  # of embeddings at the start
PROCESS = os.getpid()


@registry.architectures("quicksilver.TorchTextCat.v1")
def create_torch_textcat(
    exclusive_classes: bool,
    network: Network,
    embeddings: Embeddings,
    rows: int,
    width: int,
    hidden: int,
    windows: list[int],
    max_length: int,
    dropout: float,
    nO: int | None = None,
) -> Model[InT, OutT]:
    """A network of PyTorch's layers that gives each text a score for each label, (n_docs, n_labels).

    The gradient that it takes is that of the logits, as Thinc's Softmax takes it: what textcat gives, scores - truths, is then the
    gradient of the cross-entropy, for softmax and sigmoid alike.

    Args:
        exclusive_classes: softmax, for textcat; else a sigmoid for each label, for textcat_multilabel.
        network: "bilstm" (averaged over the tokens) or "cnn" (filters over windows of tokens, the highest of each; Kim 2014).
        embeddings: "learned" from nothing; the pipeline's static vectors as they are ("frozen"; they stay in the vocab and
            are not stored again), or as a start ("tuned").
        rows: of learned embeddings. Each word has two of them by its hash, which are added, so no vocabulary is kept and two words
            rarely share both (Bloom embeddings, Serra and Karatzoglou 2017).
        width: of learned embeddings.
        hidden: units of the LSTM in each direction, or filters of each window.
        windows: sizes in tokens, for the cnn.
        max_length: tokens of a text that are read.
        dropout: share of the embeddings, and of what goes into the last layer, left out while training; not [training] dropout.
        nO: number of labels; the data tell it.

    Raises:
        ValueError: "PyTorch is not installed ...", "... no static vectors ...", "... vectors of width ...", once it runs.
    """
    settings: dict[str, Any] = {
        "network": network,
        "embeddings": embeddings,
        "rows": rows,
        "width": width,
    }
    settings |= {"hidden": hidden, "windows": windows, "dropout": dropout}
    return Model(
        "torch_textcat",
        partial(
            forward,
            exclusive=exclusive_classes,
            embeddings=embeddings,
            rows=rows,
            max_length=max_length,
        ),
        init=partial(init, settings=settings),
        dims={"nO": nO},
        shims=[_shim_of(settings, b"")],
    )


def init(
    model: Model[InT, OutT],
    X: InT | None = None,
    Y: OutT | None = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Build the network, once the number of labels and the vectors are known."""
    if Y is not None and model.has_dim("nO") is None:
        model.set_dim("nO", Y.shape[1])
    table = (
        None if settings["embeddings"] == "learned" else table_of(X or [], settings["embeddings"])
    )
    shim: Any = model.shims[0]
    shim._model = build_network(settings, model.get_dim("nO"), table).to(
        shim.device
    )  # spaCy has seeded torch by training.seed


def forward(
    model: Model[InT, OutT],
    docs: InT,
    is_train: bool,
    *,
    exclusive: bool,
    embeddings: Embeddings,
    rows: int,
    max_length: int,
) -> tuple[OutT, Callable[[OutT], InT]]:
    """Scores of Docs, (n_docs, n_labels)."""
    shim: Any = model.shims[0]
    activation: Any = model.ops.softmax if exclusive else model.ops.sigmoid

    def tensors(part: InT) -> ArgsKwargs:
        arrays = to_arrays(part, embeddings, rows, max_length)
        shim.check(arrays[0], part)
        return ArgsKwargs(
            tuple(pytorch().from_numpy(array).to(shim.device) for array in arrays), {}
        )

    if not is_train:
        logits: Any = model.ops.alloc2f(len(docs), model.get_dim("nO"))
        order = sorted(range(len(docs)), key=lambda i: len(docs[i]))
        for start in range(0, len(docs), CHUNK):
            part = order[start : start + CHUNK]
            logits[part] = torch2xp(shim.predict(tensors([docs[i] for i in part])))
        return activation(logits), lambda gradient: []
    found, backprop = shim.begin_update(tensors(docs))

    def update(gradient: OutT) -> InT:
        backprop(ArgsKwargs(((found,),), {"grad_tensors": xp2torch(gradient, device=shim.device)}))
        return []

    return activation(torch2xp(found)), update


# From Docs to tensors


def to_arrays(docs: InT, embeddings: Embeddings, rows: int, max_length: int) -> list[NDArray[Any]]:
    """What the network reads.

    Returns:
        words (n_docs, length, 2), the two rows of each, or (n_docs, length, 1) of the table, or their vectors (n_docs, length,
        width); and the lengths (n_docs,). What is padded is 0.
    """
    attr = "NORM" if embeddings == "learned" or not docs else docs[0].vocab.vectors.attr
    keys = [doc.to_array(attr)[:max_length] for doc in docs]
    lengths = np.asarray([len(part) for part in keys], dtype="i8")
    mask = np.arange(max(lengths.max(initial=0), 1)) < lengths[:, None]
    values = _rows_of(
        np.concatenate(keys) if keys else np.zeros(0, dtype="u8"), docs, embeddings, rows
    )
    words = np.zeros((*mask.shape, values.shape[1]), dtype=values.dtype)
    words[mask] = values
    return [words, lengths]


def _rows_of(keys: NDArray[Any], docs: InT, embeddings: Embeddings, rows: int) -> NDArray[Any]:
    if embeddings == "learned":  # the two halves of a 64-bit hash are two hashes
        halves = np.stack([keys & np.uint64(0xFFFFFFFF), keys >> np.uint64(32)], axis=1)
        return (halves % np.uint64(rows - 1) + np.uint64(1)).astype("i8")
    table = table_of(docs, embeddings)
    unique, inverse = np.unique(keys, return_inverse=True)
    found = docs[0].vocab.vectors.find(keys=unique)[inverse]
    if embeddings == "tuned":
        return (found + 1).astype("i8")[:, None]
    words = table[found]
    words[found < 0] = 0
    return words


def table_of(docs: InT, embeddings: Embeddings) -> NDArray[np.float32]:
    """The static vectors of the pipeline, (n_words, width).

    Raises:
        ValueError: "... no static vectors ...", "... floret vectors ...".
    """
    vectors = docs[0].vocab.vectors if docs else None
    if vectors is None or not vectors.size:
        raise ValueError(
            f"embeddings is {embeddings}, but the pipeline has no static vectors: {OWN_VOCAB}"
        )
    if vectors.mode != "default":
        raise ValueError(
            f"embeddings is {embeddings}, but floret vectors have no row for each word: give a plain table of vectors"
        )
    return np.asarray(get_array_ops(vectors.data).to_numpy(vectors.data), dtype="f4")


# Network


def pytorch() -> Any:
    """PyTorch.

    Raises:
        ValueError: "PyTorch is not installed ...".
    """
    try:
        return importlib.import_module("torch")
    except ImportError:
        here = Path(__file__).parents[2] / "requirements-torch.txt"
        what = "-r requirements-torch.txt -c constraints.txt" if here.exists() else "torch"
        raise ValueError(f"PyTorch is not installed: pip install {what}") from None


def build_network(
    settings: dict[str, Any], n_labels: int, table: NDArray[np.float32] | None
) -> Any:
    """The PyTorch module.

    Args:
        settings: those of `create_torch_textcat`.
        n_labels: width of the output.
        table: static vectors (n_words, width), or None for learned embeddings.
    """
    torch = pytorch()
    nn = torch.nn

    class TextCat(nn.Module):  # type: ignore[name-defined,misc]  # here, so that PyTorch is imported by those who use it
        def __init__(self) -> None:
            super().__init__()
            self.embed: Any = None
            self.width = width = settings["width"] if table is None else table.shape[1]
            if settings["embeddings"] == "tuned" and table is not None:
                start = torch.from_numpy(
                    np.concatenate([np.zeros_like(table[:1]), table])
                )  # the first row is for words without a vector
                self.embed = nn.Embedding.from_pretrained(start, freeze=False, padding_idx=0)
            elif settings["embeddings"] == "learned":
                self.embed = nn.Embedding(settings["rows"], width, padding_idx=0)
                nn.init.uniform_(self.embed.weight, -SPREAD, SPREAD)
            sizes = settings["windows"] if settings["network"] == "cnn" else []
            # Each filter is a matrix product over its windows: PyTorch's convolution is made anew for each length of texts.
            self.filters = nn.ModuleList(
                [nn.Linear(width * size, settings["hidden"]) for size in sizes]
            )
            self.lstm = (
                None
                if sizes
                else nn.LSTM(width, settings["hidden"], batch_first=True, bidirectional=True)
            )
            self.dropout = nn.Dropout(settings["dropout"])
            self.last = nn.Linear(settings["hidden"] * (len(sizes) or 2), n_labels)

        def forward(self, words: Any, lengths: Any) -> Any:
            mask = (torch.arange(words.shape[1], device=words.device) < lengths[:, None]).unsqueeze(
                2
            )
            x = words if self.embed is None else self.embed(words).sum(dim=2)
            x = self.dropout(x) * mask
            if self.lstm is not None:
                packed = nn.utils.rnn.pack_padded_sequence(
                    x, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
                )
                x, _ = nn.utils.rnn.pad_packed_sequence(
                    self.lstm(packed)[0], batch_first=True, total_length=words.shape[1]
                )
                x = (x * mask).sum(dim=1) / lengths.clamp(min=1)[:, None]
            else:
                parts = zip(settings["windows"], self.filters)
                padded = [
                    (nn.functional.pad(x, (0, 0, (size - 1) // 2, size // 2)), size, part)
                    for size, part in parts
                ]
                found = [
                    part(around.unfold(1, size, 1).flatten(2)).relu() * mask
                    for around, size, part in padded
                ]
                x = torch.cat([part.amax(dim=1) for part in found], dim=1)
            return self.last(self.dropout(x))

    return TextCat()


# Between Thinc and PyTorch


class TorchShim(PyTorchShim):
    """Thinc's shim, with averages (Thinc 8.3 looks for them under names that its optimizer doesn't use) and without pickle."""

    def check(self, words: NDArray[Any], docs: InT) -> None:
        """Refuse what another vocab gives, and do with one thread in a forked process, where PyTorch would wait for others for ever."""
        network = self._model
        if not hasattr(network, "last"):
            raise ValueError(
                "the PyTorch model is not there yet: initialize or load the pipeline first"
            )
        known, width = self.cfg["embeddings"] == "learned" or not docs, network.width
        if not known and (given := docs[0].vocab.vectors.shape[1]) != width:
            raise ValueError(
                f"vectors of width {given}, but the PyTorch model was trained with width {width}: {OWN_VOCAB}"
            )
        if network.embed is not None and words.max(initial=0) >= (
            n_rows := network.embed.num_embeddings
        ):
            raise ValueError(
                f"more vectors than the {n_rows - 1} that the PyTorch model was trained with: {OWN_VOCAB}"
            )
        if os.getpid() != PROCESS:
            pytorch().set_num_threads(1)

    def finish_update(self, optimizer: Optimizer) -> None:
        """Let Thinc's optimizer change the weights in place: Thinc 8.3's own way keeps the old ones of each step in memory."""
        for name, weights in self._model.named_parameters():
            if weights.grad is not None:
                changed, _ = optimizer(
                    (self.id, name), torch2xp(weights.data), torch2xp(weights.grad)
                )  # type: ignore[arg-type]
                weights.data.copy_(xp2torch(changed, device=weights.device))
                weights.grad.zero_()

    @contextmanager
    def use_params(self, params: dict[Any, Any]) -> Iterator[None]:
        """The weights that an optimizer keeps, such as averages, for as long as the block lasts."""
        weights = dict(self._model.named_parameters())
        given = {name: params[(self.id, name)] for name in weights if (self.id, name) in params}
        before = {name: weights[name].data for name in given}
        for name, values in given.items():
            weights[name].data = xp2torch(values, device=self.device)
        try:
            yield
        finally:
            for name, values in before.items():
                weights[name].data = values

    def __reduce__(self) -> Any:
        return _shim_of, (self.cfg, self.to_bytes())  # for copies, too

    def to_bytes(self) -> bytes:
        """The weights by name, as np.savez stores arrays: a zip with checksums."""
        out = io.BytesIO()
        np.savez(
            out,
            allow_pickle=False,
            **{name: weights.cpu().numpy() for name, weights in self._model.state_dict().items()},
        )
        return out.getvalue()

    def from_bytes(self, bytes_data: bytes) -> "TorchShim":
        """Build the network again, with the weights that `to_bytes` made.

        Raises:
            ValueError: "the PyTorch model is damaged ...", also where it was made with other settings.
        """
        torch = pytorch()
        try:
            with np.load(io.BytesIO(bytes_data), allow_pickle=False) as arrays:
                weights = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
            if "last.weight" in weights:  # or it was stored before it was initialized
                network = build_network(
                    self.cfg, len(weights["last.bias"]), _table_like(self.cfg, weights)
                )
                network.load_state_dict(weights)
                self._model = network.to(get_torch_default_device())
        except (
            Exception
        ) as error:  # zipfile, numpy and PyTorch each raise their own on damaged bytes
            what = f"the PyTorch model is damaged, or made with other settings ({type(error).__name__})"
            raise ValueError(f"{what}: train or install the pipeline again") from None
        return self


def _shim_of(settings: dict[str, Any], data: bytes) -> TorchShim:
    shim = TorchShim(
        pytorch().nn.Identity(), settings
    )  # the network is built once the number of labels and the vectors are known
    return shim.from_bytes(data) if data else shim


def _table_like(settings: dict[str, Any], weights: dict[str, Any]) -> NDArray[np.float32] | None:
    """A table of the size of that which the network was trained with."""
    if settings["embeddings"] == "learned":
        return None
    if settings["embeddings"] == "tuned":
        rows, width = weights["embed.weight"].shape
        return np.zeros((rows - 1, width), dtype="f4")
    is_cnn = settings["network"] == "cnn"
    width = (
        weights["filters.0.weight"].shape[1] // settings["windows"][0]
        if is_cnn
        else weights["lstm.weight_ih_l0"].shape[1]
    )
    return np.zeros((1, width), dtype="f4")
