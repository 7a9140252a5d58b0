"""The interval of each metric by the method that fits the data: predictions in, an `Estimate` out.

The rule is one for all: when every patient has one case, Wilson for shares and DeLong on the logit scale for the AUC;
when patients repeat, the bootstrap over patients if `rng` is given, else the analytic form for clusters (Wilson at the
effective number of cases, Obuchowski's variance). F1, MCC and means have no closed form here and are always
bootstrapped over patients. `Estimate.method` says what was used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import BoolArray, FloatArray
from hounsfield.stats.auc import auc, delong_interval, weighted_auc
from hounsfield.stats.bootstrap import WeightedStatistic, bootstrap_interval
from hounsfield.stats.classification import f1_of, mcc_of, weighted_macro_auc
from hounsfield.stats.estimate import Estimate, undefined
from hounsfield.stats.inputs import binary_labels, class_codes, patient_codes, probabilities, scores
from hounsfield.stats.proportion import clopper_pearson, clustered_wilson, wilson


def auc_interval(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Area under the ROC curve with its interval.

    Args:
        label: (N,) 0 or 1.
        prob: (N,) score, higher for 1.
        patient_id: (N,) whose case it is; None when every case is another patient.
        rng: used only where patients repeat; see the rule above.

    Returns: at an area of 0 or 1 an exact bound from disjoint pairs of patients; with one class only NaN and the
        warning UndefinedMetric.
    """
    positive = binary_labels(label)
    score = scores(prob, cases=len(positive))
    codes, patients = patient_codes(patient_id, cases=len(positive))
    two_classes = bool(positive.any() and not positive.all())
    if patients == len(positive) or rng is None or not two_classes or auc(positive, score) in (0.0, 1.0):
        return delong_interval(positive, score, patient_id=codes, level=level)
    return bootstrap_interval(
        lambda weights: weighted_auc(positive, score, weights),
        cases=len(positive),
        rng=rng,
        patient_id=codes,
        resamples=resamples,
        level=level,
    )


