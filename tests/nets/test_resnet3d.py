"""3-D ResNets: published sizes, the grid after every block, and the same numbers as MONAI's where the two agree."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets import resnet as monai_resnet

from hounsfield import nets
from hounsfield.core.errors import ImageError
from hounsfield.nets.resnet3d import BLOCKS, Backbone, BackboneConfig, Resnet3d, Resnet3dConfig, standardised

CUBE = torch.randn(2, 1, 32, 24, 40, generator=torch.Generator().manual_seed(3))


def monai_twin(depth: int, width: int = 64, classes: int = 2) -> torch.nn.Module:
    """MONAI's network of the same depth, with its own table of blocks and shortcuts."""
    block, layers, shortcut, _, _ = monai_resnet.resnet_params[f"resnet{depth}"]
    planes = [width << stage for stage in range(4)]
    return monai_resnet.ResNet(
        block,
        layers,
        planes,
        n_input_channels=1,
        conv1_t_stride=2,
        shortcut_type=shortcut,
        num_classes=classes,
        bias_downsample=False,
    )


def keep_grid(twin: torch.nn.Module) -> None:
    """Turns MONAI's stages 3 and 4 into the dilated ones of Med3D."""
    for stage, rate in ((twin.layer3, 2), (twin.layer4, 4)):
        for module in stage.modules():
            if isinstance(module, torch.nn.Conv3d):
                module.stride = (1, 1, 1)
                if module.kernel_size == (3, 3, 3):
                    module.dilation = module.padding = (rate, rate, rate)
        shortcut = stage[0].downsample
        if not isinstance(shortcut, torch.nn.Module):
            shortcut.keywords["stride"] = 1


def size_of(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_published_sizes():  # of the paper's specification; affine batch normalisation counted
    with torch.device("meta"):
        assert size_of(Backbone(BackboneConfig(depth=101))) == 85_201_216
        assert size_of(Resnet3d(Resnet3dConfig(depth=101))) == 85_205_314


@pytest.mark.parametrize("depth", BLOCKS)
def test_names_and_shapes_are_those_of_monai(depth):
    with torch.device("meta"):
        ours, theirs = Resnet3d(Resnet3dConfig(depth=depth)).state_dict(), monai_twin(depth).state_dict()
    assert {name: value.shape for name, value in ours.items()} == {name: value.shape for name, value in theirs.items()}


@pytest.mark.parametrize("dilated", [True, False])
@pytest.mark.parametrize("depth", BLOCKS)
def test_outputs_are_those_of_monai(depth, dilated):
    settings = {"depth": depth, "width": 4, "dilated": dilated, "dropout": 0}
    ours, twin = nets.build("resnet3d", settings, seed=1), monai_twin(depth, width=4)
    with torch.no_grad():
        for name, value in ours.named_buffers():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2)
    twin.load_state_dict(ours.state_dict())
    if dilated:
        keep_grid(twin)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(CUBE), twin.eval()(CUBE), rtol=1e-4, atol=1e-5)


def grids_of(config: dict[str, object], side: int) -> dict[str, tuple[int, ...]]:
    network = nets.build("resnet3d", config, seed=0).eval()
    found = {}

    def note(name):
        return lambda module, given, result: found.update({name: tuple(result.shape[1:])})

    for name, module in network.named_modules():
        if name.count(".") <= 1 and name:
            module.register_forward_hook(note(name))
    with torch.no_grad():
        network(torch.zeros(1, 1, side, side, side))
    return found


def test_grid_after_every_block_of_resnet_101():
    found = grids_of({"depth": 101, "width": 2}, 64)
    expected = {"conv1": (2, 32), "maxpool": (2, 16), "layer1": (8, 16), "layer2": (16, 8)}
    expected |= {"layer3": (32, 8), "layer4": (64, 8)}
    assert {name: found[name] for name in expected} == {name: (c, n, n, n) for name, (c, n) in expected.items()}
    for layer, count in zip(("layer1", "layer2", "layer3", "layer4"), (3, 4, 23, 3), strict=True):
        assert {found[f"{layer}.{block}"] for block in range(count)} == {found[layer]}
        assert f"{layer}.{count}" not in found


def test_without_dilation_the_grid_goes_on_halving():
    found = grids_of({"depth": 18, "width": 2, "dilated": False}, 64)
    assert [found[f"layer{number}"][1] for number in (1, 2, 3, 4)] == [16, 8, 4, 2]


def test_the_shortcut_without_weights_lets_gradients_through():
    """Where a block's own branch is silent, all that reaches the input came by the shortcut."""
    network = nets.build("resnet3d", {"depth": 18, "width": 4}, seed=0).eval()
    block = network.layer2[0]
    torch.nn.init.zeros_(block.bn2.weight)
    image = torch.rand(1, 4, 8, 8, 8, requires_grad=True)
    block(image).sum().backward()
    assert float(image.grad[:, :, ::2, ::2, ::2].min()) == 1
    assert float(image.grad.sum()) == 4 * 4**3


def test_any_shortcut_can_be_asked_for():
    with torch.device("meta"):
        names = {kind: set(Backbone(BackboneConfig(depth=18, shortcut=kind)).state_dict()) for kind in ("A", "B")}
        published = set(Backbone(BackboneConfig(depth=18)).state_dict())
    assert published == names["A"]
    assert "layer2.0.downsample.0.weight" in names["B"] - names["A"]


def test_standardised_cubes():
    cubes = torch.randn(3, 1, 8, 8, 8) * 5 + 2
    cubes[2] = 4.0
    found = standardised(cubes)
    assert found[:2].mean(dim=(1, 2, 3, 4)).tolist() == pytest.approx([0, 0], abs=1e-5)
    assert found[:2].std(dim=(1, 2, 3, 4), correction=0).tolist() == pytest.approx([1, 1], abs=1e-5)
    assert float(found[2].abs().max()) == 0
    network = nets.build("resnet3d", {"depth": 10, "width": 2, "standardise": True}, seed=0).eval()
    with torch.no_grad():  # brightness and contrast of the whole cube make no difference then
        torch.testing.assert_close(network(CUBE), network(CUBE * 3 - 1), rtol=1e-3, atol=1e-4)


def test_mistakes_are_told():
    network = nets.build("resnet3d", {"depth": 10, "width": 2}, seed=0)
    with pytest.raises(ImageError, match=r"sides of 8 voxels or more; got \(1, 1, 4, 32, 32\)"):
        network(torch.zeros(1, 1, 4, 32, 32))
    with pytest.raises(ImageError, match=r"\(B, 1, z, y, x\)"):
        network(torch.zeros(1, 3, 32, 32, 32))
    with pytest.raises(ValueError, match="depth"):
        nets.build("resnet3d", {"depth": 20}, seed=0)
