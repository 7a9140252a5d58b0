"""Shells round a lesion: the lung next to a nodule, in rings of given widths. In: a mask (z, y, x) and its spacing;
out: masks of the same shape.

Distances are those between voxel centres, from a voxel outside to the nearest of the lesion, in mm along all axes;
thick slices make coarse shells. Rings of 5 mm up to 30 mm are those of Beig et al., Radiology 2019;290:783.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy import ndimage

from hounsfield.core.errors import HounsfieldError, MaskError
from hounsfield.core.types import AnyArray, BoolArray
from hounsfield.volume.crop import bounding_box

Spacing = tuple[float, float, float]


def shells(
    mask: AnyArray, *, spacing_mm: Spacing, widths_mm: Sequence[float], within: AnyArray | None = None
) -> list[BoolArray]:
    """Consecutive shells round the lesion, innermost first.

    Args:
        mask: (z, y, x), non-zero in the lesion.
        widths_mm: of each shell: (5, 10) gives the voxels at 0 to 5 mm and at 5 to 15 mm; a distance on the border
            belongs to the inner one.
        within: (z, y, x) where a shell may be, such as the lungs.
    Returns: one boolean mask a width, disjoint, none touching the lesion itself; one may be empty.
    Raises: MaskError when the mask is empty or of another shape than `within`; HounsfieldError for a width that is not
        above 0.
    """
    _require_widths(widths_mm)
    widths = [float(width) for width in widths_mm]
    if within is not None and within.shape != mask.shape:
        raise MaskError(f"`within` and the mask must have one shape; got {within.shape} and {mask.shape}.")
    start, stop = bounding_box(mask)
    reach = [int(np.ceil(sum(widths) / step)) + 1 for step in spacing_mm]
    box = tuple(slice(max(a - r, 0), min(b + r, n)) for a, b, r, n in zip(start, stop, reach, mask.shape, strict=True))
    distance = ndimage.distance_transform_edt(mask[box] == 0, sampling=spacing_mm)
    found, inner = [], 0.0
    for width in widths:
        outer = inner + width
        shell = np.zeros(mask.shape, dtype=bool)
        shell[box] = (distance > inner + 1e-6) & (distance <= outer + 1e-6)
        if within is not None:
            shell &= within != 0
        found.append(shell)
        inner = outer
    return found


def names_of_shells(widths_mm: Sequence[float]) -> tuple[str, ...]:
    """`shell_0_5mm`, `shell_5_15mm`, ... for widths 5 and 10; the beginning of their features' names.

    Raises: HounsfieldError as `shells`.
    """
    _require_widths(widths_mm)
    borders = np.concatenate([[0.0], np.cumsum(widths_mm)])
    return tuple(f"shell_{low:g}_{high:g}mm" for low, high in pairwise(borders))


def _require_widths(widths_mm: Sequence[float]) -> None:
    if not all(np.isfinite(width) and width > 0 for width in widths_mm):
        raise HounsfieldError(f"widths of shells are numbers above 0, in mm; got {list(widths_mm)}.")
