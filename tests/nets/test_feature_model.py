"""The logistic model as plain arithmetic: transforms, clipping, missing values, softmax."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import softmax as scipy_softmax

from hounsfield.core.errors import TableError
from hounsfield.nets.feature_model import FeatureModel, design, log_odds, softmax


def model(**changes) -> FeatureModel:
    values = {
        "features": ("log volume_mm3", "hu_mean"),
        "low": np.array([0.0, -900.0]),
        "high": np.array([8.0, 100.0]),
        "mean": np.array([5.0, -400.0]),
        "scale": np.array([2.0, 200.0]),
        "weight": np.array([[0.0, 0.0], [1.5, -0.5]]),
        "bias": np.array([0.0, 0.25]),
    }
    return FeatureModel(**(values | changes))


def test_probability_by_hand():
    # log(e^6) = 6: (6 - 5) / 2 = 0.5; (-200 + 400) / 200 = 1; score 1.5 * 0.5 - 0.5 * 1 + 0.25 = 0.5
    prob = model().prob({"volume_mm3": np.array([math.e**6]), "hu_mean": np.array([-200.0])})
    assert prob[0] == pytest.approx([1 - 1 / (1 + math.exp(-0.5)), 1 / (1 + math.exp(-0.5))])


def test_outliers_enter_as_the_end_of_the_range():
    table = {"volume_mm3": np.array([1e9, math.e**8]), "hu_mean": np.array([5000.0, 100.0])}
    one, other = model().prob(table)
    assert one == pytest.approx(other)


@pytest.mark.parametrize("missing", [math.nan, 0.0, -3.0])  # the logarithm of 0 is as good as none
def test_what_cannot_be_measured_stands_at_the_mean(missing):
    found = model().logits({"volume_mm3": np.array([missing]), "hu_mean": np.array([-400.0])})
    assert found[0] == pytest.approx([0.0, 0.25])


def test_transforms():
    table = {"a": np.array([0.0, 3.0])}
    assert design(table, ("a", "sqrt a", "log1p a")) == pytest.approx(
        np.array([[0, 0, 0], [3, math.sqrt(3), math.log(4)]])
    )


def test_an_unknown_feature_proposes_the_nearest():
    with pytest.raises(TableError, match=r"'volume_mm'.*Did you mean 'volume_mm3'.*Known: hu_mean, volume_mm3"):
        design({"volume_mm3": np.ones(2), "hu_mean": np.ones(2)}, ("log volume_mm",))


def test_softmax_equals_scipy_even_for_huge_scores():
    logits = np.array([[1000.0, 0.0, -1e9], [0.1, 0.2, 0.3]])
    assert softmax(logits) == pytest.approx(scipy_softmax(logits, axis=1))


def test_log_odds_against_the_first_class():
    found = log_odds(np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]))
    assert found[0] == pytest.approx([math.log(1.5), math.log(2.5)])
    assert np.isfinite(found).all()


def test_arrays_rebuild_the_model():
    one = model()
    again = FeatureModel(one.features, **one.arrays())
    table = {"volume_mm3": np.array([10.0, 400.0]), "hu_mean": np.array([-300.0, 20.0])}
    assert (again.prob(table) == one.prob(table)).all()
