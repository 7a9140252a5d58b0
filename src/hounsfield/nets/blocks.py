"""Parts that the networks share: convolution blocks, the fully connected head and He initialisation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from hounsfield.core.errors import ImageError


def conv_block(inputs: int, outputs: int, *, dilation: int = 1) -> nn.Sequential:
    """Convolution 3^3 that keeps the grid, batch normalisation, ReLU."""
    convolution = nn.Conv3d(inputs, outputs, 3, padding=dilation, dilation=dilation)
    return nn.Sequential(convolution, nn.BatchNorm3d(outputs), nn.ReLU(inplace=True))


def dense_head(inputs: int, hidden: int, outputs: int, *, dropout: float) -> nn.Sequential:
    """Three fully connected layers, ReLU and dropout after the first two: (B, inputs) to (B, outputs)."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(hidden, outputs),
    )


def he_initialise(module: nn.Module) -> None:
    """Weights of convolutions and linear layers N(0, 2 / fan-in), biases 0. Source: He et al., ICCV 2015."""
    for part in module.modules():
        if isinstance(part, nn.Conv3d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def check_input(image: torch.Tensor, channels: int, *, grid: Sequence[int] | None = None) -> None:
    """Raises ImageError unless `image` is (B, channels, z, y, x) with `grid`, or with sides divisible by 8."""
    sides = tuple(image.shape[2:])
    fits = sides == tuple(grid) if grid is not None else all(side > 0 and side % 8 == 0 for side in sides)
    if image.ndim != 5 or image.shape[1] != channels or not fits:
        wanted = f"{tuple(grid)}" if grid is not None else "sides divisible by 8 (three poolings)"
        raise ImageError(
            f"the network takes (B, {channels}, z, y, x) with {wanted}; got {tuple(image.shape)}. "
            "Cut or pad the cube to that size."
        )
