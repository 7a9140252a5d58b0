"""What an image looks like, in a few kilobytes. In: its array. Out: a `Fingerprint`, and how far two of them agree.

Two measures. `bits`: the image averaged down to a few cells, each bit saying whether a cell is brighter than its
neighbour. `detail`: what is left of a somewhat finer average when its surroundings are taken off, everywhere of like
strength. Bits are compared at once with thousands of others; but two images with a flat background (a brain without
skull, a nodule cut out) agree in all bits of the background and of the rim, and there the detail inside has to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter, maximum_filter, minimum_filter

from hounsfield.core.types import AnyArray, FloatArray

CELLS = 16  # cells an axis: 16 x 16 x 16 comparisons
BITS = CELLS**3
DETAIL = (16, 32, 32)  # cells of the detail (z, y, x)
_SURROUNDINGS = (1.0, 2.0, 2.0)  # cells (z, y, x): SD of the Gaussian
_SCALE = 32  # detail is of strength 1; as a byte it reaches from -4 to 4
# Flat areas differ by rounding alone, and such bits would tell a copy from its source: of the range, of the values.
_ROUNDING, _SUMS = 1e-6, 1e-9
_FAINT = 0.1  # strength below which detail is noise rather than structure, as a share of the mean


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Of one image.

    Attributes:
        bits: (BITS / 8,) bytes.
        detail: DETAIL int8, 0 in a flat background and next to it.
        flat: share of the bits that compare two equal cells.
    """

    bits: AnyArray
    detail: AnyArray
    flat: float


def fingerprint(array: AnyArray) -> Fingerprint:
    """Fingerprint of an image (z, y, x) of any size.

    Source: difference hash (Krawetz 2013) in three dimensions, for the bits.
    """
    coarse = _cells(array, (CELLS, CELLS, CELLS + 1))
    steps = np.diff(coarse, axis=2)
    least = _rounding(coarse)
    bits = np.packbits(steps > least)
    return Fingerprint(bits, _detail(_cells(array, DETAIL)), float((np.abs(steps) <= least).mean()))


def differing(first: AnyArray, others: AnyArray) -> FloatArray:
    """Share of the bits in which (N, BITS / 8) fingerprints differ from one; (N,)."""
    changed = np.ascontiguousarray(others).view(np.uint64) ^ np.ascontiguousarray(first).view(np.uint64)
    return np.asarray(np.bitwise_count(changed).sum(axis=1, dtype=np.int64) / BITS)


def agreement(one: AnyArray, other: AnyArray) -> float:
    """Largest correlation of two details when one is moved by at most a cell along each axis, in [-1, 1]."""
    first, second = one.astype(np.float32), other.astype(np.float32)
    best = -1.0
    for shift in product((-1, 0, 1), repeat=3):
        pairs = list(zip(shift, first.shape, strict=True))
        here = first[tuple(slice(max(0, by), size + min(0, by)) for by, size in pairs)]
        there = second[tuple(slice(max(0, -by), size + min(0, -by)) for by, size in pairs)]
        norm = float(np.sqrt((here * here).sum() * (there * there).sum()))
        best = max(best, float((here * there).sum()) / norm if norm else 0.0)
    return best


def _detail(cells: FloatArray) -> AnyArray:
    even = maximum_filter(cells, 3) - minimum_filter(cells, 3) <= _rounding(cells)
    # Two cells around: the rim of what was cut out is alike in everyone.
    inside = (~binary_dilation(even, np.ones((3, 3, 3)), iterations=2)).astype(np.float64)
    weight = _blurred(inside) + 1e-12
    high = (cells - cells.mean() - _blurred((cells - cells.mean()) * inside) / weight) * inside
    strength = np.sqrt(_blurred(high * high) / weight)
    usual = np.sqrt((high * high).sum() / max(inside.sum(), 1))
    even_high = high / (strength + _FAINT * usual + 1e-12)
    return np.asarray(np.clip(np.rint(even_high * _SCALE), -127, 127).astype(np.int8))


def _rounding(cells: FloatArray) -> float:
    """Largest difference of two cells that is none."""
    return max(_ROUNDING * float(np.ptp(cells)), _SUMS * float(np.abs(cells).max()))


def _blurred(cells: FloatArray) -> FloatArray:
    return np.asarray(gaussian_filter(cells, _SURROUNDINGS, mode="constant"))


def _cells(array: AnyArray, shape: tuple[int, int, int]) -> FloatArray:
    # Plane by plane: the sums of a whole chest CT in every process would fill the memory.
    depth, height, width = shape
    planes = [_averaged(_averaged(np.asarray(plane, dtype=np.float64), 0, height), 1, width) for plane in array]
    return _averaged(np.array(planes), 0, depth)


def _averaged(array: FloatArray, axis: int, count: int) -> FloatArray:
    """Means over `count` equal stretches of an axis, voxels that lie in two being shared out."""
    length = array.shape[axis]
    sums = np.cumsum(np.moveaxis(array, axis, 0), axis=0)
    sums = np.concatenate([np.zeros_like(sums[:1]), sums])
    edges = np.linspace(0, length, count + 1)
    below = np.minimum(np.floor(edges).astype(np.int64), length - 1)
    part = (edges - below).reshape(-1, *([1] * (array.ndim - 1)))
    at_edges = sums[below] * (1 - part) + sums[below + 1] * part
    return np.asarray(np.moveaxis(np.diff(at_edges, axis=0) * (count / length), 0, axis))
