"""Joint loss of a cascade or multi-task network: cross-entropy plus weighted negative Dice.

Source: Wang et al., Comput Med Imaging Graph 2021;88:101814 (L_joint = L_cla + lambda L_seg).
"""

from __future__ import annotations

import torch

from hounsfield.losses.cross_entropy import cross_entropy
from hounsfield.losses.squared_dice import squared_dice


def joint(
    label: torch.Tensor,
    logits: torch.Tensor,
    *,
    reference: torch.Tensor,
    predicted: torch.Tensor,
    dice_weight: float = 1.0,
    class_weights: tuple[float, ...] | None = None,
) -> torch.Tensor:
    """L_cla + lambda L_seg.

    Args:
        label, logits: (B,) and (B, C), as `cross_entropy` takes them.
        reference, predicted: (B, 1, z, y, x) masks, as `squared_dice` takes them.
        dice_weight: lambda; 0 trains on the class alone.
    """
    return cross_entropy(label, logits, weights=class_weights) + dice_weight * squared_dice(reference, predicted)
