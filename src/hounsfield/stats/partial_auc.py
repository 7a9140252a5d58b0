"""Area under a part of the ROC curve: labels, scores and a range of rates in, the area with its interval out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import BoolArray, FloatArray
from hounsfield.stats.bootstrap import bootstrap_interval
from hounsfield.stats.estimate import Estimate, undefined
from hounsfield.stats.inputs import binary_labels, scores
from hounsfield.stats.roc import corners


def partial_auc(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    false_positive_rate: tuple[float, float] | None = None,
    sensitivity: tuple[float, float] | None = None,
    standardised: bool = False,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Area between two false positive rates, or between two sensitivities, of the ROC curve.

    Args:
        label: (N,) 0 or 1.
        prob: (N,) score.
        false_positive_rate: (from, to) in [0, 1]; the area under the curve between them.
        sensitivity: (from, to) in [0, 1]; the area to the right of the curve between them, where specificity counts.
        standardised: McClish's form: 0.5 for chance, 1 for perfect; else the plain area, at most the range's width.
        patient_id: (N,) whose case it is.
        rng: of the patient bootstrap; seeded with 0 when absent.

    Returns: NaN and UndefinedMetric when a class has no case.
    Raises: HounsfieldError unless just one range is given, rising and within [0, 1].
    Source: McClish, Med Decis Making 1989;9:190; by sensitivity: Jiang et al., Radiology 1996;201:745.
    """
    positive = binary_labels(label)
    score = scores(prob, cases=len(positive))
    if (false_positive_rate is None) == (sensitivity is None):
        raise HounsfieldError("give one range: false_positive_rate=(0, 0.2), or sensitivity=(0.9, 1).")
    low, high = false_positive_rate or sensitivity or (0.0, 1.0)
    if not 0 <= low < high <= 1:
        raise HounsfieldError(f"a range runs upwards within [0, 1]; got {low} to {high}.")
    by_sensitivity = sensitivity is not None
    if positive.all() or not positive.any():
        value = undefined("partial AUC", "one class has no case")
        return Estimate(value, math.nan, math.nan, len(positive), "cases", "partial AUC", level, "one class only")
    return bootstrap_interval(
        lambda weights: _areas(positive, score, weights, (low, high), by_sensitivity, standardised),
        cases=len(positive),
        rng=rng or np.random.default_rng(0),
        patient_id=patient_id,
        resamples=resamples,
        level=level,
    )


def _areas(
    positive: BoolArray,
    score: FloatArray,
    weights: FloatArray,
    limits: tuple[float, float],
    by_sensitivity: bool,
    standardised: bool,
) -> FloatArray:
    low, high = limits
    across, up = corners(positive, score, weights)
    found = []
    for x, y in zip(across, up, strict=True):
        if np.isnan(x[-1]) or np.isnan(y[-1]):
            found.append(np.nan)
        elif by_sensitivity:
            # The curve with its axes exchanged and mirrored: specificity above sensitivity.
            found.append(_trapezoid(y, 1 - x, low, high))
        else:
            found.append(_trapezoid(x, y, low, high))
    area = np.array(found)
    if not standardised:
        return area
    width = high - low
    chance = width * (2 - low - high) / 2 if by_sensitivity else (high**2 - low**2) / 2
    return np.asarray((1 + (area - chance) / (width - chance)) / 2)


def _trapezoid(x: FloatArray, y: FloatArray, low: float, high: float) -> float:
    """Area under the corners (x, y) from low to high; a step straight up at an edge adds nothing."""
    inside = (x > low) & (x < high)
    # At a vertical step interp takes one of its ends; the curve right of `low` starts from the step's last corner and
    # left of `high` ends at its first.
    start = y[np.flatnonzero(x == low)[-1]] if (x == low).any() else np.interp(low, x, y)
    end = y[np.flatnonzero(x == high)[0]] if (x == high).any() else np.interp(high, x, y)
    return float(np.trapezoid(np.r_[start, y[inside], end], np.r_[low, x[inside], high]))
