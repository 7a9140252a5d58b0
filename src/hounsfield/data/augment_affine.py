"""Random mirror images, small turns, scales, shifts, noise and brightness of a batch; with two inputs, the lungs get
the lesion's mirror, turn and scale, and only the lesion is shifted.

In: a batch and a generator; out: a batch of the same shapes. The draws are separate from their application, so that
they can be recorded and repeated. Cubes need the same spacing along all axes: a turn would shear others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch.nn import functional

from hounsfield.data.augment import Augmentation, augment
from hounsfield.data.batches import Tensors
from hounsfield.data.two_inputs import TwoInputs

AIR = -1.0  # on the scale of the cubes
_ROUNDING = 1e-3  # looking a value up leaves air within so little of -1


class AffineAugmentation(BaseModel):
    """What is drawn at random for each case of a batch; the defaults suit cubes of 1 mm and a window of 1400 HU."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["affine"]
    flip_probability: float = Field(default=0.5, ge=0, le=1)  # of each axis by itself
    rotation_degrees: float = Field(default=15.0, ge=0, le=180)  # largest turn about each axis
    shift_voxels: float = Field(default=4.0, ge=0)  # largest along each axis; lesion only
    scale: tuple[float, float] = (0.9, 1.1)
    noise_sigma: float = Field(default=0.02, ge=0)  # on the [-1, 1] scale: 0.01 of the window
    brightness: float = Field(default=0.0286, ge=0)  # largest added value on the [-1, 1] scale: 20 of 1400 HU


@dataclass(frozen=True)
class AffineDraw:
    """The draws of a batch of B cases: (B, 3, 3) map of output onto input directions, (B, 3) shift in voxels, both
    (x, y, z) as torch's sampling counts axes; (B,) brightness; seeds of the noise on lesion and lungs."""

    matrix: torch.Tensor
    shift: torch.Tensor
    brightness: torch.Tensor
    seeds: tuple[int, int]


def augmented(batch: Tensors, settings: Augmentation | AffineAugmentation, generator: torch.Generator) -> Tensors:
    """The batch augmented as the kind of its settings says."""
    if isinstance(settings, AffineAugmentation):
        return augment_affine(batch, settings, generator)
    return augment(batch, settings, generator)


def draw_affine(count: int, settings: AffineAugmentation, generator: torch.Generator) -> AffineDraw:
    """`count` independent draws; the generator is moved on by the same amount whatever the settings are."""
    uniform = torch.rand(count, 11, generator=generator, dtype=torch.float64)
    flips = 1 - 2 * (uniform[:, 0:3] < settings.flip_probability).double()
    angles = (2 * uniform[:, 3:6] - 1) * math.radians(settings.rotation_degrees)
    low, high = settings.scale
    scale = low + (high - low) * uniform[:, 6]
    # A point of the result is looked up at 1 / scale of its distance: scale above 1 shows things larger.
    matrix = _rotations(angles) * flips[:, None, :] / scale[:, None, None]
    shift = (2 * uniform[:, 7:10] - 1) * settings.shift_voxels
    brightness = (2 * uniform[:, 10] - 1) * settings.brightness
    one, two = torch.randint(2**62, (2,), generator=generator).tolist()
    return AffineDraw(matrix, shift, brightness, (one, two))


def augment_affine(batch: Tensors, settings: AffineAugmentation, generator: torch.Generator) -> Tensors:
    """A batch with new geometry for cube, mask and lungs, and noise and brightness on cube and lungs.

    Args:
        generator: on the CPU; draws are the same whatever device the batch lies on, except for the noise.
    """
    draw = draw_affine(len(batch), settings, generator)
    still = torch.zeros_like(draw.shift)
    image = sample(batch.image, draw.matrix, draw.shift, outside="edge")
    image = image + draw.brightness.to(image).view(-1, 1, 1, 1, 1) + _noise(image, settings, draw.seeds[0])
    changes: dict[str, torch.Tensor] = {"image": image}
    if batch.mask is not None:
        mask = sample(batch.mask.float() * 2 - 1, draw.matrix, draw.shift, outside="air")
        soft = (mask + 1) / 2
        changes["mask"] = soft if batch.mask.is_floating_point() else (soft > 0.5).to(batch.mask.dtype)
    if isinstance(batch, TwoInputs) and batch.lungs is not None:
        lungs = sample(batch.lungs, draw.matrix, still, outside="air")
        change = draw.brightness.to(lungs).view(-1, 1, 1, 1, 1) + _noise(lungs, settings, draw.seeds[1])
        # What is outside the lungs stays air, or the noise would tell where they end from where they are masked.
        changes["lungs"] = torch.where(lungs > AIR + _ROUNDING, lungs + change, lungs)
    return replace(batch, **changes)


def sample(cubes: torch.Tensor, matrix: torch.Tensor, shift: torch.Tensor, *, outside: str) -> torch.Tensor:
    """(B, C, z, y, x) looked up, linearly, at matrix @ p + shift for each point p counted in voxels from the middle.

    Args:
        matrix, shift: (B, 3, 3) and (B, 3) in (x, y, z).
        outside: "edge" repeats the cube's border, "air" gives -1.
    Returns: float32.
    """
    half = torch.tensor(cubes.shape[:1:-1], dtype=torch.float64) / 2  # (x, y, z): torch counts -1 to 1 across a side
    theta = torch.cat([matrix * half / half[:, None], (shift / half)[:, :, None]], dim=2)
    grid = functional.affine_grid(theta.to(cubes.device, torch.float32), list(cubes.shape), align_corners=False)
    if outside == "edge":
        return functional.grid_sample(cubes.float(), grid, padding_mode="border", align_corners=False)
    # Sampled as the height above air, so that what lies outside, which counts 0, is air.
    return functional.grid_sample(cubes.float() - AIR, grid, padding_mode="zeros", align_corners=False) + AIR


def _noise(like: torch.Tensor, settings: AffineAugmentation, seed: int) -> torch.Tensor | float:
    if settings.noise_sigma == 0:
        return 0.0
    generator = torch.Generator(device=like.device).manual_seed(seed)
    return settings.noise_sigma * torch.randn(like.shape, generator=generator, device=like.device)


def _rotations(angles: torch.Tensor) -> torch.Tensor:
    """(B, 3, 3) turns about x, then y, then z by (B, 3) angles."""
    result = torch.eye(3, dtype=angles.dtype).expand(len(angles), 3, 3)
    for axis, (first, second) in enumerate(((1, 2), (2, 0), (0, 1))):
        turn = torch.eye(3, dtype=angles.dtype).repeat(len(angles), 1, 1)
        cosine, sine = angles[:, axis].cos(), angles[:, axis].sin()
        turn[:, first, first], turn[:, second, second] = cosine, cosine
        turn[:, first, second], turn[:, second, first] = -sine, sine
        result = turn @ result
    return result
