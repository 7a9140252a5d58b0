"""Resampling against SciPy, SimpleITK, linear ramps and conserved volumes."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.core.errors import ImageError
from hounsfield.volume.resample import grid_of, resample, resample_box, resample_like
from hounsfield.volume.volume import Volume

RNG = np.random.default_rng(0)
TURN = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])


def as_itk(volume: Volume) -> sitk.Image:
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.spacing_mm[::-1])
    image.SetOrigin(volume.origin_mm)
    image.SetDirection(volume.direction.ravel().tolist())
    return image


def itk_resample(volume: Volume, like: Volume, interpolator: int, fill: float) -> np.ndarray:
    found = sitk.Resample(as_itk(volume), as_itk(like), sitk.Transform(), interpolator, fill)
    return sitk.GetArrayFromImage(found)


def test_the_extent_rule_by_hand():
    # 2 slices of 2.5 mm fill 5 mm: 5 slices of 1 mm, the first centre 0.5 mm inside the face at -1.25 mm
    volume = Volume(np.zeros((2, 10, 10)), (2.5, 0.7, 1.4), (0.0, 0.0, 100.0))
    found = resample(volume, (1.0, 0.7, 0.7))
    assert found.shape == (5, 10, 20)
    assert found.origin_mm == pytest.approx((-0.35, 0.0, 100.0 - 1.25 + 0.5))
    assert found.spacing_mm == (1.0, 0.7, 0.7)
    assert found.array.dtype == np.float32


def test_the_first_voxel_rule_by_hand():
    # centres at 0 and 2.5 mm: round(2.5 + 1), halves to even, are 4; 9 mm at 2 mm: round(4.5 + 1) = 6
    grid = grid_of(Volume(np.zeros((2, 10, 10)), (2.5, 1.0, 1.0)), (1.0, 1.0, 2.0), "first_voxel")
    assert grid.shape == (4, 10, 6)
    assert grid.offset == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("rule", ["extent", "first_voxel"])
def test_linear_equals_simpleitk_inside(rule):
    volume = Volume(RNG.normal(size=(7, 9, 11)).astype(np.float32), (2.5, 0.6, 0.8), (5.0, -3.0, 2.0), TURN)
    found = resample(volume, (1.0, 0.7, 0.7), rule=rule)
    expected = itk_resample(volume, found, sitk.sitkLinear, np.nan)
    inner = np.isfinite(expected)
    assert inner.mean() > 0.6
    np.testing.assert_allclose(found.array[inner], expected[inner], atol=1e-5)


def test_a_ramp_stays_a_ramp_and_the_border_is_held():
    z = np.arange(6) * 2.0
    volume = Volume(np.broadcast_to(z[:, None, None], (6, 3, 3)).copy(), (2.0, 1.0, 1.0))
    found = resample(volume, (0.5, 1.0, 1.0))
    world_z = found.to_world(np.array([[k, 0, 0] for k in range(found.shape[0])]))[:, 2]
    np.testing.assert_allclose(found.array[:, 1, 1], np.clip(world_z, 0, 10), atol=1e-6)


def test_same_spacing_changes_nothing():
    volume = Volume(RNG.normal(size=(4, 5, 6)).astype(np.float32), (1.0, 0.7, 0.7))
    found = resample(volume, (1.0, 0.7, 0.7))
    np.testing.assert_array_equal(found.array, volume.array)
    assert found.same_grid(volume)


def test_nearest_keeps_type_and_labels():
    labels = RNG.integers(0, 4, size=(5, 6, 7)).astype(np.uint8)
    found = resample(Volume(labels, (2.0, 1.0, 1.0)), (1.0, 0.7, 0.7), mode="nearest")
    assert found.array.dtype == np.uint8
    assert set(np.unique(found.array)) <= {0, 1, 2, 3}


def test_a_two_slice_mask_keeps_its_volume():
    mask = np.zeros((2, 40, 40), dtype=bool)
    mask[:, 10:30, 10:30] = True  # 5 x 14 x 14 mm
    volume = Volume(mask, (2.5, 0.7, 0.7))
    found = resample(volume, (1.0, 0.7, 0.7), mode="nearest")
    assert found.array.sum() * found.voxel_mm3 == pytest.approx(mask.sum() * volume.voxel_mm3)


def test_mirroring_commutes():
    array = RNG.normal(size=(5, 6, 7)).astype(np.float32)
    one = resample(Volume(array, (2.5, 0.6, 0.9)), (1.0, 0.7, 0.7)).array
    other = resample(Volume(array[::-1, :, ::-1].copy(), (2.5, 0.6, 0.9)), (1.0, 0.7, 0.7)).array
    np.testing.assert_allclose(one[::-1, :, ::-1], other, atol=1e-5)


@given(start=st.tuples(*[st.integers(-9, 12)] * 3), size=st.tuples(*[st.integers(1, 12)] * 3), nearest=st.booleans())
def test_a_box_equals_the_cut_of_the_whole(start, size, nearest):
    array = np.random.default_rng(3).normal(size=(4, 8, 9)).astype(np.float32)
    volume = Volume(array, (2.5, 0.6, 0.9))
    mode = "nearest" if nearest else "linear"
    grid = grid_of(volume, (1.0, 0.7, 0.7))
    whole = np.pad(resample(volume, (1.0, 0.7, 0.7), mode=mode).array, 30, constant_values=-9)
    stop = tuple(a + n for a, n in zip(start, size, strict=True))
    box = resample_box(array, grid, start, stop, mode=mode, fill=-9)
    cut = whole[tuple(slice(a + 30, b + 30) for a, b in zip(start, stop, strict=True))]
    np.testing.assert_array_equal(box, cut)


@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_like_a_rotated_grid_equals_simpleitk(mode):
    volume = Volume(RNG.normal(size=(8, 9, 10)).astype(np.float32), (2.0, 1.0, 0.8), (0.0, 0.0, 0.0))
    like = Volume(np.zeros((10, 12, 14)), (1.3, 0.9, 0.7), (1.03, -2.01, 3.07), TURN)  # no point half-way
    found = resample_like(volume, like, mode=mode, fill=-7.0)
    kind = sitk.sitkLinear if mode == "linear" else sitk.sitkNearestNeighbor
    expected = itk_resample(volume, like, kind, -7.0)
    inside = (found.array != -7) & (expected != -7)
    assert inside.sum() > 100
    np.testing.assert_allclose(found.array[inside], expected[inside], atol=1e-4)
    assert (found.array == -7).sum() > 0
    assert np.mean((found.array == -7) == (expected == -7)) > 0.95  # only the half-voxel rim may differ


def test_like_itself_is_itself():
    mask = RNG.random((4, 5, 6)) > 0.5
    volume = Volume(mask, (2.0, 0.7, 0.7), (1.0, 2.0, 3.0), TURN)
    np.testing.assert_array_equal(resample_like(volume, volume, mode="nearest").array, mask)


def test_like_a_grid_far_away_is_empty():
    volume = Volume(np.ones((3, 3, 3), dtype=np.float32), (1.0, 1.0, 1.0))
    like = Volume(np.zeros((3, 3, 3)), (1.0, 1.0, 1.0), (100.0, 0.0, 0.0))
    assert (resample_like(volume, like, fill=0.0).array == 0).all()


@pytest.mark.parametrize("spacing", [(0, 1, 1), (1, float("nan"), 1), (1, 1)])
def test_a_bad_spacing_is_refused(spacing):
    with pytest.raises(ImageError, match="spacing_mm"):
        resample(Volume(np.zeros((2, 2, 2)), (1.0, 1.0, 1.0)), spacing)
    with pytest.raises(ImageError, match="rule"):
        grid_of(Volume(np.zeros((2, 2, 2)), (1.0, 1.0, 1.0)), (1.0, 1.0, 1.0), "other")
