"""Numbers and identities of the networks of Wang et al. 2021 (parameter counts re-derived from the printed layout)."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from hounsfield import nets
from hounsfield.losses.cross_entropy import cross_entropy
from hounsfield.losses.joint import joint
from hounsfield.losses.squared_dice import squared_dice
from hounsfield.nets.dilated_unet import DilatedUnet, foreground
from hounsfield.nets.masking import apply_mask


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def cubes(n: int = 2, side: int = 32, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(n, 1, side, side, side, generator=torch.Generator().manual_seed(5), dtype=dtype) * 2 - 1


@pytest.mark.parametrize(("classes", "expected"), [(2, 6_689_618), (3, 6_689_875), (4, 6_690_132)])
def test_parameters_of_the_classifier(classes, expected):
    assert count(nets.build("nodule_classifier", {"classes": classes}, seed=0)) == expected


def test_parameters_of_the_classifier_by_part():
    network = nets.build("nodule_classifier", seed=0)
    assert count(network.features) == 2_428_752
    assert [count(layer) for layer in network.head if isinstance(layer, nn.Linear)] == [4_194_560, 65_792, 2 * 257]


@pytest.mark.parametrize(
    ("widths", "expected"),
    [((16, 32, 64, 128), 1_461_010), ((16, 32, 64, 256), 3_231_250), ((32, 64, 128, 256), 5_838_882)],
)
def test_parameters_of_the_segmenter(widths, expected):
    assert count(nets.build("dilated_unet", {"widths": widths}, seed=0)) == expected


@pytest.mark.parametrize(("classes", "expected"), [(2, 3_624_724), (3, 3_624_981)])
def test_parameters_of_the_multitask_network(classes, expected):
    assert count(nets.build("multitask_unet", {"classes": classes}, seed=0)) == expected


def test_dilations_and_grids_of_the_segmenter():
    network = nets.build("dilated_unet", seed=0)
    convolutions = [part for part in network.modules() if isinstance(part, nn.Conv3d)]
    assert [part.dilation[0] for part in convolutions] == [1, 1, 2, 2, 2, 2, 4, 4, 2, 2, 2, 2, 1, 1, 1]
    with torch.no_grad():
        assert [level.shape[-1] for level in network.encode(cubes(1))] == [32, 16, 8, 4]


def test_initial_weights_are_he_and_biases_zero():
    network = nets.build("nodule_classifier", seed=0)
    first = network.head[1]
    assert float(first.weight.detach().std()) == pytest.approx(math.sqrt(2 / 16384), rel=0.01)
    assert all(float(part.bias.detach().abs().max()) == 0 for part in network.modules() if isinstance(part, nn.Conv3d))


def with_central_taps(network: DilatedUnet) -> DilatedUnet:
    """The same network, blocks 7 and 8 reduced to 1^3 convolutions with the central weights."""
    reduced = copy.deepcopy(network)
    for block in reduced.bottleneck:
        dilated = block[0]
        point = nn.Conv3d(dilated.in_channels, dilated.out_channels, 1, dtype=dilated.weight.dtype)
        point.weight.data = dilated.weight.data[:, :, 1:2, 1:2, 1:2].clone()
        point.bias.data = dilated.bias.data.clone()
        block[0] = point
    return reduced


def he_unet(**settings: object) -> DilatedUnet:
    network = nets.build("dilated_unet", settings, seed=1)
    torch.manual_seed(2)
    nn.init.kaiming_normal_(network.last.weight, nonlinearity="relu")
    return network.eval()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_bottleneck_of_a_32_cube_is_pointwise(dtype, tolerance):
    network = he_unet().to(dtype)
    image = cubes(1, 32, dtype)
    with torch.no_grad():
        whole, reduced = network(image), with_central_taps(network)(image)
    assert float((whole - reduced).abs().max()) < tolerance * float(whole.abs().max())


def test_bottleneck_of_a_64_cube_or_with_dilation_1_is_not_pointwise():
    with torch.no_grad():
        for network, side in ((he_unet(), 64), (he_unet(bottleneck_dilation=1), 32)):
            image = cubes(1, side)
            assert float((network(image) - with_central_taps(network)(image)).abs().max()) > 0.01


def test_prior_initialisation():
    network = nets.build("dilated_unet", seed=0).eval()
    assert float(network.last.bias.detach().diff()) == pytest.approx(-4.59512, abs=1e-5)
    assert float(network.last.weight.detach().std()) == pytest.approx(0.01, rel=0.35)  # 32 draws
    nn.init.zeros_(network.last.weight)
    with torch.no_grad():
        prob = foreground(network(cubes(1)))
    torch.testing.assert_close(prob, torch.full_like(prob, 0.01), atol=1e-7, rtol=0)


def test_foreground_is_the_softmax_of_two_channels():
    logits = torch.randn(2, 2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(foreground(logits), torch.softmax(logits, dim=1)[:, 1:])


def test_mask_of_ones_leaves_the_classifier_as_it_is_and_zeros_hide_the_image():
    cascade = nets.build("cascade", seed=0).eval()
    image, other = cubes(1), -cubes(1)
    with torch.no_grad():
        cascade.segmenter.last.weight.zero_()
        cascade.segmenter.last.bias.copy_(torch.tensor([-200.0, 200.0]))  # foreground probability 1 everywhere
        assert torch.equal(cascade(image)[0], cascade.classifier(image))
        cascade.segmenter.last.bias.copy_(torch.tensor([200.0, -200.0]))  # and 0
        assert torch.equal(cascade(image)[0], cascade(other)[0])
        assert not torch.equal(cascade.classifier(image), cascade.classifier(other))


@pytest.mark.parametrize(("fill", "background", "slope"), [("zero", 0.0, 0.4), ("air", -1.0, 1.4)])
def test_fill_and_the_gradient_through_the_product(fill, background, slope):
    image = torch.full((1, 1, 2, 2, 2), 0.4)
    mask = torch.zeros_like(image, requires_grad=True)
    masked = apply_mask(image, mask, fill=fill)
    assert torch.equal(masked.detach(), torch.full_like(image, background))
    masked.sum().backward()  # dL/dd is 1, so dL/ds is d_raw, or d_raw + 1 with the air fill
    torch.testing.assert_close(mask.grad, torch.full_like(image, slope))


SMALL = {  # the arithmetic is the same at a fifth of the time
    "segmenter": {"widths": (4, 4, 8, 8)},
    "classifier": {"widths": (4, 4, 8, 8), "hidden": 8, "dropout": 0.0, "grid": (16, 16, 16)},
}


def test_class_loss_reaches_the_segmenter_in_the_joint_stage_alone():
    for freeze in (False, True):
        cascade = nets.build("cascade", {**SMALL, "freeze_segmenter": freeze}, seed=0).train()
        cross_entropy(torch.tensor([0, 1]), cascade(cubes(2, 16))[0]).backward()
        last = cascade.segmenter.last.weight.grad
        assert (last is None) if freeze else float(last.abs().max()) > 0
        assert cascade.segmenter.training is not freeze
        assert float(cascade.classifier.head[-1].weight.grad.abs().max()) > 0


def unet_gradient(cascade: nn.Module, kind: str, weight: float = 0.0) -> torch.Tensor:
    label, image = torch.tensor([0, 1]), cubes(2, 16)
    reference = (image > 0.8).float()
    cascade.zero_grad()
    logits, mask_logits = cascade(image)
    predicted = foreground(mask_logits)
    loss = {
        "class": lambda: cross_entropy(label, logits),
        "dice": lambda: squared_dice(reference, predicted),
        "joint": lambda: joint(label, logits, reference=reference, predicted=predicted, dice_weight=weight),
    }[kind]()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in cascade.segmenter.parameters() if p.grad is not None])


def test_lambda_zero_is_the_class_loss_and_lambda_large_the_dice_direction():
    cascade = nets.build("cascade", SMALL, seed=0).eval()
    torch.testing.assert_close(unet_gradient(cascade, "joint", 0.0), unet_gradient(cascade, "class"))
    large, dice = unet_gradient(cascade, "joint", 1e6), unet_gradient(cascade, "dice")
    assert float(torch.cosine_similarity(large, dice, dim=0)) > 0.999
    assert float(torch.cosine_similarity(unet_gradient(cascade, "class"), dice, dim=0)) < 0.9
