"""Affine augmentation: mirror images and quarter turns against torch's own, balls of known size, both cubes alike."""

from __future__ import annotations

import math

import pytest
import torch

from hounsfield.core.errors import RunError
from hounsfield.data.augment import Augmentation
from hounsfield.data.augment_affine import AffineAugmentation, augment_affine, augmented, draw_affine, sample
from hounsfield.data.batches import Tensors
from hounsfield.data.two_inputs import TwoInputs
from hounsfield.fit.training import Training

CUBE = torch.randn(1, 1, 6, 8, 10, generator=torch.Generator().manual_seed(0))
STILL = torch.zeros(1, 3, dtype=torch.float64)
GEOMETRY = {"kind": "affine", "noise_sigma": 0, "brightness": 0}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ball(shape: tuple[int, int, int], radius: float, at: tuple[float, float, float] = (0, 0, 0)) -> torch.Tensor:
    """(1, 1, *shape), 1 inside a ball around the middle moved by `at` (z, y, x) voxels, -1 outside, soft at the rim."""
    axes = [torch.arange(n) - (n - 1) / 2 - move for n, move in zip(shape, at, strict=True)]
    distance = torch.stack(torch.meshgrid(*axes, indexing="ij")).square().sum(0).sqrt()
    return (2 * (radius - distance + 0.5).clamp(0, 1) - 1)[None, None]


def centre(cube: torch.Tensor) -> list[float]:
    """Centre of mass of the height above air, (z, y, x) from the middle."""
    mass = (cube[0, 0] + 1).double()
    axes = [torch.arange(n) - (n - 1) / 2 for n in mass.shape]
    grids = torch.meshgrid(*axes, indexing="ij")
    return [float((mass * grid).sum() / mass.sum()) for grid in grids]


@pytest.mark.parametrize("axes", [(2,), (3,), (4,), (2, 4), (2, 3, 4)])
def test_mirror_images_are_exact(axes):
    signs = torch.tensor([-1.0 if 4 - axis in axes else 1.0 for axis in range(3)], dtype=torch.float64)  # (x, y, z)
    torch.testing.assert_close(sample(CUBE, torch.diag(signs)[None], STILL, outside="edge"), CUBE.flip(axes))


def test_a_quarter_turn_is_that_of_torch():
    cube = torch.randn(1, 1, 5, 7, 7, generator=generator())
    turn = torch.tensor([[[0, -1, 0], [1, 0, 0], [0, 0, 1]]], dtype=torch.float64)
    found = sample(cube, turn, STILL, outside="edge")
    turned = [torch.rot90(cube, turns, (3, 4)) for turns in (1, 3)]
    assert min(float((found - one).abs().max()) for one in turned) < 1e-5


def test_shift_counts_voxels_of_each_axis():
    found = sample(
        ball((20, 24, 28), 4), torch.eye(3, dtype=torch.float64)[None], STILL + torch.tensor([3.0, 2, 1]), outside="air"
    )
    assert centre(found) == pytest.approx([-1, -2, -3], abs=1e-4)


@pytest.mark.parametrize("scale", [0.8, 1.25])
def test_scale_above_one_shows_things_larger(scale):
    settings = AffineAugmentation(
        **GEOMETRY, flip_probability=0, rotation_degrees=0, shift_voxels=0, scale=(scale, scale)
    )
    found = augment_affine(Tensors(ball((40, 40, 40), 8)), settings, generator()).image
    volume = float((found + 1).sum()) / 2
    assert volume == pytest.approx(4 / 3 * math.pi * 8**3 * scale**3, rel=0.02)


def test_turns_keep_lengths_on_grids_with_unequal_sides():
    settings = AffineAugmentation(**GEOMETRY, rotation_degrees=40, shift_voxels=0, scale=(1, 1))
    cube = ball((32, 48, 40), 3, at=(8, 0, 0)).repeat(20, 1, 1, 1, 1)
    moved = augment_affine(Tensors(cube), settings, generator(5)).image
    distances = [math.dist(centre(one[None]), (0, 0, 0)) for one in moved]
    assert distances == pytest.approx([8] * 20, abs=0.05)
    assert len({round(centre(one[None])[0], 1) for one in moved}) > 5


