"""Resampling. In: a volume and a spacing (or another volume's grid); out: the volume there, linear for images, nearest
for masks.

Grid rule "extent" (the default): the new grid fills the same box of space, outer face to outer face. It has round(n *
old / new) voxels an axis (at least 1) and shares the old grid's centre, so that a mirrored image gives the mirrored
result and a mask keeps its volume even when it is two slices thick. Rule "first_voxel" (of MONAI and many tools):
voxel (0, 0, 0) keeps its centre and the last centre is the one nearest to the old last, round((n - 1) * old / new) + 1
voxels; it shortens a stack of thick slices by almost one slice. In both, a point within half a voxel of the border,
outside the outermost centres, takes the border's value. The axes are parallel, so linear interpolation is done axis
after axis, and any box of the result can be computed alone from the voxels it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hounsfield.core.errors import ImageError
from hounsfield.core.types import AnyArray, FloatArray, IntArray
from hounsfield.volume.volume import Volume

Mode = Literal["linear", "nearest"]
Rule = Literal["extent", "first_voxel"]
Triple = tuple[int, int, int]
_SLAB = 8  # slices


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a resampled volume lie on the source's index axes: source index = offset + step * index, per
    axis (z, y, x)."""

    spacing_mm: tuple[float, float, float]
    shape: Triple
    offset: tuple[float, float, float]
    step: tuple[float, float, float]

    def to_source(self, index_zyx: AnyArray | Triple) -> FloatArray:
        """Fractional source index of a (fractional) index on this grid."""
        return np.asarray(np.asarray(self.offset) + np.asarray(self.step) * np.asarray(index_zyx, dtype=np.float64))

    def from_source(self, index_zyx: AnyArray | Triple) -> FloatArray:
        """Fractional index on this grid of a (fractional) source index."""
        return np.asarray((np.asarray(index_zyx, dtype=np.float64) - np.asarray(self.offset)) / np.asarray(self.step))


def grid_of(volume: Volume, spacing_mm: tuple[float, float, float], rule: Rule = "extent") -> Grid:
    """The grid that `volume` gets at `spacing_mm`; see this module's first paragraph for the rules.

    Raises: ImageError for a spacing that is not three finite numbers above 0, or an unknown rule.
    """
    if len(spacing_mm) != 3 or not all(np.isfinite(value) and value > 0 for value in spacing_mm):
        raise ImageError(f"spacing_mm is (z, y, x) in mm, all finite and above 0; got {spacing_mm}.")
    if rule not in ("extent", "first_voxel"):
        raise ImageError(f"the grid rule is 'extent' or 'first_voxel'; got '{rule}'.")
    step = np.asarray(spacing_mm, dtype=np.float64) / np.asarray(volume.spacing_mm)
    count = np.asarray(volume.shape)
    if rule == "extent":
        # The small number makes 2 slices of 2.5 mm (stored as 2.4999999) the same 5 mm on every machine.
        shape = np.maximum(np.floor(count / step + 0.5 + 1e-6), 1)
        offset = ((count - 1) - step * (shape - 1)) / 2
    else:
        shape = np.rint((count - 1) / step + 1.0)  # halves to the even number, as MONAI rounds
        offset = np.zeros(3)
    z, y, x = (int(value) for value in shape)
    return Grid(_triple(spacing_mm), (z, y, x), _triple(offset), _triple(step))


def resample(
    volume: Volume, spacing_mm: tuple[float, float, float], *, mode: Mode = "linear", rule: Rule = "extent"
) -> Volume:
    """`volume` at another spacing, axes unchanged.

    Args:
        mode: linear (result float32) or nearest (type kept; for masks).
        rule: where the new grid lies, see this module's first paragraph.
    """
    grid = grid_of(volume, spacing_mm, rule)
    array = np.empty(grid.shape, dtype=np.float32 if mode == "linear" else volume.array.dtype)
    for low in range(0, grid.shape[0], _SLAB):  # slab by slab, as the steps of a whole CT would take several GB
        high = min(low + _SLAB, grid.shape[0])
        stop = (high, grid.shape[1], grid.shape[2])
        array[low:high] = resample_box(volume.array, grid, (low, 0, 0), stop, mode=mode)
    return volume_on(volume, grid, (0, 0, 0), array)


