"""Metrics as statistics of weighted cases, the form that a bootstrap takes: arrays in, a function of weights out.

Each function returned takes (B, N) weights of the cases and gives (B,) values, NaN where a weighting leaves none.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray
from hounsfield.stats.auc import weighted_auc
from hounsfield.stats.bootstrap import WeightedStatistic
from hounsfield.stats.inputs import binary_labels, scores


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


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(above / below, dtype=np.float64)
