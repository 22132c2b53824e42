"""Findings from the texts and their labels: counts, splits, gaps in the labels."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from scripts.doctor.case import Case, Finding, Part
from scripts.reading import text_key

# `spacy debug data` calls fewer than 50 examples of a new entity label low (NEW_LABEL_THRESHOLD); it has no number for labels of texts,
# and 20 is what it asks of a dependency label (DEP_LABEL_THRESHOLD).
FEWEST_ENTITIES = 50
FEWEST_TEXTS = 20
MIX = 0.3  # of the labels would have to change for the mixes to be the same (total variation distance); dev of `update` has 0.23 by design
SURE = 0.001  # chance of such a difference between two draws from the same texts
UNKNOWN_MORE = (
    0.15  # of the words of dev that train lacks, beyond what held-out training texts lack
)
LENGTH = 3.0  # times as long
DUPLICATES = 0.01  # of the dev texts
DUPLICATES_SERIOUS = 0.05
HALF_LABELLED = 0.25  # of the mentions of words that are labelled elsewhere
SEEN = 3  # times that a word must be labelled
FEWEST_MISSED = 10
SHOWN = 5


def labels_of(part: Part) -> "Counter[str]":
    """How often each label is given: to texts where texts have labels, else to entities."""
    if part.has_cats:
        return Counter(label for cats in part.cats for label, value in cats.items() if value >= 0.5)
    return Counter(label for ents in part.ents for _, _, label in ents)


def listed(items: Iterable[str]) -> str:
    found = list(items)
    return ", ".join(found[:SHOWN]) + (
        f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    )


def too_few(case: Case) -> Finding | None:
    """Labels with too few examples to learn from."""
    if case.train is None:
        return None
    named = {label for cats in case.train.cats for label in cats}
    counts = {**dict.fromkeys(sorted(named), 0), **labels_of(case.train)}
    least, what = (FEWEST_TEXTS, "texts") if case.train.has_cats else (FEWEST_ENTITIES, "entities")
    few = {
        label: n
        for label, n in sorted(counts.items(), key=lambda item: (item[1], item[0]))
        if n < least
    }
    if not few:
        return None
    told = listed(f"{label} {n}" for label, n in few.items())
    remedy = "label more of these (look for them by patterns or by the model's doubt), merge labels that are alike, or leave them out"
    return Finding(
        "too few examples",
        "warning",
        f"{len(few)} of {len(counts)} labels have fewer than {least} {what} in train: {told}",
        remedy,
    )


def other_distribution(case: Case) -> Finding | None:
    """Train and dev differ in their labels, their words or the length of their texts."""
    train, dev = case.train, case.dev
    if train is None or dev is None:
        return None
    unseen = _unseen_labels(train, dev)
    parts = [
        part
        for part in (unseen, _label_mix(train, dev), _vocabulary(train, dev), _lengths(train, dev))
        if part
    ]
    if not parts:
        return None
    remedy = "draw dev from the same texts as train, by chance and with the same mix of labels; or train on texts such as dev has"
    return Finding(
        "train and dev differ", "serious" if unseen else "warning", "; ".join(parts), remedy
    )


def _unseen_labels(train: Part, dev: Part) -> str:
    known, counts = labels_of(train), labels_of(dev)
    unseen = {label: n for label, n in counts.items() if label not in known}
    if not known or not unseen or sum(unseen.values()) < 0.05 * counts.total():
        return ""
    return f"dev has labels that train never has: {listed(f'{label} ({n} times)' for label, n in unseen.items())}"


def _label_mix(train: Part, dev: Part) -> str:
    from scipy.stats import chi2_contingency

    counts = [labels_of(part) for part in (train, dev)]
    names = sorted(set(counts[0]) | set(counts[1]))
    if len(names) < 2 or not all(count.total() for count in counts):
        return ""
    table = np.array([[count[name] for name in names] for count in counts])
    shares = table / table.sum(axis=1, keepdims=True)
    distance = np.abs(shares[0] - shares[1]).sum() / 2
    if distance <= MIX or chi2_contingency(table).pvalue > SURE:
        return ""
    most = int(np.argmax(np.abs(shares[0] - shares[1])))
    return (
        f"the labels of dev are mixed otherwise: {100 * distance:.0f}% of them would have to change, most of all {names[most]}, "
        f"which is {100 * shares[0][most]:.0f}% of the labels in train and {100 * shares[1][most]:.0f}% in dev"
    )


def unknown_share(known: Sequence[list[str]], words: Sequence[list[str]]) -> float:
    """The share of words (letters alone) that other texts lack."""
    vocabulary = {word for text in known for word in text}
    found = [word in vocabulary for text in words for word in text if word.isalpha()]
    return 1 - float(np.mean(found)) if found else 0.0


def _vocabulary(train: Part, dev: Part) -> str:
    """Compare the words of dev that train lacks with those that held-out training texts lack: how many is normal depends on the size.

    Texts without labels of their own, such as the pairs of `similarity`, come in several examples, so that held-out ones are known in part.
    """
    if not (train.has_cats or train.has_ents):
        return ""
    held_out = min(len(dev.texts), len(train.texts) // 5)
    if held_out < 10:
        return ""
    order = np.random.default_rng(0).permutation(len(train.texts))
    shuffled = [train.words[i] for i in order]
    usual = unknown_share(shuffled[held_out:], shuffled[:held_out])
    lacking = unknown_share(shuffled[held_out:], dev.words)
    if lacking < usual + UNKNOWN_MORE:
        return ""
    return f"train lacks {100 * lacking:.0f}% of the words of dev, where it lacks {100 * usual:.0f}% of those of held-out training texts"


def _lengths(train: Part, dev: Part) -> str:
    a, b = (
        float(np.median([len(words) for words in part.words])) if part.words else 0.0
        for part in (train, dev)
    )
    if min(a, b) == 0 or max(a, b) / min(a, b) < LENGTH:
        return ""
    return f"texts of train have {a:.0f} tokens, those of dev {b:.0f} (medians)"


def duplicates(case: Case) -> Finding | None:
    """Dev texts that are training texts too."""
    if case.train is None or case.dev is None or not case.dev.texts:
        return None
    known = {text_key(text) for text in case.train.texts}
    twice = [text for text in case.dev.texts if text_key(text) in known]
    share = len(twice) / len(case.dev.texts)
    if share < DUPLICATES:
        return None
    what = f"{len(twice)} of {len(case.dev.texts)} dev texts ({100 * share:.0f}%) are in train too, such as {twice[0][:60]!r}"
    remedy = "take them out of train, or the scores on dev are too good; split by text, not by line (ner-split and textcat-corpus do)"
    return Finding(
        "duplicates across splits",
        "serious" if share >= DUPLICATES_SERIOUS else "warning",
        what,
        remedy,
    )


def half_labelled(case: Case) -> Finding | None:
    """Mentions that are labelled in some training texts and not in others, or texts without labels among those that have some."""
    if case.train is None:
        return None
    what = (
        _unlabelled_texts(case.train) if case.train.has_cats else _unlabelled_mentions(case.train)
    )
    remedy = "label what is missing, leave such texts out, or mark the tokens as unknown (doc.set_ents(..., default='missing'); vars.ner.mask_unmatched)"
    return Finding("labels missing in part of the data", "warning", what, remedy) if what else None


def _unlabelled_texts(train: Part) -> str:
    names = {label for cats in train.cats for label in cats}
    bare = sum(not cats for cats in train.cats)
    partial = sum(bool(cats) and set(cats) < names for cats in train.cats)
    if bare + partial < DUPLICATES * len(train.texts):
        return ""
    return f"of {len(train.texts)} training texts {bare} have no labels at all and {partial} lack a value for some of the {len(names)} labels"


def _unlabelled_mentions(train: Part) -> str:
    labelled: Counter[tuple[str, ...]] = Counter()
    for words, ents in zip(train.words, train.ents):
        labelled.update(tuple(words[start:end]) for start, end, _ in ents)
    wanted = {
        form
        for form, n in labelled.items()
        if n >= SEEN and any(word.isalpha() and len(word) > 2 for word in form)
    }
    missed = _count_unlabelled(train, wanted)
    n_missed, n_labelled = missed.total(), sum(labelled[form] for form in wanted)
    if n_missed < max(FEWEST_MISSED, HALF_LABELLED * (n_missed + n_labelled)):
        return ""
    told = listed(
        f"{' '.join(form)!r} ({labelled[form]} labelled, {n} not)"
        for form, n in missed.most_common(SHOWN)
    )
    return f"{n_missed} of {n_missed + n_labelled} mentions of words that are labelled {SEEN} times or more are unlabelled in train: {told}"


def _count_unlabelled(train: Part, wanted: set[tuple[str, ...]]) -> "Counter[tuple[str, ...]]":
    """How often each form stands in a text where none of its tokens is labelled or unknown."""
    by_first: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for form in wanted:
        by_first[form[0]].append(form)
    found: Counter[tuple[str, ...]] = Counter()
    for words, ents, missing in zip(train.words, train.ents, train.missing):
        taken = {i for start, end, _ in ents for i in range(start, end)} | missing
        for i, word in enumerate(words):
            for form in by_first.get(word, ()):
                if tuple(words[i : i + len(form)]) == form and not taken.intersection(
                    range(i, i + len(form))
                ):
                    found[form] += 1
    return found
