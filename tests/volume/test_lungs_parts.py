"""The steps of lung segmentation alone: blocks, morphology, dents, airways."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from hounsfield.volume.airways import airways
from hounsfield.volume.body_middle import middle_of
from hounsfield.volume.morphology import close, dilate, erode, fill_holes, nearest_label, voxels
from hounsfield.volume.pleura import repair
from hounsfield.volume.upright import block_means, block_of, spread, spread_smooth, upright, work_on
from hounsfield.volume.volume import Volume

RNG = np.random.default_rng(0)


def ball(radius: tuple[int, int, int]) -> np.ndarray:
    grid = np.mgrid[tuple(slice(-r, r + 1) for r in radius)]
    return np.asarray(sum((axis / (r + 0.5)) ** 2 for axis, r in zip(grid, radius, strict=True)) <= 1)


@pytest.mark.parametrize(("spacing", "radius"), [((1, 1, 1), 1), ((1, 1, 1), 3), ((3, 2, 1), 4), ((10, 1, 2), 3)])
def test_morphology_equals_scipy(spacing, radius):
    mask = RNG.random((20, 25, 30)) > 0.97
    kernel = ball(voxels(radius, spacing))
    np.testing.assert_array_equal(dilate(mask, radius, spacing), ndimage.binary_dilation(mask, kernel))
    np.testing.assert_array_equal(erode(~mask, radius, spacing), ndimage.binary_erosion(~mask, kernel, border_value=1))
    wide = ndimage.binary_closing(np.pad(mask, 10), kernel)[10:-10, 10:-10, 10:-10]
    np.testing.assert_array_equal(close(mask, radius, spacing), wide)


def test_radii_larger_than_the_array_and_empty_masks():
    assert dilate(np.eye(2, dtype=bool)[None], 50, (1, 1, 1)).all()
    assert not dilate(np.zeros((2, 2, 2), dtype=bool), 3, (1, 1, 1)).any()
    assert not nearest_label(np.zeros((2, 2, 2), dtype=int), np.ones((2, 2, 2), dtype=bool), 5, (1, 1, 1)).any()


def test_holes_are_what_is_enclosed_on_every_side():
    mask = np.ones((5, 5, 5), dtype=bool)
    mask[2, 2, 2] = False
    mask[2, 0, 2] = False  # open to the border
    assert fill_holes(mask).sum() == 124


def test_nearest_label_by_hand():
    labels = np.array([[[1, 0, 0, 0, 2]]])
    where = np.ones_like(labels, dtype=bool)
    np.testing.assert_array_equal(nearest_label(labels, where, 1.5, (1, 1, 1)), [[[1, 1, 0, 2, 2]]])
    where[0, 0, 1] = False
    np.testing.assert_array_equal(nearest_label(labels, where, 9, (1, 1, 1)), [[[1, 0, 1, 2, 2]]])


@pytest.mark.parametrize("trial", range(6))
def test_upright_keeps_every_voxel_in_its_place(trial: int):
    rng = np.random.default_rng(trial)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    volume = Volume(rng.normal(size=(4, 5, 6)), (3.0, 2.0, 1.0), (9.0, 8.0, 7.0), rotation)
    turned, turn = upright(volume)
    np.testing.assert_array_equal(turn.undo(turned.array), volume.array)
    index = np.argwhere(np.ones(volume.shape))
    by_value = dict(zip(volume.array.ravel(), volume.to_world(index), strict=True))
    for value, point in zip(turned.array.ravel(), turned.to_world(np.argwhere(np.ones(turned.shape))), strict=True):
        np.testing.assert_allclose(point, by_value[value], atol=1e-9)
    assert np.trace(turned.direction) >= np.trace(volume.direction) - 1e-9


def test_block_means_by_hand():
    volume = Volume(np.arange(24.0).reshape(2, 3, 4), (1.0, 1.0, 1.0), (10.0, 20.0, 30.0))
    found = block_means(volume, (2, 2, 2), low=0, high=20)
    # block (0, 0, 0) holds 0 1 4 5 12 13 16 17: mean 8.5; in the last row of blocks the third row stands for two, and
    # 21, 22 and 23 count as 20
    np.testing.assert_allclose(found.array, [[[8.5, 10.5], [(8 + 9 + 20 + 20) / 4, (10 + 11 + 20 + 20) / 4]]])
    assert found.origin_mm == (10.5, 20.5, 30.5)
    assert found.spacing_mm == (2.0, 2.0, 2.0)
    assert block_of((5.0, 0.7, 0.98), 2.0) == (1, 3, 2)


def test_spreading_a_coarse_mask():
    coarse = np.zeros((2, 2, 2), dtype=bool)
    coarse[0] = True
    shape = (5, 4, 3)
    np.testing.assert_array_equal(spread(coarse, (3, 2, 2), shape, 0, 5)[:, 0, 0], [True, True, True, False, False])
    assert spread(coarse, (3, 2, 2), shape, 2, 4).shape == (2, 4, 3)
    np.testing.assert_array_equal(spread_smooth(coarse, (3, 2, 2), shape, 1, 4)[:, 1, 1], [True, True, False])


def test_padding_is_found_by_value_or_by_its_corners():
    array = np.full((2, 8, 8), -1000, dtype=np.int16)
    array[:, :2] = -2000
    assert work_on(Volume(array, (2.0, 2.0, 2.0)), 2.0).padded[:, :, 0].sum() == 4
    array = np.full((2, 8, 8), 40, dtype=np.int16)
    array[:, [0, 0, -1, -1], [0, -1, 0, -1]] = -1024
    array[:, 4, 4] = -1024  # the same value, yet not at a corner
    assert work_on(Volume(array, (2.0, 2.0, 2.0)), 2.0).padded.sum() == 8


def disc_lung() -> np.ndarray:
    """A lung of 50 mm radius, its middle 60 mm right of the chest's: slices of 1 mm pixels, 12 of 1 mm."""
    rows, columns = np.mgrid[:140, :200]
    return np.repeat((np.hypot(rows - 70, columns - 60) <= 50)[None], 12, axis=0)


