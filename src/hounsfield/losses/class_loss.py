"""Losses of class labels, found by name. In: a name and settings; out: a frozen object that makes the loss.

A new file in this package with `@class_losses.add("name")` is found without an edit here, as with networks.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import torch
from pydantic import BaseModel, ConfigDict

from hounsfield.core.registry import Registry
from hounsfield.losses.cross_entropy import cross_entropy


class RunningLoss(Protocol):
    """A loss in use within one epoch."""

    def learns_from(self, label: torch.Tensor) -> bool:
        """Whether a batch of these labels gives a gradient; the optimiser's step is left out where it does not."""
        ...

    def __call__(
        self, label: torch.Tensor, logits: torch.Tensor, *, weights: tuple[float, ...] | None = None
    ) -> torch.Tensor:
        """Scalar from (B,) class indices and (B, C) logits, with the weight of each class where there are any."""
        ...


class ClassLoss(BaseModel):
    """Base of every loss's settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    weighted: ClassVar[bool] = True  # takes class weights

    def begin(self) -> RunningLoss:
        """The loss at the start of an epoch: nothing of earlier epochs is remembered."""
        raise NotImplementedError


class_losses: Registry[type[ClassLoss]] = Registry("loss")


def class_loss(name: str, settings: Mapping[str, Any] | None = None) -> ClassLoss:
    """The loss of that name.

    Raises: StudyError for an unknown name, with the nearest known; pydantic's ValidationError for a wrong setting.
    """
    package = importlib.import_module("hounsfield.losses")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"hounsfield.losses.{module.name}")
    return class_losses.get(name).model_validate(dict(settings or {}))


@class_losses.add("cross_entropy")
class CrossEntropy(ClassLoss):
    """Cross-entropy, the ablation of every other loss."""

    def begin(self) -> RunningLoss:
        return EveryBatch(cross_entropy)


class EveryBatch:
    """A loss without memory that learns from any batch."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def learns_from(self, label: torch.Tensor) -> bool:
        return True

    def __call__(
        self, label: torch.Tensor, logits: torch.Tensor, *, weights: tuple[float, ...] | None = None
    ) -> torch.Tensor:
        value: torch.Tensor = self.function(label, logits, weights=weights)
        return value
