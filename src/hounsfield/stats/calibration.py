"""How well probabilities agree with what happened: labels and probabilities in, curve, slope and errors out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray, IntArray
from hounsfield.stats.estimate import Estimate, undefined
from hounsfield.stats.inputs import binary_labels, checked_level, patient_codes, probabilities
from hounsfield.stats.intervals import bootstrapped, share_interval

_NEAREST = 1e-6  # probabilities of exactly 0 or 1 have no logit; they are taken this far inside


@dataclass(frozen=True)
class ReliabilityCurve:
    """Observed against predicted frequency in K bins that hold at least one case: (K,) arrays.

    Attributes:
        mean_prob: mean probability of the bin's cases.
        observed: share of the bin's cases that are positive.
        low: lower end of the observed share's interval (see `intervals.share_interval`).
        high: upper end.
        count: number of cases.
    """

    mean_prob: FloatArray
    observed: FloatArray
    low: FloatArray
    high: FloatArray
    count: IntArray


@dataclass(frozen=True)
class CalibrationFit:
    """Logistic recalibration of a probability.

    Attributes:
        slope: factor of the logit; 1 is right, below 1 the probabilities are too extreme.
        intercept: constant fitted together with the slope; 0 is right.
        in_the_large: constant fitted with the slope held at 1; above 0 the probabilities are too low on the whole.
    """

    slope: Estimate
    intercept: Estimate
    in_the_large: Estimate


def reliability_curve(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    bins: int = 10,
    strategy: str = "quantile",
    patient_id: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> ReliabilityCurve:
    """Observed share against mean probability, bin by bin.

    Args:
        label: (N,) 0 or 1.
        prob: (N,) probability of 1.
        bins: how many; bins without a case are left out.
        strategy: "quantile" for about equal counts (equal probabilities stay together) or "uniform" for equal width.
        patient_id: (N,) whose case it is, for the intervals.

    Returns: the curve, empty without cases. Raises: HounsfieldError on a probability outside [0, 1].
    """
    positive = binary_labels(label)
    given = probabilities(prob, cases=len(positive))
    codes, _ = patient_codes(patient_id, cases=len(positive))
    place = bin_places(given, bins, strategy)
    held = np.unique(place)
    shares = [share_interval(positive[place == k], patient_id=codes[place == k], level=level) for k in held]
    return ReliabilityCurve(
        mean_prob=np.array([given[place == k].mean() for k in held]),
        observed=np.array([share.value for share in shares]),
        low=np.array([share.low for share in shares]),
        high=np.array([share.high for share in shares]),
        count=np.array([np.count_nonzero(place == k) for k in held], dtype=np.int64),
    )


def calibration_error(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    bins: int = 10,
    strategy: str = "uniform",
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Expected calibration error: mean over cases of |observed - predicted| of their bin, in [0, 1].

    It grows with the number of bins and is above 0 for perfect probabilities too, by chance, which a bootstrap doubles:
    its percentile interval lies too high. Compare only at equal settings. NaN and UndefinedMetric without cases; no
    interval where resampling leaves the value outside of it (see `error_estimate`).

    Source: Naeini et al., AAAI 2015:2901; Guo et al., ICML 2017, here for the positive class.
    """
    positive = binary_labels(label)
    given = probabilities(prob, cases=len(positive))
    place = bin_places(given, bins, strategy)
    gaps = np.eye(bins)[place] * (positive - given)[:, None] if len(place) else np.zeros((0, bins))

    def statistic(weights: FloatArray) -> FloatArray:
        with np.errstate(invalid="ignore"):
            return np.asarray(np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1))

    return error_estimate(
        bootstrapped("calibration error", statistic, len(positive), patient_id, rng, level, resamples)
    )


def error_estimate(estimate: Estimate) -> Estimate:
    """A bootstrapped calibration error, without the interval where that does not hold the value.

    Every resample adds an error by chance to the one there is. Near perfect calibration BCa then reads so far out in
    the tail that its interval is narrow and lies beside the value, and beside the truth.
    """
    if not estimate.has_interval or estimate.low <= estimate.value <= estimate.high:
        return estimate
    note = "no interval: chance alone may explain the error, and resampling adds to it"
    return replace(estimate, low=math.nan, high=math.nan, note=note)


