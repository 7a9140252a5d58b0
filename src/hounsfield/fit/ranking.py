"""A task for two classes that are to be ranked: any loss of the class by name, the epoch chosen by the validation AUC.

The network takes the lesion's cube, or with `TwoInputs` the lesion's and the lungs'. Cross-entropy is one of the
losses, so that an ablation differs in the loss alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from hounsfield.core.errors import RunError
from hounsfield.data.batches import Tensors
from hounsfield.data.two_inputs import TwoInputs
from hounsfield.fit.tasks import ClassifyTask, Outputs
from hounsfield.fit.training import Training
from hounsfield.losses.class_loss import RunningLoss, class_loss
from hounsfield.stats.auc import auc


@dataclass(frozen=True)
class RankingTask(ClassifyTask):
    """Learns to put class 1 above class 0; the loss is found by its name and settings."""

    loss_name: str = "pairwise_auc"
    loss_settings: Mapping[str, Any] = field(default_factory=dict)
    _running: list[RunningLoss] = field(default_factory=list, init=False, repr=False, compare=False)

    def check(self, part: Tensors, name: str) -> None:
        """As for any classifier; two classes in both parts, as without both there is no AUC."""
        super().check(part, name)
        kind = class_loss(self.loss_name, self.loss_settings)
        if self.class_weights is not None and not kind.weighted:
            raise RunError(f"the loss '{self.loss_name}' takes no class weights; use class_weights: none.")
        present = set() if part.label is None else set(part.label.tolist())
        if self.classes != 2 or len(present) != 2:
            raise RunError(
                f"ranking needs cases of two classes in every part; the {name} part holds class indices "
                f"{sorted(present)}. Give more patients, or stratify the split by the label."
            )

    def begin_epoch(self) -> None:
        """Outputs remembered of the last epoch are forgotten, so that a training that goes on is the same."""
        self._running[:] = [class_loss(self.loss_name, self.loss_settings).begin()]

    def learns_from(self, batch: Tensors) -> bool:
        return self._loss().learns_from(_label(batch))

    def loss(self, network: Any, batch: Tensors) -> torch.Tensor:
        return self._loss()(_label(batch), self._logits(network, batch), weights=self.class_weights)

    def outputs(self, network: Any, batch: Tensors) -> Outputs:
        return {"logits": self._logits(network, batch).float(), "label": _label(batch)}

    def metrics(self, outputs: Outputs) -> dict[str, float]:
        """Accuracy, cross-entropy and AUC; the latter of the logits' difference, where probabilities round to 1."""
        lead = outputs["logits"][:, 1].double() - outputs["logits"][:, 0].double()
        finite = bool(torch.isfinite(lead).all())
        area = float(auc(outputs["label"].numpy(), lead.numpy())) if finite else float("nan")
        return {**super().metrics(outputs), "auc": area}

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        return (metrics["auc"], -metrics["cross_entropy"])

    def _logits(self, network: Any, batch: Tensors) -> torch.Tensor:
        seen = self._seen(batch)
        lungs = batch.lungs if isinstance(batch, TwoInputs) else None
        scores: torch.Tensor = network(seen) if lungs is None else network(seen, lungs.float())
        return scores[:, : self.classes]

    def _loss(self) -> RunningLoss:
        if not self._running:
            self.begin_epoch()
        return self._running[0]


def ranking_task(config: Training, *, class_weights: tuple[float, ...] | None = None) -> RankingTask:
    """The task that a training's settings describe."""
    return RankingTask(loss_name=config.loss, loss_settings=config.loss_settings, class_weights=class_weights)


def _label(batch: Tensors) -> torch.Tensor:
    if batch.label is None:
        raise RunError("this task needs labels, and the cases have none; give Tensors(label=...).")
    return batch.label