def accuracy_interval(
    label: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Share of (N,) classes that are right, with its interval; see `share_interval`."""
    rows, columns, _ = class_codes(label, predicted)
    return share_interval(rows == columns, patient_id=patient_id, rng=rng, level=level, resamples=resamples)


def sensitivity_interval(
    label: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
) -> Estimate:
    """Share of the (N,) cases of label 1 that are called 1, with its interval; see `share_interval`."""
    positive, called = _pair(label, predicted)
    return share_interval(called[positive], patient_id=_of(patient_id, positive), rng=rng, level=level)


def specificity_interval(
    label: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
) -> Estimate:
    """Share of the (N,) cases of label 0 that are called 0, with its interval; see `share_interval`."""
    positive, called = _pair(label, predicted)
    return share_interval(~called[~positive], patient_id=_of(patient_id, ~positive), rng=rng, level=level)


def share_interval(
    success: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Share of successes among (N,) 0/1 values, with its interval.

    Returns: where patients repeat and all or no cases succeed, a bootstrap sees no spread: the exact interval of the
        patients taken as single trials is given, and `note` says so. NaN and UndefinedMetric without cases.
    """
    hit = binary_labels(success, name="success")
    codes, patients = patient_codes(patient_id, cases=len(hit))
    if patients == len(hit):
        return wilson(int(hit.sum()), len(hit), level=level)
    if hit.all() or not hit.any():
        exact = clopper_pearson(patients if hit.all() else 0, patients, level=level)
        note = "all cases alike: each patient taken as one trial"
        return Estimate(exact.value, exact.low, exact.high, patients, "patients", exact.method, level, note)
    if rng is None:
        return clustered_wilson(hit, patient_id=codes, level=level)
    return _mean(hit.astype(np.float64), codes, rng, level, resamples)


def f1_interval(
    label: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    average: str,
    rng: np.random.Generator,
    patient_id: npt.ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """F1 of (N,) classes, "weighted" or "macro", with its patient bootstrap interval."""
    statistic = _of_matrix(label, predicted, lambda matrices: f1_of(matrices, average=average))
    return _bootstrapped("F1", statistic, len(np.asarray(label)), patient_id, rng, level, resamples)


def mcc_interval(
    label: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    patient_id: npt.ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Matthews' correlation (Gorodkin's R_K) of (N,) classes with its patient bootstrap interval."""
    statistic = _of_matrix(label, predicted, mcc_of)
    return _bootstrapped("MCC", statistic, len(np.asarray(label)), patient_id, rng, level, resamples)


def macro_auc_interval(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    classes: Sequence[Any],
    rng: np.random.Generator,
    patient_id: npt.ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Mean one-against-the-rest AUC of (N, C) probabilities with its patient bootstrap interval."""

    def statistic(weights: FloatArray) -> FloatArray:
        return weighted_macro_auc(label, prob, weights, classes=classes)

    return _bootstrapped("macro AUC", statistic, len(np.asarray(label)), patient_id, rng, level, resamples)


def brier_interval(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    patient_id: npt.ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Brier score of (N,) probabilities with its patient bootstrap interval."""
    positive = binary_labels(label)
    given = probabilities(prob, cases=len(positive))
    return mean_interval((given - positive) ** 2, rng=rng, patient_id=patient_id, level=level, resamples=resamples)


def mean_interval(
    value: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    patient_id: npt.ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Mean of one number a case (Dice, distance in mm) with its patient bootstrap interval.

    Args:
        value: (N,) numbers; NaN marks a case without a value, which is left out and counted in `note`. An infinite
            distance (one mask empty) makes the mean infinite, without an interval.
    """
    given = np.asarray(value, dtype=np.float64)
    codes, _ = patient_codes(patient_id, cases=len(given))
    known = ~np.isnan(given)
    estimate = _mean(given[known], codes[known], rng, level, resamples)
    if known.all():
        return estimate
    note = "; ".join(filter(None, [estimate.note, f"{int((~known).sum())} of {len(given)} cases have no value"]))
    return replace(estimate, note=note)


def _mean(value: FloatArray, patient_id: npt.ArrayLike, rng: np.random.Generator, level: float, b: int) -> Estimate:
    if np.isinf(value).any():
        _, patients = patient_codes(patient_id, cases=len(value))
        unit = "patients" if patients < len(value) else "cases"
        note = f"{int(np.isinf(value).sum())} of {len(value)} values are infinite"
        return Estimate(float(value.mean()), math.nan, math.nan, patients, unit, "mean", level, note)

    def statistic(weights: FloatArray) -> FloatArray:
        with np.errstate(invalid="ignore"):
            return np.asarray((weights @ value) / weights.sum(axis=1))

    return _bootstrapped("mean", statistic, len(value), patient_id, rng, level, b)


def _bootstrapped(
    name: str,
    statistic: WeightedStatistic,
    cases: int,
    patient_id: npt.ArrayLike | None,
    rng: np.random.Generator,
    level: float,
    resamples: int,
) -> Estimate:
    estimate = bootstrap_interval(
        statistic, cases=cases, rng=rng, patient_id=patient_id, resamples=resamples, level=level
    )
    if math.isnan(estimate.value):
        undefined(name, "no case, or a class without one")
    return estimate


def _of_matrix(label: npt.ArrayLike, predicted: npt.ArrayLike, metric: WeightedStatistic) -> WeightedStatistic:
    """A metric of the confusion matrix as a statistic of weighted cases."""
    rows, columns, names = class_codes(label, predicted)
    size = len(names)
    cell = np.eye(size * size)[rows * size + columns]
    return lambda weights: metric((weights @ cell).reshape(len(weights), size, size))


def _pair(label: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[BoolArray, BoolArray]:
    positive, called = binary_labels(label), binary_labels(predicted, name="predicted")
    if positive.shape != called.shape:
        raise HounsfieldError(f"label and predicted have one value a case; got {len(positive)} and {len(called)}.")
    return positive, called


def _of(patient_id: npt.ArrayLike | None, chosen: BoolArray) -> npt.ArrayLike | None:
    if patient_id is None:
        return None
    codes, _ = patient_codes(patient_id, cases=len(chosen))
    return codes[chosen]
