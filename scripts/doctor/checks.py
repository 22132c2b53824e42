"""All checks, in the order in which their findings are told."""

from scripts.doctor import choices, curves, data
from scripts.doctor.case import Case, Check, Finding

CHECKS: list[Check] = [
    curves.not_finite,
    curves.loss_stays,
    curves.score_stays,
    choices.one_label,
    choices.wrong_output,
    choices.learn_rate,
    choices.batch_size,
    data.duplicates,
    data.other_distribution,
    data.half_labelled,
    data.too_few,
    choices.truncated,
    curves.overfits,
    curves.ended_early,
]


def examine(case: Case) -> list[Finding]:
    """Everything that is wrong with a training, serious things first."""
    found = [finding for check in CHECKS if (finding := check(case))]
    return sorted(found, key=lambda finding: finding.severity != "serious")
