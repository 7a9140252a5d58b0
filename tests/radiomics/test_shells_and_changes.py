"""Shells round a lesion and changes of its outline, counted by hand or by distance."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.core.errors import HounsfieldError, MaskError
from hounsfield.radiomics.perturb import USUAL, Perturbation, perturbed
from hounsfield.radiomics.shells import names_of_shells, shells

RNG = np.random.default_rng(0)


def test_shells_of_one_voxel_are_the_voxels_at_their_distance():
    mask = np.zeros((21, 21, 21), bool)
    mask[10, 10, 10] = True
    spacing = (2.0, 0.5, 1.0)
    offsets = np.stack(np.meshgrid(*[np.arange(-10, 11)] * 3, indexing="ij"), axis=-1) * spacing
    distance = np.linalg.norm(offsets, axis=-1)
    inner, outer = shells(mask, spacing_mm=spacing, widths_mm=(2, 3))
    np.testing.assert_array_equal(inner, (distance > 0) & (distance <= 2))
    np.testing.assert_array_equal(outer, (distance > 2) & (distance <= 5))


def test_shells_of_a_plane_by_hand():
    mask = np.zeros((12, 4, 4), bool)
    mask[0:2] = True
    one, two = shells(mask, spacing_mm=(2.5, 1.0, 1.0), widths_mm=(5, 10))
    assert np.flatnonzero(one.any(axis=(1, 2))).tolist() == [2, 3]
    assert np.flatnonzero(two.any(axis=(1, 2))).tolist() == [4, 5, 6, 7]
    assert names_of_shells((5, 10)) == ("shell_0_5mm", "shell_5_15mm")


def test_a_shell_stays_within():
    mask = np.zeros((9, 9, 9), bool)
    mask[4, 4, 4] = True
    lung = np.zeros((9, 9, 9), np.uint8)
    lung[:5] = 1
    (found,) = shells(mask, spacing_mm=(1.0, 1.0, 1.0), widths_mm=[2], within=lung)
    assert found.any()
    assert not found[5:].any()
    assert not found[4, 4, 4]


def test_a_lesion_that_fills_its_image_has_an_empty_shell():
    (found,) = shells(np.ones((3, 3, 3), bool), spacing_mm=(1.0, 1.0, 1.0), widths_mm=[5])
    assert not found.any()


def test_bad_shells_are_refused():
    mask = np.ones((3, 3, 3), bool)
    for widths in ([0], [5, -1], [float("nan")]):
        with pytest.raises(HounsfieldError, match="above 0"):
            shells(mask, spacing_mm=(1.0, 1.0, 1.0), widths_mm=widths)
    with pytest.raises(MaskError, match="empty"):
        shells(~mask, spacing_mm=(1.0, 1.0, 1.0), widths_mm=[5])
    with pytest.raises(MaskError, match="one shape"):
        shells(mask, spacing_mm=(1.0, 1.0, 1.0), widths_mm=[5], within=mask[1:])


def cube() -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros((11, 15, 15), bool)
    mask[4:7, 5:10, 5:10] = True
    return RNG.normal(0, 10, mask.shape), mask


def changed(change: Perturbation, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> np.ndarray:
    image, mask = cube()
    return perturbed(image, mask, spacing_mm=spacing, change=change, rng=np.random.default_rng(1))[1]


def test_growing_and_shrinking_by_hand():
    assert changed(Perturbation(name="grown", grow_mm=1)).sum() == 75 + 2 * 25 + 4 * 15  # one layer on each face
    assert changed(Perturbation(name="shrunk", grow_mm=-1)).sum() == 1 * 3 * 3


# Spacing, radius in mm, how far the mean volume over places may lie from that of the ball: dilated, eroded.
BALLS = [
    ((1.0, 1.0, 1.0), 6.0, 0.03, 0.04),
    ((1.0, 1.0, 1.0), 12.5, 0.03, 0.03),
    ((2.0, 0.8, 0.8), 6.0, 0.03, 0.05),
    ((2.0, 0.8, 0.8), 12.5, 0.03, 0.03),
    ((3.0, 3.0, 3.0), 12.5, 0.04, 0.06),
    ((5.0, 0.7, 0.7), 12.5, 0.04, 0.04),
]


def ball(radius: float, spacing: tuple[float, float, float], centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A ball around `centre` (voxels from the middle of the grid) and the (3, z, y, x) places of the voxels in mm."""
    half = [int((radius + 5) / step) + 2 for step in spacing]
    grid = np.meshgrid(*[np.arange(-size, size + 1) for size in half], indexing="ij")
    place = np.stack([(axis - by) * step for axis, by, step in zip(grid, centre, spacing, strict=True)])
    return np.linalg.norm(place, axis=0) <= radius, place


