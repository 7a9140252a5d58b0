"""Interpolation on IBSI's grid. In: an array (z, y, x), its spacing and a wanted one; out: the array there.

IBSI 2.4: the new grid has ceil(n * old / new) points an axis and shares the old grid's centre, so it may reach beyond
the outermost voxel centres; there the border's value holds. This is another rule than `volume.resample`'s, which fills
exactly the same box of space. The axes are parallel, so each is interpolated on its own, and any box of the result
needs only the voxels around it: linear two an axis, the cubic B-spline 16 on either side (its filter has died away to
1e-9).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import ndimage

from hounsfield.core.types import AnyArray, FloatArray
from hounsfield.radiomics.config import Interpolator

Spacing = tuple[float, float, float]
Box = tuple[slice, slice, slice]
Value = TypeVar("Value")
_REACH = {"nearest": 1, "linear": 1, "cubic": 16}  # voxels of the source needed on either side of a point
_SLAB_VALUES = 1 << 22  # of the result at a time: the steps of a whole organ would take several GB


@dataclass(frozen=True)
class Grid:
    """Where the points of the new grid lie: source index = offset + step * index, per axis."""

    shape: tuple[int, int, int]
    spacing_mm: Spacing
    offset: tuple[float, float, float]
    step: tuple[float, float, float]


def grid_of(shape: tuple[int, ...], spacing_mm: Spacing, wanted_mm: Spacing | None) -> Grid:
    """IBSI's grid over an array of `shape`; an axis whose wanted spacing is 0, or all of them for None, stays."""
    wanted = tuple(new or old for new, old in zip(wanted_mm or spacing_mm, spacing_mm, strict=True))
    count, offset, step = [], [], []
    for n, old, new in zip(shape, spacing_mm, wanted, strict=True):
        m = max(int(np.ceil(n * old / new - 1e-6)), 1)  # 60 slices of 3 mm are 90 of 2 mm on every machine
        count.append(m)
        step.append(new / old)
        offset.append(((n - 1) - (m - 1) * new / old) / 2)
    return Grid(_three(count), _three(wanted), _three(offset), _three(step))


def box_around(grid: Grid, start: tuple[int, ...], stop: tuple[int, ...]) -> Box:
    """Points of the new grid that the half-open source box start:stop can reach, one more on every side."""
    box = []
    for a, b, n, offset, step in zip(start, stop, grid.shape, grid.offset, grid.step, strict=True):
        low = int(np.floor((a - 1 - offset) / step)) - 1
        high = int(np.ceil((b - offset) / step)) + 2
        box.append(slice(max(low, 0), min(high, n)))
    return _three(box)


def source_box(grid: Grid, box: Box, shape: tuple[int, ...], interpolator: Interpolator) -> Box:
    """The part of the source that `box` of the new grid is made of."""
    reach = _REACH[interpolator]
    parts = []
    for part, n, offset, step in zip(box, shape, grid.offset, grid.step, strict=True):
        low = int(np.floor(offset + step * part.start)) - reach
        high = int(np.ceil(offset + step * (part.stop - 1))) + reach + 1
        # At least one voxel stays where a point lies beyond the border.
        parts.append(slice(min(max(low, 0), n - 1), max(min(high, n), 1)))
    return _three(parts)


def interpolate(array: AnyArray, grid: Grid, box: Box, interpolator: Interpolator) -> FloatArray:
    """`box` of the new grid over `array`; float32, computed in float64.

    Every value of `source_box` must be finite; the rest of the array is not looked at.
    """
    part = source_box(grid, box, array.shape, interpolator)
    source = array[part]
    at = [
        offset + step * np.arange(piece.start, piece.stop) - origin.start
        for offset, step, piece, origin in zip(grid.offset, grid.step, box, part, strict=True)
    ]
    result = np.empty([len(points) for points in at], dtype=np.float32)
    if all(np.array_equal(points, np.arange(n)) for points, n in zip(at, source.shape, strict=True)):
        result[:] = source
        return result
    if interpolator == "cubic":
        source = source.astype(np.float64)
        for axis in range(3):
            if source.shape[axis] > 1:
                source = ndimage.spline_filter1d(source, order=3, axis=axis, mode="mirror")
    for low, high in _slabs(result.shape):
        slab: AnyArray = source
        for axis, points in enumerate((at[0][low:high], at[1], at[2])):  # z first: far planes are dropped at once
            slab = _along(slab, axis, np.clip(points, 0, source.shape[axis] - 1), interpolator)
        result[low:high] = slab
    return result


def _slabs(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    planes = max(_SLAB_VALUES // max(shape[1] * shape[2], 1), 1)
    for low in range(0, shape[0], planes):
        yield low, min(low + planes, shape[0])


def _along(array: AnyArray, axis: int, at: FloatArray, interpolator: Interpolator) -> AnyArray:
    last = array.shape[axis] - 1
    if interpolator == "nearest":  # half-way goes down, with room for rounding error, as in volume.resample
        return np.asarray(np.take(array, np.ceil(at - 0.5 - 1e-6).astype(np.intp).clip(0, last), axis=axis))
    if np.array_equal(at, np.rint(at)) and interpolator == "linear":
        return np.asarray(np.take(array, at.astype(np.intp), axis=axis))
    first = np.minimum(np.floor(at).astype(np.intp), max(last - 1, 0))
    t = at - first
    if interpolator == "linear":
        taps = {0: 1 - t, 1: t}
    else:  # the cubic B-spline's four weights
        taps = {
            -1: (1 - t) ** 3 / 6,
            0: 2 / 3 - t**2 + t**3 / 2,
            1: 2 / 3 - (1 - t) ** 2 + (1 - t) ** 3 / 2,
            2: t**3 / 6,
        }
    total: AnyArray = np.zeros(())
    for step, weight in taps.items():
        index = np.abs(first + step)  # mirrored at the first and at the last centre, as the filter was
        index = np.where(index > last, 2 * last - index, index).clip(0, last)
        shape = [-1 if other == axis else 1 for other in range(3)]
        total = total + np.take(array, index, axis=axis) * weight.reshape(shape)
    return total


def _three(values: Sequence[Value]) -> tuple[Value, Value, Value]:
    z, y, x = values
    return z, y, x
