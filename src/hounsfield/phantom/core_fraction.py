"""The solid core's share of a phantom nodule: its distribution in each class and the best accuracy it allows.

In a class the fraction is normal with the class's mean and a common SD, truncated to [0, `HIGHEST`].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from hounsfield.core.errors import StudyError
from hounsfield.core.types import FloatArray

HIGHEST = 0.9
"""Upper end of the fraction: a rim of ground glass always remains."""


def draw_core_fraction(rng: np.random.Generator, mean: float, sd: float) -> float:
    """One fraction in [0, `HIGHEST`]; takes one number from `rng`."""
    if sd == 0:
        rng.random()
        return float(np.clip(mean, 0, HIGHEST))
    low, high = ndtr(-mean / sd), ndtr((HIGHEST - mean) / sd)
    return float(np.clip(mean + sd * ndtri(low + rng.random() * (high - low)), 0, HIGHEST))


def core_fraction_density(fraction: FloatArray, mean: float, sd: float) -> FloatArray:
    """Density of a class's fraction, 0 outside of [0, `HIGHEST`]."""
    inside = (fraction >= 0) & (fraction <= HIGHEST)
    bell = np.exp(-0.5 * ((fraction - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
    return np.asarray(inside * bell / (ndtr((HIGHEST - mean) / sd) - ndtr(-mean / sd)))


def bayes_accuracy(
    core_means: Sequence[float],
    core_sd: float,
    *,
    priors: Sequence[float] | None = None,
    noise_sd_hu: float = 0.0,
    contrast_hu: float = 550.0,
    voxels: int | None = None,
) -> float:
    """Highest accuracy that any rule can reach in the mean, from the fraction or a noisy measurement of it.

    The rule takes the class with the highest prior times density; the accuracy is the integral of that highest value.
    With `voxels` the fraction is known through the mean CT number of so many voxels of the nodule, whose error is
    normal with SD `noise_sd_hu` / (`contrast_hu` sqrt(`voxels`)). Without, it is known exactly: the upper bound.
    Knowing the mean alone is less than knowing every voxel, so the Bayes rate of the images lies between the two; at
    500 voxels and 50 HU they differ by less than 0.002.

    Args:
        priors: probability of each class, equal by default.
        contrast_hu: difference between core and ground glass.
    Returns: accuracy in [0, 1].
    Source: Duda, Hart, Stork, Pattern Classification, 2nd ed., 2.2 (minimum error rate).
    """
    if core_sd <= 0:
        raise StudyError(f"core_sd is the spread of the fraction in a class, above 0; got {core_sd}.")
    weights = np.asarray(priors if priors is not None else [1 / len(core_means)] * len(core_means), dtype=float)
    if len(weights) != len(core_means) or abs(weights.sum() - 1) > 1e-9:
        raise StudyError(f"priors needs {len(core_means)} probabilities that sum to 1; got {weights.tolist()}.")
    error = noise_sd_hu / (contrast_hu * np.sqrt(voxels)) if voxels else 0.0
    count = int(np.ceil(50 * HIGHEST / min(core_sd, error or core_sd)))
    step = HIGHEST / count
    # Midpoints: the densities jump to 0 at both ends of the support.
    fraction = (np.arange(count) + 0.5) * step
    pairs = zip(weights, core_means, strict=True)
    densities = np.stack([weight * core_fraction_density(fraction, mean, core_sd) for weight, mean in pairs])
    if error:
        margin = int(np.ceil(6 * error / step))
        offsets = np.arange(-margin, margin + 1) * step
        kernel = np.exp(-0.5 * (offsets / error) ** 2)
        densities = np.stack([np.convolve(d, kernel / kernel.sum()) for d in densities])
    return float(densities.max(axis=0).sum() * step)
