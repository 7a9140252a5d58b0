"""Maps of attention of networks whose answer is set by hand: the maximum lies on the bright blob and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hounsfield import nets
from hounsfield.core.errors import StudyError
from hounsfield.infer.attention import LESION, LUNGS, attention_maps, has_attention, randomised
from hounsfield.infer.model import IMAGE, Cubes, Model
from hounsfield.nets.resnet3d import Backbone

SETTINGS = {"depth": 10, "width": 4}
PLACES = [(8, 8, 24), (24, 16, 8)]  # over voxels of the last stage, each 8 voxels from the next


def blobs(places, size=(32, 32, 32)) -> np.ndarray:
    """(N, z, y, x) air with a bright cube of 11 voxels a side round each place."""
    image = np.full((len(places), *size), -1, np.float32)
    for number, place in enumerate(places):
        image[(number, *(slice(max(at - 5, 0), at + 6) for at in place))] = 1
    return image


@torch.no_grad()
def pass_brightness(backbone: Backbone) -> None:
    """Channel 0 carries the mean of 7^3 voxels through all stages, channel 1 its negative; all others carry nothing."""
    backbone.conv1.weight.zero_()
    backbone.conv1.weight[0] = 1 / 343
    backbone.conv1.weight[1] = -1 / 343
    for stage in (backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4):
        for block in stage:
            block.bn2.weight.zero_()  # the shortcut alone is left
            if block.downsample is not None:
                block.downsample[0].weight.zero_()
                for channel in (0, 1):
                    block.downsample[0].weight[channel, channel] = 1


@torch.no_grad()
def bright_network() -> nn.Module:
    """Bright voxels speak for the second class, dark ones for the first."""
    network = nets.build("resnet3d", SETTINGS, seed=0).eval()
    pass_brightness(network)
    network.fc.weight.zero_()
    network.fc.weight[1, 0] = 1
    network.fc.weight[0, 1] = 1
    return network


def model(network: nn.Module, kind: str = "network", **more: object) -> Model:
    return Model(kind=kind, classes=2, networks={IMAGE: network}, features={}, **more)  # type: ignore[arg-type]


def peak(heat: np.ndarray) -> tuple[int, ...]:
    return tuple(int(at) for at in np.unravel_index(heat.argmax(), heat.shape))


def test_the_maximum_lies_on_the_blob_that_the_network_answers_to():
    heat = attention_maps(model(bright_network()), Cubes(blobs(PLACES)), device="cpu")[LESION]
    assert [peak(one) for one in heat] == PLACES
    # The voxels of the stage beside the blob's are dark, so half way to the next, 4 voxels off, the map is one half.
    assert heat[0][8, 8, 20] == pytest.approx(0.5, abs=1e-6)
    assert heat[0][8, 8, 16] == 0
    assert heat[0][24, 24, 8] == 0  # what speaks for the other class is cut off


def test_of_a_cube_without_anything_for_the_class_the_map_is_empty():
    heat = attention_maps(model(bright_network()), Cubes(np.full((1, 32, 32, 32), -1, np.float32)), device="cpu")
    assert heat[LESION].max() == 0


def test_each_input_of_two_has_its_own_map():
    network = nets.build("dual_path", {"local": SETTINGS, "lungs": SETTINGS}, seed=0).eval()
    pass_brightness(network.local)
    pass_brightness(network.lungs)
    features = network.config.local.features
    with torch.no_grad():
        network.fc.weight.zero_()
        network.fc.weight[1, [0, features]] = 1
        network.fc.weight[0, [1, features + 1]] = 1
    lungs = blobs([(16, 24, 32)], size=(24, 40, 48)).astype(np.float16)
    cubes = Cubes(blobs(PLACES[:1]), None, {}, {"image": lungs})
    found = attention_maps(model(network, "two_inputs"), cubes, device="cpu")
    assert {part: peak(heat[0]) for part, heat in found.items()} == {LESION: PLACES[0], LUNGS: (16, 24, 32)}
    assert found[LUNGS].shape == (1, 24, 40, 48)
    with pytest.raises(StudyError, match="give whole chest CT"):
        attention_maps(model(network, "two_inputs", lungs="mask"), cubes, device="cpu")


@pytest.mark.parametrize("kind", ["raw", "expert_mask"])
def test_the_published_classifier_pools_blocks_of_eight_voxels(kind: str):
    network = nets.build(
        "nodule_classifier", {"grid": (16, 16, 24), "widths": (2, 2, 2, 2), "hidden": 4}, seed=0
    ).eval()
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.Conv3d | nn.Linear):
                part.weight.zero_()
            if isinstance(part, nn.Conv3d):
                part.weight[0, 0, 1, 1, 1] = 1  # channel 0 carries the voxel itself
        network.head[1].weight[0, : 2 * 2 * 3] = 1  # the sum of channel 0
        network.head[4].weight[0, 0] = 1
        network.head[7].weight[1, 0] = 1
    image, mask = np.full((1, 16, 16, 24), -1, np.float32), np.zeros((1, 16, 16, 24), np.uint8)
    image[0, 8:16, 0:8, 16:24] = 1
    image[0, 0:8, 0:8, 0:8] = 0.9
    mask[0, 8:16, 0:8, 16:24] = 1
    heat = attention_maps(model(network, kind, fill="air"), Cubes(image, mask), device="cpu")[LESION][0]
    assert heat[11:13, 3:5, 19:21].min() > 0.8  # the middle of the block is its centre, 3.5 voxels from its first
    assert peak(heat)[0] >= 12  # flat beyond the last centre
    faint = 0.9 if kind == "raw" else 0.0  # outside of the outline the network sees air
    assert heat[0, 0, 0] == pytest.approx(faint, abs=1e-5)


def test_the_same_as_gradients_and_activations_by_hand():
    network = nets.build("resnet3d", SETTINGS, seed=5).eval()
    image = np.random.default_rng(2).normal(0, 0.5, (1, 24, 32, 40)).astype(np.float32)
    heat = attention_maps(model(network), Cubes(image), device="cpu")[LESION][0]
    kept = {}
    handle = network.layer4.register_forward_hook(lambda *given: kept.update(stage=given[2]))
    logits = network(torch.from_numpy(image)[:, None].requires_grad_())
    handle.remove()
    (gradient,) = torch.autograd.grad(logits[0, 1] - logits[0, 0], kept["stage"])
    coarse = torch.einsum("c,czyx->zyx", gradient.mean(dim=(0, 2, 3, 4)), kept["stage"][0]).clamp(min=0)
    expected = (coarse / coarse.max()).detach().numpy()
    assert expected.max() == pytest.approx(1)
    np.testing.assert_allclose(heat[::8, ::8, ::8], expected, atol=1e-5)


def test_random_weights_give_another_map():
    # Sanity check of Adebayo et al.: a map that does not change with the weights would show the image alone.
    noise = np.random.default_rng(4).normal(0, 0.1, (2, 32, 32, 32)).astype(np.float32)
    cubes, trained = Cubes(blobs(PLACES) + noise), model(bright_network())
    heat = attention_maps(trained, cubes, device="cpu")[LESION]
    alike, on_the_blob = [], []
    for seed in range(10):
        other = attention_maps(randomised(trained, seed=seed), cubes, device="cpu")[LESION]
        for one, two, place in zip(heat, other, PLACES, strict=True):
            on_the_blob.append(peak(two) == place)
            alike.append(np.corrcoef(one.ravel(), two.ravel())[0, 1] if np.ptp(two) else 0.0)
    assert [peak(one) for one in heat] == PLACES
    assert np.mean(alike) < 0.2
    assert max(alike) < 0.7
    assert sum(on_the_blob) <= 5  # of 20


def test_the_model_is_left_as_it_was_even_if_frozen():
    network = nets.build("resnet3d", {**SETTINGS, "frozen": "layer4"}, seed=1)
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    cubes = Cubes(np.random.default_rng(0).normal(0, 1, (2, 16, 16, 16)).astype(np.float32))
    found = attention_maps(model(network), cubes, device="cpu")[LESION]
    assert np.isfinite(found).all()
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(part.grad is None for part in network.parameters())
    assert not network.layer4._forward_hooks


def test_a_model_without_a_network_of_its_own_is_refused():
    fed = Model(kind="radiomics", classes=2, networks={}, features={})
    assert not has_attention(fed)
    with pytest.raises(StudyError, match="kind radiomics"):
        attention_maps(fed, Cubes(blobs(PLACES)), device="cpu")
