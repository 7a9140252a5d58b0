"""Tasks: metrics by hand count, order of epochs, complaints about unfit data."""

from __future__ import annotations

import math

import pytest
import torch

from hounsfield.core.errors import RunError
from hounsfield.data.batches import Tensors
from hounsfield.fit.tasks import BothTask, ClassifyTask, SegmentTask, case_dice, class_metrics

IMAGE = torch.zeros(4, 1, 4, 4, 4)


def test_dice_of_each_case():  # 4 voxels against 4, of which 2 shared: 2 x 2 / 8; nothing against nothing: 1
    reference, predicted = torch.zeros(3, 1, 2, 2, 2), torch.zeros(3, 1, 2, 2, 2)
    reference.view(3, -1)[0, :4] = 1
    predicted.view(3, -1)[0, 2:6] = 0.6
    predicted.view(3, -1)[0, 6] = 0.5  # not above the threshold
    predicted.view(3, -1)[2, 0] = 0.9
    assert case_dice(reference, predicted).tolist() == [0.5, 1.0, 0.0]


def test_accuracy_and_cross_entropy():  # right, wrong; -ln 0.9 and -ln 0.2
    logits = torch.tensor([[0.9, 0.1], [0.8, 0.2]]).log()
    metrics = class_metrics(torch.tensor([0, 1]), logits)
    assert metrics["accuracy"] == 0.5
    assert metrics["cross_entropy"] == pytest.approx((-math.log(0.9) - math.log(0.2)) / 2, abs=1e-6)


def test_ties_in_accuracy_go_to_lower_cross_entropy():
    rank = ClassifyTask().rank
    assert rank({"accuracy": 0.8, "cross_entropy": 0.9}) > rank({"accuracy": 0.7, "cross_entropy": 0.1})
    assert rank({"accuracy": 0.8, "cross_entropy": 0.4}) > rank({"accuracy": 0.8, "cross_entropy": 0.5})
    assert SegmentTask().rank({"dice": 0.8}) > SegmentTask().rank({"dice": 0.7})


def test_an_epoch_below_the_dice_floor_is_never_best():
    low, high = ({"accuracy": a, "cross_entropy": 0.1, "dice": d} for a, d in ((0.9, 0.69), (0.5, 0.71)))
    assert BothTask().rank(low) > BothTask().rank(high)
    assert BothTask(dice_floor=0.7).rank(low) < BothTask(dice_floor=0.7).rank(high)


@pytest.mark.parametrize(
    ("task", "part", "message"),
    [
        (ClassifyTask(), Tensors(IMAGE, label=torch.ones(4, dtype=torch.long)), "one class only"),
        (ClassifyTask(), Tensors(IMAGE, label=torch.tensor([0, 1, 2, 1])), "indices 0 to 1"),
        (ClassifyTask(), Tensors(IMAGE), "needs labels"),
        (ClassifyTask(masked=True), Tensors(IMAGE, label=torch.tensor([0, 1, 0, 1])), "no masks"),
        (ClassifyTask(auxiliary_weight=1.0), Tensors(IMAGE, label=torch.tensor([0, 1, 0, 1])), "no ratings"),
        (BothTask(), Tensors(IMAGE, label=torch.tensor([0, 1, 0, 1])), "no masks"),
        (SegmentTask(), Tensors(IMAGE), "no masks"),
    ],
)
def test_unfit_training_parts(task, part, message):
    with pytest.raises(RunError, match=message):
        task.check(part, "training")


def test_one_class_in_validation_is_allowed():
    ClassifyTask().check(Tensors(IMAGE, label=torch.ones(4, dtype=torch.long)), "validation")
