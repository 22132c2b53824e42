"""Split labelled texts into train, dev and test, each text in one of them, and rebalance train."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from scripts.reading import Skipped, text_key, why_unreadable
from scripts.textcat.labelled import Labelled
from scripts.textcat.options import Balance, Labels

PARTS = ("train", "dev", "test")
MIN_TEXTS = 2  # of a label: one for train, one for dev or test


@dataclass
class Split:
    """The texts of each part.

    Args:
        parts: the texts of train, dev and test.
        labels: all labels, sorted.
        exclusive: whether each text has just one label.
        left_out: how many texts were left out, by reason.
    """

    parts: dict[str, list[Labelled]]
    labels: list[str]
    exclusive: bool
    left_out: dict[str, int] = field(default_factory=dict)

    def per_label(self, part: str) -> dict[str, int]:
        """How many texts of a part have each label."""
        counts = count_labels(self.parts[part])
        return {label: counts[label] for label in self.labels}


def count_labels(texts: Iterable[Labelled]) -> Counter[str]:
    """How many texts have each label."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text.labels)
    return counts


def readable(texts: Iterable[Labelled], nlp: Language, skipped: Skipped) -> list[Labelled]:
    """The texts that a pipeline can process. `skipped` takes note of the others."""
    kept = []
    for text in texts:
        reason = why_unreadable(text.text, nlp)
        if reason is None:
            kept.append(text)
        else:
            skipped.add(reason, text.file, text.line)
    return kept


def make_split(
    pool: Sequence[Labelled],
    dev: Sequence[Labelled],
    test: Sequence[Labelled],
    *,
    labels: Labels,
    shares: tuple[float, float],
    seed: int,
) -> Split:
    """Make the three parts.

    Args:
        pool: texts for train, and for the parts that are drawn.
        dev: texts for dev; if empty, a share of the pool is drawn.
        test: texts for test, which are never changed; if empty, a share of the pool is drawn.
        labels: whether a text has one label (single), any number (multi), or auto: single if all
            texts have just one.
        shares: of the pool for dev and for test.
        seed: for the draws, which take the same share of each label.

    Raises:
        ValueError: "no text to train on ...", "all texts have the label ...", "too few texts ...",
            "the label ... has 1 text ...", "FILE:LINE: the label ... never occurs ...",
            "FILE:LINE: 2 labels ...".
    """
    if not pool:
        raise ValueError("no text to train on: the file holds no labelled text that can be read")
    all_single = all(len(text.labels) == 1 for text in (*pool, *dev, *test))
    exclusive = all_single if labels == "auto" else labels == "single"
    left_out: Counter[str] = Counter()
    train = _without_duplicates(pool, _keys([*dev, *test]), left_out)
    test_keys = _keys(test)
    unseen_dev = [text for text in dev if text_key(text.text) not in test_keys]
    left_out["dev texts left out, they are in test"] = len(dev) - len(unseen_dev)
    names = sorted(set().union(*(text.cats for text in train)))
    _check(train, [*unseen_dev, *test], names, exclusive)
    parts = {"train": train, "dev": unseen_dev, "test": list(test)}
    for name, share in (("test", shares[1]), ("dev", shares[0])):
        if not parts[name]:
            parts["train"], parts[name] = _draw(parts["train"], share * len(train), seed)
    return Split(parts, names, exclusive, dict(left_out))


def _keys(texts: Iterable[Labelled]) -> set[bytes]:
    return {text_key(text.text) for text in texts}


def _without_duplicates(
    pool: Sequence[Labelled], held_out: set[bytes], left_out: Counter[str]
) -> list[Labelled]:
    """The first of equal texts, if their labels agree and neither dev nor test has the text."""
    groups: dict[bytes, list[Labelled]] = defaultdict(list)
    for text in pool:
        groups[text_key(text.text)].append(text)
    kept = []
    for key, group in groups.items():
        if key in held_out:
            left_out["texts left out, they are in dev or test"] += len(group)
        elif len({text.labels for text in group}) > 1:
            left_out["texts left out, the same text has other labels elsewhere"] += len(group)
        else:
            left_out["duplicates left out"] += len(group) - 1
            kept.append(group[0])
    return kept


def _check(
    train: Sequence[Labelled], held_out: Sequence[Labelled], names: list[str], exclusive: bool
) -> None:
    """Refuse labels that cannot be learned. Raises as `make_split` does."""
    _check_two_classes(train, names, exclusive)
    for text in held_out:
        _check_known(text, names)
    if exclusive:
        for text in (*train, *held_out):
            _check_one_label(text)
    counts = count_labels(train)
    for label in names:
        if counts[label] < MIN_TEXTS:
            raise ValueError(
                f"the label {label!r} has {counts[label]} text to train on: "
                f"give at least {MIN_TEXTS}, or leave the label out"
            )


def _check_two_classes(train: Sequence[Labelled], names: list[str], exclusive: bool) -> None:
    if len(names) == 1 and (exclusive or count_labels(train)[names[0]] == len(train)):
        raise ValueError(
            f"all texts have the label {names[0]!r}: a classifier needs at least two labels, "
            'or texts without it ({"cats": {"LABEL": 0}})'
        )


