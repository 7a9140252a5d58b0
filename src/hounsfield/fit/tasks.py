"""What is learnt: a task turns a batch into a loss and the validation part into metrics, and says which epoch is best.

Three tasks cover all arrangements: a mask (`SegmentTask`), a class (`ClassifyTask`), both at once (`BothTask`).
Metrics are plain floats; a larger `rank` is better, compared like tuples: Dice for a segmenter; accuracy, ties by
lower cross-entropy, for whatever gives a class.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from hounsfield.core.errors import RunError
from hounsfield.data.batches import Tensors
from hounsfield.losses.cross_entropy import cross_entropy
from hounsfield.losses.joint import joint
from hounsfield.losses.ratings import rating_error
from hounsfield.losses.squared_dice import squared_dice
from hounsfield.nets.dilated_unet import foreground
from hounsfield.nets.masking import Fill, apply_mask

Outputs = dict[str, torch.Tensor]


class Task(Protocol):
    """What the training loop asks of a task; `network` is any callable from images to the network's outputs."""

    @property
    def loss_name(self) -> str: ...

    def begin_epoch(self) -> None: ...

    def learns_from(self, batch: Tensors) -> bool: ...

    def check(self, part: Tensors, name: str) -> None: ...

    def loss(self, network: Any, batch: Tensors) -> torch.Tensor: ...

    def outputs(self, network: Any, batch: Tensors) -> Outputs: ...

    def metrics(self, outputs: Outputs) -> dict[str, float]: ...

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]: ...


class _EveryBatch:
    """A task that learns from every batch and remembers nothing of the one before."""

    @property
    def loss_name(self) -> str:
        """The loss of the class, as settings name it."""
        return "cross_entropy"

    def begin_epoch(self) -> None:
        """Called before the first batch of an epoch."""

    def learns_from(self, batch: Tensors) -> bool:
        """Whether the loss of this batch gives a gradient; where it does not, the optimiser makes no step."""
        return True


@dataclass(frozen=True)
class SegmentTask(_EveryBatch):
    """Learns the mask by the squared Dice loss."""

    def check(self, part: Tensors, name: str) -> None:
        _need(part.mask is not None, f"the {name} part has no masks; a segmenter learns from them.")

    def loss(self, network: Any, batch: Tensors) -> torch.Tensor:
        return squared_dice(_mask(batch), foreground(network(batch.image).float()))

    def outputs(self, network: Any, batch: Tensors) -> Outputs:
        return {"dice": case_dice(_mask(batch), foreground(network(batch.image).float()))}

    def metrics(self, outputs: Outputs) -> dict[str, float]:
        return {"dice": float(outputs["dice"].double().mean())}

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        return (metrics["dice"],)


@dataclass(frozen=True)
class ClassifyTask(_EveryBatch):
    """Learns the class by cross-entropy, from the raw cube or from the cube under its mask."""

    classes: int = 2
    masked: bool = False
    fill: Fill = "zero"
    class_weights: tuple[float, ...] | None = None
    auxiliary_weight: float = 0.0

    def check(self, part: Tensors, name: str) -> None:
        _need(not self.masked or part.mask is not None, f"the {name} part has no masks to lay over the cubes.")
        _check_classes(part, name, self.classes)
        _check_ratings(part, name, self.auxiliary_weight)

    def loss(self, network: Any, batch: Tensors) -> torch.Tensor:
        scores = network(self._seen(batch))
        loss = cross_entropy(_label(batch), scores[:, : self.classes], weights=self.class_weights)
        return loss + _rating_loss(batch, scores[:, self.classes :], self.auxiliary_weight)

    def outputs(self, network: Any, batch: Tensors) -> Outputs:
        return {"logits": network(self._seen(batch))[:, : self.classes].float(), "label": _label(batch)}

    def metrics(self, outputs: Outputs) -> dict[str, float]:
        return class_metrics(outputs["label"], outputs["logits"])

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        return (metrics["accuracy"], -metrics["cross_entropy"])

    def _seen(self, batch: Tensors) -> torch.Tensor:
        return apply_mask(batch.image, _mask(batch), fill=self.fill) if self.masked else batch.image


