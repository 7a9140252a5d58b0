"""Repair of a lung's outline. In: one lung's mask on the coarse grid; out: what belongs to it besides: vessels, what it
encloses, and what is dented in at the pleura.

Vessels and small dents are closed with a ball. At the chest wall a healthy lung is convex in an axial slice, so a
dent there is a nodule (or fluid): dents with a mouth up to the width of a large nodule are filled up to their chord. On
the side of the heart and the spine dents are anatomy and stay. Source of the idea: the border correction of Pu et al.,
Comput Med Imaging Graph 2008;32(6):452-462, which decides by the width of a dent as well.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from hounsfield.core.types import BoolArray
from hounsfield.volume.morphology import box_around, close, fill_holes, open_

Spacing = tuple[float, float, float]
_LEAST_PX = 3  # fewer are the roughness of the hull on pixels
_THICK_MM = 4.0
_SPUR_MM = 4.0  # half the thickness of what is no dent


def repair(
    lung: BoolArray, spacing_mm: Spacing, *, centre: tuple[float, float], closing_mm: float, mouth_mm: float
) -> BoolArray:
    """The lung with holes, vessels and dents at the chest wall filled.

    Args:
        lung: (z, y, x), upright.
        centre: (y, x) index of the middle between both lungs: dents that face it are the mediastinum's.
        closing_mm: radius of the ball that fills vessels and small dents everywhere.
        mouth_mm: widest mouth of a dent at the chest wall that is filled.
    """
    closed = fill_holes(close(lung, closing_mm, spacing_mm))
    found = closed.copy()
    box = box_around(closed, (0, 0, 0))
    middle = (centre[0] - box[1].start, centre[1] - box[2].start)
    for before, after in zip(closed[box], found[box], strict=True):  # `after` is a view, filled in place
        after |= _dents(before, (spacing_mm[1], spacing_mm[2]), middle, mouth_mm, sideways=False)
    # Seen from the front the side of the chest is flatter, so its chords follow it better; the diaphragm's dome is no
    # dent, therefore sideways alone.
    if spacing_mm[0] <= _THICK_MM:
        half = (found[box].shape[0] / 2, middle[1])
        for before, after in zip(found[box].swapaxes(0, 1).copy(), found[box].swapaxes(0, 1), strict=True):
            after |= _dents(before, (spacing_mm[0], spacing_mm[2]), half, mouth_mm, sideways=True)
    # A dent is seen in many neighbouring planes; what one or two of them fill is a spur.
    return fill_holes(closed | open_(found, _SPUR_MM, spacing_mm))


def _dents(
    own: BoolArray, pixel_mm: tuple[float, float], centre: tuple[float, float], mouth_mm: float, *, sideways: bool
) -> BoolArray:
    """Pockets between a plane of the lung and its convex hull that open away from `centre`.

    Args:
        own: (rows, columns); columns run to the left.
        sideways: take those alone that open more to the side than up or down.
    """
    filled = np.zeros_like(own)
    scale = np.asarray(pixel_mm)
    try:
        hull = ConvexHull(np.argwhere(own & ~ndimage.binary_erosion(own)) * scale)
    except (QhullError, ValueError):  # no pixel, or a row of them, encloses nothing
        return filled
    rest = np.argwhere(~own)
    depth = (rest * scale) @ hull.equations[:, :2].T + hull.equations[:, 2]  # below 0 within each edge of the hull
    inside = depth.max(axis=1) <= 1e-6
    rest, depth = rest[inside], depth[inside]
    filled[tuple(rest.T)] = True
    labels, count = ndimage.label(filled)
    label = labels[tuple(rest.T)]
    keep = np.zeros(count + 1, dtype=bool)
    for number in 1 + np.flatnonzero(np.bincount(label, minlength=count + 1)[1:] >= _LEAST_PX):
        pocket, below = rest[label == number] * scale, depth[label == number]
        # A pocket's chord is the edge that most of its outermost pixels lie at.
        outermost = below.max(axis=1) > -1.5 * scale.max()
        chord = np.bincount(below[outermost].argmax(axis=1), minlength=len(hull.simplices)).argmax()
        middle, normal = hull.points[hull.simplices[chord]].mean(axis=0), hull.equations[chord, :2]
        # The mouth is the pocket's own width: along a flat side the chord runs on over the lung.
        mouth = float(np.ptp(pocket @ np.array([-normal[1], normal[0]]))) + scale.max()
        away = (middle - np.asarray(centre) * scale) @ normal > 0
        keep[number] = away and mouth <= mouth_mm and (not sideways or abs(normal[1]) > abs(normal[0]))
    return np.asarray(keep[labels])
