"""Findings from the log of a training: losses and scores."""

import math

import numpy as np

from scripts.doctor.training_run import Curve, Finding, TrainingRun

MIN_EVALUATIONS = 4  # below which a curve says nothing
# the "loss" of these is the size of the gradients that other components send them
SHARED = ("tok2vec", "transformer")
# What may be left in the end of the loss at the start. A log without scores may be that of a
# training that continues after a stop, near its end.
NOT_FALLEN_THRESHOLD, NOT_FALLEN_UNSCORED_THRESHOLD = 0.9, 0.98
FALLEN_THRESHOLD = 0.5
# Times the loss at the start. Batches of spaCy's schedule grow tenfold, and losses that are sums
# grow with them.
EXPLODED_THRESHOLD = 30
SCORE_DROP_THRESHOLD = 0.1  # of the best score, lost by the end
# Score on train above that on dev. Networks know their training texts nearly by heart, which is
# harmless if dev is not far behind.
GAP_THRESHOLD = 0.35
DEV_LOSS_THRESHOLD = 1.25  # times the lowest
# A score after a whole first epoch from which on it is not a guess: guessing one of two labels
# gives a half.
LEARNED_THRESHOLD = 0.6
GOOD_SCORE, GOOD_RISE = 0.9, 0.1  # with which a training is not stuck
MARGIN = 0.05  # of a score above chance
NOT_FINITE = "NaN or exploding loss"


def losses_of(curve: Curve) -> dict[str, list[float]]:
    """The losses that should fall, each value over equally many batches; none if there are few."""
    names = [name for name in curve.losses if name not in SHARED] or list(curve.losses)
    values = {name: curve.comparable(name) for name in names}
    return {name: losses for name, losses in values.items() if len(losses) >= MIN_EVALUATIONS}


def main_loss(curve: Curve) -> str:
    """The component whose loss is drawn."""
    return next((name for name in curve.losses if name not in SHARED), next(iter(curve.losses)))


