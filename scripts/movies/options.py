"""Settings and their defaults. This module imports nothing heavy, because `--help` needs it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Settings of a training, apart from its pairs.

    Args:
        width: numbers in an embedding.
        batch_size: items in a batch; 0 for a twentieth of all items, but 128 to 512: each step
            changes all embeddings, even if the batch is small.
        learn_rate: of AdamW.
        weight_decay: of the embeddings.
        max_candidates: links that a batch is scored with. If there are more, it is scored with the
            links of its own items, which stand for all.
        max_epochs: when to stop at the latest.
        patience: epochs without a better recall before training stops.
        seed: for initial embeddings and the order of items.
    """

    width: int = 256
    batch_size: int = 0
    learn_rate: float = 0.01
    weight_decay: float = 0.1
    max_candidates: int = 8_192
    max_epochs: int = 100
    patience: int = 6
    seed: int = 0
