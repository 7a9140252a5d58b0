"""Metrics as statistics of weighted cases, the form that a bootstrap takes: arrays in, a function of weights out.

Each function returned takes (B, N) weights of the cases and gives (B,) values, NaN where a weighting leaves none.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import BoolArray, FloatArray
from hounsfield.stats.auc import weighted_auc
from hounsfield.stats.bootstrap import WeightedStatistic
from hounsfield.stats.inputs import binary_labels, probabilities, scores

_NEAREST = 1e-6  # the logit of 0 or 1 is infinite


def area(label: npt.ArrayLike, score: npt.ArrayLike) -> WeightedStatistic:
    """Area under the ROC curve of (N,) scores, ties one half."""
    positive = binary_labels(label)
    given = scores(score, cases=len(positive), name="score")
    return lambda weights: weighted_auc(positive, given, weights)


def share(hit: npt.ArrayLike, *, among: npt.ArrayLike) -> WeightedStatistic:
    """Share of hits among the cases where `among` is 1: sensitivity is the share of calls among positives.

    Raises: HounsfieldError on unequal lengths.
    """
    given, counted = binary_labels(hit, name="hit"), binary_labels(among, name="among")
    if given.shape != counted.shape:
        raise HounsfieldError(f"hit and among have one value a case; got {len(given)} and {len(counted)}.")
    above, below = (given & counted).astype(np.float64), counted.astype(np.float64)
    return lambda weights: _ratio(weights @ above, weights @ below)


def mean(value: npt.ArrayLike) -> WeightedStatistic:
    """Mean of (N,) numbers; cases with NaN are left out."""
    given = np.asarray(value, dtype=np.float64)
    there = ~np.isnan(given)
    known, present = np.where(there, given, 0.0), there.astype(np.float64)
    return lambda weights: _ratio(weights @ known, weights @ present)


def expected_error(hit: npt.ArrayLike, prob: npt.ArrayLike, *, bins: int = 10) -> WeightedStatistic:
    """Expected calibration error of (N,) probabilities of a hit, in bins of equal width; see `calibration_error`."""
    happened = binary_labels(hit, name="hit")
    given = probabilities(prob, cases=len(happened))
    place = np.minimum((given * bins).astype(np.int64), bins - 1)
    gap = happened - given

    def statistic(weights: FloatArray) -> FloatArray:
        total = np.stack([weights[:, place == k] @ gap[place == k] for k in range(bins)], axis=1)
        return _ratio(np.abs(total).sum(axis=1), weights.sum(axis=1))

    return statistic


def recalibration(label: npt.ArrayLike, prob: npt.ArrayLike, *, slope: bool) -> WeightedStatistic:
    """Logistic regression of the label on the probability's logit: its slope, or its constant with the slope held at 1.

    Source: Van Calster et al., BMC Med 2019;17:230. `calibration_fit` gives both with analytic intervals.
    """
    positive = binary_labels(label)
    clipped = np.clip(probabilities(prob, cases=len(positive)), _NEAREST, 1 - _NEAREST)
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
