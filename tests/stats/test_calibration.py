"""Calibration against statsmodels, hand counts, simulated recalibration and edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.calibration import calibration_error, calibration_fit, reliability_curve
from hounsfield.stats.estimate import UndefinedMetric
from hounsfield.stats.proportion import wilson


def drawn(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    patient = rng.integers(0, n // 3, n)
    return (rng.random(n) < expit(0.3 + 0.6 * x)).astype(int), expit(x), patient


def test_curve_and_error_by_hand() -> None:
    """Two bins of width 1/2: .1 .3 with 0 of 2 positive (gap .2), .6 .8 .9 with 2 of 3 (gap .1)."""
    label, prob = [0, 0, 1, 0, 1], [0.1, 0.3, 0.6, 0.8, 0.9]
    curve = reliability_curve(label, prob, bins=2, strategy="uniform")
    assert curve.mean_prob.tolist() == pytest.approx([0.2, 2.3 / 3])
    assert curve.observed.tolist() == pytest.approx([0, 2 / 3])
    assert curve.count.tolist() == [2, 3]
    assert curve.high[1] == pytest.approx(wilson(2, 3).high)
    assert calibration_error(label, prob, bins=2) == pytest.approx((2 * 0.2 + 3 * 0.1) / 5)


def test_probability_of_one_falls_in_the_last_bin_and_empty_bins_go() -> None:
    curve = reliability_curve([1, 0], [1.0, 0.0], bins=10, strategy="uniform")
    assert curve.mean_prob.tolist() == [0, 1]
    assert calibration_error([1, 0], [1.0, 0.0]) == 0


def test_quantile_bins_are_about_equal_and_keep_ties_together() -> None:
    label, prob, _ = drawn(0)
    assert reliability_curve(label, prob, bins=10).count.tolist() == [30] * 10
    tied = reliability_curve([0, 1, 0, 1, 1, 1], [0.2, 0.2, 0.2, 0.2, 0.2, 0.9], bins=3)
    assert tied.count.tolist() == [5, 1]


def test_fit_equals_statsmodels() -> None:
    label, prob, _ = drawn(1)
    theirs = sm.GLM(label, sm.add_constant(logit(prob)), family=sm.families.Binomial()).fit(tol=1e-12)
    fit = calibration_fit(label, prob)
    assert (fit.intercept.value, fit.slope.value) == pytest.approx(tuple(theirs.params), abs=1e-8)
    interval = theirs.conf_int()
    assert (fit.slope.low, fit.slope.high) == pytest.approx(tuple(interval[1]), abs=1e-6)
    offset = sm.GLM(label, np.ones(300), family=sm.families.Binomial(), offset=logit(prob)).fit(tol=1e-12)
    assert fit.in_the_large.value == pytest.approx(offset.params[0], abs=1e-8)


def test_errors_by_patient_equal_the_sandwich_of_statsmodels() -> None:
    label, prob, patient = drawn(2)
    groups = np.unique(patient, return_inverse=True)[1]
    theirs = sm.GLM(label, sm.add_constant(logit(prob)), family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}, tol=1e-12
    )
    count = groups.max() + 1
    fit = calibration_fit(label, prob, patient_id=patient)
    half = 1.959963985 * theirs.bse[1] * math.sqrt(count / (count - 1))
    assert fit.slope.high - fit.slope.value == pytest.approx(half, rel=1e-6)
    assert fit.slope.unit == "patients"


def test_true_slope_is_found() -> None:
    label, prob, _ = drawn(3, n=20000)  # drawn with slope 0.6 and intercept 0.3
    fit = calibration_fit(label, prob)
    assert fit.slope.low < 0.6 < fit.slope.high
    assert fit.intercept.low < 0.3 < fit.intercept.high
    assert fit.slope.high - fit.slope.low < 0.1


@pytest.mark.parametrize(
    ("label", "prob"),
    [
        ([], []),
        ([1, 1, 1], [0.2, 0.5, 0.9]),
        ([0, 1, 0, 1], [0.4, 0.4, 0.4, 0.4]),
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]),
    ],
)
def test_no_finite_slope_is_undefined(label: list[int], prob: list[float]) -> None:
    with pytest.warns(UndefinedMetric, match="calibration slope"):
        fit = calibration_fit(label, prob)
    assert math.isnan(fit.slope.value)
    assert not fit.slope.has_interval


def test_extreme_probabilities_are_taken_inside() -> None:
    fit = calibration_fit([0, 1, 0, 1, 1, 0], [0.0, 1.0, 1.0, 0.0, 0.6, 0.4])
    assert math.isfinite(fit.slope.value)


def test_no_case_and_bad_settings() -> None:
    assert len(reliability_curve([], []).count) == 0
    with pytest.warns(UndefinedMetric, match="calibration error"):
        assert math.isnan(calibration_error([], []))
    with pytest.raises(HounsfieldError, match="bins"):
        reliability_curve([0, 1], [0.1, 0.9], bins=0)
    with pytest.raises(HounsfieldError, match="sigmoid"):
        calibration_error([0, 1], [-0.1, 0.9])
