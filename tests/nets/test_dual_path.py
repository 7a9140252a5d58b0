"""The dual-path network: its size, two paths of their own, and what is left when one is silent."""

from __future__ import annotations

import pytest
import torch

from hounsfield import nets
from hounsfield.core.errors import ImageError
from hounsfield.nets.apply_two import apply_two
from hounsfield.nets.dual_path import DualPath, DualPathConfig
from hounsfield.nets.resnet3d import BackboneConfig

SMALL = {"local": {"depth": 10, "width": 4}, "lungs": {"depth": 18, "width": 2}}
CHANCE = torch.Generator().manual_seed(0)
LESION, LUNGS = torch.randn(3, 1, 32, 32, 32, generator=CHANCE), torch.randn(3, 1, 24, 40, 40, generator=CHANCE)


def network() -> DualPath:
    return nets.build("dual_path", SMALL, seed=1).eval()


def test_published_size():
    path = BackboneConfig(depth=101)
    with torch.device("meta"):
        dual = DualPath(DualPathConfig(local=path, lungs=path))
    assert sum(weight.numel() for weight in dual.parameters()) == 170_410_626


def test_the_paths_share_no_storage():
    same = {"depth": 10, "width": 4}
    dual = nets.build("dual_path", {"local": same, "lungs": same}, seed=1)
    places = [{value.data_ptr() for value in part.state_dict().values()} for part in (dual.local, dual.lungs)]
    assert not places[0] & places[1]
    assert not torch.equal(dual.local.conv1.weight, dual.lungs.conv1.weight)
    before = dual.lungs.conv1.weight.clone()
    with torch.no_grad():
        dual.local.conv1.weight.zero_()
    assert torch.equal(dual.lungs.conv1.weight, before)


def test_the_lungs_change_the_output():
    with torch.no_grad():
        seen, blind = network()(LESION, LUNGS), network()(LESION, torch.zeros_like(LUNGS))
    assert float((seen - blind).abs().min()) > 1e-4


def test_without_its_fusion_weights_it_is_the_local_path_exactly():
    dual = network()
    single = nets.build("resnet3d", SMALL["local"], seed=9).eval()
    features = dual.config.local.features
    with torch.no_grad():
        dual.fc.weight[:, features:] = 0
        single.load_state_dict({**dual.local.state_dict(), **single.fc.state_dict(prefix="fc.")})
        single.fc.weight.copy_(dual.fc.weight[:, :features])
        single.fc.bias.copy_(dual.fc.bias)
        fused = torch.cat([dual.local(LESION), dual.lungs(LUNGS)], dim=1)
        assert torch.equal(dual(LESION, LUNGS), dual(LESION, torch.zeros_like(LUNGS)))
        torch.testing.assert_close(dual(LESION, LUNGS), single(LESION), rtol=0, atol=1e-6)
        assert fused.shape == (3, features + dual.config.lungs.features)


def test_both_cubes_are_needed():
    with pytest.raises(ImageError, match="each of its 3 lesion cubes; got none"):
        network()(LESION)
    with pytest.raises(ImageError, match="got 2"):
        network()(LESION, LUNGS[:2])


def test_applied_in_batches_and_to_mirror_images():
    dual = network()
    plain = apply_two(dual, LESION, LUNGS.half(), batch_size=2)
    with torch.no_grad():
        expected = torch.softmax(dual(LESION, LUNGS.half().float()), dim=1)
    torch.testing.assert_close(plain.prob, expected, rtol=0, atol=1e-6)
    assert plain.mask is None
    assert plain.ratings is None
    mirrored = apply_two(dual, LESION.flip(3), LUNGS.flip(3), flips=True)
    torch.testing.assert_close(mirrored.prob, apply_two(dual, LESION, LUNGS, flips=True).prob, rtol=0, atol=1e-6)
    assert apply_two(dual, LESION[:0], LUNGS[:0]).prob.shape == (0, 2)
    dual.train()
    apply_two(dual, LESION, LUNGS)
    assert dual.training
