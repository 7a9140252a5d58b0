"""Lungs at full resolution. In: an upright CT, and labels on its coarse grid; out: labels on the CT's own grid.

The coarse mask says where lung is; its edge is drawn anew, by the threshold on the CT's own voxels, within one coarse
voxel of the old edge. Where the coarse mask was repaired (a nodule at the pleura) no threshold shows the edge, and the
coarse one is taken, smoothed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hounsfield.core.types import AnyArray, BoolArray, IntArray
from hounsfield.volume.morphology import dilate, erode, nearest_label
from hounsfield.volume.upright import Triple, spread, spread_smooth
from hounsfield.volume.volume import Volume

_SLAB = 16  # slices


@dataclass(frozen=True)
class CoarseLungs:
    """Masks on the coarse grid: labels of the repaired lungs, what repair added, and what is certainly no lung."""

    labels: IntArray
    repaired: BoolArray
    never: BoolArray


def at_full_resolution(
    volume: Volume, coarse: CoarseLungs, spacing_mm: tuple[float, float, float], block: Triple, *, threshold_hu: float
) -> AnyArray:
    """Labels, uint8, on the grid of `volume` (upright)."""
    step = max(spacing_mm)
    mask = coarse.labels > 0
    core = erode(mask, step, spacing_mm)
    nearby = dilate(coarse.repaired, step, spacing_mm)
    owner = _owner(coarse, spacing_mm, step)
    found = np.zeros(volume.shape, dtype=np.uint8)
    used = np.flatnonzero(owner.any(axis=(1, 2)))
    if not used.size:
        return found
    first, last = int(used[0]) * block[0], min((int(used[-1]) + 1) * block[0], volume.shape[0])
    for start in range(first, last, _SLAB):
        stop = min(start + _SLAB, last)
        label, inner, mended = (spread(part, block, volume.shape, start, stop) for part in (owner, core, nearby))
        lung = (volume.array[start:stop] < threshold_hu) | inner
        if mended.any():
            lung |= mended & spread_smooth(mask, block, volume.shape, start, stop)
        found[start:stop] = label * lung
    return found


def _owner(coarse: CoarseLungs, spacing_mm: tuple[float, float, float], step: float) -> AnyArray:
    """The lung that a voxel in or within one voxel of the mask would belong to; 0 where something else is nearer."""
    mask = coarse.labels > 0
    around = dilate(mask, step, spacing_mm)
    all_labels = coarse.labels.astype(np.int32)
    all_labels[coarse.never & ~mask] = 3
    owner = nearest_label(all_labels, around, 2 * step, spacing_mm)
    owner[owner == 3] = 0
    return owner.astype(np.uint8)
