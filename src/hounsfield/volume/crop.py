"""Cutting a cube of fixed size. In: an array (z, y, x), a centre, a size; out: the cube, padded where it leaves the
array."""

from __future__ import annotations

import numpy as np

from hounsfield.core.errors import ImageError, MaskError
from hounsfield.core.types import AnyArray

Index = tuple[int, int, int]


def centroid(mask: AnyArray) -> Index:
    """Centre of mass of a mask's non-zero voxels, each axis rounded to the nearest voxel (halves upwards).

    Raises: MaskError when the mask is empty.
    """
    return _rounded(np.array([axis.mean() for axis in _foreground(mask)]))


def box_centre(mask: AnyArray) -> Index:
    """Middle of a mask's bounding box, each axis rounded to the nearest voxel (halves upwards).

    Raises: MaskError when the mask is empty.
    """
    return _rounded(np.array([(axis.min() + axis.max()) / 2 for axis in _foreground(mask)]))


def bounding_box(mask: AnyArray) -> tuple[Index, Index]:
    """Half-open box (start, stop), each (z, y, x), around a mask's non-zero voxels.

    Raises: MaskError when the mask is empty.
    """
    start, stop = [], []
    for others in ((1, 2), (0, 2), (0, 1)):  # three projections are several times faster than listing all voxels
        found = np.flatnonzero(np.any(mask, axis=others))
        if found.size == 0:
            raise MaskError("the mask is empty: at least one voxel must belong to the lesion.")
        start.append(int(found[0]))
        stop.append(int(found[-1]) + 1)
    return (start[0], start[1], start[2]), (stop[0], stop[1], stop[2])


def crop_cube(array: AnyArray, centre: Index, size: Index, fill: float = -1024.0) -> AnyArray:
    """The box of `size` voxels with voxel `centre` at index size // 2 of each axis; `fill` where it leaves `array`.

    Args:
        centre: (z, y, x), may lie outside the array.
    Returns: (size) array of the input's type, always a copy.
    Raises: ImageError when a size is below 1.
    """
    if array.ndim != 3 or len(size) != 3 or min(size) < 1:
        raise ImageError(
            f"a cube of three sizes above 0 is cut from an array of 3 axes; got size {size}, array {array.shape}."
        )
    cube = np.full(size, fill, dtype=array.dtype)
    source, target = [], []
    for middle, length, available in zip(centre, size, array.shape, strict=True):
        start = middle - length // 2
        low, high = max(start, 0), max(min(start + length, available), max(start, 0))
        source.append(slice(low, high))
        target.append(slice(low - start, high - start))
    cube[tuple(target)] = array[tuple(source)]
    return cube


def _foreground(mask: AnyArray) -> tuple[AnyArray, ...]:
    found = np.nonzero(mask)
    if found[0].size == 0:
        raise MaskError("the mask is empty: at least one voxel must belong to the lesion.")
    return found


def _rounded(point: AnyArray) -> Index:
    z, y, x = np.floor(point + 0.5).astype(int)
    return int(z), int(y), int(x)
