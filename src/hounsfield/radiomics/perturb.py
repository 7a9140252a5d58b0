"""A lesion a little changed, as another reader or another scan would have it. In: image and mask (z, y, x), a change;
out: image and mask after it.

An outline is moved as a surface in mm, not as voxels: the next reader draws it a millimetre further out, not a slice.
Steps of voxels are taken off before (signed distance of the mask, interpolated between slices as in Raya & Udupa, IEEE
Trans Med Imaging 1990;9:32, and smoothed), or a change smaller than a voxel would do nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage
from scipy.spatial import KDTree

from hounsfield.core.errors import MaskError
from hounsfield.core.types import AnyArray, BoolArray, FloatArray

Spacing = tuple[float, float, float]

VERSION = 2  # of the changed masks; to be raised whenever a change of code changes one
_FINE_MM = 0.5  # step of the grid on which the surface is found; finer ones move no volume by 1 %
_MOST_FINE = 8_000_000  # points of that grid: a lesion of 10 cm gets a coarser one instead of gigabytes
_MARGIN = 4  # voxels of outside around a lesion, so that its surface closes


class Perturbation(BaseModel):
    """One change; all that is not 0 is done, in the order of the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    grow_mm: float = 0.0  # the outline moves outwards, or inwards if below 0
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)  # (z, y, x); the mask moves over the image
    noise_sd: float = Field(default=0.0, ge=0.0)  # Gaussian noise added to every voxel, in HU

    @property
    def does_nothing(self) -> bool:
        """True for the lesion as it is."""
        return not (self.grow_mm or any(self.shift_mm) or self.noise_sd)


# Changes of about a voxel of 1 mm and of the noise of a chest CT; the first is the lesion as it is.
USUAL = (
    Perturbation(name="as it is"),
    Perturbation(name="eroded by 1 mm", grow_mm=-1.0),
    Perturbation(name="dilated by 1 mm", grow_mm=1.0),
    Perturbation(name="shifted by 1 mm along y", shift_mm=(0.0, 1.0, 0.0)),
    Perturbation(name="shifted by 1 mm along x", shift_mm=(0.0, 0.0, 1.0)),
    Perturbation(name="noise of 20 HU", noise_sd=20.0),
)


def perturbed(
    image: AnyArray, mask: AnyArray, *, spacing_mm: Spacing, change: Perturbation, rng: np.random.Generator
) -> tuple[AnyArray, BoolArray]:
    """Image and mask after `change`.

    Growing moves the surface of the lesion by a distance in mm, the same along every axis, and then asks which voxel
    centres lie within; a mask of voxels can't show more, and a small change may leave one as it is. What lies beyond
    the array counts as outside of the lesion; an array of one slice is a plane, changed in the plane alone.

    Returns: the image itself, or float32 with noise; the mask as booleans, of the same number of voxels after a shift
        unless some lie beyond the array.
    Raises: MaskError when nothing of the lesion is there, or is left.
    """
    inside = np.asarray(mask != 0)
    if not inside.any():
        raise MaskError("the mask is empty: there is no lesion to change. Leave the case out.")
    if change.grow_mm:
        inside = _grown(inside, change.grow_mm, spacing_mm)
    if any(change.shift_mm) and inside.any():
        inside = _shifted(inside, change.shift_mm, spacing_mm)
    if not inside.any():
        raise MaskError(f"nothing of the lesion is left when {change.name}. Leave such small lesions out.")
    if change.noise_sd:
        image = (image + rng.normal(0.0, change.noise_sd, image.shape)).astype(np.float32)
    return image, inside


def _grown(inside: BoolArray, grow_mm: float, spacing_mm: Spacing) -> BoolArray:
    """Voxels whose centre is within the lesion's surface after it has moved outwards by `grow_mm`."""
    reach = [
        math.ceil(min(max(grow_mm, 0.0) / step, size)) for step, size in zip(spacing_mm, inside.shape, strict=True)
    ]
    cut, corner = _cut_out(inside, reach)
    signed, level = _signed_distance(cut, spacing_mm), _level(cut, spacing_mm)
    sides, points = _surface(level, int(cut.sum()), spacing_mm)
    # Further away the surface can't reach: the smooth one lies within two voxels of the outline.
    near = np.abs(signed) <= abs(grow_mm) + 2 * max(spacing_mm)
    places = np.stack(np.nonzero(near), axis=1) * np.asarray(spacing_mm)
    # Infinite beyond the bound: such a voxel stays on its side.
    distance, _ = KDTree(points).query(places, distance_upper_bound=abs(grow_mm) + 1e-6)
    moved = cut.copy()
    moved[near] = np.where(sides[near], -distance, distance) <= grow_mm
    return _put_back(moved | cut if grow_mm > 0 else moved & cut, corner, inside.shape)


