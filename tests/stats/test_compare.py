"""Paired comparisons: brute force, published intervals, exact tests, level under the null, edges."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.auc import auc, auc_covariance, weighted_auc
from hounsfield.stats.compare import compare_accuracy, compare_auc, compare_by_bootstrap, compare_means
from hounsfield.stats.estimate import UndefinedMetric
from hounsfield.stats.mcnemar import mcnemar, newcombe
from hounsfield.stats.sign_flip import sign_flip


def answers(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.repeat([1, 1, 0, 0], [both, only_a, only_b, neither])
    return a, np.repeat([1, 0, 1, 0], [both, only_a, only_b, neither])


def scored(seed: int, patients: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
    label = rng.integers(0, 2, len(patient))
    shared = rng.normal(size=len(patient)) + label
    a, b = (np.round(shared + rng.normal(size=len(patient)), 1) for _ in range(2))
    return label, a, b, patient


@pytest.mark.parametrize("counts", [(30, 8, 2, 10), (0, 5, 5, 0), (4, 0, 1, 2), (10, 21, 9, 3)])
def test_mcnemar_equals_statsmodels(counts: tuple[int, int, int, int]) -> None:
    both, only_a, only_b, neither = counts
    theirs = their_mcnemar([[both, only_a], [only_b, neither]], exact=True).pvalue
    assert mcnemar(*answers(*counts)) == pytest.approx(theirs, rel=1e-12)


def test_mcnemar_without_disagreement() -> None:
    assert mcnemar([1, 0], [1, 0]) == 1
    assert mcnemar([], []) == 1
    with pytest.raises(HounsfieldError, match="same cases"):
        mcnemar([1, 0], [1])


def test_newcombe_published_example() -> None:
    """36 both, 12 only first, 2 only second, 0 neither: 0.20 (0.0569 to 0.3404), Stat Med 1998;17:2635, table II."""
    estimate = newcombe(*answers(36, 12, 2, 0))
    assert estimate.value == pytest.approx(0.20)
    assert (estimate.low, estimate.high) == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_newcombe_has_width_when_both_agree_everywhere() -> None:
    estimate = newcombe(*answers(20, 0, 0, 5))
    assert estimate.value == 0
    assert estimate.low < 0 < estimate.high
    with pytest.warns(UndefinedMetric, match="no case"):
        assert math.isnan(newcombe([], []).value)


def test_paired_delong_from_the_covariance() -> None:
    label, a, b, _ = scored(0)
    areas, cov = auc_covariance(label, np.array([a, b]))
    se = math.sqrt(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1])
    result = compare_auc(label, a, b)
    assert result.difference.value == pytest.approx(auc(label, a) - auc(label, b))
    assert result.p == pytest.approx(math.erfc(abs(areas[0] - areas[1]) / se / math.sqrt(2)))
    assert result.difference.high == pytest.approx(result.difference.value + 1.959964 * se, abs=1e-6)
    assert result.test == "paired DeLong"
    swapped = compare_auc(label, b, a)
    assert swapped.p == pytest.approx(result.p)
    assert swapped.difference.value == pytest.approx(-result.difference.value)


def test_clustered_comparison_agrees_with_the_bootstrap() -> None:
    label, a, b, patient = scored(1, patients=150)
    result = compare_auc(label, a, b, patient_id=patient)
    assert result.test == "paired Obuchowski"
    drawn = compare_by_bootstrap(
        lambda w: weighted_auc(label, a, w),
        lambda w: weighted_auc(label, b, w),
        cases=len(label),
        rng=np.random.default_rng(0),
        patient_id=patient,
        resamples=4000,
    )
    ends = (drawn.difference.low, drawn.difference.high)
    assert (result.difference.low, result.difference.high) == pytest.approx(ends, abs=0.01)
    assert math.isnan(drawn.p)


def test_copying_the_cases_of_each_patient_changes_no_p_value() -> None:
    label, a, b, _ = scored(2)
    once = compare_auc(label, a, b)
    patient = np.tile(np.arange(len(label)), 3)
    thrice = compare_auc(np.tile(label, 3), np.tile(a, 3), np.tile(b, 3), patient_id=patient)
    assert thrice.p == pytest.approx(once.p, rel=1e-9)


def test_same_ranking_is_p_one_and_no_variance_is_said() -> None:
    label = np.array([0, 0, 1, 1, 0, 1])
    prob = np.array([0.1, 0.6, 0.4, 0.8, 0.3, 0.7])
    alike = compare_auc(label, prob, 10 * prob)
    assert alike.p == 1
    assert not alike.difference.has_interval
    perfect_against_constant = compare_auc(label, label, np.zeros(6))
    assert perfect_against_constant.difference.value == 0.5
    assert math.isnan(perfect_against_constant.p)
    assert "no variance" in perfect_against_constant.difference.note
    assert "fewer than two" in compare_auc([0, 0, 1], [0.1, 0.5, 0.3], [0.2, 0.1, 0.4]).difference.note
    with pytest.warns(UndefinedMetric, match="no case"):
        assert math.isnan(compare_auc([1, 1], [0.1, 0.2], [0.1, 0.2]).p)


@pytest.mark.parametrize("seed", range(5))
def test_sign_flip_by_trying_all_signs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    patient = rng.integers(0, 9, 25)
    for difference in (rng.integers(-1, 2, 25).astype(float), rng.normal(size=25)):
        sums = [difference[patient == p].sum() for p in sorted(set(patient))]
        seen = abs(sum(sums))
        signs = itertools.product([1, -1], repeat=len(sums))
        totals = [abs(sum(s * d for s, d in zip(sign, sums, strict=True))) for sign in signs]
        expected = np.mean([total >= seen - 1e-9 for total in totals])
        p, how = sign_flip(difference, patient_id=patient)
        assert p == pytest.approx(expected, rel=1e-9)
        assert how == "exact sign-flip of patients"


def test_sign_flip_of_single_cases_is_exact_mcnemar() -> None:
    a, b = answers(100, 31, 14, 40)
    assert sign_flip(a - b)[0] == pytest.approx(mcnemar(a, b), rel=1e-9)
    assert mcnemar(a, b) == pytest.approx(binomtest(14, 45, 0.5).pvalue, rel=1e-9)


def test_random_flips_agree_with_the_exact_p() -> None:
    difference = np.random.default_rng(3).integers(-2, 4, 40).astype(float)
    exact, _ = sign_flip(difference)
    drawn, how = sign_flip(difference / 10, rng=np.random.default_rng(0), flips=40_000)
    assert how == "sign-flip of patients (40000 random flips)"
    assert drawn == pytest.approx(exact, abs=0.01)
    with pytest.raises(HounsfieldError, match="pass rng"):
        sign_flip(difference / 10)
    assert sign_flip([0.0, 0.0])[0] == sign_flip([])[0] == 1
    with pytest.raises(HounsfieldError, match="finite"):
        sign_flip([0.1, math.nan])


def test_accuracy_chooses_by_the_patients() -> None:
    label, a, b, patient = scored(4)
    called_a, called_b = (a > 0.5).astype(int), (b > 0.5).astype(int)
    single = compare_accuracy(label, called_a, called_b)
    assert single.test == "exact McNemar"
    assert single.p == mcnemar(called_a == label, called_b == label)
    repeated = compare_accuracy(label, called_a, called_b, patient_id=patient)
    assert repeated.test == "exact sign-flip of patients"
    assert repeated.difference.value == pytest.approx(single.difference.value)
    drawn = compare_accuracy(label, called_a, called_b, patient_id=patient, rng=np.random.default_rng(0))
    assert drawn.p == repeated.p
    assert drawn.difference.method.startswith("patient bootstrap")
    ends = (drawn.difference.low, drawn.difference.high)
    assert (repeated.difference.low, repeated.difference.high) == pytest.approx(ends, abs=0.025)


def test_means_of_dice_before_and_after() -> None:
    before = np.array([0.866, 0.799, 0.911, 0.852, math.nan])
    after = np.array([0.863, 0.719, 0.847, 0.802, 0.785])
    result = compare_means(before, after)
    assert result.difference.value == pytest.approx(0.04925)
    assert result.p == pytest.approx(2 / 16)  # all four fall: the two outermost of 16 sign patterns
    assert result.difference.note == "1 of 5 cases have no finite value"
    # t = 0.04925 / (0.03317 / 2) with 3 degrees of freedom, 3.182 the 97.5 % point
    sd = np.std([0.003, 0.080, 0.064, 0.050], ddof=1)
    assert result.difference.high == pytest.approx(0.04925 + 3.18245 * sd / 2, abs=1e-5)


def test_edges_of_means() -> None:
    with pytest.warns(UndefinedMetric, match="no case"):
        assert math.isnan(compare_means([], []).p)
    assert compare_means([0.5, 0.6], [0.5, 0.6]).p == 1
    assert not compare_means([0.5, 0.6], [0.5, 0.6]).difference.has_interval
    assert not compare_means([0.5, 0.7], [0.5, 0.6], patient_id=["A", "A"]).difference.has_interval
    with pytest.raises(HounsfieldError, match="one value a case"):
        compare_means([0.5], [0.5, 0.6])


@pytest.mark.slow
def test_level_of_the_tests_under_the_null() -> None:
    """Two equally good models, several cases a patient: 5 % tests reject in 5 % of 1000 draws, give or take 3 SE."""
    area = accuracy = 0
    for seed in range(1000):
        label, a, b, patient = scored(seed + 100, patients=60)
        area += compare_auc(label, a, b, patient_id=patient).p < 0.05
        called_a, called_b = (a > 0.5).astype(int), (b > 0.5).astype(int)
        accuracy += compare_accuracy(label, called_a, called_b, patient_id=patient).p < 0.05
    assert 0.03 < area / 1000 < 0.075
    assert 0.01 < accuracy / 1000 <= 0.07  # exact, hence below its level when few patients differ
