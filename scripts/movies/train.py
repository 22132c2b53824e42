"""Train the embeddings: early stopping on held-out pairs, a checkpoint that a killed run goes on from, a probability."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_curve, roc_auc_score

from scripts.files import digest, progress_bar, replacing
from scripts.movies.factors import Factors, measure, ranks, sample
from scripts.movies.network import Network, Settings
from scripts.movies.pairs import Floats1d, Pairs

NEGATIVES, MOST_NEGATIVES = (
    50,
    1_000_000,
)  # for each held-out pair, and at most, that the probability is made from
SAVE_SECONDS = 30.0  # between two checkpoints


class Checkpoint:
    """The state of a training on disk, good for the same pairs and settings only."""

    def __init__(self, path: Path | None, pairs: Pairs, settings: Settings) -> None:
        self.path = path
        parts = [
            part
            for name in ("train", "dev")
            for part in (getattr(pairs, name).indptr, getattr(pairs, name).indices)
        ]
        self.key = digest(
            json.dumps(asdict(settings)).encode()
            + b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
        )
        self.saved = time.monotonic()

    def read(self) -> tuple[list[Any], list[Any], list[dict[str, Any]]] | None:
        """(state, best state, log), or None where there is nothing to go on from."""
        if self.path is None or not self.path.exists():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as arrays:
                facts = json.loads(str(arrays["facts"]))
                n_best = facts["n_best"]
                found = [arrays[f"arr_{number}"] for number in range(facts["n_arrays"])]
        except Exception:  # damaged by other hands: zipfile, numpy and json each raise their own
            return None
        return (found[n_best:], found[:n_best], facts["log"]) if facts["key"] == self.key else None

    def write(self, state: list[Any], best: list[Any], log: list[dict[str, Any]]) -> None:
        """Save, unless that was done a moment ago."""
        if self.path is None or time.monotonic() - self.saved < SAVE_SECONDS:
            return
        told = {
            "log": log,
            "key": self.key,
            "n_best": len(best),
            "n_arrays": len(best) + len(state),
        }
        with replacing(self.path) as part, part.open("wb") as file:
            np.savez(file, *best, *state, facts=np.asarray(json.dumps(told)))
        self.saved = time.monotonic()


def train(
    pairs: Pairs,
    settings: Settings,
    checkpoint: Path | None = None,
    after: Callable[[dict[str, Any]], None] | None = None,
) -> tuple[Network, list[dict[str, Any]]]:
    """Train until the recall of the dev pairs stops to rise, and go back to the best epoch.

    Args:
        pairs: to train on, and to stop by.
        settings: of the model and its training.
        checkpoint: file that a killed run leaves, and that the next goes on from.
        after: called with the facts of each epoch; 0 is the start, where all that is known is how often each link occurs.

    Returns:
        the network, and for each epoch its number, loss, recall and mrr of dev.

    Raises:
        ValueError: "the loss is nan ...".
    """
    network, saved = Network(pairs.train, settings), Checkpoint(checkpoint, pairs, settings)
    some = sample(pairs.dev, settings.seed)

    def state_of(epoch: int, loss: float | None) -> dict[str, Any]:
        factors = network.factors()
        if not all(
            np.isfinite(part).all() for part in (factors.items, factors.links, factors.bias)
        ):
            raise ValueError(
                f"the embeddings are no numbers any more after epoch {epoch}: lower vars.movies.learn_rate or weight_decay"
            )
        dev = measure(*ranks(factors, pairs.train, pairs.dev, some), n_resamples=0)
        return {"epoch": epoch, "loss": loss, "recall": dev["recall"], "mrr": dev["mrr"]}

    best: list[Any] = network.state()[: len(network.variables)]
    if (found := saved.read()) is not None:
        state, best, log = found
        network.restore(state)
        print(f"{checkpoint}: goes on after epoch {log[-1]['epoch']}")
    else:
        log = [state_of(0, None)]  # the biases alone: popularity
        if after is not None:
            after(log[0])
    while (done := log[-1]["epoch"]) < settings.max_epochs and done - best_of(log)[
        "epoch"
    ] < settings.patience:
        with progress_bar(f"epoch {done + 1}", pairs.train.nnz, "pair") as bar:
            loss = network.epoch(done, bar)
        if not np.isfinite(loss):
            raise ValueError(
                f"the loss is {loss} in epoch {done + 1}: lower vars.movies.learn_rate"
            )
        log.append(state_of(done + 1, loss))
        if best_of(log) is log[-1]:
            best = network.state()[: len(network.variables)]
        saved.write(network.state(), best, log)
        if after is not None:
            after(log[-1])
    network.restore(best)
    return network, log


def best_of(log: list[dict[str, Any]]) -> dict[str, Any]:
    """The facts of the first epoch with the highest recall."""
    return max(log, key=lambda line: line["recall"])


def calibrate(factors: Factors, pairs: Pairs, seed: int) -> dict[str, Any]:
    """Turn scores into a probability that an item links there, though that was not in the training.

    The slope and offset of Platt (1999) are found on the dev pairs and on pairs drawn from all that are not true, each
    weighing as much as it stands for; the threshold is that with the best F on these. Figures are those of test.

    Returns:
        slope, offset, threshold (of the probability), its precision, recall and F, auc (of the score), auc_cosine and
        threshold_cosine with its f (of the cosine alone, without the bias of the link).
    """
    known = (pairs.train + pairs.dev + pairs.test).tocsr()
    dev, test = (
        _sample(known, part, seed + number) for number, part in enumerate((pairs.dev, pairs.test))
    )
    scores = [factors.scores_of(rows, columns) for rows, columns, _, _ in (dev, test)]
    linear = LogisticRegression(C=1e6).fit(scores[0][:, None], dev[2], sample_weight=dev[3])
    slope, offset = float(linear.coef_[0, 0]), float(linear.intercept_[0])
    told: dict[str, Any] = {"slope": slope, "offset": offset}
    threshold = _best_threshold(dev[2], scores[0], dev[3])
    told["threshold"] = float(1 / (1 + np.exp(-(slope * threshold + offset))))
    told |= _rates(test[2], scores[1] >= threshold, test[3])
    told["auc"] = float(roc_auc_score(test[2], scores[1], sample_weight=test[3]))
    scale = float(np.linalg.norm(factors.items[0]))
    plain = Factors(factors.items / scale, factors.links, np.zeros_like(factors.bias))
    cosines = [plain.scores_of(rows, columns) for rows, columns, _, _ in (dev, test)]
    told["auc_cosine"] = float(roc_auc_score(test[2], cosines[1], sample_weight=test[3]))
    told["threshold_cosine"] = _best_threshold(dev[2], cosines[0], dev[3])
    return {
        **told,
        "f_cosine": _rates(test[2], cosines[1] >= told["threshold_cosine"], test[3])["f"],
    }


def _sample(
    known: sparse.csr_matrix, held_out: sparse.csr_matrix, seed: int
) -> tuple[Any, Any, Any, Floats1d]:
    """(items, links, whether true, weight) of held-out pairs and of some that are not true."""
    rows, columns = held_out.nonzero()
    random, (n_items, n_links) = np.random.default_rng(seed), known.shape
    drawn = random.integers(0, n_items * n_links, min(NEGATIVES * len(rows), MOST_NEGATIVES))
    true = known.tocoo()
    drawn = drawn[~np.isin(drawn, true.row.astype("i8") * n_links + true.col)]
    labels = np.concatenate([np.ones(len(rows), bool), np.zeros(len(drawn), bool)])
    weights = np.where(labels, 1.0, (n_items * n_links - known.nnz) / max(len(drawn), 1))
    return (
        np.concatenate([rows, drawn // n_links]),
        np.concatenate([columns, drawn % n_links]),
        labels,
        weights,
    )


def _best_threshold(labels: Any, scores: Floats1d, weights: Floats1d) -> float:
    precision, recall, thresholds = precision_recall_curve(labels, scores, sample_weight=weights)
    f = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(thresholds[f[:-1].argmax()])


def _rates(labels: Any, predicted: Any, weights: Floats1d) -> dict[str, float]:
    hits = float(weights[labels & predicted].sum())
    precision, recall = (
        hits / max(float(weights[predicted].sum()), 1e-12),
        hits / float(weights[labels].sum()),
    )
    return {
        "precision": precision,
        "recall": recall,
        "f": 2 * precision * recall / max(precision + recall, 1e-12),
    }
