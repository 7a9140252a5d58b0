"""Random mirror images, quarter turns, shifts and noise of a batch of cubes; image and mask get the same geometry.

In: a batch and a generator; out: a batch of the same shapes. The draws are separate from their application, so that
they can be recorded and repeated. Source: Wang et al., Comput Med Imaging Graph 2021;88:101814 (flips, turns, noise).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch.nn import functional

from hounsfield.data.batches import Tensors

PLANES = ((3, 4), (2, 4), (2, 3))  # axes of (B, 1, z, y, x) that turn about z, y, x


class Augmentation(BaseModel):
    """What is drawn at random for each case of a batch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flip_probability: float = Field(default=0.5, ge=0, le=1)  # along one axis chosen at random
    rotation: Literal["any_axis", "in_plane", "none"] = "any_axis"  # on anisotropic voxels only in_plane keeps shapes
    noise_sigma: float = Field(default=0.02, ge=0)  # on the [-1, 1] scale; image only
    jitter_voxels: int = Field(default=0, ge=0)  # largest shift of the centre along each axis

    @classmethod
    def none(cls) -> Augmentation:
        """Leaves every batch as it is."""
        return cls(flip_probability=0, rotation="none", noise_sigma=0, jitter_voxels=0)


@dataclass(frozen=True)
class Geometry:
    """One case's draw: axis mirrored (2, 3, 4; None for none), plane and number of quarter turns, shift in voxels."""

    flip: int | None
    plane: tuple[int, int]
    turns: int
    shift: tuple[int, int, int]


def draw_geometry(count: int, settings: Augmentation, generator: torch.Generator) -> list[Geometry]:
    """`count` independent draws; the generator is moved on by the same amount whatever the settings are."""
    chance = torch.rand(count, generator=generator).tolist()
    axis, plane, turns = (torch.randint(n, (count,), generator=generator).tolist() for n in (3, 3, 4))
    n = settings.jitter_voxels
    shifts = torch.randint(-n, n + 1, (count, 3), generator=generator).tolist()
    if settings.rotation == "in_plane":
        plane = [0] * count
    if settings.rotation == "none":
        turns = [0] * count
    return [
        Geometry(
            axis[i] + 2 if chance[i] < settings.flip_probability else None, PLANES[plane[i]], turns[i], tuple(shifts[i])
        )
        for i in range(count)
    ]


def move(cubes: torch.Tensor, draws: list[Geometry]) -> torch.Tensor:
    """Applies one draw to each cube of (B, C, z, y, x): shift (edge values fill in), then turn, then mirror image.

    Where the two sides of a plane differ, a quarter turn would change the grid: half turns alone are made there.
    """
    moved = torch.empty_like(cubes, memory_format=torch.contiguous_format)
    for i, draw in enumerate(draws):
        cube = cubes[i : i + 1]
        if any(draw.shift):
            cube = _shifted(cube, draw.shift)
        first, second = draw.plane
        turns = draw.turns if cube.shape[first] == cube.shape[second] else draw.turns // 2 * 2
        mirrored = set() if draw.flip is None else {draw.flip}
        if turns % 2:
            cube = cube.transpose(first, second)
        if turns in (1, 2):
            mirrored ^= {first}
        if turns in (2, 3):
            mirrored ^= {second}
        # One copy at most: a transpose is a view, and mirror images are gathered before they are made.
        moved[i] = (cube.flip(tuple(mirrored)) if mirrored else cube)[0]
    return moved


def augment(batch: Tensors, settings: Augmentation, generator: torch.Generator) -> Tensors:
    """A batch with new geometry for image and mask, and noise on the image alone.

    Args:
        generator: on the CPU; draws are the same whatever device the batch lies on, except for the noise.
    """
    draws = draw_geometry(len(batch), settings, generator)
    seed = int(torch.randint(2**62, (1,), generator=generator))
    image = move(batch.image, draws)
    if settings.noise_sigma > 0:
        noise = torch.Generator(device=image.device).manual_seed(seed)
        image.add_(
            torch.randn(image.shape, generator=noise, device=image.device, dtype=image.dtype),
            alpha=settings.noise_sigma,
        )
    return replace(batch, image=image, mask=None if batch.mask is None else move(batch.mask, draws))


def _shifted(cube: torch.Tensor, shift: tuple[int, int, int]) -> torch.Tensor:
    pads = [side for amount in reversed(shift) for side in (max(-amount, 0), max(amount, 0))]
    padded = functional.pad(cube.float(), pads, mode="replicate").to(cube.dtype)
    z, y, x = (slice(max(amount, 0), max(amount, 0) + side) for amount, side in zip(shift, cube.shape[2:], strict=True))
    return padded[:, :, z, y, x]