@pytest.mark.slow
@pytest.mark.parametrize(("spacing", "radius", "dilated", "eroded"), BALLS)
def test_a_ball_gets_the_volume_of_a_larger_or_smaller_one(spacing, radius, dilated, eroded):
    places = 6 if spacing[0] == 5.0 else 3  # thick slices: the volume depends more on where the ball lies
    centres = np.random.default_rng(0).uniform(-0.5, 0.5, (places, 3))
    for grow in (-2.0, -1.0, 1.0, 2.0):
        volumes = []
        for centre in centres:
            mask, _ = ball(radius, spacing, centre)
            change = Perturbation(name="grown", grow_mm=grow)
            found = perturbed(mask, mask, spacing_mm=spacing, change=change, rng=RNG)[1]
            assert not (found & ~mask if grow < 0 else mask & ~found).any()
            volumes.append(found.sum() * np.prod(spacing))
        wanted = 4 / 3 * np.pi * (radius + grow) ** 3
        assert np.mean(volumes) == pytest.approx(wanted, rel=dilated if grow > 0 else eroded)


@pytest.mark.slow
def test_the_surface_moves_by_the_distance_along_every_axis():
    # Along z a few slices must show it: within a quarter of their distance.
    for spacing, off in (((2.0, 0.8, 0.8), 0.3), ((5.0, 0.7, 0.7), 1.25)):
        for grow in (-2.0, 2.0):
            variance = []
            for at in (0.0, 0.25, 0.5):
                mask, place = ball(12.5, spacing, np.full(3, at))
                change = Perturbation(name="grown", grow_mm=grow)
                found = perturbed(mask, mask, spacing_mm=spacing, change=change, rng=RNG)[1]
                variance.append(place[:, found].var(axis=1))
            # A ball's variance along each axis is r^2 / 5.
            radius = np.sqrt(5 * np.mean(variance, axis=0))
            np.testing.assert_allclose(radius, 12.5 + grow, atol=off)


def test_a_change_below_the_voxel_changes_a_ball():
    mask, _ = ball(12.5, (3.0, 3.0, 3.0), np.zeros(3))
    sizes = [
        perturbed(mask, mask, spacing_mm=(3.0, 3.0, 3.0), change=Perturbation(name="x", grow_mm=mm), rng=RNG)[1].sum()
        for mm in (-2.0, -1.0, 1.0, 2.0)
    ]
    assert sizes[0] < sizes[1] < mask.sum() < sizes[2] < sizes[3]


@pytest.mark.parametrize(("slices", "off"), [(1, 0.1), (2, 0.15)])
def test_a_flat_lesion_of_few_slices_gets_the_volume_of_the_larger_or_smaller_box(slices, off):
    mask = np.zeros((7, 44, 44), bool)
    mask[2 : 2 + slices, 7:37, 7:37] = True  # 21 mm wide
    for grow in (-1.0, 1.0):
        change = Perturbation(name="g", grow_mm=grow)
        found = perturbed(mask, mask, spacing_mm=(5.0, 0.7, 0.7), change=change, rng=RNG)[1]
        wanted = (21 + 2 * grow) ** 2 * (5 * slices + 2 * grow)
        assert found.sum() * 5 * 0.49 == pytest.approx(wanted, rel=off)


def test_an_image_of_one_slice_is_changed_in_its_plane():
    mask = np.zeros((1, 44, 44), bool)
    mask[0, 7:37, 7:37] = True
    for grow in (-1.4, 1.4):  # two voxels
        change = Perturbation(name="g", grow_mm=grow)
        found = perturbed(mask, mask, spacing_mm=(1.0, 0.7, 0.7), change=change, rng=RNG)[1]
        assert found.sum() * 0.49 == pytest.approx((21 + 2 * grow) ** 2, rel=0.02)


def test_a_mirrored_lesion_changes_as_its_mirror():
    mask = np.zeros((9, 24, 24), bool)
    mask[3:6, 6:15, 8:12] = True
    mask[4:6, 10:13, 12:18] = True
    for change in (Perturbation(name="g", grow_mm=1.3), Perturbation(name="s", grow_mm=-1.1)):
        for axis in range(3):
            one = perturbed(mask, mask, spacing_mm=(5.0, 0.7, 0.7), change=change, rng=RNG)[1]
            flipped = np.flip(mask, axis)
            other = perturbed(flipped, flipped, spacing_mm=(5.0, 0.7, 0.7), change=change, rng=RNG)[1]
            np.testing.assert_array_equal(np.flip(other, axis), one)
            assert one.sum() != mask.sum()


