"""Findings from the texts and their labels: counts, splits, missing labels."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from scripts.doctor.training_run import Dataset, Finding, Severity, TrainingRun, is_set
from scripts.reading import text_key

# `spacy debug data` calls fewer than 50 examples of a new entity label low (NEW_LABEL_THRESHOLD).
# It has no number for labels of texts; 20 is what it expects of a dependency label
# (DEP_LABEL_THRESHOLD).
MIN_ENTITIES = 50
MIN_TEXTS = 20
# Share of the labels that would have to change for equal proportions (total variation distance).
# A dev set that is meant to differ a little, such as one of new texts with some old ones, has 0.23.
LABEL_SHIFT_THRESHOLD = 0.3
P_VALUE_THRESHOLD = 0.001  # the chance of such a difference between two draws from the same texts
UNSEEN_LABELS_THRESHOLD = 0.05  # of the labels of dev
# of the words of dev that train lacks, beyond what held-out training texts lack
UNKNOWN_WORDS_THRESHOLD = 0.15
LENGTH_RATIO_THRESHOLD = 3.0
DUPLICATES_THRESHOLD, DUPLICATES_SERIOUS = 0.01, 0.05  # of the dev texts
UNLABELLED_THRESHOLD = 0.25  # of the mentions of words that are labelled elsewhere
UNLABELLED_TEXTS_THRESHOLD = 0.01  # of the training texts
MIN_LABELLED = 3  # times that a word must be labelled
MIN_UNLABELLED = 10  # mentions
MIN_HELD_OUT = 10  # texts
MAX_SHOWN = 5

Form = tuple[str, ...]  # the words of an entity


def count_labels(dataset: Dataset) -> "Counter[str]":
    """How often each label occurs: for texts if texts have labels, else for entities."""
    if dataset.has_cats:
        return Counter(chain.from_iterable(map(_set_labels, dataset.cats)))
    return Counter(label for _, _, label in chain.from_iterable(dataset.ents))


def _set_labels(cats: dict[str, float]) -> list[str]:
    return [label for label, value in cats.items() if is_set(value)]


def listed(items: Iterable[str]) -> str:
    """The first items, and how many more there are."""
    names = list(items)
    n_more = len(names) - MAX_SHOWN
    return ", ".join(names[:MAX_SHOWN]) + (f" and {n_more} more" if n_more > 0 else "")


def too_few(run: TrainingRun) -> Finding | None:
    """Labels with too few examples to learn from."""
    train = run.train
    if train is None:
        return None
    counts = {**dict.fromkeys(sorted(train.cat_labels), 0), **count_labels(train)}
    minimum, unit = (MIN_TEXTS, "texts") if train.has_cats else (MIN_ENTITIES, "entities")
    rare = sorted((n, label) for label, n in counts.items() if n < minimum)
    if not rare:
        return None
    what = f"{len(rare)} of {len(counts)} labels have fewer than {minimum} {unit} in train: "
    what += listed(f"{label} {n}" for n, label in rare)
    remedy = (
        "label more of these (find them by patterns, or where the model is unsure), merge labels "
        "that are alike, or leave them out"
    )
    return Finding("too few examples", "warning", what, remedy)


def other_distribution(run: TrainingRun) -> Finding | None:
    """Train and dev differ in their labels, their words or the length of their texts."""
    train, dev = run.train, run.dev
    if train is None or dev is None:
        return None
    unseen = _unseen_labels(train, dev)
    others = (_label_shift(train, dev), _unknown_words(train, dev), _lengths(train, dev))
    parts = [part for part in (unseen, *others) if part]
    if not parts:
        return None
    remedy = (
        "draw train and dev at random from the same texts, with the same proportions of labels; "
        "or train on texts like those of dev"
    )
    severity: Severity = "serious" if unseen else "warning"
    return Finding("train and dev differ", severity, "; ".join(parts), remedy)


def _unseen_labels(train: Dataset, dev: Dataset) -> str:
    known, counts = count_labels(train), count_labels(dev)
    unseen = {label: n for label, n in counts.items() if label not in known}
    is_rare = sum(unseen.values()) < UNSEEN_LABELS_THRESHOLD * counts.total()
    if not known or not unseen or is_rare:
        return ""
    labels = listed(f"{label} ({n} times)" for label, n in unseen.items())
    return f"dev has labels that train never has: {labels}"


def _label_shift(train: Dataset, dev: Dataset) -> str:
    from scipy.stats import chi2_contingency

    counts = [count_labels(dataset) for dataset in (train, dev)]
    names = sorted(set(counts[0]) | set(counts[1]))
    if len(names) < 2 or not all(count.total() for count in counts):
        return ""
    table = np.array([list(map(count.__getitem__, names)) for count in counts])
    shares = table / table.sum(axis=1, keepdims=True)
    differences = np.abs(shares[0] - shares[1])
    distance = differences.sum() / 2
    if distance <= LABEL_SHIFT_THRESHOLD or chi2_contingency(table).pvalue > P_VALUE_THRESHOLD:
        return ""
    most = int(np.argmax(differences))
    of_train, of_dev = 100 * shares[0][most], 100 * shares[1][most]
    return (
        f"the labels of dev have other proportions: {100 * distance:.0f}% of them would have to "
        f"change, most of all {names[most]}, which is {of_train:.0f}% of the labels in train and "
        f"{of_dev:.0f}% in dev"
    )


def unknown_share(known: Sequence[list[str]], texts: Sequence[list[str]]) -> float:
    """The share of the words of texts (of letters only) that other texts lack."""
    vocabulary = set(chain.from_iterable(known))
    words = [word for word in chain.from_iterable(texts) if word.isalpha()]
    return 1 - float(np.mean([word in vocabulary for word in words])) if words else 0.0


def _unknown_words(train: Dataset, dev: Dataset) -> str:
    """Compare the words of dev that train lacks with those that held-out training texts lack.

    How many are normal depends on the size. Texts without labels of their own, such as pairs of
    texts, may occur in several examples, so that part of what is held out is known.
    """
    n_held_out = min(len(dev.texts), len(train.texts) // 5)
    if not (train.has_cats or train.has_ents) or n_held_out < MIN_HELD_OUT:
        return ""
    order = np.random.default_rng(0).permutation(len(train.texts))
    shuffled = [train.words[i] for i in order]
    held_out, rest = shuffled[:n_held_out], shuffled[n_held_out:]
    usual, lacking = unknown_share(rest, held_out), unknown_share(rest, dev.words)
    if lacking < usual + UNKNOWN_WORDS_THRESHOLD:
        return ""
    share = f"train lacks {100 * lacking:.0f}% of the words of dev"
    return f"{share}, but only {100 * usual:.0f}% of those of held-out training texts"


def _lengths(train: Dataset, dev: Dataset) -> str:
    of_train, of_dev = _median_length(train), _median_length(dev)
    shorter, longer = sorted((of_train, of_dev))
    if shorter == 0 or longer / shorter < LENGTH_RATIO_THRESHOLD:
        return ""
    return f"texts of train have {of_train:.0f} tokens, texts of dev {of_dev:.0f} (medians)"


def _median_length(dataset: Dataset) -> float:
    return float(np.median(list(map(len, dataset.words)))) if dataset.words else 0.0


def duplicates(run: TrainingRun) -> Finding | None:
    """Dev texts that are training texts too."""
    if run.train is None or run.dev is None or not run.dev.texts:
        return None
    known = {text_key(text) for text in run.train.texts}
    repeated = [text for text in run.dev.texts if text_key(text) in known]
    n_dev = len(run.dev.texts)
    share = len(repeated) / n_dev
    if share < DUPLICATES_THRESHOLD:
        return None
    what = f"{len(repeated)} of {n_dev} dev texts ({100 * share:.0f}%) are in train too"
    what += f", such as {repeated[0][:60]!r}"
    remedy = "remove them from train, or the scores on dev are too good; split by text, not by line"
    severity: Severity = "serious" if share >= DUPLICATES_SERIOUS else "warning"
    return Finding("duplicates across splits", severity, what, remedy)


def half_labelled(run: TrainingRun) -> Finding | None:
    """Mentions or texts that lack the labels that others of the training texts have."""
    train = run.train
    if train is None:
        return None
    what = _unlabelled_texts(train) if train.has_cats else _unlabelled_mentions(train)
    if not what:
        return None
    mark = "doc.set_ents(..., default='missing')"
    if mask := run.variables.get("mask_unmatched"):
        mark += f", {mask}"
    remedy = f"label what is missing, leave such texts out, or mark the tokens as unknown ({mark})"
    return Finding("labels missing in part of the data", "warning", what, remedy)


def _unlabelled_texts(train: Dataset) -> str:
    labels = train.cat_labels
    n_bare = sum(not cats for cats in train.cats)
    n_partial = sum(bool(cats) and set(cats) < labels for cats in train.cats)
    if n_bare + n_partial < UNLABELLED_TEXTS_THRESHOLD * len(train.texts):
        return ""
    return (
        f"of {len(train.texts)} training texts {n_bare} have no labels at all and {n_partial} lack "
        f"a value for some of the {len(labels)} labels"
    )


def _unlabelled_mentions(train: Dataset) -> str:
    labelled = Counter(_labelled_forms(train))
    forms = {form for form, n in labelled.items() if n >= MIN_LABELLED and _has_word(form)}
    unlabelled = _count_unlabelled(train, forms)
    n_unlabelled = unlabelled.total()
    n_mentions = n_unlabelled + sum(labelled[form] for form in forms)
    if n_unlabelled < max(MIN_UNLABELLED, UNLABELLED_THRESHOLD * n_mentions):
        return ""
    examples = listed(
        f"{' '.join(form)!r} ({labelled[form]} labelled, {n} not)"
        for form, n in unlabelled.most_common(MAX_SHOWN)
    )
    return (
        f"{n_unlabelled} of {n_mentions} mentions of words that are labelled at least "
        f"{MIN_LABELLED} times are unlabelled in train: {examples}"
    )


def _labelled_forms(train: Dataset) -> Iterator[Form]:
    for words, ents in zip(train.words, train.ents):
        for start, end, _ in ents:
            yield tuple(words[start:end])


def _has_word(form: Form) -> bool:
    return any(word.isalpha() and len(word) > 2 for word in form)


def _count_unlabelled(train: Dataset, forms: set[Form]) -> "Counter[Form]":
    """How often each form occurs without any of its tokens labelled or unknown."""
    by_first: dict[str, list[Form]] = defaultdict(list)
    for form in forms:
        by_first[form[0]].append(form)
    counts: Counter[Form] = Counter()
    for words, ents, missing in zip(train.words, train.ents, train.missing):
        known = missing.union(*(range(start, end) for start, end, _ in ents))
        for start, word in enumerate(words):
            for form in by_first.get(word, ()):
                tokens = range(start, start + len(form))
                same = tuple(words[start : start + len(form)]) == form
                if same and known.isdisjoint(tokens):
                    counts[form] += 1
    return counts
