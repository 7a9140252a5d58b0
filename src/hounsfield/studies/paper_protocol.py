"""What NOT to do, done on purpose: the published way of choosing a model, on cubes whose labels mean nothing.

The paper runs each model 5 times, looks at the test data after every epoch and reports the best. Where labels are
drawn at random every model is worth 0.5; what that protocol reports above 0.5 is its optimism, and nothing else.
Source: Wang et al., Comput Med Imaging Graph 2021;88:101814.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hounsfield import nets
from hounsfield.core.progress import Progress, silent
from hounsfield.core.seeds import derive
from hounsfield.data.batches import Tensors
from hounsfield.fit.loop import train
from hounsfield.fit.tasks import ClassifyTask
from hounsfield.fit.training import Training
from hounsfield.nets.apply import apply
from hounsfield.nets.nodule_classifier import NoduleClassifierConfig


@dataclass(frozen=True)
class Optimism:
    """What the protocol reports, and what the very same weights are worth.

    Attributes:
        reported: accuracy of each run at the epoch that was best on the test cubes.
        fresh: accuracy of those weights on cubes that chose nothing.
        last: accuracy of each run on the test cubes after its last epoch, when nothing is chosen.
        test_cubes, fresh_cubes, epochs: how much there was to choose by and to choose from.
    """

    reported: tuple[float, ...]
    fresh: tuple[float, ...]
    last: tuple[float, ...]
    test_cubes: int
    fresh_cubes: int
    epochs: int

    @property
    def best(self) -> float:
        """The number that the paper's protocol would print: best epoch on the test data, best of the runs."""
        return max(self.reported)

    @property
    def best_fresh(self) -> float:
        """What the weights behind `best` are worth."""
        return self.fresh[int(np.argmax(self.reported))]

    @property
    def gap(self) -> float:
        """How far `best` lies above 0.5, the truth."""
        return self.best - 0.5


def choose_on_the_test_part(
    training: Tensors,
    test: Tensors,
    fresh: Tensors,
    *,
    network: NoduleClassifierConfig,
    how: Training,
    runs: int = 5,
    seed: int,
    folder: Path | None = None,
    progress: Progress = silent,
) -> Optimism:
    """Trains the classifier of raw cubes `runs` times, each time choosing the epoch on the test cubes.

    Args:
        fresh: cubes of the same kind that no choice looks at.
        folder: where each run keeps its checkpoint; None keeps none.
    """
    reported, honest, last = [], [], []
    for run in range(runs):
        own = derive(seed, "paper protocol", run)
        classifier = nets.build("nodule_classifier", network.model_dump(), seed=own)
        fitted = train(
            classifier,
            ClassifyTask(classes=network.classes),
            training,
            test,  # the fault: what should judge the model chooses it
            how,
            seed=own,
            folder=None if folder is None else folder / f"run-{run}",
            label=f"test-chosen run {run + 1}",
            progress=progress,
        )
        reported.append(float(fitted.history[fitted.best_epoch]["accuracy"]))
        last.append(float(fitted.history[-1]["accuracy"]))
        honest.append(_accuracy(fitted.network, fresh))
    return Optimism(tuple(reported), tuple(honest), tuple(last), len(test), len(fresh), how.epochs)


def _accuracy(network: nn.Module, cases: Tensors) -> float:
    prob = apply(network, cases.image).prob
    if prob is None or cases.label is None:
        raise TypeError("a classifier and labelled cubes are needed")
    return float((prob.argmax(1) == cases.label).to(torch.float64).mean())
