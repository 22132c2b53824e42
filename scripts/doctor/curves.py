"""Findings from the log of a training: losses and scores."""

import math

import numpy as np

from scripts.doctor.case import Case, Curve, Finding

FEWEST = 4  # evaluations of a whole stretch each, below which a curve says nothing
SHARED = (
    "tok2vec",
    "transformer",
)  # their "loss" is the size of the gradients that others send them
# Of the loss at the start, left at the end. A log without scores may be that of a training that goes on after a stop, near its end.
NOT_FALLEN, NOT_FALLEN_UNSCORED = 0.9, 0.98
FALLEN = 0.5
EXPLODED = 30  # times the loss at the start; batches of spaCy's schedule grow tenfold, and with them losses that are sums
LOST = 0.1  # of the best score, lost until the end
GAP = 0.35  # of the score on train above that on dev: networks know their training texts nearly by heart, and are fine where dev is not far
DEV_LOSS_RISEN = 1.25  # times the lowest
LEARNED = 0.6  # score after a whole first epoch from which on it is no guess any more; guessing one of two labels gives a half


def losses_of(curve: Curve) -> dict[str, list[float]]:
    """The losses that are to fall, each value over as many batches; none where there are too few to say anything."""
    names = [name for name in curve.losses if name not in SHARED] or list(curve.losses)
    return {name: values for name in names if len(values := curve.whole(name)) >= FEWEST}


def main_loss(curve: Curve) -> str:
    """The component whose loss is drawn."""
    return next((name for name in curve.losses if name not in SHARED), next(iter(curve.losses)))


