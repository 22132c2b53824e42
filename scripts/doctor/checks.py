"""All checks, in the order in which their findings are listed."""

from scripts.doctor import curves, data, hyperparameters, outputs
from scripts.doctor.training_run import Check, Finding, TrainingRun

CHECKS: list[Check] = [
    curves.not_finite,
    curves.loss_stays,
    curves.score_stays,
    outputs.one_label,
    outputs.wrong_output,
    hyperparameters.learn_rate,
    hyperparameters.batch_size,
    data.duplicates,
    data.other_distribution,
    data.half_labelled,
    data.too_few,
    hyperparameters.truncated,
    curves.overfits,
    curves.ended_early,
]


def find_problems(run: TrainingRun) -> list[Finding]:
    """Everything that is wrong with a training, serious findings first."""
    findings = [finding for check in CHECKS if (finding := check(run))]
    return sorted(findings, key=lambda finding: finding.severity != "serious")
