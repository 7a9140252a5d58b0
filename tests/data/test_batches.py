"""Batches in memory: every case once, no case alone, clear errors."""

from __future__ import annotations

import pytest
import torch

from hounsfield.core.errors import RunError
from hounsfield.data.batches import Tensors, shuffled


@pytest.mark.parametrize(
    ("count", "sizes"), [(48, [24, 24]), (50, [24, 24, 2]), (49, [24, 25]), (25, [25]), (2, [2]), (7, [7])]
)
def test_sizes_and_every_case_once(count, sizes):
    batches = shuffled(count, 24, torch.Generator().manual_seed(0))
    assert [len(batch) for batch in batches] == sizes
    assert sorted(torch.cat(batches).tolist()) == list(range(count))


def test_order_comes_from_the_generator():
    orders = [torch.cat(shuffled(40, 8, torch.Generator().manual_seed(seed))).tolist() for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_too_few_cases():
    with pytest.raises(RunError, match="at least 2 cases, got 1"):
        shuffled(1, 24, torch.Generator())
    with pytest.raises(RunError, match="batch_size must be at least 2"):
        shuffled(5, 1, torch.Generator())


def test_take_and_fingerprint():
    image = torch.arange(4.0).reshape(4, 1, 1, 1, 1).expand(4, 1, 2, 2, 2).clone()
    cases = Tensors(image, mask=image > 1, label=torch.tensor([0, 0, 1, 1]))
    chosen = cases.take([3, 0])
    assert chosen.label.tolist() == [1, 0]
    assert chosen.image[:, 0, 0, 0, 0].tolist() == [3, 0]
    assert chosen.ratings is None
    assert cases.fingerprint() == Tensors(image.clone(), image > 1, torch.tensor([0, 0, 1, 1])).fingerprint()
    assert cases.fingerprint() != cases.take([1, 0, 2, 3]).fingerprint()


def test_parts_must_agree():
    image = torch.zeros(3, 1, 4, 4, 4)
    with pytest.raises(RunError, match="label holds 2 cases, image 3"):
        Tensors(image, label=torch.tensor([0, 1]))
    with pytest.raises(RunError, match="one grid"):
        Tensors(image, mask=torch.zeros(3, 1, 4, 4, 5))
