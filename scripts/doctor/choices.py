"""Findings from the settings of a training, beside what the data ask for; and from what the model predicts."""

from collections import Counter

from scripts.doctor.case import Case, Finding, Part

# Usual learning rates. Transformers: 2e-5 to 5e-5 (Devlin et al. 2019), 1e-5 to 3e-5 (Liu et al. 2019), 5e-5 in spaCy's templates. Adam on
# small networks: 0.001 (Kingma and Ba 2015, spaCy, Keras), with a factor of 10 to either side (Bengio 2012, "Practical
# recommendations"). The ranges leave as much again, so that only what is odd is named; ten times outside of them is serious.
ADAM = (5e-5, 2e-2)
RATES = {
    "transformer": (2e-6, 2e-4),
    "network": ADAM,
    "linear": (5e-5, 1e-1),  # a sparse linear model bears more
    "adam": ADAM,
    "sgd": (1e-4, 1.0),
    "adagrad": (1e-4, 1.0),
    "adadelta": (1e-3, 2.0),
    "ftrl": (1e-4, 1.0),
}
# Sizes of batches. spaCy's default grows from 100 to 1,000 words, its transformer template has 2,000 padded; 2 to 32 texts trained best in
# Masters and Luschi (2018), 512 and more generalised worse in Keskar et al. (2017).
BATCHES = {"words": (30, 20_000), "padded words": (30, 50_000), "texts": (2, 1024)}
TRUNCATED, TRUNCATED_SERIOUS = 0.05, 0.3  # of the training texts
SEVERAL = 0.01  # of the training texts
FEWEST = 20  # texts or entities
NEARLY_ALL, RARER = 0.95, 0.8  # of the predictions; times as frequent in gold


def learn_rate(case: Case) -> Finding | None:
    """A learning rate out of the usual range."""
    settings = case.settings
    if settings is None or settings.learn_rate is None:
        return None
    plain = settings.optimizer.lower().split(".")[0]
    kind = (
        plain
        if plain in RATES and (settings.family == "keras" or plain == "sgd")
        else settings.family
    )
    low, high = RATES.get(kind, ADAM)
    rate = settings.learn_rate
    if low <= rate <= high:
        return None
    what = f"the highest learning rate is {rate:g} ({settings.optimizer or '?'}, {settings.family}), usual is {low:g} to {high:g}"
    serious = rate < low / 10 or rate > high * 10
    usual = {"transformer": 5e-5, "sgd": 1e-2, "adadelta": 1.0}.get(kind, 1e-3)
    return Finding(
        "learning rate out of range",
        "serious" if serious else "warning",
        what,
        f"begin with {usual:g}",
    )


def batch_size(case: Case) -> Finding | None:
    """A batch size out of the usual range."""
    if case.settings is None or case.settings.batch is None:
        return None
    unit, first, last = case.settings.batch
    low, high = BATCHES.get(unit, (0, float("inf")))
    if low <= last <= high:
        return None
    size = f"{first:g}" if first == last else f"{first:g} to {last:g}"
    remedy = (
        "smaller batches, or more texts"
        if last > high
        else "larger batches, or accumulate_gradient"
    )
    return Finding(
        "batch size out of range",
        "warning",
        f"a batch has {size} {unit}, usual is {low} to {high:,}",
        remedy,
    )


def truncated(case: Case) -> Finding | None:
    """Texts longer than what is read of them."""
    settings, train = case.settings, case.train
    if settings is None or train is None or not train.texts:
        return None
    lengths = [len(words) for words in train.words]
    limits = [(name, most, "their end is not read") for name, most in settings.max_length.items()]
    limits.append(
        (
            "the reader of the training texts",
            settings.reader_max_length,
            "they are cut into sentences, or left out without any",
        )
    )
    limits.append(("the batcher", int(settings.oversize), "discard_oversize leaves them out"))
    for name, most, happens in limits:
        share = sum(length > most for length in lengths) / len(lengths) if most else 0.0
        if share > TRUNCATED:
            what = f"{100 * share:.0f}% of the training texts have more than the {most} tokens that {name} takes: {happens}"
            remedy = "raise the limit, or cut the texts into paragraphs"
            return Finding(
                "texts cut by max length",
                "serious" if share > TRUNCATED_SERIOUS else "warning",
                what,
                remedy,
            )
    return None


