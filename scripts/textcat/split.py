"""Labelled texts to train, dev and test: without duplicates across them, each label in each, rebalanced if asked for."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sklearn.model_selection import train_test_split
from spacy.language import Language
from spacy.tokens import Doc

from scripts.reading import Skipped, text_key, why_unreadable
from scripts.textcat.labelled import Labelled

Labels = Literal["auto", "single", "multi"]
Balance = Literal["none", "oversample", "undersample", "weights"]
PARTS = ("train", "dev", "test")
FEWEST = 2  # texts of a label, for one to train on and one to choose or score by


@dataclass
class Split:
    """The texts of each part, and what was found on the way."""

    parts: dict[str, list[Labelled]]
    labels: list[str]
    exclusive: bool
    counts: dict[str, int] = field(default_factory=dict)

    def per_label(self, part: str) -> dict[str, int]:
        """How many texts of a part have each label."""
        found = Counter(label for text in self.parts[part] for label in text.labels)
        return {label: found[label] for label in self.labels}


def readable(texts: Iterable[Labelled], nlp: Language, skipped: Skipped) -> list[Labelled]:
    """The texts that a pipeline can process; the others are noted."""
    kept = []
    for text in texts:
        why = why_unreadable(text.text, nlp)
        if why is None:
            kept.append(text)
        else:
            skipped.add(why, text.file, text.line)
    return kept


def split(
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
        pool: texts to train on, and to draw from.
        dev: texts to choose by; if empty, a share of the pool is drawn.
        test: texts to score by, which are never changed; if empty, a share of the pool is drawn.
        labels: whether a text has one label (single), any number (multi), or auto: single where all texts have just one.
        shares: of the pool for dev and for test.
        seed: for the draws, which take the same share of each label.

    Raises:
        ValueError: "no text to train on ...", "all texts have the label ...", "the label ... has 1 text ...",
            "FILE:LINE: the label ... never occurs ...", "FILE:LINE: 2 labels ...".
    """
    if not pool:
        raise ValueError("no text to train on: the file holds no labelled text that can be read")
    exclusive = (
        all(len(text.labels) == 1 for text in (*pool, *dev, *test))
        if labels == "auto"
        else labels == "single"
    )
    counts: Counter[str] = Counter()
    held_out = {text_key(text.text) for text in (*dev, *test)}
    kept = _without_duplicates(pool, held_out, counts)
    tested = {text_key(text.text) for text in test}
    chosen = [text for text in dev if text_key(text.text) not in tested]
    counts["dev texts left out, they are in test"] = len(dev) - len(chosen)
    names = sorted({label for text in kept for label in text.cats})
    _check(kept, [*chosen, *test], names, exclusive)
    parts: dict[str, list[Labelled]] = {"train": kept, "dev": chosen, "test": list(test)}
    for name, share in (("test", shares[1]), ("dev", shares[0])):
        if not parts[name]:
            parts["train"], parts[name] = _draw(parts["train"], share * len(kept), seed)
    return Split(parts, names, exclusive, dict(counts))


def _without_duplicates(
    pool: Sequence[Labelled], held_out: set[bytes], counts: Counter[str]
) -> list[Labelled]:
    """One text of each that occurs more than once, none of those that dev or test hold, none with contradicting labels."""
    groups: dict[bytes, list[Labelled]] = defaultdict(list)
    for text in pool:
        groups[text_key(text.text)].append(text)
    kept = []
    for key, same in groups.items():
        if key in held_out:
            counts["texts left out, they are in dev or test"] += len(same)
        elif len({text.labels for text in same}) > 1:
            counts["texts left out, the same text has other labels elsewhere"] += len(same)
        else:
            counts["duplicates left out"] += len(same) - 1
            kept.append(same[0])
    return kept


