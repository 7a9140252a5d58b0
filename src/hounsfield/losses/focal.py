"""Focal loss: cross-entropy in which cases that are already right count less. In: labels and logits; out: a scalar.

Source: Lin et al., "Focal loss for dense object detection", ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from pydantic import Field
from torch.nn import functional

from hounsfield.losses.class_loss import ClassLoss, EveryBatch, RunningLoss, class_losses


def focal(
    label: torch.Tensor, logits: torch.Tensor, *, gamma: float = 2.0, weights: Sequence[float] | None = None
) -> torch.Tensor:
    """Mean over the batch of -(1 - p)^gamma log p, p being the probability of the label; gamma 0 is cross-entropy.

    Args:
        label: (B,) class indices.
        logits: (B, C); the sum is taken in float32.
        weights: C class weights (the paper's alpha); the mean is then weighted by them, as in `cross_entropy`.
    Returns: scalar.
    Raises: ValueError when gamma is below 0.
    """
    if gamma < 0:
        raise ValueError(f"gamma of the focal loss is 0 or above; got {gamma}.")
    log_prob = functional.log_softmax(logits.float(), dim=1).gather(1, label[:, None])[:, 0]
    # expm1 keeps 1 - p where p rounds to 1. The floor keeps gradients finite: a power below 1 is infinitely steep at 0.
    terms = -((-torch.expm1(log_prob)).clamp(min=1e-12) ** gamma) * log_prob
    if weights is None:
        return terms.mean()
    weight = torch.tensor(weights, dtype=torch.float32, device=logits.device)[label]
    return (weight * terms).sum() / weight.sum()


@class_losses.add("focal")
class Focal(ClassLoss):
    """Focal loss; 2 is the paper's choice of gamma."""

    gamma: float = Field(default=2.0, ge=0)

    def begin(self) -> RunningLoss:
        return EveryBatch(partial(focal, gamma=self.gamma))