def test_both_cubes_get_one_geometry_and_only_the_lesion_is_shifted():
    """The lungs' grid is half as fine: the same place in the body lies at half the distance from the middle."""
    lesion, lungs = ball((48, 48, 48), 4, at=(6, 10, -8)), ball((24, 32, 32), 2.0, at=(3, 5, -4))
    batch = TwoInputs(lesion.repeat(12, 1, 1, 1, 1), lungs=lungs.repeat(12, 1, 1, 1, 1))
    still = AffineAugmentation(**GEOMETRY, shift_voxels=0)
    moved = augment_affine(batch, still, generator(2))
    for one, two in zip(moved.image, moved.lungs, strict=True):
        assert centre(one[None]) == pytest.approx([2 * value for value in centre(two[None])], abs=0.15)
    shifted = augment_affine(batch, AffineAugmentation(**GEOMETRY, shift_voxels=4), generator(2))
    assert torch.equal(shifted.lungs, moved.lungs)
    steps = [math.dist(centre(a[None]), centre(b[None])) for a, b in zip(shifted.image, moved.image, strict=True)]
    assert 0.5 < max(steps) < 4 * math.sqrt(3) / 0.9


def test_mask_follows_the_image():
    cube = ball((32, 32, 32), 7, at=(3, 0, 0)).repeat(8, 1, 1, 1, 1)
    batch = Tensors(cube, mask=cube > 0, label=torch.arange(8))
    moved = augment_affine(batch, AffineAugmentation(**GEOMETRY), generator(1))
    assert moved.mask.dtype == torch.bool
    overlap = (moved.mask & (moved.image > 0)).sum() / (moved.mask | (moved.image > 0)).sum()
    assert float(overlap) > 0.9
    assert torch.equal(moved.label, batch.label)
    assert torch.equal(batch.image, cube)


def test_noise_and_brightness_leave_the_air_around_the_lungs():
    flat = torch.zeros(4, 1, 16, 16, 16)
    lungs = flat.clone()
    lungs[:, :, :, :, :8] = -1
    settings = AffineAugmentation(kind="affine", flip_probability=0, rotation_degrees=0, shift_voxels=0, scale=(1, 1))
    moved = augment_affine(TwoInputs(flat, lungs=lungs.half()), settings, generator(3))
    assert moved.lungs.dtype == torch.float32
    assert float((moved.lungs[..., :8] + 1).abs().max()) < 1e-5
    inside = moved.lungs[..., 8:]
    assert inside.std(dim=(1, 2, 3, 4)).tolist() == pytest.approx([0.02] * 4, rel=0.1)
    levels = moved.image.mean(dim=(1, 2, 3, 4))
    assert float(levels.abs().max()) <= 0.0286 + 0.002
    assert inside.mean(dim=(1, 2, 3, 4)).tolist() == pytest.approx(levels.tolist(), abs=0.003)
    assert not torch.equal(moved.image[..., 8:], inside)  # noise of their own


def test_draws_stay_in_their_ranges_and_repeat():
    settings = AffineAugmentation(kind="affine")
    draw = draw_affine(4000, settings, generator())
    scales = torch.linalg.det(draw.matrix).abs() ** (-1 / 3)
    assert float(scales.min()) == pytest.approx(0.9, abs=0.002)
    assert float(scales.max()) == pytest.approx(1.1, abs=0.002)
    assert float(draw.shift.abs().max()) == pytest.approx(4, abs=0.01)
    mirrored = (torch.linalg.det(draw.matrix) < 0).double().mean()
    assert float(mirrored) == pytest.approx(0.5, abs=0.03)
    again = draw_affine(4000, settings, generator())
    assert torch.equal(draw.matrix, again.matrix)
    assert draw.seeds == again.seeds


def test_settings_choose_the_kind_of_augmentation():
    batch = Tensors(torch.randn(2, 1, 8, 8, 8))
    kinds = {
        "affine": {"augmentation": {"kind": "affine", "scale": [1.0, 1.0]}},
        "turns": {"augmentation": {"noise_sigma": 0}},
    }
    for settings, kind in ((kinds["affine"], AffineAugmentation), (kinds["turns"], Augmentation), ({}, Augmentation)):
        training = Training(**settings)
        assert type(training.augmentation) is kind
        assert Training(**training.model_dump(mode="json")) == training
        assert augmented(batch, training.augmentation, generator()).image.shape == batch.image.shape
    with pytest.raises(ValueError, match="flip_chance"):
        Training(augmentation={"kind": "affine", "flip_chance": 1})


def test_cases_of_two_inputs():
    batch = TwoInputs(torch.zeros(4, 1, 8, 8, 8), label=torch.arange(4), lungs=torch.arange(4.0).view(4, 1, 1, 1, 1))
    taken = batch.take([2, 0])
    assert isinstance(taken, TwoInputs)
    assert taken.lungs.flatten().tolist() == [2, 0]
    other = TwoInputs(batch.image, label=batch.label, lungs=batch.lungs + 1)
    assert batch.fingerprint() != other.fingerprint()
    with pytest.raises(RunError, match="lungs holds 3 cases"):
        TwoInputs(batch.image, lungs=batch.lungs[:3])
    with pytest.raises(RunError, match="got none"):
        TwoInputs(batch.image)
