"""Frozen parts get no gradient and keep their statistics; factors on the learning rate go by the names of weights."""

from __future__ import annotations

import pytest
import torch

from hounsfield import nets
from hounsfield.core.errors import StudyError
from hounsfield.nets.freezing import freeze, rate_groups

CUBE = torch.randn(2, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
SMALL = {"depth": 10, "width": 2}


def trained_once(network, *inputs):
    network.train()
    network(*inputs).square().sum().backward()
    return {name for name, weight in network.named_parameters() if weight.grad is None}


@pytest.mark.parametrize(
    ("stage", "frozen"),
    [
        ("none", set()),
        ("stem", {"conv1", "bn1"}),
        ("layer2", {"conv1", "bn1", "layer1", "layer2"}),
        ("layer4", {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4"}),
    ],
)
def test_frozen_stages_have_no_gradient_and_keep_their_statistics(stage, frozen):
    network = nets.build("resnet3d", {**SMALL, "frozen": stage}, seed=0)
    before = {name: value.clone() for name, value in network.named_buffers()}
    silent = trained_once(network, CUBE)
    assert silent == {name for name, _ in network.named_parameters() if name.split(".")[0] in frozen}
    moved = {name for name, value in network.named_buffers() if not torch.equal(value, before[name])}
    assert {name.split(".")[0] for name in moved}.isdisjoint(frozen)
    assert moved or stage == "layer4"


def test_each_path_of_two_is_frozen_by_itself():
    settings = {"local": {**SMALL, "frozen": "layer1"}, "lungs": SMALL}
    dual = nets.build("dual_path", settings, seed=0)
    silent = trained_once(dual, CUBE, CUBE)
    assert {".".join(name.split(".")[:2]) for name in silent} == {"local.conv1", "local.bn1", "local.layer1"}
    assert not dual.local.layer1.training
    assert dual.lungs.layer1.training


def test_thawing_brings_all_back():
    dual = nets.build("dual_path", {"local": {**SMALL, "frozen": "layer4"}, "lungs": SMALL}, seed=0).train()
    freeze(dual, [])
    assert trained_once(dual, CUBE, CUBE) == set()
    assert all(module.training for module in dual.modules())
    freeze(dual, ["lungs"])
    assert not any(weight.requires_grad for weight in dual.lungs.parameters())
    assert not dual.lungs.bn1.training


def test_rates_go_by_the_longest_beginning():
    network = nets.build("resnet3d", SMALL, seed=0)
    groups = rate_groups(network, {"": 0.1, "layer4": 0.5, "fc": 1.0})
    found = {group["factor"]: {id(weight) for weight in group["params"]} for group in groups}
    assert found[1.0] == {id(weight) for weight in network.fc.parameters()}
    assert found[0.5] == {id(weight) for weight in network.layer4.parameters()}
    assert sum(len(part) for part in found.values()) == len(list(network.parameters()))
    assert id(network.conv1.weight) in found[0.1]
    only = rate_groups(network, {})
    assert [len(only), only[0]["factor"]] == [1, 1.0]
    assert all(a is b for a, b in zip(only[0]["params"], network.parameters(), strict=True))


def test_frozen_weights_are_in_no_group():
    network = nets.build("resnet3d", {**SMALL, "frozen": "layer4"}, seed=0)
    assert [len(group["params"]) for group in rate_groups(network, {})] == [2]
    network.requires_grad_(False)
    with pytest.raises(StudyError, match="leave at least the head"):
        rate_groups(network, {})


def test_unknown_parts_are_told():
    network = nets.build("resnet3d", SMALL, seed=0)
    with pytest.raises(StudyError, match="begins with 'layer5'. Did you mean 'layer"):
        rate_groups(network, {"layer5": 0.1})
    with pytest.raises(StudyError, match="no weight's name begins with 'lay'"):
        rate_groups(network, {"lay": 0.1})  # whole words only
    with pytest.raises(StudyError, match="no part 'layer7'"):
        freeze(network, ["layer7"])
