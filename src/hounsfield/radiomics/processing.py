"""Image processing of IBSI, chapter 2. In: image and mask (z, y, x) as read, a spacing, a configuration; out: the
lesion as the families measure it.

`place` interpolates the mask and finds the box that matters; `region` interpolates the image there, rounds, re-segments
and discretises. Two masks come out: the morphological one (shape) and, without the voxels that re-segmentation drops,
the intensity mask (everything else).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hounsfield.core.errors import ImageError, MaskError
from hounsfield.core.types import AnyArray, BoolArray, FloatArray, IntArray
from hounsfield.radiomics.config import RadiomicsConfig
from hounsfield.radiomics.interpolate import Box, Grid, box_around, grid_of, interpolate, source_box
from hounsfield.volume.crop import bounding_box

Spacing = tuple[float, float, float]
MOST_VOXELS = 500_000_000  # of a lesion's box; what comes after needs about 20 bytes each
MOST_LEVELS = 4096  # matrices are as wide as there are grey levels; more is a mistake of the bin width


@dataclass(frozen=True, eq=False)
class Place:
    """Where the lesion is on the new grid.

    Attributes:
        grid: the new grid over the whole image.
        box: the lesion's bounding box on it.
        mask: (z, y, x) the morphological mask in that box.
    """

    grid: Grid
    box: Box
    mask: BoolArray


@dataclass(frozen=True, eq=False)
class Region:
    """A lesion ready to be measured; all arrays are of the lesion's bounding box.

    Attributes:
        image: (z, y, x) float32 intensities.
        shape_mask: the morphological mask.
        mask: the intensity mask, a part of it; may be empty.
        levels: int32 grey levels from 1 on, 0 outside the intensity mask.
        level_count: Ng, the number of grey levels that there are or, with a fixed number of bins, could be.
        spacing_mm: of the voxels.
    """

    image: FloatArray
    shape_mask: BoolArray
    mask: BoolArray
    levels: IntArray
    level_count: int
    spacing_mm: Spacing

    def values(self) -> FloatArray:
        """(N,) float64 intensities of the intensity mask."""
        return np.asarray(self.image[self.mask], dtype=np.float64)


def place(mask: AnyArray, spacing_mm: Spacing, config: RadiomicsConfig) -> Place:
    """The mask (non-zero voxels) on the grid of `config`.

    Raises: MaskError when it is empty or so small that no voxel of the new grid belongs to it; ImageError for a
        spacing that is not three numbers above 0.
    """
    if mask.ndim != 3:
        raise MaskError(f"a mask has 3 axes (z, y, x); got shape {mask.shape}.")
    if len(spacing_mm) != 3 or not all(np.isfinite(value) and value > 0 for value in spacing_mm):
        raise ImageError(f"spacing_mm is (z, y, x) in mm, all finite and above 0; got {spacing_mm}.")
    if np.issubdtype(mask.dtype, np.floating) and not np.isfinite(mask).all():
        raise MaskError(
            "the mask holds values that are no numbers (NaN or infinite). Mark the lesion with 1, the rest with 0."
        )
    marked = mask if mask.dtype == np.bool_ else mask != 0
    start, stop = bounding_box(marked)
    grid = grid_of(mask.shape, spacing_mm, config.spacing_mm)
    box = box_around(grid, start, stop)
    count = math.prod(part.stop - part.start for part in box)
    if count > MOST_VOXELS:
        raise ImageError(
            f"at {grid.spacing_mm} mm the lesion's box has {count:.1e} voxels; at most {MOST_VOXELS:.0e} are allowed. "
            "Choose a coarser spacing_mm."
        )
    share = interpolate(marked, grid, box, config.mask_interpolator)
    inside = share >= config.mask_threshold - 1e-6  # exactly half counts as inside, whatever the rounding
    if not inside.any():
        count = int(np.count_nonzero(marked))
        raise MaskError(
            f"the lesion's {count} voxel(s) vanish at {grid.spacing_mm} mm: no new voxel is covered by "
            f"{config.mask_threshold:.0%}. Choose a finer spacing_mm, or leave the lesion out."
        )
    low, high = bounding_box(inside)
    within = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    z, y, x = (slice(part.start + a, part.start + b) for part, a, b in zip(box, low, high, strict=True))
    return Place(grid, (z, y, x), np.ascontiguousarray(inside[within]))


def region(image: AnyArray, found: Place, config: RadiomicsConfig) -> Region:
    """The image at `found`, processed by `config`.

    Raises: ImageError when a value that is needed is not finite, when no interpolation takes place inside the lesion
        only; when the bins are too narrow, or without bins when values are no whole numbers from 1 on.
    """
    values = _interpolated(image, found, config)
    if config.round_to_integer:
        np.rint(values, out=values)
    mask = resegment(values, found.mask, config)
    levels, count = discretise(values, mask, config)
    return Region(values, found.mask, mask, levels, count, found.grid.spacing_mm)


def resegment(image: FloatArray, mask: BoolArray, config: RadiomicsConfig) -> BoolArray:
    """IBSI 2.5: `mask` without voxels outside the range; then, without those beyond `outlier_sd` SD of the mean of
    what the mask held before: with both, a voxel must pass both."""
    kept = mask.copy()
    if config.intensity_range is not None:
        low, high = config.intensity_range
        kept &= image >= (-np.inf if low is None else low)
        kept &= image <= (np.inf if high is None else high)
    if config.outlier_sd is not None:
        values = image[kept].astype(np.float64)
        if values.size:
            kept &= np.abs(image - values.mean()) <= config.outlier_sd * values.std()
    return kept


def discretise(image: FloatArray, mask: BoolArray, config: RadiomicsConfig) -> tuple[IntArray, int]:
    """IBSI 2.7: grey levels 1, 2, ... inside `mask`, 0 outside, and their number Ng.

    Raises: ImageError for more than 4096 levels; without bins for values that are no whole numbers from 1 on.
    """
    levels = np.zeros(mask.shape, dtype=np.int32)
    values = image[mask].astype(np.float64)
    if values.size == 0:
        return levels, 0
    if config.bin_count is not None:
        low, span = values.min(), np.ptp(values)
        found = np.floor(config.bin_count * (values - low) / (span or 1.0)) + 1
        found = np.minimum(found, config.bin_count)  # the maximum belongs to the last bin
    elif config.bin_width is not None:
        lowest = config.intensity_range[0] if config.intensity_range else None
        found = np.floor((values - (values.min() if lowest is None else lowest)) / config.bin_width) + 1
    else:
        found = values
        if found.min() < 1 or not np.array_equal(found, np.rint(found)):
            raise ImageError(
                f"without bins, values are whole numbers from 1 on; got {found.min():g} to {found.max():g}. Give "
                "bin_width or bin_count."
            )
    if found.max() > MOST_LEVELS:
        raise ImageError(
            f"the lesion has grey levels up to {found.max():.0f}; at most {MOST_LEVELS} are allowed. Make bin_width "
            "larger, or narrow intensity_range."
        )
    levels[mask] = found
    return levels, config.bin_count or int(found.max())


def _interpolated(image: AnyArray, found: Place, config: RadiomicsConfig) -> FloatArray:
    part = source_box(found.grid, found.box, image.shape, config.image_interpolator)
    needed = image[part]
    untouched = found.grid.shape == image.shape and all(step == 1.0 for step in found.grid.step)
    if untouched:  # voxels outside the mask then enter nowhere
        needed = image[found.box][found.mask]
    if not np.isfinite(needed).all():
        wrong = int(np.count_nonzero(~np.isfinite(needed)))
        where = "inside the mask" if untouched else "inside the mask or so near that interpolation needs them"
        raise ImageError(f"{wrong} value(s) {where} are no numbers (NaN or infinite). Replace them before measuring.")
    if untouched:
        return np.array(image[found.box], dtype=np.float32)
    return interpolate(image, found.grid, found.box, config.image_interpolator)