def test_three_voxels_grow_on_and_shrink_away():
    mask = np.zeros((7, 21, 21), bool)
    mask[3, 10, 9:12] = True
    thick = (5.0, 0.7, 0.7)
    grown = perturbed(mask, mask, spacing_mm=thick, change=Perturbation(name="g", grow_mm=1.0), rng=RNG)[1]
    assert grown[mask].all()
    assert np.flatnonzero(grown.any(axis=(1, 2))).tolist() == [3]  # the next slice is 5 mm away
    # Nothing further than 1 mm and a voxel from the box of 0.7 x 2.1 mm, and a voxel to every side at least.
    rows, columns = (np.flatnonzero(grown[3].any(axis=axis)) for axis in (1, 0))
    assert (10 - rows.min(), rows.max() - 10) in {(1, 1), (2, 2)}
    assert (9 - columns.min(), columns.max() - 11) in {(1, 1), (2, 2)}
    with pytest.raises(MaskError, match="nothing of the lesion is left"):
        perturbed(mask, mask, spacing_mm=thick, change=Perturbation(name="s", grow_mm=-5.0), rng=RNG)
    with pytest.raises(MaskError, match="empty"):
        perturbed(mask, ~np.ones_like(mask), spacing_mm=thick, change=Perturbation(name="g", grow_mm=1.0), rng=RNG)


def test_a_lesion_at_the_end_of_the_image_grows_and_shifts_within_it():
    whole, _ = ball(8.0, (2.0, 0.8, 0.8), np.zeros(3))
    middle = whole.shape[0] // 2
    half = whole[middle:]
    change = Perturbation(name="g", grow_mm=1.0)
    grown = perturbed(half, half, spacing_mm=(2.0, 0.8, 0.8), change=change, rng=RNG)[1]
    assert grown.shape == half.shape
    assert grown[half].all()
    assert grown.sum() > half.sum()
    out = Perturbation(name="s", shift_mm=(-2.0 * (middle - 1), 0.0, 0.0))
    moved = perturbed(whole, whole, spacing_mm=(2.0, 0.8, 0.8), change=out, rng=RNG)[1]
    np.testing.assert_array_equal(moved[: middle + 1], whole[middle - 1 : 2 * middle])
    with pytest.raises(MaskError, match="nothing of the lesion is left"):
        gone = Perturbation(name="s", shift_mm=(0.0, 1e6, 0.0))
        perturbed(whole, whole, spacing_mm=(2.0, 0.8, 0.8), change=gone, rng=RNG)


@pytest.mark.parametrize("spacing", [(2.0, 0.8, 0.8), (5.0, 0.7, 0.7)])
def test_a_shift_is_not_rounded_to_voxels_and_keeps_the_volume(spacing):
    for axis in range(3):
        steps = []
        for at in (-0.3, 0.0, 0.2, 0.4):
            mask, place = ball(12.5, spacing, np.full(3, at))
            for by in (3.0, -3.0):
                shift = tuple(by if one == axis else 0.0 for one in range(3))
                found = perturbed(
                    mask, mask, spacing_mm=spacing, change=Perturbation(name="s", shift_mm=shift), rng=RNG
                )[1]
                assert found.sum() == mask.sum()
                steps.append((place[:, found].mean(axis=1) - place[:, mask].mean(axis=1)) * np.sign(by))
        wanted = np.zeros(3)
        wanted[axis] = 3.0
        np.testing.assert_allclose(np.mean(steps, axis=0), wanted, atol=0.2)


def test_the_same_change_twice_is_the_same():
    mask, _ = ball(6.0, (5.0, 0.7, 0.7), np.array([0.2, 0.1, 0.3]))
    for change in (Perturbation(name="g", grow_mm=1.0), Perturbation(name="s", shift_mm=(3.0, 1.0, 0.0))):
        one, two = (perturbed(mask, mask, spacing_mm=(5.0, 0.7, 0.7), change=change, rng=RNG)[1] for _ in range(2))
        np.testing.assert_array_equal(one, two)


def test_shrinking_also_comes_from_the_border():
    mask = np.ones((5, 5, 5), bool)
    change = Perturbation(name="shrunk", grow_mm=-1)
    found = perturbed(mask, mask, spacing_mm=(1.0, 1.0, 1.0), change=change, rng=RNG)[1]
    assert found.sum() == 27


def test_shifting_by_hand():
    _, mask = cube()
    found = changed(Perturbation(name="shifted", shift_mm=(1, -2, 0)), (1.0, 2.0, 1.0))
    np.testing.assert_array_equal(found, np.roll(mask, (1, -1), axis=(0, 1)))


def test_noise_has_its_size_and_its_seed():
    image, mask = cube()
    change = Perturbation(name="noise", noise_sd=20)
    one, two = (
        perturbed(image, mask, spacing_mm=(1.0, 1.0, 1.0), change=change, rng=np.random.default_rng(7))[0]
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)
    assert (one - image).std() == pytest.approx(20, rel=0.05)


def test_a_lesion_that_is_gone_is_refused():
    with pytest.raises(MaskError, match="nothing of the lesion is left when shrunk"):
        changed(Perturbation(name="shrunk", grow_mm=-5))
    assert USUAL[0].does_nothing
    assert not any(change.does_nothing for change in USUAL[1:])
