"""Cascade: the U-Net's soft mask multiplies the cube before the classifier sees it.

In: (B, 1, z, y, x) scaled to [-1, 1]; out: class logits (B, classes + auxiliary) and mask logits (B, 2, z, y, x).
Source: Wang et al., Comput Med Imaging Graph 2021;88:101814, arrangements (c) frozen and (d) joint.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import model_validator
from torch import nn

from hounsfield.nets.dilated_unet import DilatedUnet, DilatedUnetConfig, foreground
from hounsfield.nets.masking import Fill, apply_mask
from hounsfield.nets.nodule_classifier import NoduleClassifier, NoduleClassifierConfig
from hounsfield.nets.registry import NetworkConfig, networks


class CascadeConfig(NetworkConfig):
    """The two networks and how the mask is laid over the image."""

    segmenter: DilatedUnetConfig = DilatedUnetConfig()
    classifier: NoduleClassifierConfig = NoduleClassifierConfig()
    fill: Fill = "zero"
    freeze_segmenter: bool = False  # stage (c): no gradient, batch normalisation in evaluation mode
    segmenter_statistics: Literal["train", "eval"] = "train"  # batch normalisation of a U-Net that is not frozen

    @model_validator(mode="after")
    def _same_channels(self) -> CascadeConfig:
        if self.segmenter.channels != self.classifier.channels:
            raise ValueError(
                f"both networks see the same image, so their channels must be equal; got "
                f"{self.segmenter.channels} (segmenter) and {self.classifier.channels} (classifier)."
            )
        return self


@networks.add("cascade")
class Cascade(nn.Module):
    """U-Net and classifier in a row; unless frozen, the U-Net gets the class loss through the product."""

    Config = CascadeConfig

    def __init__(self, config: CascadeConfig) -> None:
        super().__init__()
        self.config = config
        self.segmenter = DilatedUnet(config.segmenter)
        self.classifier = NoduleClassifier(config.classifier)
        if config.freeze_segmenter:
            self.segmenter.requires_grad_(False)
            self.segmenter.eval()

    def train(self, mode: bool = True) -> Cascade:
        """As in torch, but a frozen segmenter stays in evaluation mode: its running statistics must not move."""
        super().train(mode)
        if self.config.freeze_segmenter or self.config.segmenter_statistics == "eval":
            self.segmenter.eval()
        return self

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Class logits (B, classes + auxiliary) and mask logits (B, 2, z, y, x)."""
        mask_logits = self.segmenter(image)
        masked = apply_mask(image, foreground(mask_logits), fill=self.config.fill)
        return self.classifier(masked), mask_logits
