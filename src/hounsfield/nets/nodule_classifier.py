"""Compact 3-D classifier of a nodule cube: eight convolution blocks, three fully connected ones.

In: (B, channels, z, y, x) scaled to [-1, 1]; out: (B, classes + auxiliary), class logits first.
Source: Wang et al., Comput Med Imaging Graph 2021;88:101814, section on the classification network.
"""

from __future__ import annotations

import torch
from pydantic import Field, field_validator
from torch import nn

from hounsfield.nets.blocks import check_input, conv_block, dense_head, he_initialise
from hounsfield.nets.registry import NetworkConfig, networks


class NoduleClassifierConfig(NetworkConfig):
    """Size of the classifier; the defaults are the published ones."""

    classes: int = Field(default=2, ge=2)
    channels: int = Field(default=1, ge=1)
    grid: tuple[int, int, int] = (32, 32, 32)  # (z, y, x) voxels of the cube
    widths: tuple[int, int, int, int] = (16, 32, 64, 256)  # channels of block pairs 1-2, 3-4, 5-6, 7-8
    hidden: int = Field(default=256, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)  # fraction set to zero
    auxiliary: int = Field(default=0, ge=0)  # extra outputs, e.g. readers' ratings scaled to [0, 1]

    @field_validator("grid")
    @classmethod
    def _poolable(cls, value: tuple[int, int, int]) -> tuple[int, int, int]:
        if min(value) < 8 or any(side % 8 for side in value):
            raise ValueError(f"grid is (z, y, x) in voxels, each a multiple of 8 (three poolings); got {value}.")
        return value


@networks.add("nodule_classifier")
class NoduleClassifier(nn.Module):
    """The classifier; `forward` returns logits, so that the loss can be computed without loss of precision."""

    Config = NoduleClassifierConfig

    def __init__(self, config: NoduleClassifierConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        before = config.channels
        for level, width in enumerate(config.widths):
            if level:
                layers.append(nn.MaxPool3d(2))
            layers += [conv_block(before, width), conv_block(width, width)]
            before = width
        self.features = nn.Sequential(*layers)
        z, y, x = (side // 8 for side in config.grid)
        outputs = config.classes + config.auxiliary
        self.head = dense_head(before * z * y * x, config.hidden, outputs, dropout=config.dropout)
        he_initialise(self)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, channels, z, y, x) to (B, classes + auxiliary); ImageError when the cube has another size."""
        check_input(image, self.config.channels, grid=self.config.grid)
        output: torch.Tensor = self.head(self.features(image))
        return output
