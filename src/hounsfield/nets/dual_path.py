"""Dual-path classifier: one 3-D ResNet looks at the lesion, a second at the whole lungs; both decide together.

In: (B, channels, z, y, x) around the lesion and (B, channels, z, y, x) of the lungs, grids of any two sizes;
out: (B, classes) logits.
Source: Guo and Yin, "Distinguish solitary cryptococcosis from malignant pulmonary nodules based on lung contrast CT
using deep learning" (two paths); fusion by concatenation of the pooled features is a choice, it is not printed there.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import nn

from hounsfield.core.errors import ImageError
from hounsfield.nets.freezing import Freezable, freeze
from hounsfield.nets.registry import NetworkConfig, networks
from hounsfield.nets.resnet3d import Backbone, BackboneConfig, frozen_parts


class DualPathConfig(NetworkConfig):
    """The two backbones, which share no weight, and the head."""

    local: BackboneConfig = BackboneConfig()
    lungs: BackboneConfig = BackboneConfig()
    classes: int = Field(default=2, ge=2)
    dropout: float = Field(default=0.5, ge=0, lt=1)  # fraction of the fused features set to zero


@networks.add("dual_path")
class DualPath(Freezable):
    """Two backbones, their pooled features side by side (the lesion's first), dropout, one linear layer."""

    Config = DualPathConfig

    def __init__(self, config: DualPathConfig) -> None:
        super().__init__()
        self.config = config
        self.local, self.lungs = Backbone(config.local), Backbone(config.lungs)
        self.dropout = nn.Dropout(config.dropout)
        self.fc = nn.Linear(config.local.features + config.lungs.features, config.classes)
        paths = {"local": config.local.frozen, "lungs": config.lungs.frozen}
        freeze(self, [f"{path}.{part}" for path, stage in paths.items() for part in frozen_parts(stage)])

    def forward(self, image: torch.Tensor, lungs: torch.Tensor | None = None) -> torch.Tensor:
        """(B, classes) logits.

        Raises: ImageError for another shape, or without `lungs`.
        """
        if lungs is None or len(lungs) != len(image):
            count = "none" if lungs is None else f"{len(lungs)}"
            raise ImageError(
                f"a dual-path network takes the lungs of each of its {len(image)} lesion cubes; got {count}. "
                "Prepare the cases with a lung mask."
            )
        fused = torch.cat([self.local(image), self.lungs(lungs)], dim=1)
        logits: torch.Tensor = self.fc(self.dropout(fused))
        return logits
