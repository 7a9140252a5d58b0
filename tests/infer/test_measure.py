"""Features under automatic outlines, against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.data.preparation import Preparation
from hounsfield.infer.measure import MeasureCubes, outline

PREPARATION = Preparation(spacing_mm=(2.0, 0.5, 0.5), size=(8, 8, 8), window_hu=(-1000.0, 1000.0))


def test_outline_is_half_and_above():
    soft = np.array([[[0.49, 0.5], [0.51, 0.0]]])
    assert outline(soft).tolist() == [[[False, True], [True, False]]]


def test_an_unsure_outline_is_half_its_maximum():
    soft = np.array([[[0.1, 0.2], [0.05, 0.4]]])
    assert outline(soft).tolist() == [[[False, True], [False, True]]]


def test_an_empty_outline_is_the_central_voxel():
    found = outline(np.zeros((4, 6, 8)))
    assert np.argwhere(found).tolist() == [[2, 3, 4]]


def test_volume_and_density_by_hand():
    image = np.full((1, 8, 8, 8), -0.8, dtype=np.float32)  # -800 HU
    soft = np.zeros(image.shape, dtype=np.float32)
    soft[0, 3:5, 2:6, 2:6] = 0.9  # 32 voxels of 0.5 mm3
    image[0, 3:5, 2:6, 2:6] = 0.1  # 100 HU
    found = MeasureCubes(PREPARATION)(image, soft)
    assert found["volume_mm3"] == pytest.approx([16.0])
    assert found["hu_mean"] == pytest.approx([100.0], abs=1e-4)
    assert found["extent_z_mm"] == pytest.approx([4.0])
    assert found["axial_area_mm2"] == pytest.approx([4.0])


def test_no_cases_no_features():
    assert MeasureCubes(PREPARATION)(np.zeros((0, 8, 8, 8)), np.zeros((0, 8, 8, 8))) == {}
