"""3-D U-Net of fifteen blocks with dilated convolutions: nodule cube to logits of background and foreground.

In: (B, channels, z, y, x) scaled to [-1, 1], sides divisible by 8; out: (B, 2, z, y, x) logits.
Source: Wang et al., Comput Med Imaging Graph 2021;88:101814; the output starts at a small foreground probability as in
Lin et al., "Focal loss", ICCV 2017. The widths are not printed there: the defaults are a choice, as is trilinear
up-sampling.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field, field_validator
from torch import nn
from torch.nn import functional

from hounsfield.nets.blocks import check_input, conv_block, he_initialise
from hounsfield.nets.registry import NetworkConfig, networks


class DilatedUnetConfig(NetworkConfig):
    """Size of the U-Net.

    At 32^3 the bottleneck grid is 4^3, where dilation 4 puts 26 of 27 taps into padding, so blocks 7 and 8 act as 1^3
    convolutions; `bottleneck_dilation` 1 or 2 gives them their neighbourhood back.
    """

    channels: int = Field(default=1, ge=1)
    widths: tuple[int, int, int, int] = (16, 32, 64, 128)  # channels of E1, E2, E3 and the bottleneck
    bottleneck_dilation: int = Field(default=4, ge=1)
    prior: float = Field(default=0.01, gt=0, lt=1)  # foreground probability before training

    @field_validator("widths")
    @classmethod
    def _positive(cls, value: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        if min(value) < 1:
            raise ValueError(f"widths are four channel counts, all above 0; got {value}.")
        return value


def foreground(mask_logits: torch.Tensor) -> torch.Tensor:
    """(B, 2, z, y, x) logits to (B, 1, z, y, x) foreground probability: softmax over two channels is this sigmoid."""
    return torch.sigmoid(mask_logits[:, 1:2] - mask_logits[:, 0:1])


def _pair(inputs: int, width: int, dilation: int) -> nn.Sequential:
    return nn.Sequential(conv_block(inputs, width, dilation=dilation), conv_block(width, width, dilation=dilation))


@networks.add("dilated_unet")
class DilatedUnet(nn.Module):
    """The segmenter: `encode` gives the maps of the four levels, `decode` turns them into logits."""

    Config = DilatedUnetConfig

    def __init__(self, config: DilatedUnetConfig) -> None:
        super().__init__()
        self.config = config
        one, two, three, four = config.widths
        self.encoder = nn.ModuleList([_pair(config.channels, one, 1), _pair(one, two, 2), _pair(two, three, 2)])
        self.pool = nn.MaxPool3d(2)
        self.bottleneck = _pair(three, four, config.bottleneck_dilation)
        self.decoder = nn.ModuleList(
            [_pair(four + three, three, 2), _pair(three + two, two, 2), _pair(two + one, one, 1)]
        )
        self.last = nn.Conv3d(one, 2, 1)
        he_initialise(self)
        self._start_at_prior()

    def _start_at_prior(self) -> None:
        nn.init.normal_(self.last.weight, std=0.01)
        odds = math.log(self.config.prior / (1 - self.config.prior))
        self.last.bias = nn.Parameter(torch.tensor([0.0, odds]))

    def encode(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Maps of E1, E2, E3 and the bottleneck (the output of block 8), each on half the grid of the one before."""
        check_input(image, self.config.channels)
        maps = []
        for level in self.encoder:
            image = level(image)
            maps.append(image)
            image = self.pool(image)
        maps.append(self.bottleneck(image))
        return maps

    def decode(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """Maps of `encode` to (B, 2, z, y, x) logits."""
        *skips, image = maps
        for level, skip in zip(self.decoder, reversed(skips), strict=True):
            up = functional.interpolate(image, scale_factor=2, mode="trilinear", align_corners=False)
            image = level(torch.cat([skip, up], dim=1))
        logits: torch.Tensor = self.last(image)
        return logits

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, channels, z, y, x) to (B, 2, z, y, x) logits; ImageError when a side is not divisible by 8."""
        return self.decode(self.encode(image))
