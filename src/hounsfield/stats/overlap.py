"""Agreement of two masks of one volume: reference and predicted mask in, overlap or distance out.

Empty masks: both empty gives NaN (nothing to find, nothing claimed); one empty gives overlap 0 and an infinite
distance, so that a missed lesion is never hidden in a mean.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import spatial

from hounsfield.core.errors import MaskError
from hounsfield.core.types import BoolArray, FloatArray


def dice(reference: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Dice's coefficient: twice the common voxels over the sum of both masks' voxels.

    Args:
        reference: mask of any shape, True or 1 inside.
        predicted: mask on the same grid; threshold a probability first.

    Returns: in [0, 1]; NaN when both are empty, 0 when one is.
    Raises: MaskError on unequal shapes or on values other than 0 and 1.
    Source: Dice, Ecology 1945;26:297.
    """
    a, b = _masks(reference, predicted)
    size = np.count_nonzero(a) + np.count_nonzero(b)
    return 2 * np.count_nonzero(a & b) / size if size else math.nan


def iou(reference: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Intersection over union (Jaccard's index), equal to dice / (2 - dice); edges and errors as `dice`."""
    a, b = _masks(reference, predicted)
    size = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / size if size else math.nan


def surface_distance(
    reference: npt.ArrayLike, predicted: npt.ArrayLike, *, spacing_mm: tuple[float, ...], workers: int = 1
) -> tuple[float, float]:
    """Average symmetric surface distance and 95th percentile Hausdorff distance, in mm.

    The surface is the voxels of a mask with a face on the outside, the volume's border counting as outside. Distances
    run between voxel centres, from each surface voxel of one mask to the nearest of the other. The average is over the
    surface voxels of both masks together; the percentile is taken in each direction and the larger one returned.

    Args:
        reference: mask, True or 1 inside.
        predicted: mask on the same grid.
        spacing_mm: voxel size along each axis of the masks.
        workers: threads for the search of the nearest voxels; -1 takes all cores.

    Returns: (assd, hd95); NaN twice when both masks are empty, infinity twice when one is.
    Raises: MaskError as `dice`, and on a spacing of another length or not above 0.
    Source: Heimann et al., IEEE Trans Med Imaging 2009;28:1251; Maier-Hein et al., Nat Methods 2024;21:195.
    """
    found = _both_ways(reference, predicted, spacing_mm, workers)
    if isinstance(found, float):
        return found, found
    from_a, from_b = found
    mean = (from_a.sum() + from_b.sum()) / (from_a.size + from_b.size)
    return float(mean), float(max(np.percentile(from_a, 95), np.percentile(from_b, 95)))


def assd(reference: npt.ArrayLike, predicted: npt.ArrayLike, *, spacing_mm: tuple[float, ...]) -> float:
    """Average symmetric surface distance in mm; see `surface_distance`."""
    return surface_distance(reference, predicted, spacing_mm=spacing_mm)[0]


def hd95(reference: npt.ArrayLike, predicted: npt.ArrayLike, *, spacing_mm: tuple[float, ...]) -> float:
    """95th percentile Hausdorff distance in mm; see `surface_distance`."""
    return surface_distance(reference, predicted, spacing_mm=spacing_mm)[1]


def surface_dice(
    reference: npt.ArrayLike, predicted: npt.ArrayLike, *, spacing_mm: tuple[float, ...], tolerance_mm: float
) -> float:
    """Share of both surfaces that lies within a tolerance of the other.

    Args:
        reference, predicted, spacing_mm: as `surface_distance`.
        tolerance_mm: 0 or more; what two readers differ by is a usual choice.

    Returns: in [0, 1]; NaN when both masks are empty, 0 when one is. Counted over surface voxels, not over the area of
        a triangulated surface.

    Raises: MaskError as `surface_distance`, and on a negative tolerance.
    Source: Nikolov et al., J Med Internet Res 2021;23:e26151, with voxels for surface elements.
    """
    if not (math.isfinite(tolerance_mm) and tolerance_mm >= 0):
        raise MaskError(f"tolerance_mm is 0 or more; got {tolerance_mm}.")
    found = _both_ways(reference, predicted, spacing_mm)
    if isinstance(found, float):
        return math.nan if math.isnan(found) else 0.0
    near = sum(int((side <= tolerance_mm + 1e-9).sum()) for side in found)
    return near / (found[0].size + found[1].size)


def volume_error(
    reference: npt.ArrayLike, predicted: npt.ArrayLike, *, spacing_mm: tuple[float, ...]
) -> tuple[float, float]:
    """Predicted minus reference volume, in mm³ and as a share of the reference.

    Returns: (0, NaN) when both masks are empty, (volume, infinity) when the reference alone is.
    Raises: MaskError as `surface_distance`.
    """
    a, b = _masks(reference, predicted)
    _check_spacing(spacing_mm, a.ndim)
    voxel = math.prod(spacing_mm)
    size = np.count_nonzero(a)
    gap = np.count_nonzero(b) - size
    if not size:
        return gap * voxel, math.inf if gap else math.nan
    return gap * voxel, gap / size


def _both_ways(
    reference: npt.ArrayLike, predicted: npt.ArrayLike, spacing_mm: tuple[float, ...], workers: int = 1
) -> tuple[FloatArray, FloatArray] | float:
    """Distance of each surface voxel of one mask to the nearest of the other; NaN or infinity for empty masks."""
    a, b = _masks(reference, predicted)
    _check_spacing(spacing_mm, a.ndim)
    if not a.any() or not b.any():
        return math.inf if a.any() or b.any() else math.nan
    box = _box(a, b)
    # Both surfaces lie in the box of the union, so the distances inside it are those of the whole volume.
    first, second = _points(a[box], spacing_mm), _points(b[box], spacing_mm)
    return _nearest(first, second, workers), _nearest(second, first, workers)


def _box(a: BoolArray, b: BoolArray) -> tuple[slice, ...]:
    """The smallest box that holds both masks."""
    slices = []
    for axis in range(a.ndim):
        others = tuple(other for other in range(a.ndim) if other != axis)
        there = np.flatnonzero(a.any(axis=others) | b.any(axis=others))
        slices.append(slice(int(there[0]), int(there[-1]) + 1))
    return tuple(slices)


def _points(mask: BoolArray, spacing_mm: tuple[float, ...]) -> FloatArray:
    """(S, axes) positions in mm of the voxels with a face on the outside, the array's border counting as outside."""
    inner = np.pad(mask, 1)
    kept = mask.copy()
    for axis in range(mask.ndim):
        for step in (-1, 1):
            window = [slice(1, -1)] * mask.ndim
            window[axis] = slice(1 + step, mask.shape[axis] + 1 + step)
            kept &= inner[tuple(window)]
    return np.asarray(np.argwhere(mask & ~kept) * np.asarray(spacing_mm), dtype=np.float64)


def _nearest(points: FloatArray, among: FloatArray, workers: int) -> FloatArray:
    """Distance of each point to the nearest of others. A tree of surface voxels beats a distance map of the volume."""
    distance, _ = spatial.cKDTree(among, balanced_tree=False, compact_nodes=False).query(points, workers=workers)
    return np.asarray(distance, dtype=np.float64)


def _check_spacing(spacing_mm: tuple[float, ...], axes: int) -> None:
    if len(spacing_mm) != axes or not all(math.isfinite(s) and s > 0 for s in spacing_mm):
        raise MaskError(f"spacing_mm has {axes} sizes above 0, one an axis; got {tuple(spacing_mm)}.")


def _masks(reference: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[BoolArray, BoolArray]:
    a, b = _mask(reference, "reference"), _mask(predicted, "predicted")
    if a.shape != b.shape:
        raise MaskError(f"both masks lie on one grid; got shapes {a.shape} and {b.shape}. Resample one like the other.")
    return a, b


def _mask(mask: npt.ArrayLike, name: str) -> BoolArray:
    given = np.asarray(mask)
    if given.dtype == bool:
        return given
    inside = np.asarray(given == 1, dtype=bool)
    if not np.array_equal(inside, given != 0):
        raise MaskError(f"{name} is a mask of 0 and 1; other values came. Threshold a probability, choose one label.")
    return inside
