"""Train, dev and test from silver shards and hand-labelled files: seeded, by text, no text in two of them."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from spacy.language import Language
from spacy.tokens import Doc, DocBin

from scripts.corpus import Skipped, load_nlp, read_docs, read_gold, text_key, write_docs
from scripts.files import new_folder, write_json, write_jsonl
from scripts.ner.doubt import mark_doubtful
from scripts.shards import finished_shards

TrainOn = Literal["silver", "labelled", "both"]
Doubt = Literal["names", "none"]
MOST_DRAWN = 2_000  # texts for dev and for test where they are drawn: more make scores no steadier, only slower


def draw(text: str, seed: int, shares: dict[str, float]) -> str:
    """The split that a text falls into: a number in [0, 1) made from the text and the seed, so that order does not matter.

    Args:
        text: the text.
        seed: up to 16 digits.
        shares: of each split but "train", which gets the rest.
    """
    hashed = hashlib.blake2b(text_key(text), digest_size=8, salt=str(seed).encode()).digest()
    number = int.from_bytes(hashed, "big") / 2**64
    for split, share in shares.items():
        if number < share:
            return split
        number -= share
    return "train"


def split_corpus(
    silver: Path,
    output: Path,
    *,
    labelled: Path,
    dev: Path,
    test: Path,
    train_on: TrainOn = "silver",
    doubt: Doubt = "names",
    base: str = "en",
    share: float = 0.1,
    seed: int = 0,
) -> dict[str, Any]:
    """Write train/*.spacy, dev.spacy and test.spacy under `output`, and return what went where.

    A text of a gold file is left out of training. Where a gold file is empty, that split is drawn from the rest.

    Args:
        silver: the folder that ner-annotate filled.
        output: gets the splits, split.json and misaligned.jsonl (gold spans that don't fit the tokens).
        labelled: hand-labelled texts to train on; an empty file for none.
        dev, test: hand-labelled texts to choose and to score by; an empty file for none.
        train_on: silver labels, hand labels, or both.
        doubt: unmatched tokens of silver texts that are left unknown in training: those that look like names, or none.
        base: language code or pipeline whose tokenizer cuts the texts.
        share: of the texts, for dev and for test, where they are drawn.
        seed: for the draw.

    Raises:
        ValueError: "... holds no text with labels", "no entity is left to train on", or a line that can't be read.
    """
    if not 0 < share < 0.5:
        raise ValueError(f"the share of texts for dev and test is {share}: it must lie between 0 and 0.5")
    nlp = load_nlp(base)
    rejected = Skipped()
    dropped: Counter[str] = Counter()
    docs: dict[str, list[Doc]] = {"train": [], "dev": [], "test": []}
    taken: dict[bytes, str] = {}
    for name, file in (("test", test), ("dev", dev)):
        for doc in _unclaimed(read_gold(file, nlp, rejected), taken, dropped):
            docs[name].append(doc)
            taken[text_key(doc.text)] = name
    gold = {name: bool(docs[name]) for name in ("dev", "test")}
    silver_shards = finished_shards(silver) if train_on != "labelled" else []
    hand = read_gold(labelled, nlp, rejected) if train_on != "silver" else iter(())
    shares = {name: share for name in ("test", "dev") if not gold[name]}
    for doc in _unclaimed(hand, taken, dropped):
        split = draw(doc.text, seed, shares)
        docs[split].append(doc)
        taken[text_key(doc.text)] = split
    if train_on != "silver" and not docs["train"]:
        raise ValueError(f"{labelled} holds no text with labels to train on: give a file by vars.ner.labelled, or train on silver")
    if docs["train"]:
        shares = {}
    n_hand = len(docs["train"])
    counts = _write_train(output / "train", docs, silver_shards, taken, dropped, nlp, seed, shares, doubt)
    for name in ("dev", "test"):
        write_docs(output / f"{name}.spacy", docs[name])
    result = {
        "train_on": train_on,
        "seed": seed,
        "texts": {"train": counts["texts"], "dev": len(docs["dev"]), "test": len(docs["test"])},
        "hand_labelled_texts_in_train": n_hand,
        "entities": {"train": sum(counts["entities"].values()), **{name: sum(len(doc.ents) for doc in docs[name]) for name in gold}},
        "labels_in_train": dict(sorted(counts["entities"].items())),
        "unknown_tokens_in_train": counts["unknown"],
        "dev_is_gold": gold["dev"] or n_hand > 0,
        "test_is_gold": gold["test"] or n_hand > 0,
        "texts_kept_out_of_train": dict(sorted(dropped.items())),
        "gold_rejected": rejected.counts(),
    }
    _check(result)
    write_jsonl(output / "misaligned.jsonl", rejected.records)
    write_json(output / "split.json", result)
    return result


def _unclaimed(docs: Iterator[Doc], taken: dict[bytes, str], dropped: Counter[str]) -> Iterator[Doc]:
    """The Docs whose text no split has; the others are counted under the split that has them."""
    for doc in docs:
        owner = taken.get(text_key(doc.text))
        if owner is None:
            yield doc
        else:
            dropped[f"in {owner} already"] += 1


def _write_train(
    folder: Path,
    docs: dict[str, list[Doc]],
    shards: list[Path],
    taken: dict[bytes, str],
    dropped: Counter[str],
    nlp: Language,
    seed: int,
    shares: dict[str, float],
    doubt: Doubt,
) -> dict[str, Any]:
    """Hand-labelled texts to labelled.spacy, silver ones to a file for each shard; Docs drawn for dev or test go to `docs`."""
    counts: dict[str, Any] = {"texts": len(docs["train"]), "unknown": 0}
    counts["entities"] = Counter(ent.label_ for doc in docs["train"] for ent in doc.ents)
    with new_folder(folder) as train:
        if docs["train"]:
            write_docs(train / "labelled.spacy", docs["train"])
        n_texts = sum(len(DocBin().from_disk(shard)) for shard in shards)
        shares = {name: min(share, MOST_DRAWN / max(n_texts, 1)) for name, share in shares.items()}
        for shard in shards:
            kept: list[Doc] = []
            for doc in _unclaimed(read_docs(shard, nlp), taken, dropped):
                split = draw(doc.text, seed, shares)
                (kept if split == "train" else docs[split]).append(doc)
            counts["texts"] += len(kept)
            counts["unknown"] += sum(mark_doubtful(doc) for doc in kept) if doubt == "names" else 0
            counts["entities"].update(ent.label_ for doc in kept for ent in doc.ents)
            if kept:
                write_docs(train / shard.name, kept)
    return counts


def _check(result: dict[str, Any]) -> None:
    if not result["entities"]["train"]:
        raise ValueError("no entity is left to train on: give more texts, or patterns that match them (corpus/ner/stats.json)")
    for name in ("dev", "test"):
        if not result["entities"][name]:
            raise ValueError(
                f"{name} has {result['texts'][name]} texts and no entity: give more texts, a larger vars.ner.share, or a gold file"
            )
