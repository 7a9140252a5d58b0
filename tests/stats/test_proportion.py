"""Intervals of a proportion against statsmodels, hand values, edges and their coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint, proportions_ztest

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.estimate import UndefinedMetric
from hounsfield.stats.proportion import (
    METHODS,
    agresti_coull,
    clopper_pearson,
    clustered_wilson,
    jeffreys,
    logit_wald,
    unpaired_p,
    wald,
    wilson,
)

THEIRS = {"wilson": wilson, "beta": clopper_pearson, "agresti_coull": agresti_coull, "jeffreys": jeffreys}


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("k", [1, 7, 20, 39])
@pytest.mark.parametrize("level", [0.95, 0.9])
def test_equals_statsmodels(name: str, k: int, level: float) -> None:
    low, high = proportion_confint(k, 40, alpha=1 - level, method=name)
    ours = THEIRS[name](k, 40, level=level)
    assert (ours.low, ours.high) == pytest.approx((low, min(1.0, high)), abs=1e-10)


@pytest.mark.parametrize("name", THEIRS)
def test_all_and_none_have_width_and_stay_inside(name: str) -> None:
    none, all_ = THEIRS[name](0, 12), THEIRS[name](12, 12)
    assert none.low == 0
    assert all_.high == 1
    assert none.high > 0.1
    assert none.high == pytest.approx(1 - all_.low)


def test_rule_of_three() -> None:  # none of 100: the exact one-sided 95 % bound is 1 - 0.05 ** (1 / 100) = 2.95 %
    assert clopper_pearson(0, 100, level=0.90).high == pytest.approx(1 - 0.05**0.01)


def test_no_trial_is_undefined() -> None:
    with pytest.warns(UndefinedMetric, match="no trial"):
        assert math.isnan(wilson(0, 0).value)
    with pytest.warns(UndefinedMetric, match="no trial"):
        assert math.isnan(clustered_wilson([], patient_id=[]).low)


@pytest.mark.parametrize(("k", "n"), [(5, 4), (-1, 4), (0.5, 4)])
def test_impossible_counts_are_refused(k: int, n: int) -> None:
    with pytest.raises(HounsfieldError, match="whole numbers"):
        wilson(k, n)


def test_level_is_a_fraction() -> None:
    with pytest.raises(HounsfieldError, match="0.95"):
        wilson(1, 2, level=95)


def test_clopper_pearson_never_covers_too_little() -> None:
    """Exact coverage by summing the binomial: at least the level for every p."""
    intervals = [clopper_pearson(k, 30) for k in range(31)]
    for p in np.linspace(0.02, 0.98, 25):
        held = [e.low <= p <= e.high for e in intervals]
        assert binom.pmf(np.arange(31), 30, p)[held].sum() >= 0.95


def test_one_case_a_patient_is_plain_wilson() -> None:
    hits = [1] * 30 + [0] * 12
    plain, clustered = wilson(30, 42), clustered_wilson(hits, patient_id=range(42))
    # The ratio estimator divides by P - 1, so the effective number is n - 1 for single cases.
    assert clustered.low == pytest.approx(plain.low, abs=0.003)
    assert clustered.high == pytest.approx(plain.high, abs=0.003)


def test_copies_of_a_patient_add_nothing() -> None:
    hits, patients = [1] * 30 + [0] * 12, list(range(42))
    once = clustered_wilson(hits, patient_id=patients)
    thrice = clustered_wilson(hits * 3, patient_id=patients * 3)
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))
    assert thrice.n == 42
    assert thrice.unit == "patients"


def test_all_right_in_clusters_counts_patients() -> None:
    assert clustered_wilson([1] * 40, patient_id=[k // 4 for k in range(40)]).low == pytest.approx(wilson(10, 10).low)


def test_a_single_patient_has_no_interval() -> None:
    estimate = clustered_wilson([1, 0, 1], patient_id=["A"] * 3)
    assert estimate.value == pytest.approx(2 / 3)
    assert not estimate.has_interval
    assert estimate.note == "a single patient"


def test_unpaired_p_equals_statsmodels() -> None:
    assert unpaired_p(20, 50, 31, 48) == pytest.approx(proportions_ztest([20, 31], [50, 48])[1])
    assert unpaired_p(50, 50, 48, 48) == 1
    with pytest.warns(UndefinedMetric, match="no trial"):
        assert math.isnan(unpaired_p(0, 0, 1, 2))


@pytest.mark.slow
def test_clustered_wilson_covers_where_the_plain_one_does_not() -> None:
    """Three cases a patient that succeed together four times in five; the true share is 0.8."""
    rng = np.random.default_rng(2)
    patient = np.repeat(np.arange(60), 3)
    clustered = plain = 0
    for _ in range(1000):
        shared, own = rng.random(60)[patient] < 0.8, rng.random(180) < 0.8
        hits = np.where(rng.random(60)[patient] < 0.8, shared, own)
        first, second = clustered_wilson(hits, patient_id=patient), wilson(int(hits.sum()), 180)
        clustered += first.low <= 0.8 <= first.high
        plain += second.low <= 0.8 <= second.high
    assert 0.925 < clustered / 1000 < 0.975
    assert plain / 1000 < 0.88


# Newcombe, Stat Med 1998;17:857, table I: 81/263, 15/148, 0/20 and 1/29.
NEWCOMBE = {
    "Wald": [(0.2522, 0.3638), (0.0527, 0.1500), None, (0.0000, 0.1009)],
    "Wilson": [(0.2553, 0.3662), (0.0624, 0.1605), (0.0000, 0.1611), (0.0061, 0.1718)],
    "Wilson with continuity correction": [(0.2535, 0.3682), (0.0598, 0.1644), (0.0000, 0.2005), (0.0018, 0.1963)],
    "Clopper-Pearson": [(0.2527, 0.3676), (0.0578, 0.1617), (0.0000, 0.1684), (0.0009, 0.1776)],
    "mid-P": [(0.2544, 0.3658), (0.0601, 0.1581), (0.0000, 0.1391), (0.0017, 0.1585)],
}


@pytest.mark.parametrize("name", NEWCOMBE)
def test_equals_newcombe(name: str) -> None:
    for (k, n), printed in zip([(81, 263), (15, 148), (0, 20), (1, 29)], NEWCOMBE[name], strict=True):
        estimate = METHODS[name](k, n)
        if printed is None:
            assert math.isnan(estimate.low)
            assert "all trials alike" in estimate.note
        else:
            assert (estimate.low, estimate.high) == pytest.approx(printed, abs=5.1e-5), (k, n)


def test_logit_and_wald_against_hand_values() -> None:
    # 30 of 40: logit 1.0986, standard error sqrt(40 / (30 * 10)) = 0.36515
    low, high = (1 / (1 + math.exp(-(math.log(3) + sign * 1.959964 * 0.365148))) for sign in (-1, 1))
    assert (logit_wald(30, 40).low, logit_wald(30, 40).high) == pytest.approx((low, high), abs=1e-6)
    theirs = proportion_confint(30, 40, method="normal")
    assert (wald(30, 40).low, wald(30, 40).high) == pytest.approx(theirs, abs=1e-10)
    assert math.isnan(logit_wald(40, 40).high)


def test_plus_four_is_wald_with_four_more_trials() -> None:
    ours, theirs = METHODS["plus-four"](11, 58), wald(13, 62)
    assert (ours.low, ours.high) == (theirs.low, theirs.high)
    assert ours.value == 11 / 58


def test_wilson_covers_at_58() -> None:
    """Exact coverage by summing the binomial at n = 58, and its mean over p: 95 % within 0.3 points."""
    ends = [wilson(k, 58) for k in range(59)]
    low, high = np.array([e.low for e in ends]), np.array([e.high for e in ends])
    shares = np.linspace(0.05, 0.95, 181)
    covered = [binom.pmf(np.arange(59), 58, p)[(low <= p) & (p <= high)].sum() for p in shares]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.003)
    assert min(covered) > 0.92
    drawn = np.random.default_rng(2).binomial(58, 0.83, 100_000)
    simulated = np.mean((low[drawn] <= 0.83) & (high[drawn] >= 0.83))
    exact = binom.pmf(np.arange(59), 58, 0.83)[(low <= 0.83) & (high >= 0.83)].sum()
    assert simulated == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 100_000))
