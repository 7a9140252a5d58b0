"""A mask laid over a cube: what the classifier sees of a nodule."""

from __future__ import annotations

from typing import Literal

import torch

Fill = Literal["zero", "air"]


def apply_mask(image: torch.Tensor, mask: torch.Tensor, *, fill: Fill = "zero") -> torch.Tensor:
    """Voxelwise product of a cube with its mask.

    Args:
        image: (B, C, z, y, x) scaled to [-1, 1].
        mask: (B, 1, z, y, x), binary or soft, in [0, 1].
        fill: "zero" multiplies the scaled image as published, which fills the background with 0, i.e. -312 HU at the
            window -1024 to 400 HU, inside the ground-glass range; "air" blends into -1 (-1024 HU).
    """
    if fill == "air":
        return (image + 1) * mask - 1
    return image * mask