def _labels_a_text(train: Part) -> tuple[int, int, int]:
    """(texts with labels, those with several that hold, those with just one)."""
    counts = [sum(value >= 0.5 for value in cats.values()) for cats in train.cats if cats]
    return len(counts), sum(n > 1 for n in counts), sum(n == 1 for n in counts)


def wrong_output(case: Case) -> Finding | None:
    """A final activation or a loss that does not fit the labels."""
    settings = case.settings
    if settings is None:
        return None
    name = "output does not fit the labels"
    if what := _clash(*settings.output):
        return Finding(
            name,
            "serious",
            what,
            "softmax goes with categorical_crossentropy, sigmoid with binary_crossentropy, one unit with sigmoid",
        )
    if settings.exclusive is None or case.train is None or not case.train.has_cats:
        return None
    n_texts, n_several, n_one = _labels_a_text(case.train)
    if settings.exclusive and n_several > SEVERAL * n_texts:
        what = f"{n_several} of {n_texts} training texts have several labels, but {settings.component} gives out shares of 1 (softmax)"
        remedy = "use textcat_multilabel with exclusive_classes = false; in Keras a sigmoid for each label with binary_crossentropy"
        return Finding(name, "serious", what, remedy)
    if (
        not settings.exclusive
        and n_texts >= FEWEST
        and n_one == n_texts
        and len({label for cats in case.train.cats for label in cats}) > 1
    ):
        what = f"each of {n_texts} training texts has just one label, but {settings.component} judges each label on its own (sigmoid)"
        remedy = "use textcat with exclusive_classes = true (softmax), unless texts to come may have several labels or none"
        return Finding(name, "warning", what, remedy)
    return None


def _clash(activation: str, loss: str, units: int) -> str:
    """What is wrong with the activation and the loss of a Keras model by themselves, or ""."""
    if activation == "softmax" and units == 1:
        return "the last layer is a softmax over one unit, which is always 1"
    if activation in ("softmax", "sigmoid") and loss.endswith("from_logits"):
        return f"the last layer is a {activation}, but the loss {loss.split()[0]} has from_logits, and applies it a second time"
    if activation == "softmax" and "binary" in loss:
        return f"the last layer is a softmax over {units} units, but the loss {loss} takes each of them as a label of its own"
    if activation == "sigmoid" and units > 1 and "categorical" in loss:
        return f"the last layer is a sigmoid for each of {units} units, but the loss {loss} takes them as shares of 1"
    return ""


def one_label(case: Case) -> Finding | None:
    """Predictions that are nearly all alike, where the gold labels are not."""
    found = case.predictions
    if found is None or len(found.gold) < FEWEST:
        return None
    remedy = "look at the mix of labels in train (vars.textcat.balance), train longer, raise the learning rate; label more of the rare ones"
    if found.kind == "entities" and len(found.predicted) < 0.02 * len(found.gold):
        what = f"the model finds {len(found.predicted)} entities in the dev texts, which have {len(found.gold)}"
        return Finding("one label swallows the rest", "serious", what, remedy)
    if len(found.predicted) < FEWEST:
        return None
    label, n = Counter(found.predicted).most_common(1)[0]
    predicted, gold = n / len(found.predicted), Counter(found.gold)[label] / len(found.gold)
    if predicted < NEARLY_ALL or gold > RARER * predicted:
        return None
    what = f"{100 * predicted:.0f}% of the {found.kind} in dev get {label or 'no label'}, which {100 * gold:.0f}% have"
    return Finding("one label swallows the rest", "serious", what, remedy)
