"""Every network of the registry: it builds, keeps its output shape, learns with every weight, and is repeatable."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from hounsfield import nets
from hounsfield.core.errors import ImageError, StudyError

IMAGE = torch.rand(3, 1, 32, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
SHAPES = {
    "nodule_classifier": [(3, 2)],
    "dilated_unet": [(3, 2, 32, 32, 32)],
    "cascade": [(3, 2), (3, 2, 32, 32, 32)],
    "multitask_unet": [(3, 2), (3, 2, 32, 32, 32)],
    "resnet3d": [(3, 2)],
    "dual_path": [(3, 2)],
}
# Settings where the defaults are too large for a quick test, and networks that look at a second cube, on another grid.
SETTINGS = {"resnet3d": {"width": 8}, "dual_path": {"local": {"width": 8}, "lungs": {"depth": 10, "width": 4}}}
LUNGS = torch.rand(3, 1, 24, 40, 40, generator=torch.Generator().manual_seed(2)) * 2 - 1


def outputs(network, image=IMAGE):
    result = network(image, LUNGS) if type(network).__name__ == "DualPath" else network(image)
    return list(result) if isinstance(result, tuple) else [result]


def test_all_networks_are_walked():
    assert set(nets.names()) == set(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_shape_gradient_seed_and_storage(name, tmp_path):
    settings = SETTINGS.get(name)
    network = nets.build(name, settings, seed=7)
    result = outputs(network.train())
    assert [tuple(value.shape) for value in result] == SHAPES[name]
    sum(value.square().sum() for value in result).backward()
    silent = [
        key for key, weight in network.named_parameters() if weight.grad is None or not weight.grad.abs().max() > 0
    ]
    assert silent == []

    state = torch.random.get_rng_state()
    fresh, same, other = (nets.build(name, settings, seed=seed) for seed in (7, 7, 8))
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(fresh.parameters(), same.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(fresh.parameters(), other.parameters(), strict=True))

    save_file(network.state_dict(), tmp_path / "net.safetensors")
    fresh.load_state_dict(load_file(tmp_path / "net.safetensors"))
    with torch.no_grad():
        pairs = zip(outputs(network.eval()), outputs(fresh.eval()), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_auxiliary_outputs_come_after_the_classes():
    for name in ("nodule_classifier", "multitask_unet"):
        network = nets.build(name, {"classes": 3, "auxiliary": 4}, seed=0).eval()
        with torch.no_grad():
            assert outputs(network)[0].shape == (3, 7)


def test_segmenter_takes_boxes_with_sides_divisible_by_8():
    network = nets.build("dilated_unet", {"widths": (2, 2, 2, 2)}, seed=0).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 1, 16, 24, 40)).shape == (1, 2, 16, 24, 40)
    with pytest.raises(ImageError, match="divisible by 8"):
        network(torch.zeros(1, 1, 16, 24, 41))


def test_wrong_input_and_settings_say_what_was_expected():
    network = nets.build("nodule_classifier", seed=0)
    with pytest.raises(ImageError, match=r"\(32, 32, 32\); got \(1, 1, 48, 48, 48\)"):
        network(torch.zeros(1, 1, 48, 48, 48))
    with pytest.raises(ImageError, match=r"\(B, 1, z, y, x\)"):
        network(torch.zeros(1, 2, 32, 32, 32))
    with pytest.raises(StudyError, match="Did you mean 'dilated_unet'"):
        nets.build("dilated_unit", seed=0)
    with pytest.raises(ValueError, match="extra"):
        nets.build("dilated_unet", {"width": (1, 1, 1, 1)}, seed=0)
    with pytest.raises(ValueError, match="multiple of 8"):
        nets.build("nodule_classifier", {"grid": (30, 32, 32)}, seed=0)
    with pytest.raises(ValueError, match="channels must be equal"):
        nets.build("cascade", {"segmenter": {"channels": 2}}, seed=0)


def test_rooms_load_no_torch_by_themselves():
    code = (
        "import sys, hounsfield.nets, hounsfield.losses, hounsfield.fit, hounsfield.data; print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
