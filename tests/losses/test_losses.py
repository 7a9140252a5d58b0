"""Losses against values worked out by hand (the published formulas)."""

from __future__ import annotations

import math

import pytest
import torch

from hounsfield.losses.cross_entropy import balanced_weights, cross_entropy
from hounsfield.losses.joint import joint
from hounsfield.losses.ratings import rating_error
from hounsfield.losses.squared_dice import squared_dice


def mask_of(fraction: float) -> torch.Tensor:
    mask = torch.zeros(1, 1, 10, 10, 10)
    mask.view(-1)[: round(1000 * fraction)] = 1
    return mask


def test_equal_masks_give_minus_one_and_disjoint_ones_zero():
    mask = mask_of(0.1)
    assert float(squared_dice(mask, mask)) == pytest.approx(-1, abs=1e-6)
    assert float(squared_dice(mask, 1 - mask)) == 0
    assert float(squared_dice(torch.zeros_like(mask), torch.zeros_like(mask))) == 0


@pytest.mark.parametrize(
    ("fraction", "prob", "expected"),
    [(0.01, 0.5, -0.03846), (0.1, 0.5, -0.28571), (0.1, 0.31623, -0.31623)],
)
def test_constant_prediction(fraction, prob, expected):  # -2 f p / (f + p^2)
    mask = mask_of(fraction)
    assert float(squared_dice(mask, torch.full_like(mask, prob))) == pytest.approx(expected, abs=1e-5)


def test_lowest_at_the_root_of_the_fraction():
    mask = mask_of(0.1)
    grid = torch.linspace(0.05, 0.95, 181)
    losses = torch.stack([squared_dice(mask, torch.full_like(mask, float(p))) for p in grid])
    assert float(grid[losses.argmin()]) == pytest.approx(math.sqrt(0.1), abs=0.005)


def test_mean_over_cases_not_over_voxels():  # one perfect small case, one missed large one: (-1 + 0) / 2
    reference = torch.cat([mask_of(0.01), mask_of(0.5)])
    predicted = torch.cat([mask_of(0.01), mask_of(0.0)])
    assert float(squared_dice(reference, predicted)) == pytest.approx(-0.5, abs=1e-5)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="one shape"):
        squared_dice(torch.zeros(1, 1, 2, 2, 2), torch.zeros(1, 2, 2, 2, 2))


@pytest.mark.parametrize(("classes", "expected"), [(2, 0.69315), (3, 1.09861), (4, 1.38629)])
def test_cross_entropy_at_uniform_output(classes, expected):
    assert float(cross_entropy(torch.zeros(5, dtype=torch.long), torch.zeros(5, classes))) == pytest.approx(
        expected, abs=1e-5
    )


def test_balanced_weights_give_every_class_the_same_sum():
    label = torch.tensor([0, 0, 0, 1])
    weights = balanced_weights(label, 2)
    assert weights == pytest.approx((4 / 6, 2.0))
    # Both classes weigh 2, so the weighted mean is that of the class means: (0.1 + 2.3) / 2.
    logits = torch.tensor([[-math.log(math.expm1(0.1)), 0.0]] * 3 + [[math.log(math.expm1(2.3)), 0.0]])
    assert float(cross_entropy(label, logits, weights=weights)) == pytest.approx(1.2, abs=1e-5)


def test_balanced_weights_need_every_class():
    with pytest.raises(ValueError, match=r"counts are \[2, 0\]"):
        balanced_weights(torch.tensor([0, 0]), 2)


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.5])
def test_joint_is_the_weighted_sum(weight):  # ln 2 + lambda * (-0.28571)
    mask = mask_of(0.1)
    loss = joint(
        torch.tensor([1]), torch.zeros(1, 2), reference=mask, predicted=torch.full_like(mask, 0.5), dice_weight=weight
    )
    assert float(loss) == pytest.approx(0.69315 - weight * 0.28571, abs=2e-5)


def test_ratings_that_are_missing_do_not_count():  # (0.5^2 + 0.1^2) / 2
    known = torch.tensor([[0.5, math.nan], [math.nan, 0.9]])
    predicted = torch.tensor([[0.0, 3.0], [7.0, 1.0]], requires_grad=True)
    loss = rating_error(known, predicted)
    assert float(loss.detach()) == pytest.approx(0.13, abs=1e-6)
    loss.backward()
    assert torch.isfinite(predicted.grad).all()
    assert float(rating_error(torch.full((2, 2), math.nan), predicted).detach()) == 0
