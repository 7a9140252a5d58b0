"""Calibration on the validation part: the curve is known, the order stays, folds come to mean the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from torch import nn

from hounsfield import nets
from hounsfield.core.errors import RunError
from hounsfield.data.batches import Tensors
from hounsfield.data.two_inputs import TwoInputs
from hounsfield.fit.calibrate import calibrate, leads, platt


def test_the_curve_is_found_and_equals_scikit_learn():
    rng = np.random.default_rng(0)
    lead = rng.normal(3, 0.2, 20_000)  # a network whose outputs all lie high and close together
    label = (rng.random(20_000) < expit(8 * (lead - 3) - 1)).astype(int)
    slope, offset = platt(lead, label)
    assert slope == pytest.approx(8, rel=0.03)
    assert offset == pytest.approx(-25, rel=0.03)
    peer = LogisticRegression(C=1e9).fit((lead[:, None] - 3) / 0.2, label)
    assert slope == pytest.approx(float(peer.coef_[0, 0]) / 0.2, rel=0.01)


def test_a_part_told_apart_without_error_has_a_finite_slope():
    slope, offset = platt(np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1]))
    assert 0 < slope < 20
    assert abs(offset) < 0.1
    slope, _ = platt(np.array([2.0, 1.0, -1.0, -2.0]), np.array([0, 0, 1, 1]))
    assert slope > 0  # the wrong way round: the order stays all the same


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("resnet3d", {"depth": 10, "width": 2, "dilated": False}),
        ("dual_path", {"local": {"depth": 10, "width": 2}, "lungs": {"depth": 10, "width": 2}}),
        ("nodule_classifier", {"widths": (2, 2, 4, 4), "hidden": 8, "grid": (16, 16, 16)}),
    ],
)
def test_the_curve_goes_into_the_last_layer(name, settings):
    torch.manual_seed(0)
    network = nets.build(name, {**settings, "classes": 2}, seed=1).eval()
    image, label = torch.randn(12, 1, 16, 16, 16), torch.tensor([0, 1] * 6)
    cases = Tensors(image, None, label)
    if name == "dual_path":
        cases = TwoInputs(image, None, label, None, torch.randn(12, 1, 16, 16, 16))
    before = leads(network, cases)
    slope, offset = calibrate(network, cases, batch_size=5)
    np.testing.assert_allclose(leads(network, cases), slope * before + offset, rtol=1e-4, atol=1e-5)
    assert (np.argsort(leads(network, cases)) == np.argsort(before)).all()
    # A logistic curve with an offset expects as many positive cases as there are, but for the slight pull.
    assert expit(leads(network, cases)).mean() == pytest.approx(0.5, abs=0.02)


def test_mistakes_in_words():
    with pytest.raises(RunError, match="no linear layer"):
        calibrate(nn.Conv3d(1, 2, 1), Tensors(torch.zeros(2, 1, 8, 8, 8), None, torch.tensor([0, 1])))
    network = nets.build("resnet3d", {"depth": 10, "width": 2}, seed=1).eval()
    with pytest.raises(RunError, match="needs the labels"):
        calibrate(network, Tensors(torch.zeros(2, 1, 16, 16, 16)))
