"""Statistics and histogram against SciPy and hand counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hounsfield.radiomics import first_order, histogram

VALUES = np.random.default_rng(0).normal(40, 25, 301).round()


def test_statistics_are_scipys():
    found = first_order.features(VALUES, 2.0)
    assert found["skewness"] == pytest.approx(stats.skew(VALUES))
    assert found["kurtosis"] == pytest.approx(stats.kurtosis(VALUES))
    assert found["variance"] == pytest.approx(VALUES.var())
    assert found["interquartile_range"] == pytest.approx(stats.iqr(VALUES))
    assert found["percentile_90"] == np.quantile(VALUES, 0.9)
    assert found["coefficient_of_variation"] == pytest.approx(stats.variation(VALUES))
    assert found["total_energy"] == 2 * found["energy"] == 2 * (VALUES**2).sum()


def test_deviations_by_hand():
    # 0 1 2 3 14: mean 4, median 2; within 10th (0.4) and 90th (9.6) percentile: 1 2 3
    found = first_order.features(np.array([0.0, 1, 2, 3, 14]), 1.0)
    assert found["mean_absolute_deviation"] == (4 + 3 + 2 + 1 + 10) / 5
    assert found["median_absolute_deviation"] == (2 + 1 + 0 + 1 + 12) / 5
    assert found["robust_mean_absolute_deviation"] == pytest.approx(2 / 3)
    assert found["quartile_coefficient_of_dispersion"] == (3 - 1) / (3 + 1)


def test_equal_values():
    found = first_order.features(np.full(7, 0.1), 1.0)  # 0.1: its mean differs from it by rounding
    assert found["variance"] == found["skewness"] == found["kurtosis"] == found["range"] == 0
    zero = first_order.features(np.zeros(7), 1.0)
    assert np.isnan(zero["coefficient_of_variation"])
    assert np.isnan(zero["quartile_coefficient_of_dispersion"])


def test_histogram_by_hand():
    # counts 3 0 1 4 of levels 1 to 4; gradients -3, -1, 2, 3
    levels = np.array([1, 1, 1, 3, 4, 4, 4, 4])
    found = histogram.features(levels, 4)
    assert found["mode"] == 4
    assert found["uniformity"] == (9 + 1 + 16) / 64
    assert found["entropy"] == pytest.approx(stats.entropy([3, 1, 4], base=2))
    assert (found["maximum_gradient"], found["maximum_gradient_level"]) == (3, 4)
    assert (found["minimum_gradient"], found["minimum_gradient_level"]) == (-3, 1)


def test_of_two_modes_the_nearer_to_the_mean():
    assert histogram.features(np.array([1, 1, 5, 5, 5, 2, 2, 2]), 5)["mode"] == 2  # mean 2.9
    assert histogram.features(np.array([1, 3]), 3)["mode"] == 1  # as near: the lower


def test_one_level():
    found = histogram.features(np.ones(5, int), 1)
    assert found["entropy"] == 0
    assert found["uniformity"] == 1
    assert np.isnan(found["maximum_gradient"])
