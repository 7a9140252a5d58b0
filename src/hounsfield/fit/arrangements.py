"""The published ways to put segmenter and classifier together, each an arm by name: cubes in, a trained arm out.

raw (a), expert_mask (b), auto_mask (c), joint (d), multitask (e), transfer (f: classifier of (b) on automatic masks).
Stages that arms share (the segmenter, the classifiers) are trained once per `Stages` and resume from its folder.
Source: Wang et al., Comput Med Imaging Graph 2021;88:101814.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import nn

from hounsfield import nets
from hounsfield.core.progress import Progress, silent
from hounsfield.core.registry import Registry
from hounsfield.core.seeds import derive
from hounsfield.data.batches import Tensors
from hounsfield.fit.hardware import choose
from hounsfield.fit.loop import Fitted, train
from hounsfield.fit.tasks import BothTask, ClassifyTask, SegmentTask, Task
from hounsfield.fit.training import CLASSIFIER, JOINT, MULTITASK, SEGMENTER, Training
from hounsfield.losses.cross_entropy import balanced_weights
from hounsfield.nets.apply import Applied, apply
from hounsfield.nets.cascade import CascadeConfig
from hounsfield.nets.dilated_unet import DilatedUnetConfig
from hounsfield.nets.masking import Fill
from hounsfield.nets.multitask_unet import MultitaskUnetConfig
from hounsfield.nets.nodule_classifier import NoduleClassifierConfig


class ArrangementSettings(BaseModel):
    """Networks and trainings of all arms; classes, grid and auxiliary outputs are taken from the cases."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unet: DilatedUnetConfig = DilatedUnetConfig()
    network: NoduleClassifierConfig = NoduleClassifierConfig()
    fill: Fill = "zero"
    segmenter: Training = SEGMENTER
    classifier: Training = CLASSIFIER
    joint: Training = JOINT
    multitask: Training = MULTITASK


@dataclass(frozen=True)
class Arm:
    """A trained arm, ready to predict and to be stored.

    Attributes:
        name: of the arrangement.
        network_name, network: as `nets.build` knows it; its configuration is `network.config`.
        classes: number of class logits.
        masked_input: the expert's mask must be laid over the cube at prediction, too.
        histories: history of each training that led here, by stage.
    """

    name: str
    network_name: str
    network: nn.Module
    classes: int
    masked_input: bool
    fill: Fill
    histories: dict[str, list[dict[str, Any]]]

    def predict(self, cases: Tensors, *, flips: bool = False, device: str = "cpu", batch_size: int = 32) -> Applied:
        """Probabilities, ratings and soft masks of cases, in their order; labels are not looked at."""
        self.network.to(device)
        mask = cases.mask if self.masked_input else None
        try:
            return apply(
                self.network,
                cases.image,
                mask,
                classes=self.classes,
                fill=self.fill,
                flips=flips,
                batch_size=batch_size,
            )
        finally:
            self.network.cpu()


arrangements: Registry[Callable[[Stages], Arm]] = Registry("arrangement")


