"""Calibration of three classes and more: labels and class probabilities in, errors, slopes and intercepts out.

Three questions, each stricter than the one before: is the model right as often as it is sure (`confidence_error`), is
each class as frequent as its probability says (`classwise_error`, `class_calibration`), and are the classes right
relative to each other (`multinomial_calibration`). For two classes see `calibration`. All intervals resample patients.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray, IntArray
from hounsfield.stats.bootstrap import WeightedStatistic, bootstrap_table
from hounsfield.stats.calibration import CalibrationFit, bin_places, calibration_error, error_estimate
from hounsfield.stats.estimate import Estimate, undefined
from hounsfield.stats.inputs import checked_level, class_probabilities, patient_codes
from hounsfield.stats.intervals import bootstrapped
from hounsfield.stats.multinomial import multinomial_logistic

_NEAREST = 1e-6  # probabilities of 0 or 1 have no logit; they are taken this far inside
_SUM = 1e-3  # how far the probabilities of a case may sum from 1: rounded exports stay below


def confidence_error(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    classes: Sequence[Any],
    bins: int = 10,
    strategy: str = "uniform",
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Expected calibration error of the confidence: |share right - mean highest probability| of each bin, over cases.

    Args:
        label: (N,) class of each case.
        prob: (N, C) probability of each class, columns in the order of `classes`, summing to 1.
        bins, strategy: as in `calibration.reliability_curve`, of the highest probability of each case.
        rng: seeded with 0 when absent.

    Returns: in [0, 1]; bias and edges as `calibration.calibration_error`. Of equal highest probabilities the first
        class is the model's answer. Errors of two predicted classes can cancel out here, as a class that is never
        predicted can be wrong unseen: see `classwise_error`.

    Source: Guo et al., ICML 2017; called top-label calibration by many, which in Gupta & Ramdas, ICLR 2022, asks
        for more (each predicted class by itself).
    """
    codes, table = _checked(label, prob, classes)
    right = table.argmax(axis=1) == codes if len(codes) else np.zeros(0, dtype=bool)
    sure = table.max(axis=1) if len(codes) else np.zeros(0)
    return calibration_error(
        right,
        sure,
        bins=bins,
        strategy=strategy,
        patient_id=patient_id,
        rng=rng,
        level=level,
        resamples=resamples,
    )


