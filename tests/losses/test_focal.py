"""Focal loss against hand values, cross-entropy and MONAI; and how losses are found by name."""

from __future__ import annotations

import math

import pytest
import torch
from monai.losses import FocalLoss

from hounsfield.core.errors import StudyError
from hounsfield.losses.class_loss import class_loss, class_losses
from hounsfield.losses.cross_entropy import cross_entropy
from hounsfield.losses.focal import focal

CHANCE = torch.Generator().manual_seed(0)
LOGITS, LABEL = torch.randn(6, 3, generator=CHANCE), torch.tensor([0, 1, 2, 2, 1, 0])


def test_by_hand():  # p = 0.9 and p = 0.2: (0.1^2 x 0.105361 + 0.8^2 x 1.609438) / 2
    logits = torch.tensor([[0.9, 0.1], [0.8, 0.2]]).log()
    assert float(focal(torch.tensor([0, 1]), logits)) == pytest.approx(
        (0.01 * 0.105361 + 0.64 * 1.609438) / 2, abs=1e-6
    )


@pytest.mark.parametrize("weights", [None, (0.5, 1.0, 3.0)])
def test_gamma_zero_is_cross_entropy(weights):
    expected = cross_entropy(LABEL, LOGITS, weights=weights)
    assert float(focal(LABEL, LOGITS, gamma=0, weights=weights)) == pytest.approx(float(expected), abs=1e-6)


def test_agrees_with_monai():  # which sums over classes and averages over cases
    theirs = FocalLoss(use_softmax=True, to_onehot_y=True, gamma=2.0, reduction="none")(LOGITS, LABEL[:, None])
    assert float(focal(LABEL, LOGITS)) == pytest.approx(float(theirs.sum(1).mean()), abs=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
@pytest.mark.parametrize("lead", [-200.0, 0.0, 200.0])
def test_gradients_stay_finite_at_the_ends(gamma, lead):
    logits = torch.tensor([[0.0, lead]], requires_grad=True)
    loss = focal(torch.tensor([1]), logits, gamma=gamma)
    loss.backward()
    assert math.isfinite(float(loss.detach()))
    assert torch.isfinite(logits.grad).all()


def test_losses_are_found_by_name():
    assert {"cross_entropy", "focal", "pairwise_auc"} <= set(class_losses.names())
    value = class_loss("focal", {"gamma": 1.0}).begin()(LABEL, LOGITS, weights=None)
    assert float(value) == pytest.approx(float(focal(LABEL, LOGITS, gamma=1.0)))
    assert class_loss("focal").begin().learns_from(torch.tensor([1, 1]))
    with pytest.raises(StudyError, match="Did you mean 'pairwise_auc'"):
        class_loss("pairwise_auk")
    with pytest.raises(ValueError, match="extra"):
        class_loss("pairwise_auc", {"margin": 1})
    with pytest.raises(ValueError, match="gamma"):
        class_loss("focal", {"gamma": -1})
    with pytest.raises(ValueError, match="0 or above"):
        focal(LABEL, LOGITS, gamma=-1)