def calibration_fit(
    label: npt.ArrayLike, prob: npt.ArrayLike, *, patient_id: npt.ArrayLike | None = None, level: float = 0.95
) -> CalibrationFit:
    """Slope and intercept of the logistic regression of the label on the probability's logit.

    Args:
        label: (N,) 0 or 1, both present.
        prob: (N,) probability of 1; exactly 0 and 1 are moved inside by 1e-6.
        patient_id: (N,) whose case it is; where patients repeat the standard errors are those of patients (sandwich).

    Returns: three estimates with normal intervals. NaN with the warning UndefinedMetric when a class is missing,
        when all probabilities are equal or when they separate the classes, since the slope is then infinite.

    Source: Cox, Biometrika 1958;45:562; Van Calster et al., BMC Med 2019;17:230.
    """
    checked_level(level)
    positive = binary_labels(label).astype(np.float64)
    given = probabilities(prob, cases=len(positive))
    codes, patients = patient_codes(patient_id, cases=len(positive))
    logit = special.logit(np.clip(given, _NEAREST, 1 - _NEAREST))
    ones = np.ones_like(logit)
    both = _logistic(np.column_stack([ones, logit]), positive, np.zeros_like(logit), codes)
    alone = _logistic(ones[:, None], positive, logit, codes)
    repeated = patients < len(positive)
    method = f"logistic recalibration, {'errors by patient' if repeated else 'Wald'}"

    tail = (patients, "patients" if repeated else "cases", method, level)
    if both is None:
        undefined("calibration slope", "one class only, or equal or perfectly separating probabilities")

    def estimate(fit: tuple[FloatArray, FloatArray] | None, k: int) -> Estimate:
        if fit is None:
            return Estimate(math.nan, math.nan, math.nan, *tail)
        value, half = float(fit[0][k]), float(special.ndtri((1 + level) / 2)) * math.sqrt(fit[1][k, k])
        return Estimate(value, value - half, value + half, *tail)

    return CalibrationFit(slope=estimate(both, 1), intercept=estimate(both, 0), in_the_large=estimate(alone, 0))


def _logistic(
    design: FloatArray, label: FloatArray, offset: FloatArray, codes: IntArray
) -> tuple[FloatArray, FloatArray] | None:
    """Coefficients and their covariance by Newton's method; None when there is no finite maximum."""
    beta = np.zeros(design.shape[1])
    if not len(label) or label.min() == label.max():
        return None
    for _ in range(60):
        fitted = special.expit(design @ beta + offset)
        information = (design * (fitted * (1 - fitted))[:, None]).T @ design
        if not np.isfinite(information).all() or np.linalg.cond(information) > 1e12:
            return None
        step = np.linalg.solve(information, design.T @ (label - fitted))
        # A step cut to length 2 keeps the first ones from overshooting; near the maximum none is that long.
        beta = beta + step * min(1.0, 2 / max(float(np.linalg.norm(step)), 1e-300))
        if float(np.linalg.norm(step)) < 1e-10:
            break
    else:
        return None
    inverse = np.linalg.inv(information)
    patients = int(codes.max()) + 1
    if patients == len(label):
        return beta, inverse
    if patients < 2:
        return None
    parts = design * (label - fitted)[:, None]
    by_patient = np.column_stack([np.bincount(codes, weights=column, minlength=patients) for column in parts.T])
    return beta, patients / (patients - 1) * inverse @ (by_patient.T @ by_patient) @ inverse


def bin_places(prob: FloatArray, bins: int, strategy: str) -> IntArray:
    """(N,) number of the bin of each probability, by the strategies of `reliability_curve`.

    A probability on the border of two bins is in the upper one of equal width, in the lower one of equal counts.

    Raises: HounsfieldError for no bin or an unknown strategy.
    """
    if bins < 1 or strategy not in ("quantile", "uniform"):
        raise HounsfieldError(f"expected bins >= 1, strategy 'quantile' or 'uniform'; got {bins}, {strategy!r}.")
    if strategy == "uniform" or not len(prob):
        return np.minimum((prob * bins).astype(np.int64), bins - 1)
    inner = np.unique(np.quantile(prob, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(inner, prob, side="left").astype(np.int64)
