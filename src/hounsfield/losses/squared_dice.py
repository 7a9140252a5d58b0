"""Negative Dice with squared terms: reference and predicted foreground in, a scalar in [-1, 0] out.

Source: Wang et al., Comput Med Imaging Graph 2021;88:101814 (L_seg); squared terms after Milletari et al., 3DV 2016.
"""

from __future__ import annotations

import torch


def squared_dice(reference: torch.Tensor, predicted: torch.Tensor, *, eta: float = 1e-5) -> torch.Tensor:
    """Mean over the batch of -2 sum(s_gt s_pre) / (sum s_gt^2 + sum s_pre^2 + eta).

    Args:
        reference: (B, ...) mask, binary or soft.
        predicted: same shape, foreground probability.
        eta: keeps the empty pair defined (it gives 0).
    Returns: scalar; -1 at perfect overlap, 0 when disjoint.
    Raises: ValueError when the shapes differ.
    """
    if reference.shape != predicted.shape:
        raise ValueError(f"both masks need one shape; got {tuple(reference.shape)} and {tuple(predicted.shape)}.")
    # Sums over 32768 voxels lose their last digits in bfloat16.
    s, p = reference.flatten(1).float(), predicted.flatten(1).float()
    overlap = (s * p).sum(1)
    return -(2 * overlap / (s.square().sum(1) + p.square().sum(1) + eta)).mean()
