"""Features of prepared cubes under an automatic outline: cubes and soft masks in, a table of features out.

Measured as on the expert's outline (`data.cube.native_features`), but on the cube's grid and inside its HU window, for
an automatic outline exists only there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hounsfield.core.types import BoolArray, FloatArray
from hounsfield.data.cube import native_features
from hounsfield.data.preparation import Preparation
from hounsfield.volume.volume import Volume


@dataclass(frozen=True)
class MeasureCubes:
    """Measures cubes that were prepared with these settings."""

    preparation: Preparation

    def __call__(self, image: FloatArray, soft: FloatArray) -> dict[str, FloatArray]:
        """Features by name, (N,) each, of N cubes (N, z, y, x) in [-1, 1] under soft masks of the same shape."""
        rows = [self._one(cube, outline(mask)) for cube, mask in zip(image, soft, strict=True)]
        return {name: np.array([row[name] for row in rows]) for name in rows[0]} if rows else {}

    def _one(self, cube: FloatArray, mask: BoolArray) -> dict[str, float]:
        low, high = self.preparation.window_hu
        hu = (np.asarray(cube, dtype=np.float64) + 1) / 2 * (high - low) + low
        spacing, corner, axes = self.preparation.spacing_mm, (0.0, 0.0, 0.0), np.eye(3)
        return native_features(Volume(hu, spacing, corner, axes), Volume(mask, spacing, corner, axes))


def outline(soft: FloatArray) -> BoolArray:
    """The binary outline of a soft mask (z, y, x): 0.5 and above.

    A segmenter that is nowhere sure (all below 0.5) still says where it suspects the lesion: half its own maximum then,
    so that a case is never lost for want of a voxel. An all-zero mask gives the central voxel.
    """
    mask = np.asarray(soft >= 0.5)
    if mask.any():
        return mask
    peak = float(soft.max())
    if peak > 0:
        return np.asarray(soft >= peak / 2)
    mask[tuple(side // 2 for side in soft.shape)] = True
    return mask
