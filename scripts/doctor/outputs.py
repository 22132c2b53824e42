"""Findings about the labels that a model gives: its output layer, and what it predicts."""

from collections import Counter

from scripts.doctor.training_run import (
    Dataset,
    Finding,
    Predictions,
    Settings,
    TrainingRun,
    is_set,
)

MULTILABEL_THRESHOLD = 0.01  # share of the training texts with several labels
MIN_EXAMPLES = 20  # texts or entities
SAME_LABEL_THRESHOLD = 0.95  # share of the predictions
RARER_THRESHOLD = 0.8  # times as frequent in the annotation
MIN_FOUND = 0.02  # entities found, as a share of those annotated
SWALLOWS = "one label swallows the rest"
DOES_NOT_FIT = "output does not fit the labels"


def wrong_output(run: TrainingRun) -> Finding | None:
    """An output layer that does not fit its loss, or the labels of the texts."""
    settings = run.settings
    if settings is None:
        return None
    if what := _clash(*settings.output):
        remedy = (
            "softmax goes with categorical_crossentropy, sigmoid with binary_crossentropy, "
            "one unit with sigmoid"
        )
        return Finding(DOES_NOT_FIT, "serious", what, remedy)
    if settings.exclusive is None or run.train is None or not run.train.has_cats:
        return None
    return _wrong_exclusive(settings, run.train)


def _wrong_exclusive(settings: Settings, train: Dataset) -> Finding | None:
    """A softmax over labels of which a text has several, or a sigmoid over exclusive labels."""
    n_texts, n_several, n_one = _count_labels(train)
    name = settings.component
    if settings.exclusive and n_several > MULTILABEL_THRESHOLD * n_texts:
        what = f"{n_several} of {n_texts} training texts have several labels"
        what += f", but the probabilities that {name} gives them sum to 1 (softmax)"
        remedy = (
            "use textcat_multilabel with exclusive_classes = false; "
            "in Keras a sigmoid for each label with binary_crossentropy"
        )
        return Finding(DOES_NOT_FIT, "serious", what, remedy)
    always_one = n_texts >= MIN_EXAMPLES and n_one == n_texts and len(train.cat_labels) > 1
    if not settings.exclusive and always_one:
        what = f"each of {n_texts} training texts has just one label"
        what += f", but {name} decides on each label separately (sigmoid)"
        remedy = (
            "use textcat with exclusive_classes = true (softmax), "
            "unless future texts may have several labels or none"
        )
        return Finding(DOES_NOT_FIT, "warning", what, remedy)
    return None


def _count_labels(train: Dataset) -> tuple[int, int, int]:
    """(texts with annotated labels, texts with several labels, texts with just one)."""
    counts = [list(map(is_set, cats.values())).count(True) for cats in train.cats if cats]
    return len(counts), sum(n > 1 for n in counts), sum(n == 1 for n in counts)


def _clash(activation: str, loss: str, units: int) -> str:
    """Why the last activation and the loss of a Keras model do not go together, or ""."""
    if activation == "softmax" and units == 1:
        return "the last layer is a softmax over one unit, which is always 1"
    layer = f"the last layer is a {activation}"
    if activation in ("softmax", "sigmoid") and loss.endswith("from_logits"):
        return f"{layer}, but the loss {loss.split()[0]} has from_logits, which applies it again"
    if activation == "softmax" and "binary" in loss:
        return f"{layer} over {units} units, but the loss {loss} takes each as a separate label"
    if activation == "sigmoid" and units > 1 and "categorical" in loss:
        return f"{layer} for each of {units} units, but the loss {loss} expects a sum of 1"
    return ""


def one_label(run: TrainingRun) -> Finding | None:
    """Predictions that are nearly all the same, although the annotated labels are not."""
    predictions = run.predictions
    if predictions is None or len(predictions.reference) < MIN_EXAMPLES:
        return None
    if what := _few_entities(predictions) or _same_label(predictions):
        return Finding(SWALLOWS, "serious", what, _remedy(run))
    return None


def _few_entities(predictions: Predictions) -> str:
    n_found, n_annotated = len(predictions.predicted), len(predictions.reference)
    if predictions.kind == "entities" and n_found < MIN_FOUND * n_annotated:
        return f"the model finds {n_found} entities in the dev texts, which have {n_annotated}"
    return ""


def _same_label(predictions: Predictions) -> str:
    n_predicted = len(predictions.predicted)
    if n_predicted < MIN_EXAMPLES:
        return ""
    label, count = Counter(predictions.predicted).most_common(1)[0]
    predicted = count / n_predicted
    annotated = predictions.reference.count(label) / len(predictions.reference)
    if predicted < SAME_LABEL_THRESHOLD or annotated > RARER_THRESHOLD * predicted:
        return ""
    share = f"{100 * predicted:.0f}% of the {predictions.kind} in dev get {label or 'no label'}"
    return f"{share}, which {100 * annotated:.0f}% have"


def _remedy(run: TrainingRun) -> str:
    balance = run.variables.get("balance")
    steps = run.setting("max_steps", "training.max_steps")
    rate = run.setting("learn_rate", "training.optimizer.learn_rate")
    look = "check how often each label occurs in train" + (f" ({balance})" if balance else "")
    train = f"train longer ({steps}), raise the learning rate ({rate})"
    return f"{look}, {train}; label more examples of the rare labels"
