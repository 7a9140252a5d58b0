"""Bringing a mask's voxels onto an image's grid without interpolation. In: a volume and the volume it should lie on;
out: the same voxels in the other's order, or an error when the two grids don't share their voxel centres."""

from __future__ import annotations

import numpy as np

from hounsfield.core.errors import MaskError
from hounsfield.core.types import AnyArray
from hounsfield.volume.volume import Volume

_TOLERANCE = 0.05  # of a voxel: headers of different tools round differently, but half a voxel is another grid


def onto(volume: Volume, like: Volume, name: str, *, whole: bool) -> Volume:
    """`volume` on the grid of `like`, its axes reordered and reversed as needed, zero where it does not reach.

    Args:
        name: the file's name, for messages.
        whole: True when the two must cover the same box, False when `volume` may be a part of `like` or reach beyond
            it with zeros.
    Raises: MaskError with both grids when voxel centres don't coincide.
    """
    if volume.same_grid(like):
        return volume if volume.array.flags.c_contiguous else volume.with_array(np.ascontiguousarray(volume.array))
    corner = volume.to_index(like.to_world(np.zeros((1, 3))))[0]
    steps = [
        volume.to_index(like.to_world(unit[None]))[0] - corner for unit in np.eye(3)
    ]  # one step on like, in steps of volume
    matrix = np.array(steps)
    signed = np.rint(matrix)
    order = np.abs(signed).argmax(axis=1)
    spread = np.abs(matrix - signed) * np.asarray(like.shape)[:, None]
    permutes = (np.abs(signed).sum(axis=0) == 1).all() and (np.abs(signed).sum(axis=1) == 1).all()
    shift = np.rint(corner)
    if not permutes or spread.max() > _TOLERANCE or np.abs(corner - shift).max() > _TOLERANCE:
        raise _another_grid(volume, like, name)
    array = volume.array.transpose(order)
    sign = [int(signed[axis, order[axis]]) for axis in range(3)]
    array = array[tuple(slice(None, None, step) for step in sign)]
    first = [int(shift[order[axis]]) for axis in range(3)]
    # The place of like's first voxel, counted in the reordered and reversed array.
    first = [at if step > 0 else n - 1 - at for at, step, n in zip(first, sign, array.shape, strict=True)]
    result = _window(array, first, like.shape)
    lost = np.count_nonzero(result) != np.count_nonzero(array)
    if lost or (whole and (array.shape != like.shape or any(first))):
        raise _another_grid(volume, like, name)
    return like.with_array(result)


def _window(array: AnyArray, first: list[int], shape: tuple[int, int, int]) -> AnyArray:
    """The box of `shape` that begins at index `first` of `array`, zero where it leaves the array."""
    result = np.zeros(shape, dtype=array.dtype)
    source, target = [], []
    for start, length, available in zip(first, shape, array.shape, strict=True):
        low = max(start, 0)
        high = max(min(start + length, available), low)
        source.append(slice(low, high))
        target.append(slice(low - start, high - start))
    result[tuple(target)] = array[tuple(source)]
    return result


def _another_grid(volume: Volume, like: Volume, name: str) -> MaskError:
    return MaskError(
        f"{name}: the mask is on another grid than its image. Mask: {_grid(volume)}; image: {_grid(like)}. "
        "Resample the mask onto the image (nearest neighbour), or name the image that it was drawn on."
    )


def _grid(volume: Volume) -> str:
    spacing = ", ".join(f"{value:.4g}" for value in volume.spacing_mm)
    origin = ", ".join(f"{value:.5g}" for value in volume.origin_mm)
    return f"{volume.shape} voxels, spacing ({spacing}) mm (z, y, x), origin ({origin}) mm"
