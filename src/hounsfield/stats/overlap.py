"""Agreement of two masks of one volume: reference and predicted mask in, overlap or distance out.

Empty masks: both empty gives NaN (nothing to find, nothing claimed); one empty gives overlap 0 and an infinite
distance, so that a missed lesion is never hidden in a mean.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

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
    reference: npt.ArrayLike, predicted: npt.ArrayLike, *, spacing_mm: tuple[float, ...]
) -> tuple[float, float]:
    """Average symmetric surface distance and 95th percentile Hausdorff distance, in mm.

    The surface is the voxels of a mask with a face on the outside, the volume's border counting as outside. Distances
    run between voxel centres, from each surface voxel of one mask to the nearest of the other. The average is over the
    surface voxels of both masks together; the percentile is taken in each direction and the larger one returned.

    Args:
        reference: mask, True or 1 inside.
        predicted: mask on the same grid.
        spacing_mm: voxel size along each axis of the masks.

    Returns: (assd, hd95); NaN twice when both masks are empty, infinity twice when one is.
    Raises: MaskError as `dice`, and on a spacing of another length or not above 0.
    Source: Heimann et al., IEEE Trans Med Imaging 2009;28:1251; Maier-Hein et al., Nat Methods 2024;21:195.
    """
    a, b = _masks(reference, predicted)
    if len(spacing_mm) != a.ndim or not all(math.isfinite(s) and s > 0 for s in spacing_mm):
        raise MaskError(f"spacing_mm has {a.ndim} sizes above 0, one an axis; got {tuple(spacing_mm)}.")
    if not a.any() or not b.any():
        gap = math.inf if a.any() or b.any() else math.nan
        return gap, gap
    box = ndimage.find_objects((a | b).astype(np.int8))[0]
    # Both surfaces lie in the box of the union, so the distances inside it are those of the whole volume.
    edge_a, edge_b = _surface(a[box]), _surface(b[box])
    from_a, from_b = _to(edge_b, spacing_mm)[edge_a], _to(edge_a, spacing_mm)[edge_b]
    assd = (from_a.sum() + from_b.sum()) / (from_a.size + from_b.size)
    return float(assd), float(max(np.percentile(from_a, 95), np.percentile(from_b, 95)))


def assd(reference: npt.ArrayLike, predicted: npt.ArrayLike, *, spacing_mm: tuple[float, ...]) -> float:
    """Average symmetric surface distance in mm; see `surface_distance`."""
    return surface_distance(reference, predicted, spacing_mm=spacing_mm)[0]


def hd95(reference: npt.ArrayLike, predicted: npt.ArrayLike, *, spacing_mm: tuple[float, ...]) -> float:
    """95th percentile Hausdorff distance in mm; see `surface_distance`."""
    return surface_distance(reference, predicted, spacing_mm=spacing_mm)[1]


def _surface(mask: BoolArray) -> BoolArray:
    return np.asarray(mask & ~ndimage.binary_erosion(mask))


def _to(surface: BoolArray, spacing_mm: tuple[float, ...]) -> FloatArray:
    return np.asarray(ndimage.distance_transform_edt(~surface, sampling=spacing_mm))


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