def resample_box(
    array: AnyArray, grid: Grid, start: Triple, stop: Triple, *, mode: Mode = "linear", fill: float = 0.0
) -> AnyArray:
    """The half-open box start:stop (indices on `grid`) of the resampled `array`; only the source voxels it needs are
    touched.

    Returns: (stop - start) array, float32 for linear, the input's type for nearest; `fill` outside the grid.
    """
    kind = np.dtype(np.float32) if mode == "linear" else array.dtype
    box = np.full([max(b - a, 0) for a, b in zip(start, stop, strict=True)], fill, dtype=kind)
    low = [max(a, 0) for a in start]
    high = [min(b, n) for b, n in zip(stop, grid.shape, strict=True)]
    if any(a >= b for a, b in zip(low, high, strict=True)):
        return box
    part = array
    for axis in range(3):  # z first: slices that are not needed are dropped before any arithmetic
        at = grid.offset[axis] + grid.step[axis] * np.arange(low[axis], high[axis])
        part = _along(part, axis, np.clip(at, 0, array.shape[axis] - 1), mode)
    box[tuple(slice(a - s, b - s) for a, b, s in zip(low, high, start, strict=True))] = part
    return box


def volume_on(volume: Volume, grid: Grid, start: Triple, array: AnyArray) -> Volume:
    """`array` as the part of `volume`'s resampled grid that begins at index `start`."""
    x, y, z = volume.to_world(grid.to_source(start))[0]
    return Volume(array, grid.spacing_mm, (float(x), float(y), float(z)), volume.direction)


def resample_like(volume: Volume, like: Volume, *, mode: Mode = "linear", fill: float = 0.0) -> Volume:
    """`volume` on the grid of `like`, which may be rotated against it.

    Args:
        fill: value of points outside the volume's outer faces.
    Returns: float32 for linear, the input's type for nearest.
    """
    from scipy import ndimage  # a fifth of a second to load, needed by this function alone

    start, stop = _shared_box(volume, like)
    kind = np.dtype(np.float32) if mode == "linear" else volume.array.dtype
    result = np.full(like.shape, fill, dtype=kind)
    source = volume.array.astype(np.float32 if mode == "linear" else np.uint8 if kind == np.bool_ else kind, copy=False)
    last = np.asarray(volume.shape) - 1
    for k in range(start[0], stop[0]):  # slice by slice: coordinates of a whole CT would take several GB
        rows, columns = np.mgrid[start[1] : stop[1], start[2] : stop[2]]
        index = np.stack([np.full(rows.size, k), rows.ravel(), columns.ravel()], axis=1)
        at = volume.to_index(like.to_world(index))
        inside = ((at >= -0.5 - 1e-6) & (at <= last + 0.5 + 1e-6)).all(axis=1)
        at = np.clip(at, 0, last)
        if mode == "nearest":
            nearest = _nearest(at)
            values: AnyArray = source[nearest[:, 0], nearest[:, 1], nearest[:, 2]]
        else:
            values = ndimage.map_coordinates(source, at.T, order=1, mode="nearest")
        plane = np.where(inside, values, fill).reshape(rows.shape)
        result[k, start[1] : stop[1], start[2] : stop[2]] = plane.astype(kind)
    return like.with_array(result)


def _shared_box(volume: Volume, like: Volume) -> tuple[Triple, Triple]:
    """Half-open box on `like` outside of which no point lies in `volume`."""
    ends = [(-0.5, n - 0.5) for n in volume.shape]
    corners = np.array(np.meshgrid(*ends, indexing="ij")).reshape(3, -1).T
    at = like.to_index(volume.to_world(corners))
    start = np.clip(np.floor(at.min(axis=0)), 0, like.shape).astype(int)
    stop = np.clip(np.ceil(at.max(axis=0)) + 1, 0, like.shape).astype(int)
    return (int(start[0]), int(start[1]), int(start[2])), (int(stop[0]), int(stop[1]), int(stop[2]))


def _along(array: AnyArray, axis: int, at: FloatArray, mode: Mode) -> AnyArray:
    if mode == "nearest":
        return np.take(array, _nearest(at), axis=axis)
    first = np.minimum(np.floor(at).astype(np.intp), max(array.shape[axis] - 2, 0))
    second = np.minimum(first + 1, array.shape[axis] - 1)
    weight = (at - first).astype(np.float32).reshape([-1 if other == axis else 1 for other in range(3)])
    low = np.take(array, first, axis=axis).astype(np.float32, copy=False)
    high = np.take(array, second, axis=axis).astype(np.float32, copy=False)
    return np.asarray((1 - weight) * low + weight * high)  # this form is exact at weights 0 and 1


def _nearest(at: FloatArray) -> IntArray:
    # Points half-way between two voxels go down, with room for rounding error: the same on every machine.
    return np.asarray(np.ceil(at - 0.5 - 1e-6).astype(np.intp))


def _triple(values: AnyArray | tuple[float, ...]) -> tuple[float, float, float]:
    z, y, x = (float(value) for value in values)
    return z, y, x
