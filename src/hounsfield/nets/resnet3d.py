"""3-D ResNet-10 to -101 laid out as the public Med3D networks, so that their weights load by name: a cube to class
logits.

In: (B, channels, z, y, x); out: (B, classes) logits. The last two stages keep the grid and widen their sight by
dilation 2 and 4 instead. MONAI's ResNet has the same names but halves the grid there, and its parameter-free shortcut
lets no gradient through; see docs/decisions/0028.
Source: He et al., CVPR 2016; Chen, Ma, Zheng, "Med3D", arXiv:1904.00625. The head is a choice.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from hounsfield.core.errors import ImageError
from hounsfield.nets.freezing import Freezable, freeze
from hounsfield.nets.registry import NetworkConfig, networks

Depth = Literal[10, 18, 34, 50, 101]
Stage = Literal["none", "stem", "layer1", "layer2", "layer3", "layer4"]
BLOCKS: dict[Depth, tuple[int, int, int, int]] = {
    10: (1, 1, 1, 1),
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
}
PADDED: tuple[Depth, ...] = (18, 34)  # depths whose published weights have the shortcut without weights (type A)
_STAGES: tuple[Stage, ...] = ("none", "stem", "layer1", "layer2", "layer3", "layer4")
_SMALLEST = 8  # voxels a side: stem, pool and layer2 halve the grid


class BackboneConfig(NetworkConfig):
    """Size and layout of the part that the published weights fill."""

    depth: Depth = 18
    shortcut: Literal["published", "A", "B"] = "published"  # A pads channels with zeros, B has a convolution 1^3
    channels: int = Field(default=1, ge=1)
    width: int = Field(default=64, ge=1)  # channels of the stem; 64 as published
    dilated: bool = True  # False halves the grid in layer3 and layer4 instead, at a fraction of the work
    standardise: bool = False  # each cube to mean 0 and SD 1 first, as the published weights were trained
    frozen: Stage = "none"  # this stage and all before it stay as they are

    @property
    def padded(self) -> bool:
        """Whether the shortcut is the one without weights."""
        return self.depth in PADDED if self.shortcut == "published" else self.shortcut == "A"

    @property
    def bottleneck(self) -> bool:
        return self.depth >= 50

    @property
    def features(self) -> int:
        """Length of the pooled vector: 2048 for ResNet-50 and -101, else 512."""
        return 8 * self.width * (4 if self.bottleneck else 1)


class Resnet3dConfig(BackboneConfig):
    """The backbone and its head."""

    classes: int = Field(default=2, ge=2)
    dropout: float = Field(default=0.5, ge=0, lt=1)  # fraction set to zero


def frozen_parts(stage: Stage) -> list[str]:
    """The parts of a backbone from the stem up to and with `stage`."""
    stages = _STAGES[1 : _STAGES.index(stage) + 1]
    return [part for one in stages for part in (("conv1", "bn1") if one == "stem" else (one,))]


class Backbone(Freezable):
    """Everything before the head; keys are conv1, bn1 and layer1 to layer4, as in the published files."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        width, counts = config.width, BLOCKS[config.depth]
        self.conv1 = nn.Conv3d(config.channels, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.maxpool = nn.MaxPool3d(3, stride=2, padding=1)
        before = width
        steps = ((1, 1), (2, 1), (1, 2), (1, 4)) if config.dilated else ((1, 1), (2, 1), (2, 1), (2, 1))
        stages = []
        for number, (count, (stride, dilation)) in enumerate(zip(counts, steps, strict=True)):
            stages.append(_stage(config, before, width << number, count, stride=stride, dilation=dilation))
            before = (width << number) * (4 if config.bottleneck else 1)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        _initialise(self)
        freeze(self, frozen_parts(config.frozen))

    def pooled(self, image: torch.Tensor) -> torch.Tensor:
        """(B, channels, z, y, x) to (B, features), the mean over the last grid."""
        _check(image, self.config.channels)
        if self.config.standardise:
            image = standardised(image)
        image = self.maxpool(functional.relu(self.bn1(self.conv1(image)), inplace=True))
        image = self.layer4(self.layer3(self.layer2(self.layer1(image))))
        return image.mean(dim=(2, 3, 4))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, channels, z, y, x) to (B, features); ImageError for another shape."""
        return self.pooled(image)


@networks.add("resnet3d")
class Resnet3d(Backbone):
    """The single-path classifier: backbone, dropout, one linear layer."""

    Config = Resnet3dConfig

    def __init__(self, config: Resnet3dConfig) -> None:
        super().__init__(config)
        self.dropout = nn.Dropout(config.dropout)
        self.fc = nn.Linear(config.features, config.classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, channels, z, y, x) to (B, classes) logits; ImageError for another shape."""
        logits: torch.Tensor = self.fc(self.dropout(self.pooled(image)))
        return logits


