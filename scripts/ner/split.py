"""Split silver and hand-labelled texts into train, dev and test: no text is in two of them."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.tokens import Doc

from scripts.entities.ambiguous import mask_ambiguous
from scripts.files import new_folder, write_json, write_jsonl
from scripts.ner.options import TrainOn
from scripts.options import MaskUnmatched
from scripts.pipelines import load_nlp
from scripts.reading import Skipped, read_annotated, read_docs, text_key, write_docs
from scripts.shards import finished_shards
from scripts.splits import draw_split

MAX_DRAWN = 2_000  # texts drawn for dev or test: more take longer and make scores no steadier


@dataclass(frozen=True)
class SilverShard:
    """A file of silver texts, and what ner-annotate counted in it."""

    path: Path
    labels: list[str]
    n_texts: int


@dataclass
class TrainCounts:
    """What was written for training."""

    texts: int = 0
    unknown_tokens: int = 0
    entities: Counter[str] = field(default_factory=Counter)  # by label

    def add(self, docs: Iterable[Doc]) -> None:
        for doc in docs:
            self.texts += 1
            self.entities.update(ent.label_ for ent in doc.ents)


@dataclass
class Splits:
    """The Docs of each split, and which split each text belongs to.

    Of the training texts it keeps those with hand labels. Silver ones go straight to their files.

    Args:
        nlp: its tokenizer cuts hand-labelled texts.
        seed: for the draw.
        docs: by split.
        is_gold: whether dev and test have hand labels.
        owners: the split of each text, by `text_key`.
        dropped: texts that were left out because another split has them, by that split.
        rejected: hand-labelled spans that do not fit the tokens.
    """

    nlp: Language
    seed: int
    docs: dict[str, list[Doc]] = field(default_factory=lambda: {"train": [], "dev": [], "test": []})
    is_gold: dict[str, bool] = field(default_factory=lambda: {"dev": False, "test": False})
    owners: dict[bytes, str] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    rejected: Skipped = field(default_factory=Skipped)

    def read_hand_labelled(self, file: Path) -> list[Doc]:
        return list(read_annotated(file, self.nlp, self.rejected))

    def unclaimed(self, docs: Iterable[Doc]) -> Iterator[Doc]:
        """The Docs whose text no split has. The others are counted as dropped."""
        for doc in docs:
            owner = self.owners.get(text_key(doc.text))
            if owner is None:
                yield doc
            else:
                self.dropped[f"in {owner} already"] += 1

    def claim(self, doc: Doc, name: str) -> None:
        self.docs[name].append(doc)
        self.owners[text_key(doc.text)] = name

    def claim_test(self, file: Path, trained: set[str]) -> None:
        """Take the texts of a file as test.

        Raises:
            ValueError: "... has the labels ..., of which training has none".
        """
        docs = self.read_hand_labelled(file)
        if problem := _other_labels(docs, file, trained):
            raise ValueError(
                f"{problem}: give texts with the same labels by vars.ner.test, "
                "or assets/empty.jsonl for none"
            )
        self._claim_file("test", docs, file, trained)

    def claim_dev(self, file: Path, trained: set[str]) -> None:
        """Take the texts of a file as dev, unless they have none of the labels that are trained."""
        docs = self.read_hand_labelled(file)
        if problem := _other_labels(docs, file, trained):
            _warn(f"{problem}: dev is drawn from the other texts instead (vars.ner.dev)")
        else:
            self._claim_file("dev", docs, file, trained)

    def _claim_file(self, name: str, docs: list[Doc], file: Path, trained: set[str]) -> None:
        if untrained := sorted(_labels(docs) - trained):
            _warn(f"{file} has labels that training has not, so they cannot be found: {untrained}")
        for doc in self.unclaimed(docs):
            self.claim(doc, name)
        self.is_gold[name] = bool(docs)

    def draw_hand_labelled(self, docs: Iterable[Doc], shares: dict[str, float]) -> None:
        """Draw hand-labelled texts into train and the splits in `shares`, which become gold."""
        for doc in self.unclaimed(docs):
            self.claim(doc, draw_split(doc.text, self.seed, shares))
        self.is_gold.update(dict.fromkeys(shares, True))

    def write_train(
        self,
        folder: Path,
        shards: Iterable[SilverShard],
        shares: dict[str, float],
        mask_unmatched: MaskUnmatched,
    ) -> TrainCounts:
        """Write hand-labelled texts to labelled.spacy, and silver ones to one file per shard.

        Args:
            folder: train/.
            shards: silver texts.
            shares: of the silver texts, for the splits that are drawn from them.
            mask_unmatched: which unmatched tokens become unknown.
        """
        counts = TrainCounts()
        counts.add(self.docs["train"])
        with new_folder(folder) as part:
            if self.docs["train"]:
                write_docs(part / "labelled.spacy", self.docs["train"])
            for shard in shards:
                docs = list(self._draw_silver(shard, shares))
                if mask_unmatched == "names":
                    counts.unknown_tokens += sum(map(mask_ambiguous, docs))
                counts.add(docs)
                if docs:
                    write_docs(part / shard.path.name, docs)
        return counts

    def _draw_silver(self, shard: SilverShard, shares: dict[str, float]) -> Iterator[Doc]:
        """The training texts of a shard. Those that are drawn for dev or test are kept there."""
        for doc in self.unclaimed(read_docs(shard.path, self.nlp)):
            name = draw_split(doc.text, self.seed, shares)
            if name == "train":
                yield doc
            else:
                self.docs[name].append(doc)

    def n_entities(self, name: str) -> int:
        return sum(len(doc.ents) for doc in self.docs[name])


def split_corpus(
    silver: Path,
    output: Path,
    *,
    labelled: Path,
    dev: Path,
    test: Path,
    train_on: TrainOn = "silver",
    mask_unmatched: MaskUnmatched = "names",
    base: str = "en",
    share: float = 0.1,
    seed: int = 0,
) -> dict[str, Any]:
    """Write train/*.spacy, dev.spacy and test.spacy under `output`, and return a summary.

    A text of a dev or test file is left out of training. If such a file is empty, the split is
    drawn from the other texts. So is dev if its file has none of the labels that are trained: it
    belongs to other texts then.

    Args:
        silver: the folder that ner-annotate wrote.
        output: gets the splits, split.json and misaligned.jsonl (hand-labelled spans that do not
            fit the tokens).
        labelled: hand-labelled texts for training; an empty file for none.
        dev, test: hand-labelled texts for dev and test; an empty file for none.
        train_on: silver labels, hand labels, or both.
        mask_unmatched: unmatched tokens of silver texts that are left unknown in training: those
            that look like names, or none.
        base: language code or pipeline whose tokenizer is used.
        share: of the texts, for dev and for test, if they are drawn.
        seed: for the draw.

    Raises:
        ValueError: "... holds no text with labels", "... has the labels ..., of which training has
            none", "no entity is left to train on", or for a line that cannot be read.
    """
    _check_share(share)
    splits = Splits(load_nlp(base), seed)
    shards = _read_shards(silver) if train_on != "labelled" else []
    hand = _read_labelled(labelled, splits) if train_on != "silver" else []
    trained = _labels(hand).union(*(shard.labels for shard in shards))
    splits.claim_test(test, trained)
    splits.claim_dev(dev, trained)
    drawn = [name for name in ("test", "dev") if not splits.is_gold[name]]
    # Next to silver texts there are few hand-labelled ones: too few to draw dev from them, too.
    from_hand = [name for name in drawn if hand and (name == "test" or not shards)]
    splits.draw_hand_labelled(hand, dict.fromkeys(from_hand, share))
    silver_share = min(share, MAX_DRAWN / max(1, sum(shard.n_texts for shard in shards)))
    silver_shares = {name: silver_share for name in drawn if name not in from_hand}
    counts = splits.write_train(output / "train", shards, silver_shares, mask_unmatched)
    summary = _summary(splits, counts, train_on)
    _check_entities(summary)
    for name in ("dev", "test"):
        write_docs(output / f"{name}.spacy", splits.docs[name])
    write_jsonl(output / "misaligned.jsonl", splits.rejected.records)
    write_json(output / "split.json", summary)
    return summary


def _check_share(share: float) -> None:
    if not 0 < share < 0.5:
        raise ValueError(
            f"the share of texts for dev and test is {share}: it must lie between 0 and 0.5 "
            "(vars.ner.share)"
        )


def _read_shards(folder: Path) -> list[SilverShard]:
    shards = []
    for path in finished_shards(folder):
        record = srsly.read_json(path.with_suffix(".json"))
        shards.append(SilverShard(path, record["labels"], record["counts"]["texts"]))
    return shards


def _read_labelled(file: Path, splits: Splits) -> list[Doc]:
    docs = splits.read_hand_labelled(file)
    if not docs:
        raise ValueError(
            f"{file} holds no text with labels to train on: give a file by vars.ner.labelled, "
            "or set vars.ner.train_on to silver"
        )
    return docs


def _labels(docs: Iterable[Doc]) -> set[str]:
    labels: set[str] = set()
    for doc in docs:
        labels.update(ent.label_ for ent in doc.ents)
    return labels


def _other_labels(docs: Iterable[Doc], file: Path, trained: set[str]) -> str:
    """What is wrong if Docs have none of the labels that are trained; "" if they have one."""
    labels = _labels(docs)
    if not docs or not trained or labels & trained:
        return ""
    return f"{file} has the labels {sorted(labels)}, of which training has none ({sorted(trained)})"


def _warn(message: str) -> None:
    print(f"Warning: {message}", file=sys.stderr)


def _summary(splits: Splits, counts: TrainCounts, train_on: TrainOn) -> dict[str, Any]:
    texts = {name: len(docs) for name, docs in splits.docs.items()}
    return {
        "train_on": train_on,
        "seed": splits.seed,
        "texts": texts | {"train": counts.texts},
        "hand_labelled_texts_in_train": texts["train"],
        "entities": {
            "train": sum(counts.entities.values()),
            "test": splits.n_entities("test"),
            "dev": splits.n_entities("dev"),
        },
        "labels_in_train": dict(sorted(counts.entities.items())),
        "unknown_tokens_in_train": counts.unknown_tokens,
        "dev_is_gold": splits.is_gold["dev"],
        "test_is_gold": splits.is_gold["test"],
        "texts_kept_out_of_train": dict(sorted(splits.dropped.items())),
        "gold_rejected": splits.rejected.counts(),
    }


def _check_entities(summary: dict[str, Any]) -> None:
    if not summary["entities"]["train"]:
        raise ValueError(
            "no entity is left to train on: give more texts, or patterns that match them "
            "(see corpus/ner/stats.json)"
        )
    for name in ("dev", "test"):
        if not summary["entities"][name]:
            raise ValueError(
                f"{name} has {summary['texts'][name]} texts and no entity: give more texts, "
                f"a larger vars.ner.share, or a hand-labelled file (vars.ner.{name})"
            )


def print_summary(summary: dict[str, Any], misaligned: Path) -> None:
    """Print what went where.

    Args:
        summary: what `split_corpus` returns.
        misaligned: the file with the spans that were left out.
    """
    for name in ("train", "dev", "test"):
        texts, entities = summary["texts"][name], summary["entities"][name]
        print(f"{name}: {texts} texts, {entities} entities ({_kind(summary, name)})")
    print(
        f"{summary['unknown_tokens_in_train']} unmatched tokens look like names: "
        "they are unknown in training, not O"
    )
    if summary["gold_rejected"]:
        print(f"left out of the hand labels, see {misaligned}: {summary['gold_rejected']}")
    if not summary["test_is_gold"]:
        print(
            "There are no hand-labelled test texts (vars.ner.test): scores will be against "
            "silver labels, which the patterns made."
        )


def _kind(summary: dict[str, Any], name: str) -> str:
    """The kind of labels in a split."""
    if name == "train":
        return summary["train_on"]
    return "hand-labelled" if summary[f"{name}_is_gold"] else "silver"
