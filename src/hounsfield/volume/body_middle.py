"""The middle of the body from right to left. In: a coarse upright CT and the body's mask; out: one world x in mm.

It is the mean of the body where the image shows all of it. A CT cut to one side shows less; there it is the spine, the
column that is bone in most slices, and without a spine the middle of the scanner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hounsfield.core.types import BoolArray
from hounsfield.volume.volume import Volume

_BONE_HU = 150.0
_SPINE_MM = 30.0  # size of a vertebra in plane
_PERSISTS = 0.25  # share of bone in a column of that size over all slices, from which it is the spine
_CUT = 0.1  # share of a side's face, within the body's slices, that is body where the image cuts it off


@dataclass(frozen=True)
class Middle:
    """World x in mm, and whether it was seen; if not, it is the scanner's middle, or the image's."""

    x_mm: float
    seen: bool


def middle_of(ct: Volume, body: BoolArray) -> Middle:
    """The body's middle."""
    if not any(body[:, :, side].mean() > _CUT for side in (0, -1)) and body.any():
        index = [np.average(np.arange(n), weights=body.sum(axis=_others(k))) for k, n in enumerate(body.shape)]
        return Middle(float(ct.to_world(np.array(index))[0, 0]), seen=True)
    bone = (ct.array > _BONE_HU).mean(axis=0)
    size = [max(1, round(_SPINE_MM / ct.spacing_mm[k])) for k in (1, 2)]
    column = ndimage.uniform_filter(bone, size=size, mode="constant")
    if column.max() >= _PERSISTS:
        row, place = np.unravel_index(int(column.argmax()), column.shape)
        at = np.array([(ct.shape[0] - 1) / 2, float(row), float(place)])
        return Middle(float(ct.to_world(at)[0, 0]), seen=True)
    # CT counts x from the scanner's middle, near which the patient lies; a file that starts at 0 has lost its place.
    half = 0.5 * (ct.shape[2] - 1) * ct.spacing_mm[2]
    lost = abs(abs(ct.centre_mm()[0]) - half) < 2 * ct.spacing_mm[2]
    return Middle(ct.centre_mm()[0] if lost else 0.0, seen=False)


def column_of(ct: Volume, x_mm: float) -> float:
    """(Fractional) column of a world x, in the middle of the volume."""
    _, y, z = ct.centre_mm()
    return float(ct.to_index(np.array((x_mm, y, z)))[0, 2])


def _others(axis: int) -> tuple[int, ...]:
    return tuple(k for k in range(3) if k != axis)