@dataclass(frozen=True)
class BothTask(_EveryBatch):
    """Learns class and mask at once: cascade in the joint stage, or multi-task network.

    An epoch whose validation Dice lies below `dice_floor` is never chosen; the loop ends at such an epoch.
    """

    classes: int = 2
    dice_weight: float = 1.0
    class_weights: tuple[float, ...] | None = None
    auxiliary_weight: float = 0.0
    dice_floor: float | None = None

    def check(self, part: Tensors, name: str) -> None:
        _need(part.mask is not None, f"the {name} part has no masks; this network learns from them.")
        _check_classes(part, name, self.classes)
        _check_ratings(part, name, self.auxiliary_weight)

    def loss(self, network: Any, batch: Tensors) -> torch.Tensor:
        scores, mask_logits = network(batch.image)
        loss = joint(
            _label(batch),
            scores[:, : self.classes],
            reference=_mask(batch),
            predicted=foreground(mask_logits.float()),
            dice_weight=self.dice_weight,
            class_weights=self.class_weights,
        )
        return loss + _rating_loss(batch, scores[:, self.classes :], self.auxiliary_weight)

    def outputs(self, network: Any, batch: Tensors) -> Outputs:
        scores, mask_logits = network(batch.image)
        dice = case_dice(_mask(batch), foreground(mask_logits.float()))
        return {"logits": scores[:, : self.classes].float(), "label": _label(batch), "dice": dice}

    def metrics(self, outputs: Outputs) -> dict[str, float]:
        dice = float(outputs["dice"].double().mean())
        return {**class_metrics(outputs["label"], outputs["logits"]), "dice": dice}

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        if self.dice_floor is not None and metrics["dice"] < self.dice_floor:
            return (-math.inf,)
        return (metrics["accuracy"], -metrics["cross_entropy"])


def case_dice(reference: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
    """(B,) Dice of each case at threshold 0.5; an empty pair counts 1."""
    s, p = reference.flatten(1) > 0.5, predicted.flatten(1) > 0.5
    size = s.sum(1) + p.sum(1)
    return torch.where(size > 0, 2 * (s & p).sum(1) / size.clamp(min=1), 1.0)


def class_metrics(label: torch.Tensor, logits: torch.Tensor) -> dict[str, float]:
    """Accuracy and unweighted cross-entropy over a whole part; summed in double precision."""
    right = (logits.argmax(1) == label).double().mean()
    entropy = torch.nn.functional.cross_entropy(logits.double(), label)
    return {"accuracy": float(right), "cross_entropy": float(entropy)}


def _mask(batch: Tensors) -> torch.Tensor:
    if batch.mask is None:
        raise RunError("this task needs masks, and the cases have none; give Tensors(mask=...).")
    return batch.mask.to(batch.image.dtype)


def _label(batch: Tensors) -> torch.Tensor:
    if batch.label is None:
        raise RunError("this task needs labels, and the cases have none; give Tensors(label=...).")
    return batch.label


def _rating_loss(batch: Tensors, predicted: torch.Tensor, weight: float) -> torch.Tensor | float:
    if weight == 0 or batch.ratings is None:
        return 0.0
    return weight * rating_error(batch.ratings, predicted)


def _need(met: bool, message: str) -> None:
    if not met:
        raise RunError(message)


def _check_classes(part: Tensors, name: str, classes: int) -> None:
    label = _label(part)
    present = sorted(set(label.tolist()))
    _need(
        all(0 <= index < classes for index in present),
        f"labels of the {name} part are class indices 0 to {classes - 1}; got {present}.",
    )
    if name == "training":
        _need(
            len(present) >= 2,
            f"the training part holds one class only (index {present}); a classifier needs two. "
            "Check the label column and the split, or add cases.",
        )


def _check_ratings(part: Tensors, name: str, weight: float) -> None:
    _need(weight == 0 or part.ratings is not None, f"auxiliary_weight is {weight}, but the {name} part has no ratings.")