@pytest.mark.parametrize(
    ("place", "width", "filled"),
    [
        ((70, 12), 30, True),  # at the ribs
        ((70, 12), 60, False),  # wider than any nodule: fluid
        ((70, 108), 30, False),  # facing the heart: anatomy
        ((20, 60), 30, True),  # in front
    ],
)
def test_dents_are_filled_at_the_chest_wall_alone(place, width, filled):
    lung = disc_lung()
    rows, columns = np.mgrid[:140, :200]
    dent = lung & (np.hypot(rows - place[0], columns - place[1]) <= width / 2)
    found = repair(lung & ~dent, (1.0, 1.0, 1.0), centre=(70.0, 120.0), closing_mm=3.0, mouth_mm=45.0)
    # A chord of 30 mm over an arc of 50 mm radius leaves a lens of 15^2 / 100 = 2.25 mm, 2/3 x 30 x 2.25 = 45 pixels.
    expected = 1 - 45 / dent[0].sum()
    assert found[dent].mean() == pytest.approx(expected, abs=0.04) if filled else found[dent].mean() < 0.4
    assert not (found & ~dilate(lung, 1, (1, 1, 1))).any()  # nothing grows beyond the lung's own outline


def test_a_dent_seen_in_two_planes_alone_is_a_spur():
    lung = disc_lung()
    lung[6, 55:85, 5:30] = False
    before = lung.sum()
    found = repair(lung, (4.0, 1.0, 1.0), centre=(70.0, 120.0), closing_mm=0.0, mouth_mm=45.0)
    assert found.sum() > before  # with slices of 4 mm one slice is no spur


def tube(bronchi_hu: float = -990.0) -> tuple[Volume, np.ndarray]:
    """Windpipe of 9 mm radius in tissue between two lungs of -850 HU."""
    ct = np.full((40, 60, 60), 40.0, dtype=np.float32)
    ct[:, 10:50, 2:20] = ct[:, 10:50, 40:58] = -850.0
    rows, columns = np.mgrid[:60, :60]
    ct[15:, np.hypot(rows - 30, columns - 30) <= 4.5] = -995.0
    ct[12:16, 28:33, 20:40] = bronchi_hu
    return Volume(ct, (3.0, 2.0, 2.0)), ct < -400


def test_airways_hold_windpipe_and_bronchi_but_no_lung():
    ct, inside = tube()
    found = airways(ct, inside, 30.0)
    assert found[30, 30, 30]
    assert found[13, 30, 22]
    assert not found[:, 10:50, 2:18].any()
    assert not airways(ct, inside, 0.0).any()  # too far from the middle of the body


def test_airways_stop_before_they_burst_into_an_emphysematous_lung():
    ct, inside = tube(-980.0)
    ct.array[:, 10:50, 2:20] = -945.0
    found = airways(ct, inside, 30.0)
    assert found[30, 30, 30]
    assert found[:, 10:50, 2:16].mean() < 0.02


def test_no_windpipe_no_airways():
    ct, inside = tube()
    ct.array[20:] = 40.0  # 15 mm of it left
    assert not airways(ct, inside & (ct.array < -400), 30.0).any()


def test_the_middle_of_a_whole_body_and_of_a_part():
    body = np.zeros((4, 20, 40), dtype=bool)
    body[:, 5:15, 10:36] = True
    ct = Volume(np.where(body, 40.0, -1000.0).astype(np.float32), (5.0, 5.0, 5.0), (-100.0, 0.0, 0.0))
    assert middle_of(ct, body).x_mm == pytest.approx(-100 + 5 * 22.5)
    body[:, 5:15] = True  # cut off on both sides
    ct.array[:, 10:16, 25:31] = 300.0
    found = middle_of(ct, body)
    assert found.seen
    assert found.x_mm == pytest.approx(-100 + 5 * 27.5, abs=5)
    ct.array[:] = 40.0
    assert middle_of(ct, body) == type(found)(0.0, seen=False)
