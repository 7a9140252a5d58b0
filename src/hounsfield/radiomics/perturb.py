"""A lesion a little changed, as another reader or another scan would have it. In: image and mask (z, y, x), a change;
out: image and mask after it."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage

from hounsfield.core.errors import MaskError
from hounsfield.core.types import AnyArray, BoolArray

Spacing = tuple[float, float, float]


class Perturbation(BaseModel):
    """One change; all that is not 0 is done, in the order of the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    grow_mm: float = 0.0  # the outline moves outwards, or inwards if below 0
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)  # (z, y, x); the mask moves over the image
    noise_sd: float = Field(default=0.0, ge=0.0)  # Gaussian noise added to every voxel, in HU

    @property
    def does_nothing(self) -> bool:
        """True for the lesion as it is."""
        return not (self.grow_mm or any(self.shift_mm) or self.noise_sd)


# Changes of about a voxel of 1 mm and of the noise of a chest CT; the first is the lesion as it is.
USUAL = (
    Perturbation(name="as it is"),
    Perturbation(name="eroded by 1 mm", grow_mm=-1.0),
    Perturbation(name="dilated by 1 mm", grow_mm=1.0),
    Perturbation(name="shifted by 1 mm along y", shift_mm=(0.0, 1.0, 0.0)),
    Perturbation(name="shifted by 1 mm along x", shift_mm=(0.0, 0.0, 1.0)),
    Perturbation(name="noise of 20 HU", noise_sd=20.0),
)


def perturbed(
    image: AnyArray, mask: AnyArray, *, spacing_mm: Spacing, change: Perturbation, rng: np.random.Generator
) -> tuple[AnyArray, BoolArray]:
    """Image and mask after `change`.

    Returns: the image itself, or float32 with noise; the mask as booleans.
    Raises: MaskError when nothing of the lesion is left.
    """
    inside = np.asarray(mask != 0)
    if change.grow_mm:
        inside = _grown(inside, change.grow_mm, spacing_mm)
    if any(change.shift_mm):
        voxels = [shift / step for shift, step in zip(change.shift_mm, spacing_mm, strict=True)]
        inside = ndimage.shift(inside.astype(np.float32), voxels, order=1, cval=0.0) >= 0.5
    if not inside.any():
        raise MaskError(f"nothing of the lesion is left when {change.name}. Leave such small lesions out.")
    if change.noise_sd:
        image = (image + rng.normal(0.0, change.noise_sd, image.shape)).astype(np.float32)
    return image, inside


def _grown(inside: BoolArray, grow_mm: float, spacing_mm: Spacing) -> BoolArray:
    """Voxels whose centre is not further than `grow_mm` from one of the lesion; below 0, those of the lesion that are
    further than that from its outside, also where the array ends."""
    if grow_mm > 0:
        return np.asarray(ndimage.distance_transform_edt(~inside, sampling=spacing_mm) <= grow_mm + 1e-6)
    padded = np.pad(inside, 1)
    depth = ndimage.distance_transform_edt(padded, sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
    return np.asarray(depth > -grow_mm + 1e-6)
