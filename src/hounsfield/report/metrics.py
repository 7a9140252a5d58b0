"""The report's metrics by name: what each is called, and each as a statistic of weighted cases for the bootstrap.

In: a `Repeat`. Out: functions from (B, N) weights to (B,) values; a row of ones gives the metric itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hounsfield.core.types import FloatArray
from hounsfield.report.repeats import Repeat
from hounsfield.stats.auc import weighted_auc
from hounsfield.stats.bootstrap import WeightedStatistic
from hounsfield.stats.classification import accuracy_of, f1_of, mcc_of
from hounsfield.stats.weighted import expected_error, mean, recalibration, share


@dataclass(frozen=True)
class Metric:
    """Name for a reader, and one sentence on how to read it."""

    title: str
    meaning: str
    digits: int = 3


METRICS: Mapping[str, Metric] = {
    "auc": Metric(
        "AUC", "share of pairs in the right order; with three classes or more the mean of each against the rest"
    ),
    "accuracy": Metric("Accuracy", "share of cases whose most probable class is right"),
    "majority_accuracy": Metric("Accuracy of always naming the largest class", "what accuracy must be held against"),
    "f1_weighted": Metric("F1, weighted", "class F1 weighted by class size (the paper's AveF1)"),
    "f1_macro": Metric("F1, macro", "plain mean of class F1"),
    "mcc": Metric("MCC", "correlation of reference and call, Gorodkin's R_K; 0 is a guess"),
    "sensitivity": Metric("Sensitivity", "of positives found, at the validation part's operating point"),
    "specificity": Metric("Specificity", "of negatives left alone, at the same operating point"),
    "threshold": Metric("Operating point", "threshold of largest Youden index on validation cases; mean"),
    "brier": Metric("Brier score", "mean squared error of the probability; lower is better"),
    "calibration_slope": Metric("Calibration slope", "1 is right; below 1 the probabilities are too extreme"),
    "calibration_intercept": Metric("Calibration in the large", "0 is right; above 0 the risk is under-estimated"),
    "ece": Metric("Expected calibration error", "mean gap between predicted and observed share in ten bins"),
    "dice": Metric("Dice", "overlap of the automatic mask and the reference at threshold 0.5, mean over cases"),
    "asd_mm": Metric("Surface distance, mm", "mean distance between the two outlines; lower is better"),
}


# What the most probable class, or the probability itself, decides; a rank has neither.
NEED_PROBABILITY = (
    *("accuracy", "f1_weighted", "f1_macro", "mcc"),
    *("brier", "calibration_slope", "calibration_intercept", "ece"),
)


def statistics_of(repeat: Repeat) -> dict[str, WeightedStatistic]:
    """Every metric that this repeat's target and columns allow, by name, in the order of `METRICS`."""
    binary = len(repeat.classes) == 2
    found: dict[str, WeightedStatistic] = {"auc": area_of(repeat), **_counted(repeat)}
    found["brier"] = mean(_squares(repeat))
    found["ece"] = _ece(repeat)
    if binary:
        positive = repeat.label == 1
        found["calibration_slope"] = recalibration(positive, repeat.prob[:, 1], slope=True)
        found["calibration_intercept"] = recalibration(positive, repeat.prob[:, 1], slope=False)
        if repeat.called is not None:
            found["sensitivity"] = share(repeat.called, among=positive)
            found["specificity"] = share(~repeat.called, among=~positive)
            found["threshold"] = _constant(float(np.mean(list(repeat.thresholds.values()))))
    for name, values in repeat.columns.items():
        if np.isfinite(values).any():
            found[name] = _mean(values)
    return {name: found[name] for name in METRICS if name in found}


def area_of(repeat: Repeat) -> WeightedStatistic:
    """The AUC; with three classes or more the mean of each against the rest."""
    label, prob = repeat.label, repeat.prob
    if len(repeat.classes) == 2:
        return lambda weights: weighted_auc(label == 1, prob[:, 1], weights)

    def macro(weights: FloatArray) -> FloatArray:
        each = [weighted_auc(label == k, prob[:, k], weights) for k in range(prob.shape[1])]
        return np.asarray(np.mean(each, axis=0), dtype=np.float64)

    return macro


def _counted(repeat: Repeat) -> dict[str, WeightedStatistic]:
    """What the confusion matrix gives."""
    size = len(repeat.classes)
    cells = np.eye(size * size)[repeat.label * size + repeat.predicted]

    def of(metric: Callable[[FloatArray], FloatArray]) -> WeightedStatistic:
        return lambda weights: metric((weights @ cells).reshape(len(weights), size, size))

    def majority(matrices: FloatArray) -> FloatArray:
        true = matrices.sum(axis=2)
        return _ratio(true.max(axis=1), true.sum(axis=1))

    return {
        "accuracy": of(accuracy_of),
        "majority_accuracy": of(majority),
        "f1_weighted": of(lambda matrices: f1_of(matrices, average="weighted")),
        "f1_macro": of(lambda matrices: f1_of(matrices, average="macro")),
        "mcc": of(mcc_of),
    }


def _squares(repeat: Repeat) -> FloatArray:
    """Two classes: (p - y)^2 of the last. More: summed over the classes, 0 to 2."""
    if len(repeat.classes) == 2:
        return np.asarray((repeat.prob[:, 1] - repeat.label) ** 2)
    wanted = np.eye(len(repeat.classes))[repeat.label]
    return np.asarray(((repeat.prob - wanted) ** 2).sum(axis=1))


def _mean(values: FloatArray) -> WeightedStatistic:
    # An infinite distance (one mask empty) must not vanish from the mean.
    return _constant(np.inf) if np.isinf(values).any() else mean(values)


def _constant(value: float) -> WeightedStatistic:
    return lambda weights: np.full(len(weights), value)


def _ece(repeat: Repeat) -> WeightedStatistic:
    """Of the last of two classes, else of the most probable class against its being right."""
    if len(repeat.classes) == 2:
        return expected_error(repeat.label == 1, repeat.prob[:, 1])
    return expected_error(repeat.predicted == repeat.label, repeat.prob.max(axis=1))


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(above / below, dtype=np.float64)
