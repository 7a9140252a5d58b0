"""Sizes and densities against hand counts, SciPy and brute force."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
import scipy.stats
from scipy.spatial.distance import pdist

from hounsfield.core.errors import ImageError, MaskError
from hounsfield.volume.measure import (
    axial_diameters_mm,
    equivalent_diameter_mm,
    extent_mm,
    hu_statistics,
    volume_mm3,
)


def test_volume_and_extent_by_counting():
    mask = np.zeros((5, 6, 7))
    mask[1:3, 2:5, 3:7] = 1
    assert volume_mm3(mask, (2.0, 0.5, 0.25)) == pytest.approx(2 * 3 * 4 * 0.25)
    assert extent_mm(mask, (2.0, 0.5, 0.25)) == pytest.approx((4.0, 1.5, 1.0))


def test_equivalent_diameter_of_a_ball():
    assert equivalent_diameter_mm(4 / 3 * pi * 5**3) == pytest.approx(10.0)
    assert equivalent_diameter_mm(0.0) == 0.0


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.8, 0.8), (1.25, 0.7, 0.7)])
def test_a_digitised_ball_of_20_mm_measures_20_mm_on_any_grid(spacing):
    axes = [np.arange(-round(12 / step), round(12 / step) + 1) * step for step in spacing]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    ball = z**2 + y**2 + x**2 <= 10.0**2
    if spacing == (1.0, 1.0, 1.0):
        assert ball.sum() == 4169  # lattice points in a ball of radius 10 (OEIS A000605); 4/3 pi r^3 is 4188.8
    assert equivalent_diameter_mm(volume_mm3(ball, spacing)) == pytest.approx(20.0, rel=0.01)


def test_a_single_voxel_is_as_large_as_a_voxel():
    mask = np.zeros((3, 3, 3))
    mask[1, 1, 1] = 1
    assert axial_diameters_mm(mask, (2.0, 0.7, 0.5)) == pytest.approx((0.5, 0.7))


def test_a_bar_by_hand():
    mask = np.zeros((1, 10, 20))
    mask[0, 4:7, 2:12] = 1  # centres 9 x 2 voxels apart: corner to corner, then across it
    longest, across = axial_diameters_mm(mask, (1.0, 1.0, 1.0))
    chord = np.hypot(9, 2)
    assert longest == pytest.approx(chord + chord / 9)  # a voxel's chord along (2, 9) is 1 / (9 / chord)
    assert across == pytest.approx(2 * 9 * 2 / chord + chord / 9)  # both corners lie 9 x 2 / chord off the diagonal


def test_disc_of_radius_10_mm():
    rows, columns = np.mgrid[:101, :101]
    mask = (np.hypot(rows - 50, columns - 50) * 0.25 <= 10.0)[None]
    longest, across = axial_diameters_mm(mask, (1.0, 0.25, 0.25))
    assert longest == pytest.approx(20.0, abs=0.4)
    assert across == pytest.approx(20.0, abs=0.4)


def test_longest_diameter_by_brute_force():
    rng = np.random.default_rng(1)
    mask = rng.random((4, 12, 9)) > 0.8
    longest, _ = axial_diameters_mm(mask, (3.0, 0.6, 0.9))
    chords = [pdist(np.argwhere(plane) * (0.6, 0.9)).max() for plane in mask]
    assert max(chords) < longest <= max(chords) + np.hypot(0.6, 0.9)


def test_statistics_as_scipy_has_them():
    rng = np.random.default_rng(2)
    array = rng.gamma(2.0, 100.0, size=(6, 7, 8)) - 900
    mask = rng.random((6, 7, 8)) > 0.3
    values = array[mask]
    found = hu_statistics(array, mask)
    assert found["hu_mean"] == pytest.approx(values.mean())
    assert found["hu_sd"] == pytest.approx(values.std())
    assert found["hu_skewness"] == pytest.approx(scipy.stats.skew(values))
    assert found["hu_kurtosis"] == pytest.approx(scipy.stats.kurtosis(values, fisher=False))
    assert (found["hu_min"], found["hu_max"]) == (values.min(), values.max())
    assert found["hu_p95"] == pytest.approx(scipy.stats.scoreatpercentile(values, 95))
    assert found["hu_p50"] == pytest.approx(np.median(values))


def test_a_constant_lesion_has_the_shape_of_no_spread():
    found = hu_statistics(np.full((2, 2, 2), 40), np.ones((2, 2, 2)))
    assert (found["hu_sd"], found["hu_skewness"], found["hu_kurtosis"]) == (0.0, 0.0, 3.0)


def test_bad_input_is_refused():
    with pytest.raises(MaskError, match="empty"):
        hu_statistics(np.zeros((2, 2, 2)), np.zeros((2, 2, 2)))
    with pytest.raises(MaskError, match="one shape"):
        hu_statistics(np.zeros((2, 2, 2)), np.ones((2, 2, 3)))
    with pytest.raises(ImageError, match="not finite"):
        hu_statistics(np.full((2, 2, 2), np.nan), np.ones((2, 2, 2)))
    with pytest.raises(MaskError, match="empty"):
        extent_mm(np.zeros((2, 2, 2)), (1.0, 1.0, 1.0))
    with pytest.raises(MaskError, match="empty"):
        axial_diameters_mm(np.zeros((2, 2, 2)), (1.0, 1.0, 1.0))
