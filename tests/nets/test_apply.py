"""Application of networks to cubes: batches, mirror images, masks, order, modes."""

from __future__ import annotations

import pytest
import torch

from hounsfield import nets
from hounsfield.nets.apply import FLIPS, apply
from hounsfield.nets.dilated_unet import foreground

SMALL = {"widths": (2, 2, 2, 4), "hidden": 4, "grid": (16, 16, 16)}
IMAGE = torch.rand(5, 1, 16, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_eight_different_mirror_images():
    assert len(set(FLIPS)) == 8
    cube = torch.arange(8.0).reshape(1, 1, 2, 2, 2)
    assert len({tuple(cube.flip(axes).flatten().tolist()) for axes in FLIPS}) == 8


def test_probabilities_do_not_depend_on_the_batch_and_keep_the_mode():
    network = nets.build("nodule_classifier", {**SMALL, "auxiliary": 2}, seed=0).train()
    whole, parts = apply(network, IMAGE), apply(network, IMAGE, batch_size=2)
    torch.testing.assert_close(whole.prob, parts.prob)
    torch.testing.assert_close(whole.prob.sum(1), torch.ones(5))
    assert network.training
    assert whole.ratings.shape == (5, 2)
    assert whole.mask is None
    expected = torch.softmax(network.eval()(IMAGE)[:, :2], dim=1)
    torch.testing.assert_close(whole.prob, expected.detach())


def test_flips_make_the_answer_the_same_for_mirrored_cubes():
    network = nets.build("cascade", {"segmenter": {"widths": (2, 2, 2, 2)}, "classifier": SMALL}, seed=0)
    plain = apply(network, IMAGE)
    plain_mirrored = apply(network, IMAGE.flip(2))
    assert not torch.allclose(plain.prob, plain_mirrored.prob, atol=1e-6)
    mean, mirrored = apply(network, IMAGE, flips=True), apply(network, IMAGE.flip(2), flips=True)
    torch.testing.assert_close(mean.prob, mirrored.prob)
    torch.testing.assert_close(mean.mask.flip(1), mirrored.mask)


def test_mask_of_a_segmenter_is_its_foreground():
    network = nets.build("dilated_unet", {"widths": (2, 2, 2, 2)}, seed=0).eval()
    result = apply(network, IMAGE)
    assert result.prob is None
    torch.testing.assert_close(result.mask, foreground(network(IMAGE))[:, 0].detach())


def test_masked_input_hides_what_lies_outside():
    network = nets.build("nodule_classifier", SMALL, seed=0)
    mask = torch.zeros(5, 1, 16, 16, 16, dtype=torch.bool)
    result = apply(network, IMAGE, mask)
    torch.testing.assert_close(result.prob, apply(network, torch.zeros_like(IMAGE)).prob)
    air = apply(network, IMAGE, mask, fill="air")
    torch.testing.assert_close(air.prob, apply(network, torch.full_like(IMAGE, -1)).prob)


def test_no_cases_give_empty_answers():
    network = nets.build("cascade", {"segmenter": {"widths": (2, 2, 2, 2)}, "classifier": SMALL}, seed=0)
    result = apply(network, IMAGE[:0])
    assert result.prob.shape == (0, 2)
    assert result.mask.shape == (0, 16, 16, 16)


def test_answers_can_enter_a_training():
    network = nets.build("dilated_unet", {"widths": (2, 2, 2, 2)}, seed=0)
    mask = apply(network, IMAGE).mask
    weight = torch.ones(1, requires_grad=True)
    (weight * mask).sum().backward()
    assert float(weight.grad) == pytest.approx(float(mask.sum()), rel=1e-5)
