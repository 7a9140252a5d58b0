"""The sums that run length, size zone, distance zone and dependence matrices have in common. In: cells (grey level i,
second index j) and the number of voxels they come from; out: 17 numbers a matrix under neutral names.

With r(i, j) the matrix, Ns its sum, p = r / Ns and Nv the voxels: "small" is sum p / j2, "large" sum p j2, "low" sum
p / i2, "high" sum p i2 (j2, i2 squares), and so on for their products. The families give them the manual's names.
"""

from __future__ import annotations

import numpy as np

from hounsfield.core.types import AnyArray, FloatArray
from hounsfield.radiomics.matrices import Cells, entropy, nothing_as_nan


def emphasis(counts: Cells, voxels: AnyArray) -> dict[str, FloatArray]:
    """(M,) of each sum for M matrices; `voxels` (M,) is Nv of each, times the directions that were put together."""
    p = counts.shares()
    i, j = p.i.astype(np.float64), p.j.astype(np.float64)
    # Squares of margins need them whole; second indices can be large (zones of an organ), so they are ranked first.
    sizes, rank = np.unique(p.j, return_inverse=True)
    by_level = counts.along(p.i, int(p.i.max(initial=0)) + 1)
    by_size = counts.along(rank, len(sizes))
    sums = np.where(counts.total() > 0, counts.total(), np.nan)
    level_mean, size_mean = p.total(i), p.total(j)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = sums / voxels
    table = {
        "small": p.total(1 / j**2),
        "large": p.total(j**2),
        "low": p.total(1 / i**2),
        "high": p.total(i**2),
        "small_low": p.total(1 / (i**2 * j**2)),
        "small_high": p.total(i**2 / j**2),
        "large_low": p.total(j**2 / i**2),
        "large_high": p.total(i**2 * j**2),
        "level_non_uniformity": (by_level**2).sum(axis=1) / sums,
        "normalised_level_non_uniformity": (by_level**2).sum(axis=1) / sums**2,
        "size_non_uniformity": (by_size**2).sum(axis=1) / sums,
        "normalised_size_non_uniformity": (by_size**2).sum(axis=1) / sums**2,
        "percentage": share,
        "level_variance": p.total((i - level_mean[p.owner]) ** 2),
        "size_variance": p.total((j - size_mean[p.owner]) ** 2),
        "entropy": entropy(p),
        "energy": p.total(p.count),
    }
    return {name: nothing_as_nan(p, values) for name, values in table.items()}
