"""AUC: hand counts, brute force over all pairs, published numbers and edges."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.auc import (
    auc,
    auc_covariance,
    delong_interval,
    disjoint_pairs_interval,
    hanley_mcneil_se,
    weighted_auc,
)
from hounsfield.stats.estimate import UndefinedMetric


def drawn(seed: int, n: int = 60, ties: bool = True) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, n)
    prob = rng.normal(size=n) + label
    return label, np.round(prob, 1) if ties else prob


def psi(up: float, down: float) -> float:
    return 1.0 if up > down else 0.5 if up == down else 0.0


def obuchowski_by_loops(label: np.ndarray, prob: np.ndarray, patient: np.ndarray) -> float:
    """The formulas of Obuchowski 1997 written out over pairs and patients, without ranks or matrices."""
    up, down = np.flatnonzero(label == 1), np.flatnonzero(label == 0)
    m, n = len(up), len(down)
    v10 = {i: sum(psi(prob[i], prob[j]) for j in down) / n for i in up}
    v01 = {j: sum(psi(prob[i], prob[j]) for i in up) / m for j in down}
    theta = sum(v10.values()) / m
    everyone = sorted(set(patient))
    s10 = s01 = s11 = 0.0
    for one in everyone:
        x = sum(v10[i] - theta for i in up if patient[i] == one)
        y = sum(v01[j] - theta for j in down if patient[j] == one)
        s10, s01, s11 = s10 + x * x, s01 + y * y, s11 + x * y
    i10, i01, i = len(set(patient[up])), len(set(patient[down])), len(everyone)
    s10, s01, s11 = s10 * i10 / ((i10 - 1) * m), s01 * i01 / ((i01 - 1) * n), s11 * i / (i - 1)
    return s10 / m + s01 / n + 2 * s11 / (m * n)


def test_auc_by_counting_pairs() -> None:  # positive .9 .4, negative .4 .1: 3 wins and 1 tie in 4 pairs = 3.5 / 4
    assert auc([1, 1, 0, 0], [0.9, 0.4, 0.4, 0.1]) == pytest.approx(0.875)


@pytest.mark.parametrize("seed", range(5))
def test_auc_equals_scikit_learn_with_ties(seed: int) -> None:
    label, prob = drawn(seed)
    assert auc(label, prob) == pytest.approx(roc_auc_score(label, prob), abs=1e-12)


@pytest.mark.parametrize("change", [np.exp, lambda score: score**3 - 5, lambda score: 1 / (1 + np.exp(-score))])
def test_a_monotone_transform_of_the_scores_changes_nothing(change: Any) -> None:
    label, prob = drawn(3)
    before, after = delong_interval(label, prob), delong_interval(label, change(prob))
    assert (after.value, after.low, after.high) == pytest.approx((before.value, before.low, before.high), abs=1e-12)


def test_auc_of_equal_scores_is_one_half_and_has_no_interval() -> None:
    estimate = delong_interval([1, 1, 0, 0], [0.3] * 4)
    assert estimate.value == 0.5
    assert math.isnan(estimate.low)
    assert "no spread" in estimate.note


@pytest.mark.parametrize(
    ("label", "reason"), [([1, 1], "no negative case"), ([0, 0], "no positive case"), ([], "no case")]
)
def test_auc_without_two_classes_is_undefined(label: list[int], reason: str) -> None:
    with pytest.warns(UndefinedMetric, match=reason):
        assert math.isnan(auc(label, [0.2, 0.9][: len(label)]))
    with pytest.warns(UndefinedMetric, match=reason):
        estimate = delong_interval(label, [0.2, 0.9][: len(label)])
    assert math.isnan(estimate.value)
    assert math.isnan(estimate.high)


@pytest.mark.parametrize(
    ("label", "prob", "said"),
    [
        ([0, 2], [0.1, 0.2], "0 .negative. and 1"),
        ([0, 1], [0.1], "one value for each"),
        ([0, 1], [0.1, math.nan], "finite"),
        ([[0, 1]], [0.1, 0.2], "one axis"),
        (["a", "b"], [0.1, 0.2], "positive class first"),
    ],
)
def test_bad_input_is_named(label: Any, prob: list[float], said: str) -> None:
    with pytest.raises(HounsfieldError, match=said):
        auc(label, prob)


@pytest.mark.parametrize("seed", range(4))
def test_weights_count_as_repeated_rows(seed: int) -> None:
    label, prob = drawn(seed)
    weights = np.random.default_rng(seed).integers(0, 4, (7, len(label)))
    rows = [np.repeat(np.arange(len(label)), line) for line in weights]
    expected = [roc_auc_score(label[row], prob[row]) for row in rows]
    np.testing.assert_allclose(weighted_auc(label, prob, weights.astype(float)), expected, atol=1e-12)


def test_a_weighting_without_a_class_has_no_area() -> None:
    areas = weighted_auc([0, 1], [0.1, 0.2], np.array([[1.0, 0.0], [1.0, 1.0]]))
    assert math.isnan(areas[0])
    assert areas[1] == 1


@pytest.mark.parametrize("seed", range(3))
def test_delong_variance_by_loops_over_pairs(seed: int) -> None:
    label, prob = drawn(seed)
    up, down = prob[label == 1], prob[label == 0]
    v10 = [np.mean([psi(x, y) for y in down]) for x in up]
    v01 = [np.mean([psi(x, y) for x in up]) for y in down]
    expected = np.var(v10, ddof=1) / len(up) + np.var(v01, ddof=1) / len(down)
    assert auc_covariance(label, prob[None])[1][0, 0] == pytest.approx(expected, rel=1e-12)


def test_delong_covariance_of_two_scores_by_loops() -> None:
    label, prob = drawn(3)
    other = np.round(prob + np.random.default_rng(1).normal(size=len(prob)), 1)
    v10, v01 = [], []
    for score in (prob, other):
        up, down = score[label == 1], score[label == 0]
        v10.append([np.mean([psi(x, y) for y in down]) for x in up])
        v01.append([np.mean([psi(x, y) for x in up]) for y in down])
    expected = np.cov(v10) / len(v10[0]) + np.cov(v01) / len(v01[0])
    areas, covariance = auc_covariance(label, np.array([prob, other]))
    np.testing.assert_allclose(covariance, expected, rtol=1e-12)
    assert areas[1] == pytest.approx(roc_auc_score(label, other))


@pytest.mark.parametrize("seed", range(3))
def test_clustered_variance_by_loops_over_patients(seed: int) -> None:
    label, prob = drawn(seed)
    patient = np.random.default_rng(seed + 10).integers(0, 25, len(label))
    ours = auc_covariance(label, prob[None], patient_id=[f"P{k}" for k in patient])[1][0, 0]
    assert ours == pytest.approx(obuchowski_by_loops(label, prob, patient), rel=1e-12)


def test_doubling_every_case_of_a_patient_changes_nothing_when_clustered() -> None:
    label, prob = drawn(1)
    once = auc_covariance(label, prob[None])[1][0, 0]
    twice = np.tile(np.arange(len(label)), 2)
    clustered = auc_covariance(np.tile(label, 2), np.tile(prob, 2)[None], patient_id=twice)[1][0, 0]
    naive = auc_covariance(np.tile(label, 2), np.tile(prob, 2)[None])[1][0, 0]
    assert clustered == pytest.approx(once, rel=1e-12)
    assert naive < 0.55 * once


def test_interval_on_both_scales_from_the_variance() -> None:
    label, prob = drawn(2)
    area, se = auc(label, prob), math.sqrt(auc_covariance(label, prob[None])[1][0, 0])
    plain = delong_interval(label, prob, scale="probability")
    logit = delong_interval(label, prob)
    assert plain.low == pytest.approx(area - 1.959964 * se, abs=1e-6)
    odds = math.log(area / (1 - area))
    assert logit.high == pytest.approx(1 / (1 + math.exp(-odds - 1.959964 * se / (area * (1 - area)))), abs=1e-6)
    assert logit.method == "DeLong, logit scale"
    assert (logit.n, logit.unit) == (60, "cases")
    with pytest.raises(HounsfieldError, match="scale"):
        delong_interval(label, prob, scale="log")


def test_perfect_area_gets_an_exact_bound_and_says_so() -> None:
    estimate = delong_interval([1] * 10 + [0] * 20, np.r_[np.ones(10), np.zeros(20)])
    assert estimate.value == 1
    assert estimate.low == pytest.approx(0.025 ** (1 / 10))  # ten disjoint pairs, all in order
    assert estimate.high == 1
    assert "undefined" in estimate.note
    reversed_ = delong_interval([0] * 10 + [1] * 20, np.r_[np.ones(10), np.zeros(20)])
    assert reversed_.high == pytest.approx(1 - 0.025 ** (1 / 10))
    assert reversed_.low == 0


def test_perfect_area_of_one_patient_has_no_bound() -> None:
    estimate = disjoint_pairs_interval([1, 0], [0.9, 0.1], patient_id=["A", "A"])
    assert math.isnan(estimate.low)
    assert "no pair of patients" in estimate.note
    with pytest.raises(HounsfieldError, match="area of 0 or 1"):
        disjoint_pairs_interval([1, 0, 1], [0.9, 0.5, 0.1])


def test_pairs_of_patients_with_both_classes_by_trying_all() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        kinds = rng.integers(1, 4, 5)  # 1 negative only, 2 positive only, 3 both
        label = [bit for kind in kinds for bit in (0, 1) if kind & (bit + 1)]
        patient = [k for k, kind in enumerate(kinds) for bit in (0, 1) if kind & (bit + 1)]
        if not 0 < sum(label) < len(label):
            continue
        roles = itertools.product(*[[bit for bit in (0, 1) if kind & (bit + 1)] for kind in kinds])
        most = max(min(sum(role), len(role) - sum(role)) for role in roles)
        method = disjoint_pairs_interval(label, label, patient_id=patient).method
        assert method == f"exact bound from {most} disjoint pairs"


def test_a_single_positive_patient_gives_no_variance() -> None:
    estimate = delong_interval([1, 0, 0, 0], [0.5, 0.1, 0.6, 0.2])
    assert estimate.value == pytest.approx(2 / 3)
    assert not estimate.has_interval
    assert "fewer than two" in estimate.note


def test_hanley_mcneil_rejects_what_is_no_area() -> None:
    assert hanley_mcneil_se(0.5, positives=1, negatives=1) == pytest.approx(0.5)  # one coin toss
    with pytest.raises(HounsfieldError, match="both classes"):
        hanley_mcneil_se(0.8, positives=0, negatives=3)


@pytest.mark.slow
def test_logit_delong_covers_the_true_area() -> None:
    """Binormal scores with a true area of 0.9: 95 % intervals hold it in 95 % of 1500 draws, give or take 3 SE."""
    rng = np.random.default_rng(5)
    label = np.r_[np.ones(40, dtype=int), np.zeros(60, dtype=int)]
    shift = 1.2815516 * math.sqrt(2)  # Phi(shift / sqrt 2) = 0.9
    held = 0
    for _ in range(1500):
        estimate = delong_interval(label, rng.normal(size=100) + shift * label)
        held += estimate.low <= 0.9 <= estimate.high
    assert 0.93 < held / 1500 < 0.97


@pytest.mark.slow
def test_clustered_delong_covers_where_the_naive_one_does_not() -> None:
    """Four cases a patient sharing most of their score: the naive interval is far too narrow, Obuchowski's is not."""
    rng = np.random.default_rng(6)
    patient = np.repeat(np.arange(50), 4)
    label = (patient % 2).astype(int)
    shift = 0.8416212 * math.sqrt(2)  # true area 0.8
    held = {"clustered": 0, "naive": 0}
    for _ in range(600):
        prob = shift * label + math.sqrt(0.8) * rng.normal(size=50)[patient] + math.sqrt(0.2) * rng.normal(size=200)
        for name, who in (("clustered", patient), ("naive", None)):
            estimate = delong_interval(label, prob, patient_id=who)
            held[name] += estimate.low <= 0.8 <= estimate.high
    assert 0.92 < held["clustered"] / 600 < 0.98
    assert held["naive"] / 600 < 0.80
