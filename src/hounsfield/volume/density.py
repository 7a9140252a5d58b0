"""How much of a lesion is calcified, and how dense it is at its densest. In: HU values, a mask and the spacing, all
(z, y, x); out: fractions, mm3 and HU.

Calcification speaks for a benign lung nodule; thresholds as in common use (200 HU any, 400 HU dense calcification).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from hounsfield.core.errors import MaskError
from hounsfield.core.types import AnyArray

ANY_HU, DENSE_HU = 200.0, 400.0
_PEAK_SMOOTHING_MM = 0.5  # in plane: one noisy voxel is no calcification
_PEAK_RANGE_HU = (-600.0, 1500.0)  # metal and air say nothing more


def calcification(array: AnyArray, mask: AnyArray, spacing_mm: tuple[float, float, float]) -> dict[str, float]:
    """Measures of calcification inside a mask.

    Returns: above_200hu_fraction (share of the lesion's voxels), above_400hu_mm3, and hu_peak, the largest value after
        in-plane Gaussian smoothing of 0.5 mm, within -600 to 1500 HU.
    Raises: MaskError when the mask is empty or of another shape.
    """
    if array.shape != mask.shape:
        raise MaskError(f"image and mask must have one shape; got {array.shape} and {mask.shape}.")
    inside = np.asarray(mask) != 0
    values = np.asarray(array[inside], dtype=np.float64)
    if values.size == 0:
        raise MaskError("the mask is empty: at least one voxel must belong to the lesion.")
    sigma = (0.0, _PEAK_SMOOTHING_MM / spacing_mm[1], _PEAK_SMOOTHING_MM / spacing_mm[2])
    smooth = ndimage.gaussian_filter(np.asarray(array, dtype=np.float64), sigma)
    return {
        "above_200hu_fraction": float((values > ANY_HU).mean()),
        "above_400hu_mm3": float((values > DENSE_HU).sum() * np.prod(spacing_mm)),
        "hu_peak": float(np.clip(smooth[inside].max(), *_PEAK_RANGE_HU)),
    }


def axial_area_mm2(mask: AnyArray, spacing_mm: tuple[float, float, float]) -> float:
    """Area of the lesion in the axial slice where it is largest; 0 for an empty mask."""
    areas = np.count_nonzero(mask, axis=(1, 2))
    return float(areas.max(initial=0) * spacing_mm[1] * spacing_mm[2])