def _check_known(text: Labelled, names: list[str]) -> None:
    for label in text.cats:
        if label not in names:
            raise ValueError(
                f"{text.file}:{text.line}: the label {label!r} never occurs in training: "
                f"it has {', '.join(names)}"
            )


def _check_one_label(text: Labelled) -> None:
    if len(text.labels) != 1:
        raise ValueError(
            f"{text.file}:{text.line}: {len(text.labels)} labels, but vars.textcat.labels is "
            "single: set it to multi, or fix the line"
        )


def _draw(texts: list[Labelled], size: float, seed: int) -> tuple[list[Labelled], list[Labelled]]:
    """(rest, drawn): a random share with the same mix of labels.

    A text with several labels counts as one of its rarest. A label's only text is not drawn.
    """
    from sklearn.model_selection import train_test_split

    strata = _strata(texts)
    n_texts = Counter(strata)
    drawable = [i for i, stratum in enumerate(strata) if n_texts[stratum] >= MIN_TEXTS]
    of_drawable = [strata[i] for i in drawable]
    n_strata = len(set(of_drawable))
    n_drawn = min(max(round(size), n_strata), len(drawable) - n_strata)
    if n_drawn < max(n_strata, 1):
        raise ValueError(
            f"too few texts to draw some of each label: {len(texts)}: "
            "label more, or give vars.textcat.dev and vars.textcat.test"
        )
    _, drawn = train_test_split(
        drawable, test_size=n_drawn, random_state=seed, stratify=of_drawable
    )
    chosen = set(drawn)
    rest = [text for i, text in enumerate(texts) if i not in chosen]
    return rest, [texts[i] for i in sorted(drawn)]


def _strata(texts: Sequence[Labelled]) -> list[str]:
    """The rarest label of each text; "" for a text without labels."""
    counts = count_labels(texts)

    def rarity(label: str) -> tuple[int, str]:
        return counts[label], label

    return [min(text.labels, key=rarity, default="") for text in texts]


def rebalance(split: Split, how: Balance, seed: int) -> dict[str, float]:
    """Rebalance the training texts of a split in place.

    Args:
        split: with oversample texts are repeated until each label has as many as the
            most frequent one; with undersample texts are left out until each has as many as the
            rarest one.
        how: weights and none change no text.
        seed: for the draws.

    Returns:
        with weights, the weight of each label, such that all labels count the same and the mean
        over the texts is 1 (scikit-learn's "balanced"); else nothing.

    Raises:
        ValueError: "vars.textcat.balance ...: texts have several labels ...".
    """
    counts = split.per_label("train")
    if how == "none":
        return {}
    if how == "weights":
        return _class_weights(counts, len(split.parts["train"]))
    if not split.exclusive:
        raise ValueError(
            f"vars.textcat.balance is {how}: texts have several labels, "
            "which cannot be drawn one by one: use weights or none"
        )
    size = max(counts.values()) if how == "oversample" else min(counts.values())
    split.parts["train"] = _resample(split.parts["train"], size, random.Random(seed))
    return {}


def _class_weights(counts: Mapping[str, int], n_texts: int) -> dict[str, float]:
    return {label: n_texts / (len(counts) * max(count, 1)) for label, count in counts.items()}


def _resample(texts: Iterable[Labelled], size: int, rng: random.Random) -> list[Labelled]:
    """`size` texts of each label in random order."""
    groups: dict[str, list[Labelled]] = defaultdict(list)
    for text in texts:
        groups[text.labels[0]].append(text)
    drawn = []
    for group in groups.values():
        repeats, rest = divmod(size, len(group))
        drawn += group * repeats + rng.sample(group, rest)
    rng.shuffle(drawn)
    return drawn


def to_docs(texts: Iterable[Labelled], split: Split, nlp: Language) -> Iterable[Doc]:
    """Docs with `cats`.

    A label that a text says nothing about is left out, unless the text is known to have no others.
    """
    for text in texts:
        doc = nlp.make_doc(text.text)
        whole = text.whole or split.exclusive
        names = [label for label in split.labels if whole or label in text.cats]
        doc.cats = {label: float(text.cats.get(label, False)) for label in names}
        yield doc


def summarize(split: Split) -> dict[str, Any]:
    """What split.json says about a split."""
    parts = {
        name: {"texts": len(part), "labels": split.per_label(name)}
        for name, part in split.parts.items()
    }
    return {
        "labels": split.labels,
        "exclusive": split.exclusive,
        **parts,
        "left_out": {reason: count for reason, count in split.left_out.items() if count},
    }


def print_summary(summary: Mapping[str, Any], skipped: Mapping[str, int]) -> None:
    """Print the labels, the texts of each part, and how many were left out.

    Args:
        summary: what `summarize` gives.
        skipped: how many lines and texts could not be used, by reason.
    """
    names = summary["labels"]
    kind = "one per text" if summary["exclusive"] else "any number per text"
    print(f"{len(names)} labels, {kind}: {', '.join(names)}")
    for part in PARTS:
        print(f"{part}: {summary[part]['texts']} texts {summary[part]['labels']}")
    for reason, count in {**summary["left_out"], **skipped}.items():
        print(f"{reason}: {count}")
