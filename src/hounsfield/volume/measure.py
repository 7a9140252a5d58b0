"""Size and density of one lesion. In: a mask (z, y, x) and its spacing, for density the HU values too; out: numbers in
mm, mm3 and HU."""

from __future__ import annotations

from math import pi

import numpy as np

from hounsfield.core.errors import ImageError, MaskError
from hounsfield.core.types import AnyArray, FloatArray, IntArray
from hounsfield.volume.crop import bounding_box

Spacing = tuple[float, float, float]


def volume_mm3(mask: AnyArray, spacing_mm: Spacing) -> float:
    """Number of non-zero voxels times the volume of one."""
    return float(np.count_nonzero(mask) * np.prod(spacing_mm))


def equivalent_diameter_mm(volume: float) -> float:
    """Diameter of the ball of `volume` mm3."""
    return float((6.0 * volume / pi) ** (1.0 / 3.0))


def extent_mm(mask: AnyArray, spacing_mm: Spacing) -> tuple[float, float, float]:
    """Side lengths (z, y, x) of the bounding box, outer face to outer face: n voxels span n spacings."""
    start, stop = bounding_box(mask)
    z, y, x = ((b - a) * s for a, b, s in zip(start, stop, spacing_mm, strict=True))
    return float(z), float(y), float(x)


def axial_diameters_mm(mask: AnyArray, spacing_mm: Spacing) -> tuple[float, float]:
    """Longest diameter in any axial slice, and the lesion's width at right angles to it in the same slice.

    Both are measured between voxel centres plus the width of one voxel in that direction, so that a single voxel has
    the size of a voxel. The width is that between two lines parallel to the long diameter which just enclose the
    outline.
    Raises: MaskError when the mask is empty.
    """
    start, stop = bounding_box(mask)
    best = (-1.0, 0.0)
    _, step_y, step_x = spacing_mm
    outlines = [_outline(mask[k]) * (step_y, step_x) for k in range(start[0], stop[0])]
    voxel = float(np.hypot(step_y, step_x))
    bounds = [float(np.hypot(*np.ptp(points, axis=0))) + voxel if len(points) else 0.0 for points in outlines]
    for number in np.argsort(bounds, kind="stable")[::-1]:  # largest box first: the others then seldom need measuring
        if bounds[number] <= best[0]:
            break
        points = outlines[number]
        if len(points) == 0:
            continue
        apart = np.linalg.norm(points[:, None] - points, axis=2)
        one, two = np.unravel_index(int(apart.argmax()), apart.shape)
        axis = points[two] - points[one]
        length = float(np.linalg.norm(axis))
        axis = axis / length if length > 0 else np.array([0.0, 1.0])
        across = np.array([-axis[1], axis[0]])
        long = length + _voxel_width(axis, step_y, step_x)
        if long > best[0]:
            best = (long, float(np.ptp(points @ across)) + _voxel_width(across, step_y, step_x))
    return best


def hu_statistics(array: AnyArray, mask: AnyArray) -> dict[str, float]:
    """First-order statistics of the HU values inside a mask.

    Returns: mean, sd (population), skewness and kurtosis (moments; kurtosis is 3 for a Gaussian; both 0 and 3 when all
        values are equal), minimum, maximum and percentiles p5, p25, p50, p75, p95 (linear interpolation), each in HU
        but the two shape numbers.
    Raises: MaskError when the mask is empty, ImageError when a value inside is not finite.
    """
    if array.shape != mask.shape:
        raise MaskError(f"image and mask must have one shape; got {array.shape} and {mask.shape}.")
    values = np.asarray(array[mask != 0], dtype=np.float64)
    if values.size == 0:
        raise MaskError("the mask is empty: at least one voxel must belong to the lesion.")
    if not np.isfinite(values).all():
        raise ImageError("the image holds values that are not finite inside the mask; replace them before measuring.")
    mean, sd = float(values.mean()), float(values.std())
    shape = ((values - mean) / sd) if sd > 0 else None
    found = {
        "hu_mean": mean,
        "hu_sd": sd,
        "hu_skewness": float((shape**3).mean()) if shape is not None else 0.0,
        "hu_kurtosis": float((shape**4).mean()) if shape is not None else 3.0,
        "hu_min": float(values.min()),
        "hu_max": float(values.max()),
    }
    for percent, value in zip((5, 25, 50, 75, 95), np.percentile(values, (5, 25, 50, 75, 95)), strict=True):
        found[f"hu_p{percent}"] = float(value)
    return found


def _outline(plane: AnyArray) -> IntArray:
    """First and last marked voxel (y, x) of each row: every corner of the convex hull is among them."""
    marked = plane != 0
    rows = np.flatnonzero(marked.any(axis=1))
    first = marked[rows].argmax(axis=1)
    last = plane.shape[1] - 1 - marked[rows, ::-1].argmax(axis=1)
    return np.asarray(np.concatenate([np.stack([rows, first], axis=1), np.stack([rows, last], axis=1)]))


def _voxel_width(direction: FloatArray, step_y: float, step_x: float) -> float:
    """Length of the chord through a voxel's centre in `direction` (y, x)."""
    with np.errstate(divide="ignore"):
        return float(
            min(
                step_y / abs(direction[0]) if direction[0] else np.inf,
                step_x / abs(direction[1]) if direction[1] else np.inf,
            )
        )
