"""How a lesion is brought into the form that features are measured on. In: settings; out: a frozen, checked object.

The steps and their order are IBSI's (manual, chapter 2): interpolation, rounding to whole HU, re-segmentation by range
and then by outliers, discretisation, texture matrices. The defaults are those of a chest CT: 1 mm cubes, cubic
B-spline, -1000 to 400 HU, bins of 25 HU from -1000 on.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Interpolator = Literal["nearest", "linear", "cubic"]
Aggregation = Literal["3d_merged", "3d_averaged", "2d_averaged", "2d_merged", "2.5d_averaged", "2.5d_merged"]


class RadiomicsConfig(BaseModel):
    """Settings of one extraction; two tables can be compared only if these agree."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # None leaves the voxels as they are. A 0 for z resamples within slices alone (IBSI configuration B).
    spacing_mm: tuple[float, float, float] | None = (1.0, 1.0, 1.0)
    image_interpolator: Interpolator = "cubic"
    mask_interpolator: Interpolator = "nearest"
    # Share of the mask from which a voxel belongs to it; where the mask is interpolated linearly or cubically.
    mask_threshold: float = Field(default=0.5, gt=0.0, lt=1.0)
    round_to_integer: bool = True  # CT is stored in whole HU; interpolation must not invent finer ones
    # Voxels outside are not measured (shape apart). None on a side leaves that side open; None for both measures all.
    intensity_range: tuple[float | None, float | None] | None = (-1000.0, 400.0)
    outlier_sd: float | None = Field(
        default=None, gt=0.0
    )  # voxels further from the mean than this many SD are not measured
    bin_width: float | None = Field(
        default=25.0, gt=0.0
    )  # from the lower end of `intensity_range`, else from the minimum
    bin_count: int | None = Field(
        default=None, ge=1, le=4096
    )  # in place of bin_width: bins between minimum and maximum
    aggregation: Aggregation = "3d_merged"
    # Texture of fewer voxels than this is missing: two or three pairs of neighbours say nothing.
    minimum_texture_voxels: int = Field(default=10, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> RadiomicsConfig:
        if self.bin_width is not None and self.bin_count is not None:
            raise ValueError(
                "give bin_width or bin_count, not both; None switches one off, and both off take the values"
            )
        if self.spacing_mm is not None:
            z, y, x = self.spacing_mm
            if not (y > 0 and x > 0 and z >= 0):
                raise ValueError(
                    f"spacing_mm is (z, y, x) in mm, above 0 (z may be 0: slices stay); got {self.spacing_mm}"
                )
        limits = (*(self.spacing_mm or ()), *(self.intensity_range or ()), self.bin_width, self.outlier_sd)
        if not all(math.isfinite(value) for value in limits if value is not None):
            raise ValueError(f"spacing, range, bin width and outliers are finite numbers or None; got {limits}")
        low, high = self.intensity_range or (None, None)
        if low is not None and high is not None and low >= high:
            raise ValueError(f"intensity_range is (low, high) with low below high; got {self.intensity_range}")
        return self
