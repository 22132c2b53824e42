"""Findings from the settings of a training: learning rate, batch size, limits on length."""

from collections.abc import Iterator

from scripts.doctor.training_run import Finding, Settings, Severity, TrainingRun

# Usual learning rates. Transformers: 2e-5 to 5e-5 (Devlin et al. 2019), 1e-5 to 3e-5 (Liu et al.
# 2019), 5e-5 in spaCy's templates. Adam on small networks: 0.001 (Kingma and Ba 2015, spaCy,
# Keras), times or divided by 10 (Bengio 2012, "Practical recommendations"). The ranges are wider
# by as much again, so that only unusual rates are reported; beyond ten times that it is serious.
ADAM = (5e-5, 2e-2)
RATES = {
    "transformer": (2e-6, 2e-4),
    "network": ADAM,
    "linear": (5e-5, 1e-1),  # a sparse linear model tolerates more
    "adam": ADAM,
    "sgd": (1e-4, 1.0),
    "adagrad": (1e-4, 1.0),
    "adadelta": (1e-3, 2.0),
    "ftrl": (1e-4, 1.0),
}
FIRST_RATES = {"transformer": 5e-5, "sgd": 1e-2, "adadelta": 1.0}  # to try; 0.001 for the others
SERIOUS_FACTOR = 10
# Batch sizes. spaCy's default grows from 100 to 1,000 words, its transformer template has 2,000
# padded words; 2 to 32 texts trained best in Masters and Luschi (2018), 512 and more generalised
# worse in Keskar et al. (2017).
BATCHES = {"words": (30, 20_000), "padded words": (30, 50_000), "texts": (2, 1024)}
TRUNCATED_THRESHOLD, TRUNCATED_SERIOUS = 0.05, 0.3  # of the training texts


def learn_rate(run: TrainingRun) -> Finding | None:
    """A learning rate outside of the usual range."""
    settings = run.settings
    if settings is None or settings.learn_rate is None:
        return None
    kind = _kind(settings)
    low, high = RATES.get(kind, ADAM)
    rate = settings.learn_rate
    if low <= rate <= high:
        return None
    model = f"{settings.optimizer or '?'}, {settings.family}"
    what = f"the highest learning rate is {rate:g} ({model}), usual is {low:g} to {high:g}"
    is_serious = rate < low / SERIOUS_FACTOR or rate > high * SERIOUS_FACTOR
    severity: Severity = "serious" if is_serious else "warning"
    in_config = "" if settings.family == "keras" else "training.optimizer.learn_rate"
    setting = run.setting("learn_rate", in_config)
    remedy = f"begin with {FIRST_RATES.get(kind, 1e-3):g}" + (f" ({setting})" if setting else "")
    return Finding("learning rate out of range", severity, what, remedy)


def _kind(settings: Settings) -> str:
    """What decides the usual learning rates: the optimizer if it is known, or the model."""
    optimizer = settings.optimizer.lower().split(".")[0]
    decides = optimizer in RATES and (settings.family == "keras" or optimizer == "sgd")
    return optimizer if decides else settings.family


def batch_size(run: TrainingRun) -> Finding | None:
    """A batch size outside of the usual range."""
    if run.settings is None or run.settings.batch is None:
        return None
    unit, first, last = run.settings.batch
    low, high = BATCHES.get(unit, (0, float("inf")))
    if low <= last <= high:
        return None
    size = f"{first:g}" if first == last else f"{first:g} to {last:g}"
    larger = "larger batches (training.batcher.size), or training.accumulate_gradient"
    remedy = "smaller batches (training.batcher.size), or more texts" if last > high else larger
    what = f"a batch has {size} {unit}, usual is {low} to {high:,}"
    return Finding("batch size out of range", "warning", what, remedy)


def truncated(run: TrainingRun) -> Finding | None:
    """Texts that are longer than what is read of them."""
    settings, train = run.settings, run.train
    if settings is None or train is None or not train.texts:
        return None
    lengths = [len(words) for words in train.words]
    for reader, limit, consequence in _length_limits(settings):
        share = sum(length > limit for length in lengths) / len(lengths) if limit else 0.0
        if share > TRUNCATED_THRESHOLD:
            texts = f"{100 * share:.0f}% of the training texts"
            what = f"{texts} have more than the {limit} tokens that {reader} takes: {consequence}"
            severity: Severity = "serious" if share > TRUNCATED_SERIOUS else "warning"
            remedy = "raise the limit, or split the texts into paragraphs"
            return Finding("texts cut by max length", severity, what, remedy)
    return None


def _length_limits(settings: Settings) -> Iterator[tuple[str, int, str]]:
    """(what has a limit, the limit in tokens, what happens to longer texts)."""
    for name, limit in settings.max_length.items():
        yield name, limit, "their end is not read"
    consequence = "they are split into sentences, or left out if they have none"
    yield "the reader of the training texts", settings.reader_max_length, consequence
    yield "the batcher", int(settings.oversize), "discard_oversize leaves them out"
