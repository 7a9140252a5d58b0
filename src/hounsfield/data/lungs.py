"""The whole lungs of one case as one small grid. In: a CT, its lung mask and the lesion's mask; out: the lungs alone,
scaled, everything else air.

The box of the mask and a margin is brought to the grid at one spacing for all axes. The lesion's mask joins the lungs':
a segmenter often leaves a nodule at the pleura or hilum out, which would cut the very thing out that matters. What is
outside is made air on the native grid, before any interpolation, so that nothing of it can leak in.
Source: Guo and Yin, "Distinguish solitary cryptococcosis from malignant pulmonary nodules based on lung contrast CT
using deep learning" (all but the lungs removed); grid, margin, window and filling are choices.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from hounsfield.core.errors import ImageError, MaskError
from hounsfield.core.types import AnyArray, FloatArray
from hounsfield.data.preparation import PreparedCase
from hounsfield.volume.crop import bounding_box
from hounsfield.volume.intensity import scale_hu
from hounsfield.volume.volume import Volume


class LungPreparation(BaseModel):
    """How the lungs become a grid."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    grid: tuple[int, int, int] = (128, 128, 128)  # voxels (z, y, x); 96 x 160 x 160 suits most lungs better
    margin_mm: float = Field(default=5.0, ge=0)  # around the box of the mask
    window_hu: tuple[float, float] = (-1000.0, 400.0)  # clipped to this, then mapped to [-1, 1]
    content: Literal["image", "mask"] = "image"  # mask: the shape of the lungs alone, 1 inside, as a control arm

    @field_validator("grid")
    @classmethod
    def _grid_is_large_enough(cls, value: tuple[int, int, int]) -> tuple[int, int, int]:
        if min(value) < 8:
            raise ValueError(f"grid is (z, y, x) in voxels, each 8 or more; got {value}.")
        return value

    @field_validator("window_hu")
    @classmethod
    def _window_is_a_range(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not (np.isfinite(value[0]) and np.isfinite(value[1]) and value[0] < value[1]):
            raise ValueError(f"window_hu is (low, high) in HU with low below high; got {value}.")
        return value


def prepare_lungs(image: Volume, lungs: Volume, lesion: Volume | None, config: LungPreparation) -> PreparedCase:
    """The lungs of one case.

    Args:
        lungs, lesion: masks on the grid of `image`; without `lesion` the lung mask stands alone.
    Returns: image (grid) in [-1, 1], -1 outside the lungs; place in the patient; as features lungs_spacing_mm (of the
        grid), lungs_ml (of the union of both masks) and lesion_outside (share of the lesion that is not in `lungs`).
    Raises: MaskError for an empty mask or one on another grid; ImageError for values inside that are not finite.
    """
    for name, mask in (("lung mask", lungs), ("lesion mask", lesion)):
        if mask is not None and not mask.same_grid(image):
            raise MaskError(
                f"the {name} is on another grid ({mask.shape}) than its image ({image.shape}); read it with "
                "read_mask(like=image)."
            )
    if not np.any(lungs.array):
        raise MaskError("the lung mask is empty; segment the lungs of this case anew.")
    inside = lungs.array != 0 if lesion is None else (lungs.array != 0) | (lesion.array != 0)
    start, stop = bounding_box(inside)
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    native = _masked(image.array[box], inside[box], config)
    extent = (np.asarray(stop) - start) * image.spacing_mm + 2 * config.margin_mm
    spacing = float(np.max(extent / config.grid))
    middle = (np.asarray(start) + stop - 1) / 2
    first = middle - (np.asarray(config.grid) - 1) / 2 * spacing / image.spacing_mm
    array = native
    for axis in range(3):
        at = first[axis] - start[axis] + np.arange(config.grid[axis]) * spacing / image.spacing_mm[axis]
        array = _along(array, axis, _weights(at, array.shape[axis], spacing / image.spacing_mm[axis]))
    x, y, z = image.to_world(first)[0]
    return PreparedCase(
        image=np.clip(array - 1, -1, 1).astype(np.float32),
        mask=None,
        features={
            "lungs_spacing_mm": spacing,
            "lungs_ml": float(inside.sum()) * image.voxel_mm3 / 1000,
            "lesion_outside": _share_outside(lungs.array != 0, lesion),
        },
        origin_mm=(float(x), float(y), float(z)),
        spacing_mm=(spacing, spacing, spacing),
        direction=image.direction,
    )


def _share_outside(lungs: AnyArray, lesion: Volume | None) -> float:
    """Share of the lesion's voxels outside of the lungs; 0 without a lesion."""
    if lesion is None or not np.any(lesion.array):
        return 0.0
    marked = lesion.array != 0
    return float((marked & ~lungs).sum() / marked.sum())


def _masked(values: AnyArray, inside: AnyArray, config: LungPreparation) -> FloatArray:
    """Height above air, 0 to 2: what lies outside adds nothing to any mean."""
    if config.content == "mask":
        return np.asarray(inside, dtype=np.float32) * 2
    if not np.isfinite(values[inside]).all():
        raise ImageError("the image holds values that are not finite inside the lungs; replace them (for CT by -1024).")
    return np.where(inside, scale_hu(np.where(inside, values, 0), config.window_hu) + 1, np.float32(0))


def _weights(at: FloatArray, count: int, step: float) -> FloatArray:
    """(len(at), count) weights of source voxels for points at fractional indices.

    Linear interpolation where the new grid is finer. Where it is coarser the triangle is as wide as two of the new
    voxels, so that no source voxel is passed over: thin septa and small satellites count, noise is averaged.
    """
    reach = max(step, 1.0)
    beyond = 2 * int(np.ceil(reach))
    index = np.arange(-beyond, count + beyond)
    weights = np.clip(1 - np.abs(at[:, None] - index[None, :]) / reach, 0, None)
    total = weights.sum(axis=1, keepdims=True)  # counted with the air around the box, which is 0
    return np.asarray((weights / np.where(total > 0, total, 1))[:, beyond : beyond + count], dtype=np.float32)


def _along(array: FloatArray, axis: int, weights: FloatArray) -> FloatArray:
    return np.moveaxis(np.tensordot(weights, array, axes=(1, axis)), 0, axis)
