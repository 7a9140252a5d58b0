"""Augmentation: against torch's own rot90 and flip, with counts of what is drawn."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
import torch

from hounsfield.data.augment import PLANES, Augmentation, Geometry, augment, draw_geometry, move
from hounsfield.data.batches import Tensors

CUBE = torch.randn(1, 1, 6, 6, 6, generator=torch.Generator().manual_seed(0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("plane", "turns", "flip"), list(product(PLANES, range(4), (None, 2, 3, 4))))
def test_geometry_is_quarter_turn_then_mirror(plane, turns, flip):
    expected = torch.rot90(CUBE, turns, plane)
    expected = expected if flip is None else expected.flip(flip)
    assert torch.equal(move(CUBE, [Geometry(flip, plane, turns, (0, 0, 0))]), expected)


def test_shift_takes_the_values_of_the_edge():
    line = torch.arange(4.0).reshape(1, 1, 1, 1, 4).expand(1, 1, 4, 4, 4)
    assert move(line, [Geometry(None, PLANES[0], 0, (0, 0, 2))])[0, 0, 0, 0].tolist() == [2, 3, 3, 3]
    assert move(line, [Geometry(None, PLANES[0], 0, (0, 0, -1))])[0, 0, 0, 0].tolist() == [0, 0, 1, 2]
    assert torch.equal(move(line, [Geometry(None, PLANES[0], 0, (3, -3, 0))]), line)


def test_image_and_mask_get_the_same_geometry_and_only_the_image_noise():
    image = torch.randn(8, 1, 8, 8, 8, generator=generator())
    batch = Tensors(image, mask=image > 0.5, label=torch.arange(8))
    moved = augment(batch, Augmentation(noise_sigma=0, jitter_voxels=2), generator(3))
    assert moved.mask.dtype == torch.bool
    assert torch.equal(moved.mask, moved.image > 0.5)
    assert not torch.equal(moved.image, image)
    assert torch.equal(batch.image, image.clone())
    noisy = augment(batch, Augmentation(jitter_voxels=2), generator(3))
    assert torch.equal(noisy.mask, moved.mask)
    assert float((noisy.image - moved.image).std()) == pytest.approx(0.02, rel=0.05)
    assert torch.equal(noisy.label, batch.label)


def test_draws_cover_all_with_the_stated_frequency():
    draws = draw_geometry(6000, Augmentation(jitter_voxels=1), generator())
    flips = Counter(draw.flip for draw in draws)
    assert flips[None] / 6000 == pytest.approx(0.5, abs=0.03)
    assert all(flips[axis] / 6000 == pytest.approx(1 / 6, abs=0.02) for axis in (2, 3, 4))
    turns = Counter((draw.plane, draw.turns) for draw in draws)
    assert len(turns) == 12
    assert all(count / 6000 == pytest.approx(1 / 12, abs=0.02) for count in turns.values())
    assert {draw.shift[0] for draw in draws} == {-1, 0, 1}


def test_options_and_repeatability():
    in_plane = draw_geometry(50, Augmentation(rotation="in_plane"), generator())
    assert {draw.plane for draw in in_plane} == {(3, 4)}
    assert {draw.turns for draw in draw_geometry(50, Augmentation(rotation="none"), generator())} == {0}
    batch = Tensors(torch.randn(4, 1, 8, 8, 8))
    assert torch.equal(augment(batch, Augmentation.none(), generator()).image, batch.image)
    first, second, third = (augment(batch, Augmentation(), generator(seed)).image for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_unequal_sides_keep_their_grid_by_half_turns():
    box = torch.randn(1, 1, 4, 6, 6)
    assert torch.equal(move(box, [Geometry(None, (2, 3), 3, (0, 0, 0))]), torch.rot90(box, 2, (2, 3)))
    assert torch.equal(move(box, [Geometry(None, (2, 3), 1, (0, 0, 0))]), box)
    assert torch.equal(move(box, [Geometry(None, (3, 4), 1, (0, 0, 0))]), torch.rot90(box, 1, (3, 4)))


def test_wrong_settings():
    with pytest.raises(ValueError, match="rotation"):
        Augmentation(rotation="about_z")
    with pytest.raises(ValueError, match="extra"):
        Augmentation(noise=0.1)
