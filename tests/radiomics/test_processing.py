"""Interpolation, re-segmentation and discretisation against SciPy, SimpleITK and hand counts."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from pydantic import ValidationError
from scipy import ndimage

from hounsfield.core.errors import ImageError, MaskError
from hounsfield.radiomics.config import RadiomicsConfig
from hounsfield.radiomics.interpolate import grid_of, interpolate
from hounsfield.radiomics.processing import discretise, place, region, resegment

RNG = np.random.default_rng(0)
UNIT = (1.0, 1.0, 1.0)
NATIVE = RadiomicsConfig(spacing_mm=None)


def whole(shape: tuple[int, int, int]) -> tuple[slice, slice, slice]:
    z, y, x = (slice(0, n) for n in shape)
    return z, y, x


def test_grid_by_hand():
    # 4 slices of 3 mm: ceil(12 / 2) = 6 of 2 mm with the same centre: (3 - 5 * 2 / 3) / 2 = -1/6
    grid = grid_of((4, 10, 10), (3.0, 1.0, 1.0), (2.0, 1.0, 4.0))
    assert grid.shape == (6, 10, 3)
    assert grid.offset == pytest.approx((-1 / 6, 0, (9 - 2 * 4) / 2))
    assert grid_of((4, 10, 10), (3.0, 1.0, 1.0), (0.0, 2.0, 2.0)).shape == (4, 5, 5)  # 0: slices stay
    assert grid_of((60, 1, 1), (3.0, 1.0, 1.0), (2.0, 1.0, 1.0)).shape[0] == 90


@pytest.mark.parametrize(("interpolator", "order"), [("linear", 1), ("cubic", 3)])
def test_interpolation_is_scipys(interpolator, order: int):
    array = RNG.normal(size=(20, 24, 28)).astype(np.float32)
    grid = grid_of(array.shape, (2.5, 0.7, 0.7), UNIT)
    found = interpolate(array, grid, whole(grid.shape), interpolator)
    at = np.meshgrid(*[o + s * np.arange(n) for o, s, n in zip(grid.offset, grid.step, grid.shape, strict=True)])
    at = [np.clip(np.moveaxis(points, 0, 1), 0, n - 1) for points, n in zip(at, array.shape, strict=True)]
    filtered = ndimage.spline_filter(array.astype(float), order, mode="mirror") if order > 1 else array.astype(float)
    expected = ndimage.map_coordinates(filtered, at, order=order, mode="mirror", prefilter=False)
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_cubic_is_simpleitks_b_spline():
    array = RNG.normal(size=(30, 30, 30)).astype(np.float32)
    grid = grid_of(array.shape, (2.0, 0.8, 0.8), UNIT)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.8, 0.8, 2.0))
    size = [int(n) for n in grid.shape[::-1]]
    origin = [o * s for o, s in zip(grid.offset[::-1], (0.8, 0.8, 2.0), strict=True)]
    turned = sitk.Resample(
        image, size, sitk.Transform(), sitk.sitkBSpline, origin, UNIT, (1, 0, 0, 0, 1, 0, 0, 0, 1), 0.0
    )
    inner = (slice(4, -4),) * 3
    found = interpolate(array, grid, whole(grid.shape), "cubic")
    np.testing.assert_allclose(found[inner], sitk.GetArrayFromImage(turned)[inner], atol=1e-3)


@pytest.mark.parametrize("interpolator", ["nearest", "linear", "cubic"])
def test_a_box_is_a_part_of_the_whole(interpolator):
    array = RNG.normal(0, 300, size=(40, 50, 60)).astype(np.float32)
    grid = grid_of(array.shape, (2.5, 0.7, 0.7), UNIT)
    box = (slice(41, 60), slice(9, 21), slice(11, 30))
    all_of_it = interpolate(array, grid, whole(grid.shape), interpolator)
    np.testing.assert_allclose(interpolate(array, grid, box, interpolator), all_of_it[box], atol=1e-4)


def test_slabs_make_no_difference(monkeypatch: pytest.MonkeyPatch):
    array = RNG.normal(size=(9, 10, 11)).astype(np.float32)
    grid = grid_of(array.shape, (2.0, 0.7, 0.7), UNIT)
    expected = interpolate(array, grid, whole(grid.shape), "cubic")
    monkeypatch.setattr("hounsfield.radiomics.interpolate._SLAB_VALUES", 150)
    np.testing.assert_array_equal(interpolate(array, grid, whole(grid.shape), "cubic"), expected)


def test_one_slice_can_be_interpolated():
    array = np.full((1, 6, 6), 7.0, np.float32)
    grid = grid_of(array.shape, (5.0, 1.0, 1.0), UNIT)
    for interpolator in ("nearest", "linear", "cubic"):
        found = interpolate(array, grid, whole(grid.shape), interpolator)  # type: ignore[arg-type]
        np.testing.assert_allclose(found, np.full((5, 6, 6), 7.0), rtol=1e-6)


@pytest.mark.parametrize("interpolator", ["nearest", "linear"])
def test_a_mask_keeps_its_place_and_volume(interpolator):
    # Along z the new centres lie at -0.7 + k mm and the mask from 4.5 * 2.4 = 10.8 mm on: k is 12 at least. Along y and
    # x at 0.15 + k mm, from 19.5 * 0.7 = 13.65 mm on: 14.
    mask = np.zeros((20, 60, 60), bool)
    mask[5:15, 20:40, 20:40] = True
    found = place(mask, (2.4, 0.7, 0.7), RadiomicsConfig(mask_interpolator=interpolator))
    assert [part.start for part in found.box] == [12, 14, 14]
    assert found.mask.shape == (24, 14, 14)
    assert found.mask.all()


def test_a_mask_at_the_border_keeps_its_slices():
    # The cut-out ends with the lesion: two slices of 5 mm stay 10 mm thick.
    mask = np.ones((2, 8, 8), bool)
    assert place(mask, (5.0, 1.0, 1.0), RadiomicsConfig(mask_interpolator="linear")).mask.shape == (10, 8, 8)


def test_values_are_rounded_to_whole_hu():
    image = RNG.integers(-100, 100, (12, 12, 12)).astype(np.int16)
    mask = np.zeros(image.shape, bool)
    mask[4:8, 4:8, 4:8] = True
    config = RadiomicsConfig()
    found = region(image, place(mask, (2.0, 1.0, 1.0), config), config)
    np.testing.assert_array_equal(found.image, np.rint(found.image))
    assert found.image.shape == (8, 4, 4)


def test_resegmentation_by_hand():
    image = np.array([-600, -500, 0, 10, 20, 400, 401.0], np.float32).reshape(1, 1, 7)
    mask = np.ones(image.shape, bool)
    ranged = resegment(image, mask, RadiomicsConfig(intensity_range=(-500, 400)))
    assert ranged.ravel().tolist() == [False, True, True, True, True, True, False]
    half = resegment(image, mask, RadiomicsConfig(intensity_range=(None, 0)))
    assert half.sum() == 3
    # mean 0 and SD sqrt(2 * 9 / 20) = 0.95: 3 is further than 3 SD away
    far = np.zeros((1, 1, 20), np.float32)
    far[0, 0, :2] = (3, -3)
    config = RadiomicsConfig(intensity_range=None, outlier_sd=3)
    assert resegment(far, np.ones(far.shape, bool), config).ravel().tolist() == [False, False] + 18 * [True]


def test_discretisation_by_hand():
    image = np.array([-1000, -976, -975, 0, 399, 400.0], np.float32).reshape(1, 1, 6)
    mask = np.ones(image.shape, bool)
    levels, count = discretise(image, mask, RadiomicsConfig())
    assert levels.ravel().tolist() == [1, 1, 2, 41, 56, 57]
    assert count == 57
    levels, count = discretise(image, mask, RadiomicsConfig(bin_width=None, bin_count=4))
    assert levels.ravel().tolist() == [1, 1, 1, 3, 4, 4]
    assert count == 4
    open_below = RadiomicsConfig(intensity_range=None, bin_width=25)
    assert discretise(image[..., 1:], mask[..., 1:], open_below)[0].ravel().tolist() == [1, 1, 40, 56, 56]


def test_bins_that_cannot_be():
    image = np.array([0, 10_000.0], np.float32).reshape(1, 1, 2)
    mask = np.ones(image.shape, bool)
    with pytest.raises(ImageError, match="at most 4096"):
        discretise(image, mask, RadiomicsConfig(intensity_range=None, bin_width=1))
    with pytest.raises(ImageError, match="whole numbers from 1 on"):
        discretise(image, mask, RadiomicsConfig(bin_width=None))
    for wrong in ({"bin_count": 32}, {"intensity_range": (1, 1)}, {"spacing_mm": (1, 0, 1)}, {"binwidth": 25}):
        with pytest.raises(ValidationError):
            RadiomicsConfig.model_validate(wrong)


def test_nan_matters_only_where_it_is_needed():
    image = np.zeros((40, 40, 40), np.float32)
    mask = np.zeros(image.shape, bool)
    mask[18:22, 18:22, 18:22] = True
    image[0, 0, 0] = np.nan  # the padding of a round field of view
    for config in (NATIVE, RadiomicsConfig(image_interpolator="linear")):
        region(image, place(mask, (2.0, 1.0, 1.0), config), config)
    image[17, 20, 20] = np.inf
    region(image, place(mask, UNIT, NATIVE), NATIVE)  # outside the mask, and nothing is interpolated
    config = RadiomicsConfig()
    with pytest.raises(ImageError, match="so near that interpolation needs them"):
        region(image, place(mask, (2.0, 1.0, 1.0), config), config)
    image[20, 20, 20] = np.nan
    with pytest.raises(ImageError, match=r"1 value\(s\) inside the mask"):
        region(image, place(mask, UNIT, NATIVE), NATIVE)


def test_a_lesion_that_vanishes_is_named():
    mask = np.zeros((20, 20, 20), bool)
    mask[10, 10, 10] = True
    config = RadiomicsConfig(spacing_mm=(3, 3, 3), mask_interpolator="linear", mask_threshold=0.9)
    with pytest.raises(MaskError, match=r"1 voxel\(s\) vanish"):
        place(mask, UNIT, config)
