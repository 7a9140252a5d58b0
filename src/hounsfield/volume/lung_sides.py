"""Which lung is which. In: a coarse upright CT and its enclosed air without airways; out: right (1) and left (2).

Spaces that hang together by a thin bridge alone are parted first (a lung and the stomach across a thin diaphragm).
Spaces of mere gas are no lung. What is left is the largest space, its partner on the other side, and what lies close
to them. One space that reaches over both sides is two lungs that meet behind the breast bone or before the spine: they
are parted along the brightest line between their middles. Left and right are the patient's, by world coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from hounsfield.core.types import BoolArray, FloatArray, IntArray
from hounsfield.volume.airspace import GAS_HU, gas_share, rim_hu
from hounsfield.volume.itk import itk
from hounsfield.volume.lung_labels import LEFT, RIGHT
from hounsfield.volume.morphology import components, dilate, erode, nearest_label, voxels
from hounsfield.volume.volume import Volume

_BRIDGE_MM = 2.0  # half the width of a bridge that does not join
_GAS = 0.9  # share of gas in the core above which a space is no lung
_PURE = 0.3  # the same for a small space beside a lung
_PARTNER = 0.03  # of the larger lung: the smallest second lung
_LARGE = 0.10  # of the lungs: a part that may lie apart from them
_NEAR_MM = 6.0
_POCKET_MM2 = 300.0
_WALL_HU = -500.0  # what lies round gas in the bowel is brighter than this
_GULLET_MM = 30.0  # from the middle: nearer lie windpipe and gullet
_PART_ML = 2.0
_BOTH = 0.15  # share on each side of the middle from which a space may be two lungs
_NECK_MM = (2.0, 4.0, 6.0, 9.0, 12.0, 16.0)
_TWIN = 0.10  # share of the eroded space that each of two lungs must keep


@dataclass(frozen=True)
class Sides:
    """Labels 1 and 2 on the coarse grid, and the enclosed spaces of mere gas that are no lung."""

    labels: IntArray
    gas: BoolArray


@dataclass(frozen=True)
class _Space:
    number: int
    ml: float
    gas: float
    x_mm: float
    lowest: int


def sides(ct: Volume, air: BoolArray, middle_mm: float, *, gas_is_lung: bool = False) -> Sides:
    """Right and left lung among the enclosed air.

    Args:
        air: enclosed air without airways.
        middle_mm: world x of the body's middle.
        gas_is_lung: take spaces of mere gas, too (the mask is known to be lung).
    """
    pockets = np.zeros_like(air) if gas_is_lung else _pockets(ct, air)
    air = air & ~pockets
    parts, spaces = _spaces(ct, air)
    lungs = [space for space in spaces if gas_is_lung or space.gas < _GAS]
    labels = np.zeros(ct.shape, dtype=np.int32)
    if not lungs:
        return Sides(labels, pockets | (parts > 0))
    main = max(lungs, key=lambda space: space.ml)
    own = parts == main.number
    twins = _twins(ct, own, middle_mm)
    if twins is not None:
        labels[own] = twins[own]
    else:
        _place(labels, parts, lungs, main, middle_mm)
    _add_parts(ct, labels, parts, [space for space in lungs if not labels[parts == space.number].any()], middle_mm)
    gas = np.isin(parts, [space.number for space in spaces if space.gas >= _PURE]) & (labels == 0)
    _add_crumbs(labels, air & ~gas, ct)
    return Sides(labels, pockets | gas)


def _place(labels: IntArray, parts: IntArray, lungs: list[_Space], main: _Space, middle_mm: float) -> None:
    """The largest space and, on its other side, the partner."""
    # A partner lies beyond the main lung's centre, seen from there across the middle.
    across = np.sign(middle_mm - main.x_mm) or 1.0
    others = [s for s in lungs if s is not main and s.ml >= _PARTNER * main.ml and (s.x_mm - middle_mm) * across > 0]
    partner = max(others, key=lambda space: space.ml, default=None)
    main_is_left = main.x_mm > (partner.x_mm if partner else middle_mm)
    labels[parts == main.number] = LEFT if main_is_left else RIGHT
    if partner:
        labels[parts == partner.number] = RIGHT if main_is_left else LEFT


def _spaces(ct: Volume, air: BoolArray) -> tuple[IntArray, list[_Space]]:
    """Air in parts that are joined by more than a bridge, with what is known of each."""
    core, count = components(erode(air, _BRIDGE_MM, ct.spacing_mm))
    parts = nearest_label(core, air, 3 * _BRIDGE_MM, ct.spacing_mm)
    size = np.bincount(parts.ravel(), minlength=count + 1) * ct.voxel_mm3 / 1000
    spaces = []
    for number, box in enumerate(ndimage.find_objects(parts, count), start=1):
        if box is None or size[number] < _PART_ML:
            continue
        gas = gas_share(ct.array[box][core[box] == number])
        spaces.append(_Space(number, float(size[number]), gas, _centre_x(ct, parts[box] == number, box), box[0].start))
    return parts, spaces


def _centre_x(ct: Volume, own: BoolArray, box: tuple[slice, ...]) -> float:
    """World x of the centre of mass of a mask that was cut out at `box`."""
    index = [float(np.mean(where)) + part.start for where, part in zip(np.nonzero(own), box, strict=True)]
    return float(ct.to_world(np.array(index))[0, 0])


def _twins(ct: Volume, own: BoolArray, middle_mm: float) -> IntArray | None:
    """Labels of two lungs that are one space, or None when the space is one lung."""
    box = ndimage.find_objects(own.astype(np.uint8))[0]
    part, hu = own[box], ct.array[box]
    x, y, z = ct.to_world(np.array([edge.start for edge in box]))[0]
    here = Volume(part, ct.spacing_mm, (float(x), float(y), float(z)), ct.direction)
    beyond = float((_world_x(here)[part] > middle_mm).mean())
    if min(beyond, 1 - beyond) < _BOTH:
        return None
    for neck in _NECK_MM:
        markers = _markers(here, neck, middle_mm)
        if markers is not None:
            labels = np.zeros(own.shape, dtype=np.int32)
            labels[box] = np.where(part, _flood(hu, part, markers, ct), 0)
            return labels
    return None


def _world_x(volume: Volume) -> FloatArray:
    z, y, x = np.ogrid[tuple(slice(0, n) for n in volume.shape)]
    a = volume.affine()[0]
    return np.asarray(a[0] * z + a[1] * y + a[2] * x + a[3])


def _markers(here: Volume, neck_mm: float, middle_mm: float) -> IntArray | None:
    """Two large parts on either side of the middle, once necks of this radius are cut."""
    core = erode(here.array, neck_mm, here.spacing_mm)
    labels, count = components(core)
    if count < 2:
        return None
    size = np.bincount(labels.ravel())
    size[0] = 0
    numbers = np.argsort(size)[::-1][:6]
    boxes = ndimage.find_objects(labels)
    at = {
        int(n): _centre_x(here, labels[boxes[n - 1]] == n, boxes[n - 1])
        for n in numbers
        if n > 0 and size[n] >= _TWIN * size.sum()
    }
    right, left = [n for n, x in at.items() if x < middle_mm], [n for n, x in at.items() if x >= middle_mm]
    if not right or not left:
        return None
    return np.where(np.isin(labels, right), RIGHT, np.where(np.isin(labels, left), LEFT, 0)).astype(np.int32)


def _flood(hu: FloatArray, own: BoolArray, markers: IntArray, ct: Volume) -> IntArray:
    """Both markers grow until they meet, along the brightest and narrowest line between them."""
    depth = ndimage.distance_transform_edt(own, sampling=ct.spacing_mm)
    height = np.clip(hu, -1000, 0) - 20.0 * np.minimum(depth, 15.0)
    height[~own] = 1000.0  # flooded last
    sitk: Any = itk()
    flooded = sitk.MorphologicalWatershedFromMarkers(
        sitk.GetImageFromArray(height.astype(np.float32)),
        sitk.GetImageFromArray(markers.astype(np.uint8)),
        markWatershedLine=False,
    )
    return np.asarray(sitk.GetArrayFromImage(flooded), dtype=np.int32)


def _add_parts(ct: Volume, labels: IntArray, parts: IntArray, rest: list[_Space], middle_mm: float) -> None:
    """Further parts of the lungs: those near to one, large ones, and those high in the chest, where no bowel is."""
    lungs_ml = np.count_nonzero(labels) * ct.voxel_mm3 / 1000
    slices = np.flatnonzero(labels.any(axis=(1, 2)))
    high = float(slices[0] + slices[-1]) / 2
    for space in sorted(rest, key=lambda one: -one.ml):
        own = parts == space.number
        near = np.bincount(labels[dilate(own, _NEAR_MM, ct.spacing_mm)].ravel(), minlength=3)[1:3]
        beside = abs(space.x_mm - middle_mm) > _GULLET_MM
        if near.any() and (space.gas < _PURE or (space.lowest > high and beside)):
            labels[own] = 1 + int(near.argmax())
        elif (space.gas < _PURE and space.ml >= _LARGE * lungs_ml) or (space.lowest > high and beside):
            labels[own] = _nearest_side(ct, labels, space.x_mm)


def _add_crumbs(labels: IntArray, air: BoolArray, ct: Volume) -> None:
    """Air too narrow for a space of its own (lung with much fluid in it) that hangs together with a lung."""
    crumbs, count = components(air & (labels == 0))
    step = max(ct.spacing_mm)
    contact = [
        np.bincount(crumbs[dilate(labels == side, step, ct.spacing_mm)], minlength=count + 1) for side in (RIGHT, LEFT)
    ]
    owner = np.where(contact[0] >= contact[1], RIGHT, LEFT) * (contact[0] + contact[1] > 0)
    owner[0] = 0
    grown = owner[crumbs]
    labels[grown > 0] = grown[grown > 0]


def _pockets(ct: Volume, air: BoolArray) -> BoolArray:
    """In thick slices, gas with tissue all round it in its slice: a stomach that no slice parts from the lung above."""
    pockets = np.zeros_like(air)
    if voxels(_BRIDGE_MM, ct.spacing_mm)[0] > 0:  # thin enough: the wall between is seen
        return pockets
    labels, count = components(air & (ct.array < GAS_HU), in_plane=True)
    area = np.bincount(labels.ravel(), minlength=count + 1) * ct.spacing_mm[1] * ct.spacing_mm[2]
    boxes = ndimage.find_objects(labels)
    for number in np.flatnonzero(area >= _POCKET_MM2):
        if number > 0 and rim_hu(ct, labels, int(number), boxes[number - 1]) > _WALL_HU:
            pockets |= labels == number
    return dilate(pockets, _BRIDGE_MM, ct.spacing_mm) & air


def _nearest_side(ct: Volume, labels: IntArray, x_mm: float) -> int:
    """The lung whose middle is nearer along x."""
    x = _world_x(ct)
    middles = [(abs(float(x[labels == side].mean()) - x_mm), side) for side in (RIGHT, LEFT) if (labels == side).any()]
    return min(middles)[1]