def classwise_error(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    classes: Sequence[Any],
    bins: int = 10,
    strategy: str = "uniform",
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Mean over the classes of the calibration error of that class against the rest; arguments as `confidence_error`.

    Returns: in [0, 1]; bias and edges as `calibration.calibration_error`. It falls with the number of classes, since
        most of their probabilities are near 0. A class without a case counts with its mean probability. Near perfect
        calibration there is often no interval: see `calibration.error_estimate`.

    Source: Kull et al., NeurIPS 2019.
    """
    codes, table = _checked(label, prob, classes)
    gaps = []
    for k in range(len(classes)):
        place = bin_places(table[:, k], bins, strategy)
        gaps.append(np.eye(bins)[place] * ((codes == k) - table[:, k])[:, None])

    def statistic(weights: FloatArray) -> FloatArray:
        with np.errstate(invalid="ignore"):
            each = [np.abs(weights @ gap).sum(axis=1) / weights.sum(axis=1) for gap in gaps]
        return np.asarray(np.mean(each, axis=0))

    return error_estimate(
        bootstrapped("classwise calibration error", statistic, len(codes), patient_id, rng, level, resamples)
    )


def class_calibration(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    classes: Sequence[Any],
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> dict[Any, CalibrationFit]:
    """Slope and intercept of each class against the rest, by the logistic regression of `calibration.calibration_fit`.

    Args:
        label, prob, rng: as in `confidence_error`.

    Returns: a fit a class; values equal those of `calibration_fit(label == k, prob_k)`, intervals are percentiles over
        resampled patients, the same for all classes. NaN and UndefinedMetric where a class has no or all cases, or its
        probability is constant or separates it. Well calibrated classes have slope 1 and intercept 0 each, yet the
        classes can still be wrong relative to each other.

    Source: Van Calster et al., BMC Med 2019;17:230, a class at a time.
    """
    codes, table = _checked(label, prob, classes)
    logit = special.logit(np.clip(table, _NEAREST, 1 - _NEAREST))
    hits = (codes[:, None] == np.arange(len(classes))).astype(np.float64)
    columns = [(logit[:, [k]], hits[:, [k]]) for k in range(len(classes))]
    fits = _fits([f"calibration of class {name}" for name in classes], columns, patient_id, rng, level, resamples)
    return dict(zip(classes, fits, strict=True))


def multinomial_calibration(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    classes: Sequence[Any],
    reference: Any = None,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> dict[Any, CalibrationFit]:
    """Slopes and intercepts of all classes in one multinomial regression on the log ratios of their probabilities.

    Each class k but the reference has log(P_k / P_r) = intercept_k + slope_k * log(prob_k / prob_r); the constants of
    `in_the_large` hold the slopes at 1.

    Args:
        label, prob, rng: as in `confidence_error`.
        reference: the class that the others are set against, a frequent one; the first of `classes` when absent.

    Returns: a fit for each class but the reference; 1, 0 and 0 are right. With two classes the values are those of
        `calibration_fit`. Intervals are percentiles over resampled patients. NaN and UndefinedMetric for all classes
        where one has no case or the probabilities separate them.

    Raises: HounsfieldError when `reference` is no class, or with fewer than two classes.
    Source: framework of Van Hoorde et al., Stat Med 2014;33:2585; here each class has its own log ratio only.
    """
    codes, table = _checked(label, prob, classes)
    names = list(classes)
    chosen = names[0] if reference is None else reference
    if chosen not in names or len(names) < 2:
        raise HounsfieldError(f"reference is one of two or more classes, {names}; got {chosen!r}.")
    others = [k for k, name in enumerate(names) if name != chosen]
    logs = np.log(np.clip(table, _NEAREST, None))
    ratio = logs[:, others] - logs[:, [names.index(chosen)]]
    hits = (codes[:, None] == np.array(others)).astype(np.float64)
    titles = [f"calibration of class {names[k]} against {chosen}" for k in others]
    fits = _fits(titles, [(ratio, hits)], patient_id, rng, level, resamples)
    return {names[k]: fit for k, fit in zip(others, fits, strict=True)}


def _checked(label: npt.ArrayLike, prob: npt.ArrayLike, classes: Sequence[Any]) -> tuple[IntArray, FloatArray]:
    codes, table = class_probabilities(label, prob, classes)
    off = np.abs(table.sum(axis=1) - 1)
    if (off > _SUM).any():
        row = int(np.argmax(off))
        raise HounsfieldError(
            f"the probabilities of a case sum to 1; got {table[row].sum():.4g} at position {row} "
            f"({int((off > _SUM).sum())} in all). Apply the softmax, and pass every class."
        )
    return codes, table


def _fits(
    names: Sequence[str],
    parts: Sequence[tuple[FloatArray, FloatArray]],
    patient_id: npt.ArrayLike | None,
    rng: np.random.Generator | None,
    level: float,
    resamples: int,
) -> list[CalibrationFit]:
    """One fit a name; `parts` hold predictors and hits of one regression each, together as many columns as names."""

    def statistic(weights: FloatArray) -> FloatArray:
        both = np.concatenate([multinomial_logistic(*part, weights) for part in parts], axis=2)
        alone = np.concatenate([multinomial_logistic(*part, weights, slopes=False) for part in parts], axis=2)
        return np.concatenate([both[:, 1], both[:, 0], alone[:, 0]], axis=1)

    cases, count = len(parts[0][0]), len(names)
    found = _estimates(statistic, 3 * count, cases, patient_id, rng, level, resamples)
    for name, slope in zip(names, found, strict=False):
        if math.isnan(slope.value):
            undefined(name, "a class without a case, or constant or perfectly separating probabilities")
    return [CalibrationFit(found[k], found[count + k], found[2 * count + k]) for k in range(count)]


def _estimates(
    statistic: WeightedStatistic,
    columns: int,
    cases: int,
    patient_id: npt.ArrayLike | None,
    rng: np.random.Generator | None,
    level: float,
    resamples: int,
) -> list[Estimate]:
    """Percentile intervals of all columns on the same resamples: a regression a column and resample would take long."""
    checked_level(level)
    codes, patients = patient_codes(patient_id, cases=cases)
    draws = rng if rng is not None else np.random.default_rng(0)
    value = statistic(np.ones((1, cases)))[0]
    drawn = bootstrap_table(statistic, cases=cases, rng=draws, columns=columns, patient_id=codes, resamples=resamples)
    unit = "patients" if patients < cases else "cases"
    method = f"patient bootstrap (percentile, {resamples} resamples)"
    found = []
    for one, column in zip(value, drawn.T, strict=True):
        known = column[np.isfinite(column)]
        lost = resamples - len(known)
        note = f"{lost} of {resamples} resamples had no value" if lost else ""
        ends = [math.nan, math.nan]
        if math.isnan(one) or patients < 2:
            note = "the statistic is undefined" if math.isnan(one) else "fewer than two patients"
        elif 2 * lost > resamples or np.ptp(known) == 0:
            note = f"no interval: {note or 'all resamples give the same value'}"
        else:
            ends = np.quantile(known, [(1 - level) / 2, (1 + level) / 2]).tolist()
        found.append(Estimate(float(one), ends[0], ends[1], patients, unit, method, level, note))
    return found
