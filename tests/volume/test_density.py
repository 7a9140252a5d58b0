"""Calcification and axial area against counts made by hand and a plain convolution."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.core.errors import MaskError
from hounsfield.volume.density import axial_area_mm2, calcification

SPACING = (2.0, 0.5, 0.5)


def test_counts_by_hand():
    image = np.full((3, 8, 8), 50.0)
    mask = np.zeros(image.shape, dtype=np.uint8)
    mask[1, 2:6, 2:6] = 1  # 16 voxels of 0.5 mm3
    image[1, 2, 2:5] = 300  # three above 200 HU
    image[1, 3, 2:4] = 500  # two above 400 HU as well
    image[1, 4, 2] = 200  # not above
    image[0, 0, 0] = 3000  # outside of the mask
    found = calcification(image, mask, SPACING)
    assert found["above_200hu_fraction"] == pytest.approx(5 / 16)
    assert found["above_400hu_mm3"] == pytest.approx(2 * 0.5)


def test_peak_is_the_smoothed_maximum_of_the_slice():
    rng = np.random.default_rng(0)
    image = rng.normal(100, 50, (3, 9, 9))
    mask = np.zeros(image.shape, dtype=bool)
    mask[1, 4, 4] = True
    # One voxel is 0.5 mm, so sigma is one voxel: weights exp(-k^2 / 2), cut at four, the border mirrored.
    weight = np.exp(-(np.arange(-4, 5) ** 2) / 2)
    weight /= weight.sum()
    expected = weight @ image[1] @ weight  # the window of 9 x 9 about (4, 4) is the whole slice
    assert calcification(image, mask, SPACING)["hu_peak"] == pytest.approx(expected)


@pytest.mark.parametrize(("value", "peak"), [(-1000.0, -600.0), (4000.0, 1500.0), (77.0, 77.0)])
def test_peak_stays_between_air_and_metal(value, peak):
    image = np.full((2, 4, 4), value)
    assert calcification(image, np.ones(image.shape), SPACING)["hu_peak"] == pytest.approx(peak)


def test_slices_do_not_mix():
    image = np.zeros((3, 6, 6))
    image[0] = 1000
    mask = np.zeros(image.shape)
    mask[1] = 1
    assert calcification(image, mask, SPACING)["hu_peak"] == 0


def test_bad_masks_are_refused():
    image = np.zeros((2, 3, 4))
    with pytest.raises(MaskError, match="empty"):
        calcification(image, np.zeros(image.shape), SPACING)
    with pytest.raises(MaskError, match="one shape"):
        calcification(image, np.ones((2, 3, 3)), SPACING)


def test_largest_axial_area():
    mask = np.zeros((3, 5, 5))
    mask[0, :2, :2] = 1
    mask[2, 1:4, 1:4] = 1  # nine voxels of 0.5 x 0.8 mm
    assert axial_area_mm2(mask, (3.0, 0.5, 0.8)) == pytest.approx(3.6)
    assert axial_area_mm2(np.zeros((3, 5, 5)), SPACING) == 0