def _shifted(inside: BoolArray, shift_mm: Spacing, spacing_mm: Spacing) -> BoolArray:
    """The mask moved by whole voxels, and by the rest as its level is interpolated, with as many voxels as before."""
    voxels = np.asarray(shift_mm) / np.asarray(spacing_mm)
    whole = np.rint(voxels)
    rest = voxels - whole
    cut, corner = _cut_out(inside, [1, 1, 1])
    if (np.abs(rest) > 1e-6).any():
        level = ndimage.shift(_level(cut, spacing_mm), rest, order=3, mode="nearest")
        # The lowest so many, not all below a level: a flat end halfway between two slices would gain or lose a slice.
        lowest = np.argsort(level, axis=None, kind="stable")[: int(cut.sum())]
        cut = np.zeros_like(cut)
        cut.flat[lowest] = True
    far = max(inside.shape) + max(cut.shape)  # beyond it nothing is left, however far
    step = np.clip(whole, -far, far).astype(int)
    return _put_back(cut, [int(start + by) for start, by in zip(corner, step, strict=True)], inside.shape)


def _signed_distance(inside: BoolArray, spacing_mm: Spacing) -> FloatArray:
    """Of each voxel's centre to the nearest on the other side, in mm; below 0 within the lesion."""
    outwards = ndimage.distance_transform_edt(~inside, sampling=spacing_mm)
    return np.asarray(outwards - ndimage.distance_transform_edt(inside, sampling=spacing_mm))


def _level(inside: BoolArray, spacing_mm: Spacing) -> FloatArray:
    """Signed distance without the steps of the voxels: smoothed by a Gaussian of one voxel's standard deviation.

    Cut at the largest side of a voxel: the depth in the slice says nothing about the end of a broad, flat lesion.
    """
    most = max((step for step, size in zip(spacing_mm, inside.shape, strict=True) if size > 1), default=1.0)
    signed = np.clip(_signed_distance(inside, spacing_mm), -most, most)
    return np.asarray(ndimage.gaussian_filter(signed, 1.0, mode="nearest"))


def _surface(level: FloatArray, voxels: int, spacing_mm: Spacing) -> tuple[BoolArray, FloatArray]:
    """The surface of equal level that encloses the volume of so many voxels.

    Smoothing draws a convex outline in; the level that keeps the volume takes that back.

    Returns: whether each voxel's centre is within it; (P, 3) points on it in mm from the centre of voxel (0, 0, 0).
    """
    fine_mm = _FINE_MM
    while np.prod([math.ceil(step / fine_mm) for step in spacing_mm]) * level.size > _MOST_FINE:
        if fine_mm >= max(spacing_mm):
            break
        fine_mm *= 1.25
    parts = np.array([math.ceil(step / fine_mm) for step in spacing_mm])
    parts[np.array(level.shape) == 1] = 1  # an image of one slice is a plane
    shape = (np.array(level.shape) - 1) * parts + 1
    fine = ndimage.zoom(level, shape / np.array(level.shape), order=3, mode="nearest") if parts.max() > 1 else level
    count = voxels * int(np.prod(parts))
    edge = np.partition(fine, [count - 1, count], axis=None)[count - 1 : count + 1].mean()
    inner = fine < edge
    points = []
    for axis in range(3):
        before, after = (np.swapaxes(part, 0, axis) for part in (inner, fine))
        crossed = np.nonzero(before[:-1] != before[1:])
        low, high = after[:-1][crossed], after[1:][crossed]
        found = np.stack(crossed, axis=1).astype(np.float64)
        found[:, 0] += (edge - low) / (high - low)
        found[:, [0, axis]] = found[:, [axis, 0]]
        points.append(found)
    whole = inner[tuple(slice(None, None, int(part)) for part in parts)]
    return whole, np.concatenate(points) * (np.asarray(spacing_mm) / parts)


def _cut_out(inside: BoolArray, reach: Sequence[int]) -> tuple[BoolArray, list[int]]:
    """The lesion with `reach` and a few more voxels of outside around, and the place of its first voxel."""
    (box,) = ndimage.find_objects(inside.view(np.uint8))
    margin = [width + _MARGIN if size > 1 else 0 for width, size in zip(reach, inside.shape, strict=True)]
    return np.pad(inside[box], [(width, width) for width in margin]), [
        side.start - width for side, width in zip(box, margin, strict=True)
    ]


def _put_back(cut: BoolArray, corner: Sequence[int], shape: tuple[int, ...]) -> BoolArray:
    """An array of `shape` with `cut` at `corner`; what lies beyond it is dropped."""
    whole = np.zeros(shape, dtype=bool)
    where = np.argwhere(cut) + np.asarray(corner)
    where = where[((where >= 0) & (where < np.asarray(shape))).all(axis=1)]
    whole[tuple(where.T)] = True
    return whole
