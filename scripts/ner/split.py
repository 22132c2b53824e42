"""Train, dev and test from silver shards and hand-labelled files: seeded, by text, no text in two of them."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import srsly
from spacy.language import Language
from spacy.tokens import Doc

from scripts.entities.ambiguous import mark_doubtful
from scripts.files import new_folder, write_json, write_jsonl
from scripts.options import MaskUnmatched
from scripts.pipelines import load_nlp
from scripts.reading import Skipped, read_docs, read_gold, text_key, write_docs
from scripts.shards import finished_shards
from scripts.splits import draw_split

TrainOn = Literal["silver", "labelled", "both"]
MOST_DRAWN = 2_000  # texts for dev and for test where they are drawn: more make scores no steadier, only slower


def split_corpus(
    silver: Path,
    output: Path,
    *,
    labelled: Path,
    dev: Path,
    test: Path,
    train_on: TrainOn = "silver",
    doubt: MaskUnmatched = "names",
    base: str = "en",
    share: float = 0.1,
    seed: int = 0,
) -> dict[str, Any]:
    """Write train/*.spacy, dev.spacy and test.spacy under `output`, and return what went where.

    A text of a gold file is left out of training. Where a gold file is empty, that split is drawn from the rest; so is dev where
    its gold file has none of the labels that are trained (it belongs to other texts then).

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
        ValueError: "... holds no text with labels", "... has the labels ..., of which training has none", "no entity is left to
            train on", or a line that can't be read.
    """
    if not 0 < share < 0.5:
        raise ValueError(
            f"the share of texts for dev and test is {share}: it must lie between 0 and 0.5"
        )
    splits = _Splits(load_nlp(base), seed)
    silver_shards = finished_shards(silver) if train_on != "labelled" else []
    told = [srsly.read_json(shard.with_suffix(".json")) for shard in silver_shards]
    hand = list(splits.read_gold(labelled)) if train_on != "silver" else []
    if train_on != "silver" and not hand:
        raise ValueError(
            f"{labelled} holds no text with labels to train on: give a file by vars.ner.labelled, or train on silver"
        )
    trained = {ent.label_ for doc in hand for ent in doc.ents}.union(
        *(shard["labels"] for shard in told)
    )
    gold = {
        name: splits.claim_gold(name, file, trained)
        for name, file in (("test", test), ("dev", dev))
    }
    shares = {name: share for name in ("test", "dev") if not gold[name]}
    # beside silver texts there are few hand-labelled ones: too few of them would be left to choose by
    by_hand = {name: share for name in shares if hand and (name == "test" or not silver_shards)}
    n_hand = splits.claim_hand(hand, by_hand)
    n_texts = sum(shard["counts"]["texts"] for shard in told)
    splits.shares = {
        name: min(share, MOST_DRAWN / max(n_texts, 1)) for name in shares if name not in by_hand
    }
    counts = splits.write_train(output / "train", silver_shards, doubt)
    texts = {name: len(docs) for name, docs in splits.docs.items()}
    result = {
        "train_on": train_on,
        "seed": seed,
        "texts": texts | {"train": counts["texts"]},
        "hand_labelled_texts_in_train": n_hand,
        "entities": {
            "train": sum(counts["entities"].values()),
            **{name: sum(len(doc.ents) for doc in splits.docs[name]) for name in gold},
        },
        "labels_in_train": dict(sorted(counts["entities"].items())),
        "unknown_tokens_in_train": counts["unknown"],
        **{f"{name}_is_gold": gold[name] or name in by_hand for name in ("dev", "test")},
        "texts_kept_out_of_train": dict(sorted(splits.dropped.items())),
        "gold_rejected": splits.rejected.counts(),
    }
    _check(result)
    for name in ("dev", "test"):
        write_docs(output / f"{name}.spacy", splits.docs[name])
    write_jsonl(output / "misaligned.jsonl", splits.rejected.records)
    write_json(output / "split.json", result)
    return result


class _Splits:
    """The Docs of each split, and which text is whose. Silver training texts go straight to their files."""

    def __init__(self, nlp: Language, seed: int) -> None:
        self.nlp, self.seed = nlp, seed
        self.docs: dict[str, list[Doc]] = {"train": [], "dev": [], "test": []}
        self.taken: dict[bytes, str] = {}
        self.dropped: Counter[str] = Counter()
        self.rejected = Skipped()
        self.shares: dict[str, float] = {}

    def read_gold(self, file: Path) -> Iterator[Doc]:
        return read_gold(file, self.nlp, self.rejected)

    def unclaimed(self, docs: Iterable[Doc]) -> Iterator[Doc]:
        """The Docs whose text no split has; the others are counted under the split that has them."""
        for doc in docs:
            owner = self.taken.get(text_key(doc.text))
            if owner is None:
                yield doc
            else:
                self.dropped[f"in {owner} already"] += 1

    def claim(self, doc: Doc, split: str) -> None:
        self.docs[split].append(doc)
        self.taken[text_key(doc.text)] = split

    def claim_gold(self, name: str, file: Path, trained: set[str]) -> bool:
        """Take a gold file as dev or test. Says whether there is one: a dev file with other labels than those trained is none."""
        docs = list(self.read_gold(file))
        labels = {ent.label_ for doc in docs for ent in doc.ents}
        if docs and trained and not labels & trained:
            what = f"{file} has the labels {sorted(labels)}, of which training has none ({sorted(trained)})"
            if name == "test":
                raise ValueError(
                    f"{what}: give gold texts of the same labels by vars.ner.test, or assets/empty.jsonl for none"
                )
            print(
                f"Warning: {what}: dev is drawn from the other texts instead (vars.ner.dev)",
                file=sys.stderr,
            )
            return False
        if labels - trained:
            print(
                f"Warning: {file} has labels that training has not, so they can't be found: {sorted(labels - trained)}",
                file=sys.stderr,
            )
        for doc in self.unclaimed(docs):
            self.claim(doc, name)
        return bool(docs)

    def claim_hand(self, docs: list[Doc], shares: dict[str, float]) -> int:
        """Take hand-labelled texts to train on, and to dev and test where these are to be drawn. Returns how many train."""
        for doc in self.unclaimed(docs):
            self.claim(doc, draw_split(doc.text, self.seed, shares))
        return len(self.docs["train"])

    def write_train(self, folder: Path, shards: list[Path], doubt: MaskUnmatched) -> dict[str, Any]:
        """Hand-labelled texts to labelled.spacy, silver ones to a file for each shard; those drawn for dev or test are kept."""
        hand = self.docs["train"]
        counts: dict[str, Any] = {
            "texts": len(hand),
            "unknown": 0,
            "entities": Counter(ent.label_ for doc in hand for ent in doc.ents),
        }
        with new_folder(folder) as train:
            if hand:
                write_docs(train / "labelled.spacy", hand)
            for shard in shards:
                kept: list[Doc] = []
                for doc in self.unclaimed(read_docs(shard, self.nlp)):
                    split = draw_split(doc.text, self.seed, self.shares)
                    (kept if split == "train" else self.docs[split]).append(doc)
                counts["texts"] += len(kept)
                counts["unknown"] += (
                    sum(mark_doubtful(doc) for doc in kept) if doubt == "names" else 0
                )
                counts["entities"].update(ent.label_ for doc in kept for ent in doc.ents)
                if kept:
                    write_docs(train / shard.name, kept)
        return counts


def _check(result: dict[str, Any]) -> None:
    if not result["entities"]["train"]:
        raise ValueError(
            "no entity is left to train on: give more texts, or patterns that match them (corpus/ner/stats.json)"
        )
    for name in ("dev", "test"):
        if not result["entities"][name]:
            raise ValueError(
                f"{name} has {result['texts'][name]} texts and no entity: give more texts, a larger vars.ner.share, or a gold file"
            )
