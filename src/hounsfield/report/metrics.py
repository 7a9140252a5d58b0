"""The report's metrics by name: what each is called, and each as a statistic of weighted cases for the bootstrap.

In: a `Repeat`. Out: functions from (B, N) weights to (B,) values; a row of ones gives the metric itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hounsfield.core.types import BoolArray, FloatArray
from hounsfield.report.repeats import Repeat
from hounsfield.stats.auc import weighted_auc
from hounsfield.stats.bootstrap import WeightedStatistic
from hounsfield.stats.classification import accuracy_of, f1_of, mcc_of

_BINS = 10
_CLIP = 1e-6  # the logit of 0 or 1 is infinite


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
    "threshold": Metric("Operating point", "threshold of largest Youden index on each fold's validation part; mean"),
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
    found: dict[str, WeightedStatistic] = {"auc": _auc(repeat), **_counted(repeat)}
    found["brier"] = _mean(_squares(repeat))
    found["ece"] = _ece(repeat)
    if binary:
        positive = repeat.label == 1
        found["calibration_slope"] = _calibration(positive, repeat.prob[:, 1], slope=True)
        found["calibration_intercept"] = _calibration(positive, repeat.prob[:, 1], slope=False)
        if repeat.called is not None:
            found["sensitivity"] = _share(repeat.called, among=positive)
            found["specificity"] = _share(~repeat.called, among=~positive)
            found["threshold"] = _constant(float(np.mean(list(repeat.thresholds.values()))))
    for name, values in repeat.columns.items():
        if np.isfinite(values).any():
            found[name] = _mean(values)
    return {name: found[name] for name in METRICS if name in found}


def _auc(repeat: Repeat) -> WeightedStatistic:
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
    there = ~np.isnan(values)  # infinity stays: an empty mask's distance must not vanish from the mean
    known, present = np.where(there, values, 0.0), there.astype(np.float64)
    if np.isinf(known).any():
        return _constant(np.inf)
    return lambda weights: _ratio(weights @ known, weights @ present)


def _share(hit: BoolArray, *, among: BoolArray) -> WeightedStatistic:
    hits, all_of_them = (hit & among).astype(np.float64), among.astype(np.float64)
    return lambda weights: _ratio(weights @ hits, weights @ all_of_them)


def _constant(value: float) -> WeightedStatistic:
    return lambda weights: np.full(len(weights), value)


def _ece(repeat: Repeat) -> WeightedStatistic:
    """Ten bins of equal width: of the last of two classes, else of the most probable class against its being right."""
    if len(repeat.classes) == 2:
        score, hit = repeat.prob[:, 1], repeat.label == 1
    else:
        score, hit = repeat.prob.max(axis=1), repeat.predicted == repeat.label
    place = np.clip((score * _BINS).astype(np.int64), 0, _BINS - 1)
    gaps = np.eye(_BINS)[place] * (hit - score)[:, None]
    return lambda weights: _ratio(np.abs(weights @ gaps).sum(axis=1), weights.sum(axis=1))


def _calibration(positive: BoolArray, score: FloatArray, *, slope: bool) -> WeightedStatistic:
    """Logistic regression on the logit: its slope, or its intercept with the slope held at 1.

    Source: Van Calster et al., BMC Med 2019;17:230.
    """
    clipped = np.clip(score, _CLIP, 1 - _CLIP)
    logit = np.log(clipped / (1 - clipped))
    one = np.ones_like(logit)
    design, offset = (np.stack([one, logit]), 0 * logit) if slope else (one[None], logit)
    # Resamples start at the cohort's own solution: half the steps.
    start = np.nan_to_num(_logistic(design, offset, positive, np.ones((1, len(logit)))))
    return lambda weights: _logistic(design, offset, positive, weights, start=start)[-1]


def _logistic(
    design: FloatArray,
    offset: FloatArray,
    positive: BoolArray,
    weights: FloatArray,
    *,
    start: FloatArray | None = None,
) -> FloatArray:
    """(terms, B) coefficients of weighted logistic regressions by Newton's method; nan where none is finite."""
    terms, rows = len(design), len(weights)
    beta = np.zeros((terms, rows)) if start is None else np.repeat(start, rows, axis=1)
    step = np.full((terms, rows), np.inf)
    products = np.stack([design[i] * design[j] for i in range(terms) for j in range(terms)], axis=1)
    for _ in range(25):
        mean = 1 / (1 + np.exp(-np.clip(beta.T @ design + offset, -35, 35)))
        gradient = (weights * (positive - mean)) @ design.T
        curvature = ((weights * mean * (1 - mean)) @ products).reshape(rows, terms, terms)
        with np.errstate(invalid="ignore"):
            flat = ~(np.abs(np.linalg.det(curvature)) > 1e-10)
        curvature[flat] = np.eye(terms)
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0].T
        step[:, flat] = np.nan  # classes apart, or one alone: no finite solution
        beta = beta + np.clip(step, -3, 3)
        if not np.nanmax(np.abs(step), initial=0.0) > 1e-8:
            break
    settled = (np.abs(step) < 1e-4).all(axis=0) & (np.abs(beta) < 30).all(axis=0)
    return np.where(settled, beta, np.nan)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(above / below, dtype=np.float64)