def tail(values: list[float]) -> float:
    """The mean of the last third."""
    return float(np.mean(values[-max(1, len(values) // 3) :]))


def smooth(values: list[float]) -> list[float]:
    """The mean of each value and its neighbours: the best of many noisy values is too good."""
    return [float(np.mean(values[max(0, i - 1) : i + 2])) for i in range(len(values))]


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _began_well(curve: Curve) -> bool:
    """Whether the first score, after a whole epoch (Keras), is good already."""
    return curve.unit == "epoch" and bool(curve.score) and curve.score[0] > LEARNED_THRESHOLD


def _has_finite_scores(curve: Curve) -> bool:
    return bool(np.isfinite(curve.score or [np.nan]).all())


def not_finite(run: TrainingRun) -> Finding | None:
    """NaN or infinite losses, or losses that explode."""
    curve = run.curve
    if curve is None:
        return None
    if what := _not_a_number(curve) or _exploded(curve):
        remedy = (
            "divide the learning rate by 10, clip the gradients (grad_clip = 1.0; clipnorm in "
            "Keras), look for empty or unusual texts"
        )
        return Finding(NOT_FINITE, "serious", what, remedy)
    return None


def _not_a_number(curve: Curve) -> str:
    losses = {**curve.losses, "val_loss": curve.dev_losses}
    for name, values in losses.items():
        bad = [step for step, value in zip(curve.steps, values) if not math.isfinite(value)]
        if bad:
            where = f"at {len(bad)} of {len(values)} evaluations, first at {curve.unit} {bad[0]}"
            return f"the loss {name} is not a number (NaN or infinite) {where}"
    return ""


def _exploded(curve: Curve) -> str:
    for name, values in losses_of(curve).items():
        start, end = values[0], tail(values)
        if end > EXPLODED_THRESHOLD * start > 0:
            growth = f"from {start:.3g} at the start to {end:.3g} in the last third"
            return f"the loss {name} grew {growth}"
    return ""


def loss_stays(run: TrainingRun) -> Finding | None:
    """The loss does not fall, and the score does not rise."""
    curve = run.curve
    if curve is None or not_finite(run):
        return None
    best = max(smooth(curve.score), default=0.0)
    if curve.score:
        rose = best > GOOD_SCORE or best - curve.score[0] > GOOD_RISE
        if rose or _began_well(curve):
            return None
    threshold = NOT_FALLEN_THRESHOLD if curve.score else NOT_FALLEN_UNSCORED_THRESHOLD
    for name, values in losses_of(curve).items():
        if tail(values) > threshold * values[0]:
            what = f"the loss {name} went from {values[0]:.3g} to {tail(values):.3g}"
            what += " (mean of the last third)"
            if curve.score:
                first = percent(curve.score[0])
                what += f", and the score from {first} to {percent(best)} at best"
            remedy = (
                "check whether the learning rate is far too low or too high, whether labels fit "
                "their texts, whether a component is frozen"
            )
            return Finding("loss does not fall", "serious", what, remedy)
    return None


def score_stays(run: TrainingRun) -> Finding | None:
    """The loss falls, but the score on dev stays at the level of guessing."""
    curve = run.curve
    if curve is None or not _has_finite_scores(curve) or not_finite(run):
        return None
    n_dev = len(run.dev.texts) if run.dev else 0
    if not n_dev and _began_well(curve):
        return None
    fallen = _fallen_loss(curve)
    best = max(smooth(curve.score))
    chance = _chance(run) if n_dev else curve.score[0]
    # two standard errors of a share near one half
    margin = max(MARGIN, 1 / math.sqrt(n_dev)) if n_dev else MARGIN
    if not fallen or best > chance + margin:
        return None
    compared = (
        f"guessing gives about {percent(chance)}" if n_dev else f"it began at {percent(chance)}"
    )
    what = f"{fallen}, but the best score on dev is {percent(best)}; {compared}"
    remedy = (
        "compare the labels of train and dev: other names, other boundaries of entities, labels "
        "shifted by a line; then get more data"
    )
    return Finding("loss falls, score does not", "serious", what, remedy)


def _fallen_loss(curve: Curve) -> str:
    for name, values in losses_of(curve).items():
        if tail(values) < FALLEN_THRESHOLD * values[0]:
            return f"the loss {name} fell from {values[0]:.3g} to {tail(values):.3g}"
    return ""


def _chance(run: TrainingRun) -> float:
    """The score of guessing: 1 / labels for labels of texts, 0 for entities."""
    if run.dev is None or not run.dev.has_cats:
        return 0.0
    return 1 / max(1, len(run.dev.cat_labels))


def overfits(run: TrainingRun) -> Finding | None:
    """Scores or losses on dev get worse late in the training, or are far from those on train."""
    parts = [part for part in (_late_loss(run.curve), _gap(run)) if part]
    if not parts:
        return None
    remedy = (
        "more training texts first; then more dropout, fewer parameters, less patience, static "
        "vectors or a pretrained encoder"
    )
    return Finding("overfitting", "warning", "; ".join(parts), remedy)


def _late_loss(curve: Curve | None) -> str:
    """What gets worse after the best step, or ""."""
    if curve is None:
        return ""
    n_evaluations = len(curve.steps)
    if curve.dev_losses:
        return _risen_dev_loss(curve) if n_evaluations >= MIN_EVALUATIONS else ""
    enough = n_evaluations >= 2 * MIN_EVALUATIONS
    return _fallen_score(curve) if enough and _has_finite_scores(curve) else ""


def _risen_dev_loss(curve: Curve) -> str:
    best, last = int(np.argmin(curve.dev_losses)), tail(curve.dev_losses)
    lowest, loss = curve.dev_losses[best], next(iter(curve.losses.values()))
    early = best < 0.6 * len(curve.steps)
    if not (early and last > DEV_LOSS_THRESHOLD * lowest and loss[-1] < 0.8 * loss[best]):
        return ""
    return (
        f"the loss on dev was lowest at {curve.unit} {curve.steps[best]} of {curve.steps[-1]} "
        f"({lowest:.3g}), then {last:.3g}, while the loss on train fell from {loss[best]:.3g} to "
        f"{loss[-1]:.3g}"
    )


def _fallen_score(curve: Curve) -> str:
    values = smooth(curve.score)
    best, last = int(np.argmax(values)), tail(values)
    early = best < 0.5 * len(values)
    if not (early and values[best] - last > SCORE_DROP_THRESHOLD * values[best]):
        return ""
    return (
        f"the score on dev was best around {curve.unit} {curve.steps[best]} of {curve.steps[-1]} "
        f"({percent(values[best])}, smoothed) and fell to {percent(last)} (mean of the last third)"
    )


def _gap(run: TrainingRun) -> str:
    predictions = run.predictions
    if predictions is None or predictions.train_score is None or predictions.dev_score is None:
        return ""
    gap = predictions.train_score - predictions.dev_score
    if gap <= GAP_THRESHOLD:
        return ""
    train, dev = percent(predictions.train_score), percent(predictions.dev_score)
    scores = f"the model scores {train} on its training texts and {dev} on dev"
    return f"{scores}: a gap of {100 * gap:.0f} points"


def ended_early(run: TrainingRun) -> Finding | None:
    """The log ends before any of the settings ends a training."""
    curve, limits = run.curve, run.settings.limits if run.settings else {}
    if curve is None or not curve.score:
        return None
    if not limits.get("max_steps") or limits.get("max_epochs"):
        return None
    max_steps, patience = limits["max_steps"], limits["patience"]
    best = curve.steps[int(np.nanargmax([0.0, *curve.score[1:]]))]
    last = curve.steps[-1]
    ran_out_of_patience = bool(patience) and last - best >= patience
    if ran_out_of_patience or last + limits["eval_frequency"] > max_steps:
        return None
    what = f"the log ends at step {last} of {max_steps}, {last - best} steps after the best"
    what += f" (patience {patience})"
    remedy = (
        "the training still runs, or it was killed, or it failed: spaCy's logger can't write NaN "
        "and ends in an OverflowError; run it again and read what it prints"
    )
    return Finding("ended early", "warning", what, remedy)
