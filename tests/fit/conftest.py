"""Small cubes whose class is the size of a bright ball, and networks small enough to train in a second."""

from __future__ import annotations

import pytest
import torch

from hounsfield.data.batches import Tensors
from hounsfield.fit.training import Training

SIDE = 16


def balls(count: int, seed: int, classes: int = 2) -> Tensors:
    """Balls of radius 3 + 2 x class voxels, off centre by up to one, in noise."""
    draw = torch.Generator().manual_seed(seed)
    label = torch.arange(count) % classes
    centre = SIDE // 2 + torch.randint(-1, 2, (count, 3), generator=draw)
    grid = torch.stack(torch.meshgrid(*[torch.arange(SIDE)] * 3, indexing="ij"), dim=-1)
    distance = (grid[None] - centre[:, None, None, None]).square().sum(-1).sqrt()
    mask = (distance <= (3 + 2 * label)[:, None, None, None])[:, None]
    noise = torch.randn(mask.shape, generator=draw) * 0.1
    return Tensors(torch.where(mask, 0.3, -0.6) + noise, mask, label)


@pytest.fixture
def parts() -> tuple[Tensors, Tensors]:
    """Training part of 14 cases (batches of 4, 4, 4, 2), validation part of 5."""
    return balls(14, seed=0), balls(5, seed=1)


@pytest.fixture
def quick() -> Training:
    """Three epochs without compilation, a checkpoint after each."""
    return Training(epochs=3, batch_size=4, learning_rate=1e-3, compile="off", checkpoint_s=0)


@pytest.fixture
def small() -> dict[str, dict[str, object]]:
    """Settings of small networks by name."""
    unet = {"widths": (2, 4, 4, 4)}
    grid = {"hidden": 4, "grid": (SIDE, SIDE, SIDE)}
    return {
        "dilated_unet": unet,
        "nodule_classifier": {**grid, "widths": (2, 4, 4, 4)},
        "cascade": {"segmenter": unet, "classifier": {**grid, "widths": (2, 4, 4, 4)}},
        "multitask_unet": {"segmenter": unet, **grid},
    }
