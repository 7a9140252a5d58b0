"""Features on one scale. In: (N, F) values of a training part. Out: the same clipped, centred, scaled, and by what."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from hounsfield.core.types import BoolArray, FloatArray

_RANGE = (1, 99)  # percentiles of the training part beyond which a value is cut


@dataclass(frozen=True)
class Standard:
    """Standardised features.

    Attributes:
        values: (N, F) mean 0 and SD 1 in each column; a missing value is 0.
        low, high: (F,) range that values were clipped to; mean, scale: (F,) after that.
        measured: (F,) whether any case has the feature.
    """

    values: FloatArray
    low: FloatArray
    high: FloatArray
    mean: FloatArray
    scale: FloatArray
    measured: BoolArray


def standardise(values: FloatArray) -> Standard:
    """Clips each column to its 1st and 99th percentile, then centres and scales it.

    Args:
        values: (N, F); what is not finite is missing, and stands at the mean.
    """
    values = np.where(np.isfinite(values), values, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column that is empty throughout: handled on the next lines
        low, high = np.nan_to_num(np.nanpercentile(values, _RANGE, axis=0))
        clipped = np.clip(values, low, high)
        mean = np.nan_to_num(np.nanmean(clipped, axis=0))
        scale = np.nanstd(clipped, axis=0)
    scale = np.where(np.isfinite(scale) & (scale > 0), scale, 1.0)
    measured = np.asarray(np.isfinite(values).any(axis=0))
    return Standard(np.nan_to_num((clipped - mean) / scale), low, high, mean, scale, measured)
