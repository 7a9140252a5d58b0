"""A trained dual-path network applied to pairs of cubes: class probabilities out, in batches, without gradient."""

from __future__ import annotations

import torch
from torch import nn

from hounsfield.nets.apply import FLIPS, Applied


def apply_two(
    network: nn.Module,
    image: torch.Tensor,
    lungs: torch.Tensor,
    *,
    flips: bool = False,
    batch_size: int = 8,
) -> Applied:
    """As `nets.apply.apply`, for a network of two inputs; its mode is put back afterwards.

    Args:
        image: (N, 1, z, y, x) lesion cubes scaled to [-1, 1].
        lungs: (N, 1, z, y, x) on a grid of their own, float16 or float32.
        flips: mean over the eight mirror images, both cubes mirrored alike.
    Returns: prob (N, C) float32 on the CPU, in the order of `image`; no ratings, no mask.
    Raises: ImageError when the numbers of cubes differ.
    """
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    parts = []
    try:
        with torch.inference_mode():
            for start in range(0, max(len(image), 1), batch_size):
                pair = [part[start : start + batch_size].to(device, torch.float32) for part in (image, lungs)]
                views = [
                    network(*(cube.flip(axes) if axes else cube for cube in pair))
                    for axes in (FLIPS if flips else FLIPS[:1])
                ]
                probs = [torch.softmax(view.float(), dim=1) for view in views]
                parts.append(torch.stack(probs).mean(0).cpu())
    finally:
        network.train(was_training)
    return Applied(torch.cat(parts).clone(), None, None)
