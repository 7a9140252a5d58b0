"""A network by name, trained on lesion cubes or on pairs of lesion and lungs. In: parts, settings; out: it, fitted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hounsfield import nets
from hounsfield.core.progress import Progress, silent
from hounsfield.core.seeds import derive
from hounsfield.data.batches import Tensors
from hounsfield.fit.calibrate import calibrate
from hounsfield.fit.loop import Fitted, train
from hounsfield.fit.ranking import ranking_task
from hounsfield.fit.tasks import ClassifyTask, Task
from hounsfield.fit.training import Training
from hounsfield.losses.cross_entropy import balanced_weights
from hounsfield.nets.pretrained import fill


def train_network(
    name: str,
    settings: Mapping[str, Any],
    config: Training,
    training: Tensors,
    validation: Tensors,
    *,
    classes: int,
    seed: int,
    weights: Mapping[str, torch.Tensor] | None = None,
    device: str = "auto",
    folder: Path | None = None,
    label: str = "training",
    progress: Progress = silent,
) -> Fitted:
    """Builds and trains a network.

    Two classes are ranked: the loss is what `config` names, the validation AUC chooses the epoch, and the probabilities
    are calibrated on the validation part. More classes are learnt by cross-entropy and chosen by accuracy.

    Args:
        name, settings: as `nets.build` takes them; the number of classes is added.
        weights: to start from, by plain key; the head is new.
        seed: of the initial weights (the same for every arm with this network) and of the training.
    Raises: RunError, BundleError as `fit.loop.train` and `nets.pretrained.fill`.
    """
    network = nets.build(name, {**settings, "classes": classes}, seed=derive(seed, f"{name} weights"))
    if weights is not None:
        fill(network, weights)
    balanced = None
    if config.class_weights == "balanced" and training.label is not None:
        balanced = balanced_weights(training.label, classes)
    task: Task = ranking_task(config, class_weights=balanced)
    if classes > 2:
        task = ClassifyTask(classes=classes, class_weights=balanced)
    config = config.model_copy(update={"device": device})
    fitted = train(
        network,
        task,
        training,
        validation,
        config,
        seed=derive(seed, label),
        folder=folder,
        label=label,
        progress=progress,
    )
    if classes == 2:
        calibrate(fitted.network, validation)
    return fitted
