"""Intensity statistics (IBSI 3.3, UHIW). In: the intensities of the lesion, not discretised; out: 18 features of the
manual and the total energy.

Moments are those of the population. Percentiles are interpolated linearly between ranks, which the manual leaves open.
Entropy and uniformity, which PyRadiomics counts among these, are of the histogram: see `histogram`.
Not of IBSI: the total energy, energy times the volume of a voxel.
"""

from __future__ import annotations

import numpy as np

from hounsfield.core.types import FloatArray

REASONS = {
    "robust_mean_absolute_deviation": "no value lies between the 10th and the 90th percentile",
    "coefficient_of_variation": "the mean intensity is 0",
    "quartile_coefficient_of_dispersion": "the quartiles add up to 0",
}


def features(values: FloatArray, voxel_mm3: float) -> dict[str, float]:
    """The family's features by name; NaN where one is not defined.

    Args:
        values: (N,) float64 intensities, N of 1 or more.
    """
    table = moments(values)
    energy = float((values**2).sum())
    return table | {
        "energy": energy,
        "root_mean_square": float(np.sqrt(energy / len(values))),
        "total_energy": energy * voxel_mm3,
    }


def moments(values: FloatArray) -> dict[str, float]:
    """The 16 statistics that intensities and histogram levels share (3.3.1 to 3.3.16)."""
    mean, low, high = float(values.mean()), float(values.min()), float(values.max())
    p10, p25, median, p75, p90 = (float(value) for value in np.percentile(values, (10, 25, 50, 75, 90)))
    off = values - mean if high > low else np.zeros_like(values)  # rounding would leave a trace of spread
    variance = float((off**2).mean())
    robust = values[(values >= p10) & (values <= p90)]
    quartiles = p75 + p25
    return {
        "mean": mean,  # 3.3.1
        "variance": variance,
        # Of equal values both are 0 by the manual; kurtosis is in excess of a Gaussian's 3.
        "skewness": float((off**3).mean()) / variance**1.5 if variance else 0.0,
        "kurtosis": float((off**4).mean()) / variance**2 - 3 if variance else 0.0,
        "median": median,
        "minimum": low,
        "percentile_10": p10,
        "percentile_90": p90,
        "maximum": high,
        "interquartile_range": p75 - p25,
        "range": high - low,
        "mean_absolute_deviation": float(np.abs(off).mean()),
        "robust_mean_absolute_deviation": _spread(robust),
        "median_absolute_deviation": float(np.abs(values - median).mean()),  # the mean distance from the median
        "coefficient_of_variation": variance**0.5 / mean if mean else float("nan"),
        "quartile_coefficient_of_dispersion": (p75 - p25) / quartiles if quartiles else float("nan"),
    }


def _spread(values: FloatArray) -> float:
    """Mean distance from the mean; NaN of nothing (of two values neither lies between the percentiles)."""
    return float(np.abs(values - values.mean()).mean()) if len(values) else float("nan")
