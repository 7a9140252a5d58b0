"""Multi-task U-Net: the segmenter with a classification branch after block 8, its bottleneck.

In: (B, 1, z, y, x) scaled to [-1, 1]; out: class logits (B, classes + auxiliary) and mask logits (B, 2, z, y, x).
Source: Wang et al., Comput Med Imaging Graph 2021;88:101814, arrangement (e); the branch's flatten size is a choice.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import nn

from hounsfield.nets.blocks import check_input, dense_head, he_initialise
from hounsfield.nets.dilated_unet import DilatedUnet, DilatedUnetConfig
from hounsfield.nets.registry import NetworkConfig, networks


class MultitaskUnetConfig(NetworkConfig):
    """The U-Net and its branch."""

    segmenter: DilatedUnetConfig = DilatedUnetConfig()
    classes: int = Field(default=2, ge=2)
    grid: tuple[int, int, int] = (32, 32, 32)  # (z, y, x) voxels of the cube
    hidden: int = Field(default=256, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)  # fraction set to zero
    auxiliary: int = Field(default=0, ge=0)  # extra outputs, e.g. readers' ratings scaled to [0, 1]


@networks.add("multitask_unet")
class MultitaskUnet(nn.Module):
    """One encoder for both tasks, a decoder for the mask, a dense branch for the class."""

    Config = MultitaskUnetConfig

    def __init__(self, config: MultitaskUnetConfig) -> None:
        super().__init__()
        self.config = config
        self.segmenter = DilatedUnet(config.segmenter)
        z, y, x = (side // 8 for side in config.grid)
        outputs = config.classes + config.auxiliary
        self.head = dense_head(config.segmenter.widths[-1] * z * y * x, config.hidden, outputs, dropout=config.dropout)
        he_initialise(self.head)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Class logits (B, classes + auxiliary) and mask logits (B, 2, z, y, x)."""
        check_input(image, self.config.segmenter.channels, grid=self.config.grid)
        maps = self.segmenter.encode(image)
        return self.head(maps[-1]), self.segmenter.decode(maps)
