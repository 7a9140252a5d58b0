"""The padding's statistics against the texture it should have, and that nothing but HU and place enters."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from hounsfield.volume.texture import TYPICAL, Texture, fill_with_lung_texture, lung_texture

SPACING = (1.0, 0.7, 0.7)


def lung(shape, *, seed=0, sigma=(0.7, 1.0, 1.0), mean=-850.0, sd=40.0):
    field = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), sigma, mode="wrap")
    return (mean + sd * field / field.std()).astype(np.float32)


def neighbours(array, axis):
    first, second = np.moveaxis(array, axis, 0)[:-1], np.moveaxis(array, axis, 0)[1:]
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def test_statistics_of_the_lung_are_found_beside_a_nodule_and_a_wall():
    block = lung((24, 64, 64))
    truth = [min(neighbours(block, axis), 0.85) for axis in range(3)]  # 0.85 is the most that is taken
    block[6:18, 24:40, 24:40] = -600  # a ground-glass nodule in the middle, lung-like by its HU
    block[:, :, 58:] = 60  # the chest wall
    found = lung_texture(block, (12, 32, 32), SPACING)
    assert found.mean_hu == pytest.approx(-850, abs=3)
    assert found.sd_hu == pytest.approx(40, rel=0.05)
    np.testing.assert_allclose(found.correlation, truth, atol=0.05)


def test_too_little_lung_falls_back_on_typical_values():
    assert lung_texture(np.full((8, 40, 40), 50.0), (4, 20, 20), SPACING) is TYPICAL
    assert lung_texture(np.full((8, 10, 10), -850.0), (4, 5, 5), SPACING) is TYPICAL  # all of it near the centre


def test_the_filled_part_has_the_wanted_mean_sd_and_correlation():
    texture = Texture(-800.0, 30.0, (0.3, 0.8, 0.6))
    cube = fill_with_lung_texture(np.zeros((64, 64, 64)), (0, 0, 0), (0, 0, 0), texture, seed=3)
    assert cube.dtype == np.float32
    assert cube.mean() == pytest.approx(-800, abs=2)
    assert cube.std() == pytest.approx(30, rel=0.03)
    np.testing.assert_allclose([neighbours(cube, axis) for axis in range(3)], texture.correlation, atol=0.03)


def test_the_known_box_is_untouched_and_all_else_is_filled():
    known = lung((32, 32, 32), seed=1)
    cube = np.full((32, 32, 32), -1024.0, dtype=np.float32)
    cube[10:16, 4:32, 0:28] = known[10:16, 4:32, 0:28]
    before = cube.copy()
    filled = fill_with_lung_texture(cube, (10, 4, 0), (16, 32, 28), TYPICAL, seed=1)
    np.testing.assert_array_equal(filled[10:16, 4:32, 0:28], known[10:16, 4:32, 0:28])
    np.testing.assert_array_equal(cube, before)  # the input is left alone
    outside = np.ones(cube.shape, dtype=bool)
    outside[10:16, 4:32, 0:28] = False
    assert filled[outside].min() >= -1000
    assert filled[outside].max() <= -500
    assert abs(filled[outside].mean() - TYPICAL.mean_hu) < 10


def test_no_seam_where_the_border_is_lung():
    known = lung((32, 32, 32), seed=2, mean=TYPICAL.mean_hu, sd=TYPICAL.sd_hu)
    filled = fill_with_lung_texture(known, (12, 0, 0), (20, 32, 32), TYPICAL, seed=5)
    across = np.corrcoef(filled[20].ravel(), filled[19].ravel())[0, 1]
    assert across == pytest.approx(TYPICAL.correlation[0], abs=0.08)


def test_a_bright_border_is_not_smeared_outwards():
    known = lung((32, 32, 32), seed=2)
    known[:, 10:20, 10:20] = 40.0
    filled = fill_with_lung_texture(known, (12, 0, 0), (20, 32, 32), TYPICAL, seed=5)
    assert abs(filled[20, 10:20, 10:20].mean() - TYPICAL.mean_hu) < 40


def test_the_seed_decides():
    args = (np.zeros((16, 16, 16)), (4, 4, 4), (8, 12, 12), TYPICAL)
    one, again, other = (fill_with_lung_texture(*args, seed=seed) for seed in (1, 1, 2))
    assert one.tobytes() == again.tobytes()
    assert one.tobytes() != other.tobytes()
