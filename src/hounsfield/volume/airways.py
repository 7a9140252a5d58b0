"""The trachea and the large bronchi. In: a coarse upright CT and its enclosed air; out: their mask, empty when there is
no trachea in the volume.

The trachea is a round spot of gas with tissue all round it, near the middle, in slice after slice. From there the
mask grows through gas; the threshold rises in steps until the growth bursts into the lung, and the last step before is
kept.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from hounsfield.core.types import BoolArray, IntArray
from hounsfield.volume.airspace import rim_hu
from hounsfield.volume.morphology import components, dilate
from hounsfield.volume.volume import Volume

_SPOT_HU = -880.0
_SPOT_MM2 = (40.0, 800.0)  # 7 to 32 mm across
_FULL = 0.5  # share of its box that a spot fills, a disc pi / 4
_LONG = 2.5  # longest over shortest side of the box
_WALL_HU = -500.0  # what lies round a spot is brighter than this
_TUBE_MM = 20.0  # shortest trachea that is taken for one
_MIDDLE_MM = 50.0  # farthest from the middle of the body
_STEPS_HU = (-970.0, -950.0, -930.0, -910.0, -890.0, -870.0)
_MOST_ML = 150.0  # trachea and bronchi of a large man hold about half of it
_BURST, _BURST_ML = 1.5, 10.0  # growth by this factor and by more than so much is the lung
_WALL_MM = 2.0


def airways(ct: Volume, inside: BoolArray, middle: float) -> BoolArray:
    """Trachea and large bronchi with their wall.

    Args:
        ct: coarse and upright, HU.
        inside: air enclosed by the body.
        middle: (fractional) column of the body's middle.
    """
    tube = _trachea(ct, inside, middle)
    if not tube.any():
        return tube
    found, volume = tube, tube.sum() * ct.voxel_mm3 / 1000
    for step in _STEPS_HU:
        grown = _connected((inside & (ct.array < step)) | tube, tube)
        now = grown.sum() * ct.voxel_mm3 / 1000
        if now > _MOST_ML or (now > _BURST * volume and now > volume + _BURST_ML and found is not tube):
            break
        found, volume = grown, now
    return dilate(found, _WALL_MM, ct.spacing_mm)


def _connected(mask: BoolArray, seed: BoolArray) -> BoolArray:
    labels, count = components(mask)
    hit = np.zeros(count + 1, dtype=bool)
    hit[labels[seed]] = True
    hit[0] = False
    return np.asarray(hit[labels])


def _trachea(ct: Volume, inside: BoolArray, middle: float) -> BoolArray:
    labels, count = components(inside & (ct.array < _SPOT_HU), in_plane=True)
    pixel = ct.spacing_mm[1] * ct.spacing_mm[2]
    area = np.bincount(labels.ravel(), minlength=count + 1) * pixel
    spots = np.zeros(count + 1, dtype=bool)
    boxes = ndimage.find_objects(labels)
    for number in np.flatnonzero((area >= _SPOT_MM2[0]) & (area <= _SPOT_MM2[1])):
        spots[number] = number > 0 and _is_spot(ct, labels, int(number), boxes[number - 1], float(area[number]), middle)
    tubes, many = components(spots[labels])
    length = [(box[0].stop - box[0].start) * ct.spacing_mm[0] for box in ndimage.find_objects(tubes)]
    if not many or max(length) < _TUBE_MM:
        return np.zeros_like(inside)
    return np.asarray(tubes == 1 + int(np.argmax(length)))


def _is_spot(
    ct: Volume, labels: IntArray, number: int, box: tuple[slice, slice, slice], area: float, middle: float
) -> bool:
    """Round, near the middle, and with tissue all round."""
    rows, columns = ((part.stop - part.start) * ct.spacing_mm[k] for k, part in ((1, box[1]), (2, box[2])))
    centre = (box[2].start + box[2].stop - 1) / 2
    if area < _FULL * rows * columns or max(rows, columns) > _LONG * min(rows, columns):
        return False
    if abs(centre - middle) * ct.spacing_mm[2] > _MIDDLE_MM:
        return False
    return rim_hu(ct, labels, number, box) > _WALL_HU
