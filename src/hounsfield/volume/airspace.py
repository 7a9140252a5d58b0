"""Air inside the body. In: a coarse upright CT in HU; out: what lies outside, the body, and the air within the body.

Outside is found slice by slice: air that touches the image's sides there and is as empty as air. A lung that touches
them, in a CT cut to one half of the chest, is not, since it holds tissue. Tables, cushions and the air between them
and the patient are left out because they are not bedded in the body: the body is the largest part of tissue once thin
sheets are taken away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hounsfield.core.types import BoolArray, FloatArray, IntArray
from hounsfield.volume.morphology import components, dilate, open_
from hounsfield.volume.volume import Volume

GAS_HU = -950.0  # a block below is gas: bowel, stomach, a pneumothorax; in emphysema a part of the lung
_EMPTY = 0.3  # share of gas from which air at the image's sides is outside (a mattress has less), and no lung cut off
_SHEET_MM = 3.0  # half the thickness of table tops and cushion covers, which are no body
_PART = 0.25  # a body in several parts (a CT cut off at the sides): share of the largest that counts as one, too
_BEDDED = 0.7  # share of a space's surface that must be the body's
_RIM_MM = 5.0
_SMALL_ML = 0.5


@dataclass(frozen=True)
class Airspace:
    """Masks on the coarse grid: outside air and padding, the body's tissue, and the air that it encloses."""

    outside: BoolArray
    body: BoolArray
    inside: BoolArray


def airspace(ct: Volume, padded: BoolArray, *, threshold_hu: float) -> Airspace:
    """Divides a CT into outside, body and enclosed air.

    Args:
        ct: upright, HU.
        padded: (z, y, x) what the scanner filled up outside its field of view.
    """
    air = (ct.array < threshold_hu) & ~padded
    outside = padded | _open_air(ct, air, padded)
    body = _body(~air & ~outside, ct)
    inside = air & ~outside
    return Airspace(outside, body, inside & _bedded(inside, body, ct))


def gas_share(hu: FloatArray) -> float:
    """Share of gas among the values of a region's core: near 1 in the bowel, near 0 in a healthy lung; 0 for none."""
    return float((hu < GAS_HU).mean()) if hu.size else 0.0


def rim_hu(ct: Volume, labels: IntArray, number: int, box: tuple[slice, slice, slice]) -> float:
    """Median HU around a spot in its slice, past the voxels that its edge blurs; -inf where the image ends.

    Args:
        labels: spots, numbered; box: where spot `number` lies.
    """
    wide = (box[0], *(slice(max(part.start - 3, 0), part.stop + 3) for part in box[1:]))
    disc = np.ones((1, 3, 3), dtype=bool)
    near = ndimage.binary_dilation(labels[wide] == number, structure=disc)
    rim = ndimage.binary_dilation(near, structure=disc, iterations=2) & ~near
    return float(np.median(ct.array[wide][rim])) if rim.any() else float("-inf")


def _open_air(ct: Volume, air: BoolArray, padded: BoolArray) -> BoolArray:
    labels, count = components(air, in_plane=True)
    touching = np.zeros(count + 1, dtype=bool)
    for side in (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]):
        touching[side.ravel()] = True
    if padded.any():
        rim = ndimage.binary_dilation(padded, structure=np.ones((1, 3, 3), dtype=bool)) & air
        touching[labels[rim]] = True
    touching[0] = False
    # A share, not a mean: a mattress in the same part moves the mean to that of a lung.
    size = np.bincount(labels.ravel(), minlength=count + 1)
    empty = np.bincount(labels[ct.array < GAS_HU], minlength=count + 1) > _EMPTY * size
    return np.asarray((touching & empty)[labels])


def _body(tissue: BoolArray, ct: Volume) -> BoolArray:
    labels, count = components(open_(tissue, _SHEET_MM, ct.spacing_mm, in_plane=True))
    size = np.bincount(labels.ravel(), minlength=count + 1)
    size[0] = 0
    parts = size >= max(_PART * size.max(), 1)
    core = parts[labels]
    # What opening took from the body's own surface comes back; a sheet that leans on it comes back for a few mm only.
    return tissue & dilate(core, _SHEET_MM, ct.spacing_mm, in_plane=True)


def _bedded(inside: BoolArray, body: BoolArray, ct: Volume) -> BoolArray:
    """The parts of `inside` whose surroundings are the body; specks are left out."""
    labels, count = components(inside)
    size = np.bincount(labels.ravel(), minlength=count + 1)
    keep = np.zeros(count + 1, dtype=bool)
    boxes = ndimage.find_objects(labels)
    for number in np.flatnonzero(size * ct.voxel_mm3 >= _SMALL_ML * 1000):
        if number == 0:
            continue
        box = tuple(slice(max(part.start - 4, 0), part.stop + 4) for part in boxes[number - 1])
        own = labels[box] == number
        rim = dilate(own, _RIM_MM, ct.spacing_mm, in_plane=True) & ~inside[box]
        keep[number] = rim.any() and body[box][rim].mean() >= _BEDDED
    return np.asarray(keep[labels])
