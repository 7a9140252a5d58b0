"""The settings of preparation, and what comes out of it for one case. No torch, no files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, field_validator

from hounsfield.core.types import AnyArray, FloatArray
from hounsfield.volume.volume import Volume


class Preparation(BaseModel):
    """How a case becomes a cube.

    Source of the defaults: Wang et al., Comput Med Imaging Graph 2021;88:101814 (spacing, size, window). Centre,
    padding and grid are not stated there and chosen here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    spacing_mm: tuple[float, float, float] = (1.0, 0.7, 0.7)  # (z, y, x)
    size: tuple[int, int, int] = (32, 32, 32)  # voxels (z, y, x); the centre gets index size // 2
    window_hu: tuple[float, float] = (-1024.0, 400.0)  # clipped to this, then mapped to [-1, 1]
    centre: Literal["centroid", "box"] = (
        "centroid"  # of the resampled mask; the box's middle ignores how the lesion fills it
    )
    fill: Literal["air", "texture"] = "air"  # outside the image: -1024 HU, or lung texture (see volume.texture)
    grid: Literal["extent", "first_voxel"] = "extent"  # where the resampled grid lies (see volume.resample)

    @field_validator("spacing_mm")
    @classmethod
    def _spacing_is_positive(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if not all(np.isfinite(one) and one > 0 for one in value):
            raise ValueError(f"spacing_mm is (z, y, x) in mm, all finite and above 0; got {value}.")
        return value

    @field_validator("size")
    @classmethod
    def _size_is_positive(cls, value: tuple[int, int, int]) -> tuple[int, int, int]:
        if min(value) < 1:
            raise ValueError(f"size is (z, y, x) in voxels, all above 0; got {value}.")
        return value

    @field_validator("window_hu")
    @classmethod
    def _window_is_a_range(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not (np.isfinite(value[0]) and np.isfinite(value[1]) and value[0] < value[1]):
            raise ValueError(f"window_hu is (low, high) in HU with low below high; got {value}.")
        return value


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """One case as a cube.

    Attributes:
        image: (z, y, x) float32 in [-1, 1].
        mask: (z, y, x) uint8 of 0 and 1, or None when the case has none.
        features: size and density measured on the native grid inside the mask (mm, mm3, HU), and the image's own
            extent; see `data.cube.native_features`. Without a mask only the latter.
        origin_mm, spacing_mm, direction: place of the cube in the patient, as in Volume.
        mask_leaves_cube: True when the resampled mask has voxels outside the cube.
        pixel_digest: SHA-256 of the native image's voxels, by which the same image under two names is found.
    """

    image: AnyArray
    mask: AnyArray | None
    features: dict[str, float]
    origin_mm: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]
    direction: FloatArray = field(default_factory=lambda: np.eye(3))
    mask_leaves_cube: bool = False
    pixel_digest: str = ""

    def volume(self, array: AnyArray | None = None) -> Volume:
        """The cube, or another array of its shape, in its place in the patient."""
        return Volume(self.image if array is None else array, self.spacing_mm, self.origin_mm, self.direction)
