"""Train the embeddings, with early stopping on the dev pairs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scripts.files import progress_bar
from scripts.movies.checkpoint import Checkpoint
from scripts.movies.factors import Factors, measure, ranks, sample
from scripts.movies.network import Network
from scripts.movies.options import Settings
from scripts.movies.pairs import Ints1d, Pairs

Log = list[dict[str, Any]]


def train_embeddings(
    pairs: Pairs,
    settings: Settings,
    checkpoint: Path | None = None,
    after_epoch: Callable[[dict[str, Any]], None] = lambda line: None,
) -> tuple[Network, Log]:
    """Train until the recall of the dev pairs stops rising, and go back to the best epoch.

    Args:
        pairs: train, and dev for early stopping.
        settings: of the training.
        checkpoint: file that a killed run leaves, and from which the next resumes.
        after_epoch: called with each line of the log; that of epoch 0 comes from the frequencies
            of links alone.

    Returns:
        The network, and the log: epoch, loss, recall and mrr (of dev) of each epoch.

    Raises:
        ValueError: "the loss is nan ...", "the embeddings are not numbers any more ...".
    """
    network = Network(pairs.train, settings)
    saved = Checkpoint(checkpoint, pairs, settings)
    rows = sample(pairs.dev, settings.seed)
    best = network.weights()
    if (resumed := saved.read()) is not None:
        state, best, log = resumed
        network.restore(state)
        print(f"{checkpoint}: resumes after epoch {log[-1]['epoch']}")
    else:
        log = [_log_line(0, None, network.factors(), pairs, rows)]
        after_epoch(log[0])
    while not _is_finished(log, settings):
        epoch = log[-1]["epoch"] + 1
        loss = _train_epoch(network, epoch)
        log.append(_log_line(epoch, loss, network.factors(), pairs, rows))
        if best_of(log) is log[-1]:
            best = network.weights()
        saved.write(network.state(), best, log)
        after_epoch(log[-1])
    network.restore(best)
    return network, log


def print_epoch(line: dict[str, Any]) -> None:
    """Print a line of the log."""
    loss = f", loss {line['loss']:.3f}" if line["epoch"] else ""
    print(f"epoch {line['epoch']}{loss}: recall@10 of dev {100 * line['recall']:.1f}%", flush=True)


def best_of(log: Log) -> dict[str, Any]:
    """The line of the first epoch with the highest recall."""
    return max(log, key=lambda line: line["recall"])


def _is_finished(log: Log, settings: Settings) -> bool:
    epoch = log[-1]["epoch"]
    without_gain = epoch - best_of(log)["epoch"]
    return bool(epoch >= settings.max_epochs or without_gain >= settings.patience)


def _train_epoch(network: Network, epoch: int) -> float:
    """Train one epoch, and return its loss."""
    with progress_bar(f"epoch {epoch}", network.pairs.nnz, "pair") as bar:
        loss = network.epoch(epoch - 1, bar)
    if not np.isfinite(loss):
        raise ValueError(f"the loss is {loss} in epoch {epoch}: lower vars.movies.learn_rate")
    return loss


def _log_line(
    epoch: int, loss: float | None, factors: Factors, pairs: Pairs, rows: Ints1d
) -> dict[str, Any]:
    """A line of the log, with scores of some items, (n_rows,), on dev."""
    for table in (factors.items, factors.links, factors.bias):
        if not np.isfinite(table).all():
            reason = f"the embeddings are not numbers any more after epoch {epoch}"
            remedy = "lower vars.movies.learn_rate or vars.movies.weight_decay"
            raise ValueError(f"{reason}: {remedy}")
    dev = measure(*ranks(factors, pairs.train, pairs.dev, rows), n_resamples=0)
    return {"epoch": epoch, "loss": loss, "recall": dev["recall"], "mrr": dev["mrr"]}
