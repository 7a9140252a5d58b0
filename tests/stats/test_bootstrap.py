"""The patient bootstrap against SciPy's, against theory, its edges and its speed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.auc import weighted_auc
from hounsfield.stats.bootstrap import bootstrap_interval, bootstrap_values, over_rows


def weighted_mean(value: np.ndarray):  # type: ignore[no-untyped-def]
    return lambda weights: (weights @ value) / weights.sum(axis=1)


@pytest.mark.parametrize("kind", ["bca", "percentile"])
def test_ends_agree_with_scipy(kind: str) -> None:
    """Skewed data, so that BCa and percentile differ by more than the two libraries' Monte Carlo noise."""
    value = np.random.default_rng(0).exponential(size=40)
    ours = bootstrap_interval(weighted_mean(value), cases=40, rng=np.random.default_rng(1), kind=kind, resamples=200000)
    method = "BCa" if kind == "bca" else "percentile"
    theirs = stats.bootstrap(
        (value,), np.mean, n_resamples=200000, batch=200000, method=method, rng=np.random.default_rng(2)
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.006)
    assert ours.method == f"patient bootstrap ({method}, 200000 resamples)"


def test_patients_stay_together() -> None:
    """Within a patient all cases always carry the same weight, and the weights sum over patients to P."""
    patient = np.array([0, 0, 0, 1, 2, 2, 3])
    seen = []

    def spy(weights: np.ndarray) -> np.ndarray:
        seen.append(weights)
        return np.asarray(weights.sum(axis=1))

    bootstrap_values(spy, cases=7, rng=np.random.default_rng(0), patient_id=patient, resamples=200)
    weights = np.concatenate(seen)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 4] == weights[:, 5]).all()
    assert (weights[:, [0, 3, 4, 6]].sum(axis=1) == 4).all()
    assert 0.9 < weights[:, 3].mean() < 1.1


def test_spread_of_clustered_cases_is_that_of_patients() -> None:
    """Ten copies of 30 patients' values: the standard error is s / sqrt(30), not s / sqrt(300)."""
    value = np.random.default_rng(3).normal(size=30)
    copies, patient = np.repeat(value, 10), np.repeat(np.arange(30), 10)
    drawn = bootstrap_values(
        weighted_mean(copies), cases=300, rng=np.random.default_rng(0), patient_id=patient, resamples=4000
    )
    assert drawn.std() == pytest.approx(value.std() / math.sqrt(30), rel=0.05)


def test_same_state_same_interval_and_row_order_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    value, patient = rng.normal(size=50), rng.integers(0, 20, 50).astype(str)
    order = rng.permutation(50)
    first, again, shuffled = (
        bootstrap_interval(weighted_mean(v), cases=50, rng=np.random.default_rng(9), patient_id=p)
        for v, p in ((value, patient), (value, patient), (value[order], patient[order]))
    )
    assert first == again
    assert shuffled.low == pytest.approx(first.low, rel=1e-12)


def test_a_statistic_of_rows_gives_the_same() -> None:
    value = np.random.default_rng(5).normal(size=20)
    fast = bootstrap_values(weighted_mean(value), cases=20, rng=np.random.default_rng(0), resamples=150)
    slow = bootstrap_values(
        over_rows(lambda rows: float(value[rows].mean())), cases=20, rng=np.random.default_rng(0), resamples=150
    )
    np.testing.assert_allclose(fast, slow, atol=1e-12)


def test_resamples_without_a_class_are_counted() -> None:
    label, prob = np.array([1, 0, 0, 1, 0]), np.array([0.4, 0.1, 0.5, 0.8, 0.2])
    estimate = bootstrap_interval(
        lambda w: weighted_auc(label, prob, w), cases=5, rng=np.random.default_rng(0), resamples=2000
    )
    lost = int(estimate.note.split()[0])
    # A resample of 5 lacks a class with the chance (3/5)^5 + (2/5)^5 = 8.8 %.
    assert lost / 2000 == pytest.approx(0.088, abs=0.02)
    assert estimate.has_interval


@pytest.mark.parametrize(
    ("value", "patient", "said"),
    [
        ([2.0, 2.0, 2.0], None, "same value"),
        ([1.0, 2.0], ["A", "A"], "fewer than two patients"),
        ([], None, "fewer than two patients"),
        ([1.0, math.nan, 3.0], None, "undefined"),
    ],
)
def test_no_interval_where_there_is_none(value: list[float], patient: list[str] | None, said: str) -> None:
    with np.errstate(invalid="ignore"):
        estimate = bootstrap_interval(
            weighted_mean(np.array(value)), cases=len(value), rng=np.random.default_rng(0), patient_id=patient
        )
    assert not estimate.has_interval
    assert said in estimate.note


def test_bad_settings_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(HounsfieldError, match="bca"):
        bootstrap_interval(weighted_mean(np.ones(3)), cases=3, rng=rng, kind="basic")
    with pytest.raises(HounsfieldError, match="100"):
        bootstrap_interval(weighted_mean(np.ones(3)), cases=3, rng=rng, resamples=10)
    with pytest.raises(HounsfieldError, match="missing at position 1"):
        bootstrap_interval(weighted_mean(np.ones(3)), cases=3, rng=rng, patient_id=np.array(["A", None, "B"]))
    with pytest.raises(HounsfieldError, match="each of 3 cases"):
        bootstrap_interval(weighted_mean(np.ones(3)), cases=3, rng=rng, patient_id=["A"])


def test_percentiles_where_bca_is_undefined() -> None:
    """All resamples lie below the value (how many patients were drawn at all), so there is no bias to correct."""
    estimate = bootstrap_interval(lambda w: (w > 0).sum(axis=1).astype(float), cases=40, rng=np.random.default_rng(0))
    assert estimate.method == "patient bootstrap (percentile, 2000 resamples)"
    # The number drawn has mean 40 (1 - (39/40)^40) = 25.5 and a standard deviation of 1.9.
    assert estimate.high < estimate.value == 40
    assert 20 < estimate.low < 25.5 < estimate.high < 31