def _check(
    kept: Sequence[Labelled], held_out: Sequence[Labelled], names: list[str], exclusive: bool
) -> None:
    found = Counter(label for text in kept for label in text.labels)
    if len(names) == 1 and (exclusive or found[names[0]] == len(kept)):
        raise ValueError(
            f"all texts have the label {names[0]!r}: a classifier needs at least two, or texts without it ({{}} in cats)"
        )
    for text in held_out:
        for label in text.cats:
            if label not in names:
                raise ValueError(
                    f"{text.file}:{text.line}: the label {label!r} never occurs in training: it has {', '.join(names)}"
                )
    for text in (*kept, *held_out) if exclusive else ():
        if len(text.labels) != 1:
            raise ValueError(
                f"{text.file}:{text.line}: {len(text.labels)} labels, but vars.textcat.labels is single: give multi or mend it"
            )
    for label in names:
        if found[label] < FEWEST:
            raise ValueError(
                f"the label {label!r} has {found[label]} text to train on: give at least {FEWEST}, or leave it out"
            )


def _draw(texts: list[Labelled], size: float, seed: int) -> tuple[list[Labelled], list[Labelled]]:
    """(rest, drawn): a share with the same mix of labels; a text with several counts as one of its rarest, a label's only text stays."""
    found = Counter(label for text in texts for label in text.labels)
    strata = [
        min(text.labels, key=lambda label: (found[label], label), default="") for text in texts
    ]
    n_texts = Counter(strata)
    drawable = [i for i, stratum in enumerate(strata) if n_texts[stratum] >= FEWEST]
    n_strata = len({strata[i] for i in drawable})
    n_drawn = min(max(round(size), n_strata), len(drawable) - n_strata)
    if n_drawn < max(n_strata, 1):
        raise ValueError(
            f"too few texts to draw some of each label: {len(texts)}: label more, or give vars.textcat.dev and vars.textcat.test"
        )
    _, drawn = train_test_split(
        drawable, test_size=n_drawn, random_state=seed, stratify=[strata[i] for i in drawable]
    )
    held = set(drawn)
    return [text for i, text in enumerate(texts) if i not in held], [
        texts[i] for i in sorted(drawn)
    ]


def balance(made: Split, how: Balance, seed: int) -> dict[str, float]:
    """Rebalance the training texts of a split in place.

    Args:
        made: the split; oversample repeats texts until each label has as many as the largest, undersample leaves out
            texts until each has as many as the smallest.
        how: weights changes no text.
        seed: for the draws.

    Returns:
        the weight of each label where `how` is weights, so that each counts as much as another and the mean over the
        texts is 1 (scikit-learn's "balanced"); else nothing.

    Raises:
        ValueError: "vars.textcat.balance ...: texts have several labels ...".
    """
    counts = made.per_label("train")
    if how in ("none", "weights"):
        n_texts = len(made.parts["train"])
        return (
            {}
            if how == "none"
            else {label: n_texts / (len(counts) * max(n, 1)) for label, n in counts.items()}
        )
    if not made.exclusive:
        raise ValueError(
            f"vars.textcat.balance is {how}: texts have several labels, which can't be drawn one by one: use weights or none"
        )
    rng = random.Random(seed)
    target = max(counts.values()) if how == "oversample" else min(counts.values())
    groups: dict[str, list[Labelled]] = defaultdict(list)
    for text in made.parts["train"]:
        groups[text.labels[0]].append(text)
    drawn = [text for group in groups.values() for text in _to_size(group, target, rng)]
    rng.shuffle(drawn)
    made.parts["train"] = drawn
    return {}


def _to_size(group: list[Labelled], size: int, rng: random.Random) -> list[Labelled]:
    repeats, rest = divmod(size, len(group))
    return group * repeats + rng.sample(group, rest)


def to_docs(texts: Iterable[Labelled], made: Split, nlp: Language) -> Iterable[Doc]:
    """Docs with `cats`; a label that nothing is known of is left out, unless a text has just one label."""
    for text in texts:
        doc = nlp.make_doc(text.text)
        whole = text.whole or made.exclusive
        doc.cats = {
            label: float(text.cats.get(label, False))
            for label in made.labels
            if whole or label in text.cats
        }
        yield doc


def summary(made: Split) -> dict[str, Any]:
    """What the split holds, for split.json."""
    parts = {
        name: {"texts": len(texts), "labels": made.per_label(name)}
        for name, texts in made.parts.items()
    }
    return {
        "labels": made.labels,
        "exclusive": made.exclusive,
        **parts,
        "left_out": {key: n for key, n in made.counts.items() if n},
    }