@dataclass
class Stages:
    """Trains each stage when an arm first asks for it.

    Attributes:
        training, validation: cubes with expert masks and labels.
        classes: number of classes, some of which may be rare but not absent from both parts.
        seed: every stage derives its own from it; arms that compare inputs start from the same classifier weights.
        folder: checkpoints go to a sub-folder a stage; None keeps none.
        given_segmenter: a U-Net trained before on the same parts, used in place of a new one.
    """

    training: Tensors
    validation: Tensors
    settings: ArrangementSettings = field(default_factory=ArrangementSettings)
    classes: int = 2
    seed: int = field(kw_only=True)
    folder: Path | None = None
    progress: Progress = silent
    given_segmenter: nn.Module | None = None

    @cached_property
    def segmenter(self) -> Fitted:
        """The U-Net trained on expert masks."""
        if self.given_segmenter is not None:
            return Fitted(self.given_segmenter, [], 0)
        network = nets.build("dilated_unet", self.settings.unet.model_dump(), seed=derive(self.seed, "unet weights"))
        return self._train("segmenter", network, SegmentTask(), self.settings.segmenter)

    @cached_property
    def raw(self) -> Fitted:
        """The classifier of raw cubes."""
        return self._classifier("raw", self.training, self.validation, masked=False)

    @cached_property
    def expert(self) -> Fitted:
        """The classifier of cubes under the expert's mask."""
        return self._classifier("expert_mask", self.training, self.validation, masked=True)

    @cached_property
    def auto(self) -> Fitted:
        """The classifier of cubes under the frozen U-Net's soft mask.

        The U-Net is in evaluation mode and never changes, so its masks are computed once, on the cubes as they are;
        a mirrored or turned mask stands for the U-Net's mask of the mirrored or turned cube, and the noise is added
        after it. This saves a U-Net pass a step, four fifths of the time.
        """
        parts = (part.with_mask(self.soft_mask(part)) for part in (self.training, self.validation))
        return self._classifier("auto_mask", *parts, masked=True)

    @cached_property
    def joint(self) -> Fitted:
        """The cascade fine-tuned as a whole from the weights of `segmenter` and `auto`."""
        network = self.cascade(self.auto.network, freeze=False)
        return self._train("joint", network, self._both(self.settings.joint), self.settings.joint)

    @cached_property
    def multitask(self) -> Fitted:
        """The U-Net with a classification branch, from scratch."""
        config = MultitaskUnetConfig(
            segmenter=self.settings.unet,
            grid=self._grid(),
            hidden=self.settings.network.hidden,
            dropout=self.settings.network.dropout,
            classes=self.classes,
            auxiliary=self._auxiliary(self.settings.multitask),
        )
        network = nets.build("multitask_unet", config.model_dump(), seed=derive(self.seed, "multitask weights"))
        return self._train("multitask", network, self._both(self.settings.multitask), self.settings.multitask)

    def soft_mask(self, cases: Tensors) -> torch.Tensor:
        """(N, 1, z, y, x) foreground probability by the segmenter."""
        device = choose(self.settings.segmenter, steps=0).device
        network = self.segmenter.network.to(device)
        mask = apply(network, cases.image).mask
        network.cpu()
        if mask is None:
            raise TypeError("the segmenter must be a dilated_unet")
        return mask[:, None]

    def cascade(self, classifier: nn.Module, *, freeze: bool) -> nn.Module:
        """Segmenter and `classifier` in a row; both are copied."""
        config = CascadeConfig(
            segmenter=self.settings.unet,
            classifier=self._network_config(self.settings.classifier),
            fill=self.settings.fill,
            freeze_segmenter=freeze,
        )
        network = nets.build("cascade", config.model_dump(), seed=0)
        network.get_submodule("segmenter").load_state_dict(self.segmenter.network.state_dict())
        network.get_submodule("classifier").load_state_dict(classifier.state_dict())
        return network.eval()

    def _classifier(self, name: str, training: Tensors, validation: Tensors, *, masked: bool) -> Fitted:
        config = self.settings.classifier
        task = ClassifyTask(
            classes=self.classes,
            masked=masked,
            fill=self.settings.fill,
            class_weights=self._class_weights(config),
            auxiliary_weight=config.auxiliary_weight,
        )
        settings = self._network_config(config).model_dump()
        network = nets.build("nodule_classifier", settings, seed=derive(self.seed, "classifier weights"))
        return self._train(name, network, task, config, training, validation)

    def _both(self, config: Training) -> BothTask:
        return BothTask(
            classes=self.classes,
            dice_weight=config.dice_weight,
            class_weights=self._class_weights(config),
            auxiliary_weight=config.auxiliary_weight,
            dice_floor=config.dice_floor,
        )

    def _train(
        self,
        stage: str,
        network: nn.Module,
        task: Task,
        config: Training,
        training: Tensors | None = None,
        validation: Tensors | None = None,
    ) -> Fitted:
        return train(
            network,
            task,
            training or self.training,
            validation or self.validation,
            config,
            seed=derive(self.seed, "training"),
            folder=None if self.folder is None else self.folder / stage,
            label=stage,
            progress=self.progress,
        )

    def _network_config(self, config: Training) -> NoduleClassifierConfig:
        changes = {"classes": self.classes, "grid": self._grid(), "auxiliary": self._auxiliary(config)}
        return NoduleClassifierConfig(**(self.settings.network.model_dump() | changes))

    def _grid(self) -> tuple[int, int, int]:
        z, y, x = self.training.image.shape[2:]
        return z, y, x

    def _auxiliary(self, config: Training) -> int:
        ratings = self.training.ratings
        return ratings.shape[1] if config.auxiliary_weight > 0 and ratings is not None else 0

    def _class_weights(self, config: Training) -> tuple[float, ...] | None:
        if config.class_weights == "none" or self.training.label is None:
            return None
        return balanced_weights(self.training.label, self.classes)


def train_arm(name: str, stages: Stages) -> Arm:
    """The arm of that name, trained; StudyError lists the known names."""
    return arrangements.get(name)(stages)


def _arm(stages: Stages, name: str, network_name: str, network: nn.Module, *used: str, masked: bool = False) -> Arm:
    histories = {stage: getattr(stages, stage).history for stage in used}
    return Arm(name, network_name, network, stages.classes, masked, stages.settings.fill, histories)


@arrangements.add("raw")
def raw(stages: Stages) -> Arm:
    """(a): classifier on the raw cube."""
    return _arm(stages, "raw", "nodule_classifier", stages.raw.network, "raw")


@arrangements.add("expert_mask")
def expert_mask(stages: Stages) -> Arm:
    """(b): classifier trained and tested under the expert's mask; needs an expert at prediction."""
    return _arm(stages, "expert_mask", "nodule_classifier", stages.expert.network, "expert", masked=True)


@arrangements.add("auto_mask")
def auto_mask(stages: Stages) -> Arm:
    """(c): frozen U-Net, classifier trained under its soft mask."""
    network = stages.cascade(stages.auto.network, freeze=True)
    return _arm(stages, "auto_mask", "cascade", network, "segmenter", "auto")


@arrangements.add("joint")
def joint(stages: Stages) -> Arm:
    """(d): (c), then both networks fine-tuned together."""
    return _arm(stages, "joint", "cascade", stages.joint.network, "segmenter", "auto", "joint")


@arrangements.add("multitask")
def multitask(stages: Stages) -> Arm:
    """(e): one network for both tasks."""
    return _arm(stages, "multitask", "multitask_unet", stages.multitask.network, "multitask")


@arrangements.add("transfer")
def transfer(stages: Stages) -> Arm:
    """(f): the classifier of (b), without retraining, under the U-Net's soft mask."""
    network = stages.cascade(stages.expert.network, freeze=True)
    return _arm(stages, "transfer", "cascade", network, "segmenter", "expert")