class BasicBlock(nn.Module):
    """Two convolutions 3^3 beside a shortcut (ResNet-10, -18, -34)."""

    def __init__(self, inputs: int, width: int, *, stride: int, dilation: int, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = _conv3(inputs, width, stride=stride, dilation=dilation)
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = _conv3(width, width, dilation=dilation)
        self.bn2 = nn.BatchNorm3d(width)
        self.downsample = shortcut

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        inner = functional.relu(self.bn1(self.conv1(image)), inplace=True)
        inner = self.bn2(self.conv2(inner))
        return functional.relu(inner + (image if self.downsample is None else self.downsample(image)), inplace=True)


class Bottleneck(nn.Module):
    """Convolutions 1^3, 3^3 and 1^3, the last four times as wide, beside a shortcut (ResNet-50, -101)."""

    def __init__(self, inputs: int, width: int, *, stride: int, dilation: int, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = _conv3(width, width, stride=stride, dilation=dilation)
        self.bn2 = nn.BatchNorm3d(width)
        self.conv3 = nn.Conv3d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(4 * width)
        self.downsample = shortcut

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        inner = functional.relu(self.bn1(self.conv1(image)), inplace=True)
        inner = functional.relu(self.bn2(self.conv2(inner)), inplace=True)
        inner = self.bn3(self.conv3(inner))
        return functional.relu(inner + (image if self.downsample is None else self.downsample(image)), inplace=True)


class PaddedShortcut(nn.Module):
    """Shortcut of type A: every `stride`-th voxel, further channels zero; it has no weights, and gradients pass."""

    def __init__(self, extra: int, stride: int) -> None:
        super().__init__()
        self.extra, self.stride = extra, stride

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        step = self.stride
        return functional.pad(image[:, :, ::step, ::step, ::step], (0, 0, 0, 0, 0, 0, 0, self.extra))


def standardised(image: torch.Tensor) -> torch.Tensor:
    """Each cube of (B, C, z, y, x) to mean 0 and SD 1; a constant one to 0."""
    wide = image.float()
    spread, mean = torch.std_mean(wide, dim=(1, 2, 3, 4), keepdim=True, correction=0)
    return (wide - mean) / spread.clamp(min=1e-6)


def _stage(config: BackboneConfig, inputs: int, width: int, count: int, *, stride: int, dilation: int) -> nn.Sequential:
    block, outputs = (Bottleneck, 4 * width) if config.bottleneck else (BasicBlock, width)
    shortcut: nn.Module | None = None
    if stride != 1 or inputs != outputs:
        projection = (nn.Conv3d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm3d(outputs))
        shortcut = PaddedShortcut(outputs - inputs, stride) if config.padded else nn.Sequential(*projection)
    first = block(inputs, width, stride=stride, dilation=dilation, shortcut=shortcut)
    rest = [block(outputs, width, stride=1, dilation=dilation, shortcut=None) for _ in range(count - 1)]
    return nn.Sequential(first, *rest)


def _conv3(inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> nn.Conv3d:
    return nn.Conv3d(inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation, bias=False)


def _initialise(backbone: nn.Module) -> None:
    """Convolutions N(0, 2 / fan-out), as published."""
    for part in backbone.modules():
        if isinstance(part, nn.Conv3d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")


def _check(image: torch.Tensor, channels: int) -> None:
    if image.ndim != 5 or image.shape[1] != channels or min(image.shape[2:]) < _SMALLEST:
        raise ImageError(
            f"the network takes (B, {channels}, z, y, x) with sides of {_SMALLEST} voxels or more; "
            f"got {tuple(image.shape)}. Cut or pad the cube to that size."
        )
