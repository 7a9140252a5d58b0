"""Intervals of shares, of means and of any statistic by the method that fits the data: numbers in, an `Estimate` out.

The rule is one for all metrics. When every patient has one case: Wilson for shares, DeLong on the logit scale for the
AUC. When patients repeat: the bootstrap over patients if `rng` is given, else the analytic form for clusters (Wilson at
the effective number of cases, Obuchowski's variance). F1, MCC and means have no closed form here and are always
bootstrapped over patients. `Estimate.method` says what was used.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hounsfield.core.types import FloatArray
from hounsfield.stats.bootstrap import WeightedStatistic, bootstrap_interval
from hounsfield.stats.estimate import Estimate, undefined
from hounsfield.stats.inputs import binary_labels, patient_codes
from hounsfield.stats.proportion import clopper_pearson, clustered_wilson, wilson


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


def mean_interval(
    value: npt.ArrayLike,
    *,
    rng: np.random.Generator | None = None,
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


def _mean(
    value: FloatArray, patient_id: npt.ArrayLike, rng: np.random.Generator | None, level: float, b: int
) -> Estimate:
    if np.isinf(value).any():
        _, patients = patient_codes(patient_id, cases=len(value))
        unit = "patients" if patients < len(value) else "cases"
        note = f"{int(np.isinf(value).sum())} of {len(value)} values are infinite"
        return Estimate(float(value.mean()), math.nan, math.nan, patients, unit, "mean", level, note)

    def statistic(weights: FloatArray) -> FloatArray:
        with np.errstate(invalid="ignore"):
            return np.asarray((weights @ value) / weights.sum(axis=1))

    return bootstrapped("mean", statistic, len(value), patient_id, rng, level, b)


def bootstrapped(
    name: str,
    statistic: WeightedStatistic,
    cases: int,
    patient_id: npt.ArrayLike | None,
    rng: np.random.Generator | None,
    level: float,
    resamples: int,
) -> Estimate:
    """The patient bootstrap of a statistic, with the warning UndefinedMetric where it has no value.

    Args:
        rng: seeded with 0 when absent.
    """
    draws = rng if rng is not None else np.random.default_rng(0)
    estimate = bootstrap_interval(
        statistic, cases=cases, rng=draws, patient_id=patient_id, resamples=resamples, level=level
    )
    if math.isnan(estimate.value):
        undefined(name, "no case, or a class without one")
    return estimate