def tail(values: list[float]) -> float:
    """The mean of the last third."""
    return float(np.mean(values[-max(1, len(values) // 3) :]))


def smooth(values: list[float]) -> list[float]:
    """The mean of each value and its two neighbours: the best of many noisy values is too good."""
    return [float(np.mean(values[max(0, i - 1) : i + 2])) for i in range(len(values))]


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _began_well(curve: Curve) -> bool:
    """Whether the first score is already a good one: it stands behind a whole epoch (Keras), or the training goes on from another."""
    return curve.unit == "epoch" and bool(curve.score) and curve.score[0] > LEARNED


def not_finite(case: Case) -> Finding | None:
    """NaN or infinite losses, or losses that explode."""
    if (curve := case.curve) is None:
        return None
    remedy = "divide the learning rate by 10, clip the gradients (grad_clip = 1.0; clipnorm in Keras), look for empty or odd texts"
    everything = {**curve.losses, **({"val_loss": curve.dev_losses} if curve.dev_losses else {})}
    for name, values in everything.items():
        bad = [step for step, value in zip(curve.steps, values) if not math.isfinite(value)]
        if bad:
            what = f"the loss {name} is no number (NaN or infinite) at {len(bad)} of {len(values)} evaluations, first at {curve.unit} {bad[0]}"
            return Finding("NaN or exploding loss", "serious", what, remedy)
    for name, values in losses_of(curve).items():
        if tail(values) > EXPLODED * values[0] > 0:
            what = f"the loss {name} grew from {values[0]:.3g} at the start to {tail(values):.3g} in the last third"
            return Finding("NaN or exploding loss", "serious", what, remedy)
    return None


def loss_stays(case: Case) -> Finding | None:
    """The loss does not fall, and the score does not rise."""
    curve = case.curve
    if curve is None or not_finite(case):
        return None
    best = max(smooth(curve.score), default=0.0)
    if curve.score and (best > 0.9 or best - curve.score[0] > 0.1 or _began_well(curve)):
        return None
    for name, values in losses_of(curve).items():
        if tail(values) > (NOT_FALLEN if curve.score else NOT_FALLEN_UNSCORED) * values[0]:
            what = f"the loss {name} went from {values[0]:.3g} to {tail(values):.3g} (mean of the last third)"
            what += (
                f", and the score from {percent(curve.score[0])} to {percent(best)} at best"
                if curve.score
                else ""
            )
            remedy = "see whether the learning rate is far too low or too high, whether labels fit their texts, whether a component is frozen"
            return Finding("loss does not fall", "serious", what, remedy)
    return None


def score_stays(case: Case) -> Finding | None:
    """The loss falls, but the score on dev stays where chance has it."""
    curve = case.curve
    if curve is None or not np.isfinite(curve.score or [np.nan]).all() or not_finite(case):
        return None
    n_dev = len(case.dev.texts) if case.dev else 0
    if not n_dev and _began_well(curve):
        return None
    best, falls = (
        max(smooth(curve.score)),
        {
            name: values
            for name, values in losses_of(curve).items()
            if tail(values) < FALLEN * values[0]
        },
    )
    chance = _chance(case) if n_dev else curve.score[0]
    margin = (
        max(0.05, 1 / math.sqrt(n_dev)) if n_dev else 0.05
    )  # two standard errors of a share near one half
    if not falls or best > chance + margin:
        return None
    name, values = next(iter(falls.items()))
    what = f"the loss {name} fell from {values[0]:.3g} to {tail(values):.3g}, but the best score on dev is {percent(best)}"
    what += (
        f", where chance has about {percent(chance)}"
        if n_dev
        else f", at the start it was {percent(chance)}"
    )
    remedy = "compare labels of train and dev: other names, other borders of entities, labels shifted by a line; then get more data"
    return Finding("loss falls, score does not", "serious", what, remedy)


def _chance(case: Case) -> float:
    """The score of guessing: 1 / labels for exclusive labels of texts, 0 for entities (whose borders nobody guesses)."""
    if case.dev is None or not case.dev.has_cats:
        return 0.0
    return 1 / max(1, len({label for cats in case.dev.cats for label in cats}))


def overfits(case: Case) -> Finding | None:
    """The score on dev gets worse again while the loss falls on, or the loss on dev rises, or train scores far above dev."""
    remedy = "more training texts first; then more dropout, fewer parameters, less patience, static vectors or a pretrained encoder"
    parts = [part for part in (_late_loss(case.curve), _gap(case)) if part]
    return Finding("overfitting", "warning", "; ".join(parts), remedy) if parts else None


def _late_loss(curve: Curve | None) -> str:
    """What gets worse after the best step, or ""."""
    if curve is None or len(curve.steps) < (FEWEST if curve.dev_losses else 2 * FEWEST):
        return ""
    if curve.dev_losses:
        best, last = int(np.argmin(curve.dev_losses)), tail(curve.dev_losses)
        lowest, loss = curve.dev_losses[best], next(iter(curve.losses.values()))
        if (
            best < 0.6 * len(curve.steps)
            and last > DEV_LOSS_RISEN * lowest
            and loss[-1] < 0.8 * loss[best]
        ):
            return (
                f"the loss on dev was lowest at {curve.unit} {curve.steps[best]} of {curve.steps[-1]} ({lowest:.3g}), then {last:.3g}, "
                f"while that on train fell from {loss[best]:.3g} to {loss[-1]:.3g}"
            )
        return ""
    if not np.isfinite(curve.score or [np.nan]).all():
        return ""
    values = smooth(curve.score)
    best, last = int(np.argmax(values)), tail(values)
    if best < 0.5 * len(values) and values[best] - last > LOST * values[best]:
        return (
            f"the score on dev was best around {curve.unit} {curve.steps[best]} of {curve.steps[-1]} ({percent(values[best])}, smoothed) "
            f"and fell to {percent(last)} (mean of the last third)"
        )
    return ""


def _gap(case: Case) -> str:
    found = case.predictions
    if (
        found is None
        or found.train_score is None
        or found.dev_score is None
        or found.train_score - found.dev_score <= GAP
    ):
        return ""
    train, dev = percent(found.train_score), percent(found.dev_score)
    gap = 100 * (found.train_score - found.dev_score)
    return f"the model scores {train} on its training texts and {dev} on dev: a gap of {gap:.0f} points"


def ended_early(case: Case) -> Finding | None:
    """The log ends before any of the settings ends a training."""
    curve, ends = case.curve, case.settings.ends if case.settings else {}
    if curve is None or not curve.score or not ends.get("max_steps") or ends.get("max_epochs"):
        return None
    last, best = curve.steps[-1], curve.steps[int(np.nanargmax([0.0, *curve.score[1:]]))]
    by_patience = bool(ends["patience"]) and last - best >= ends["patience"]
    if by_patience or last + ends["eval_frequency"] > ends["max_steps"]:
        return None
    what = f"the log ends at step {last} of {ends['max_steps']}, {last - best} steps after the best (patience {ends['patience']})"
    remedy = (
        "the training still runs, or it was killed, or it broke: spaCy's logger can't write NaN and ends in an OverflowError; "
        "run it again and read what it prints"
    )
    return Finding("ended early", "warning", what, remedy)
