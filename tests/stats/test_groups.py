"""Two groups compared, against SciPy and statsmodels and a paper's re-derived p-values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.estimate import UndefinedMetric
from hounsfield.stats.groups import rank_sum, signed_rank, t_test, t_test_from_summary

RNG = np.random.default_rng(11)
A, B = RNG.normal(1, 2, 23), RNG.normal(0.2, 1, 31)


@pytest.mark.parametrize("equal", [True, False])
def test_t_tests_equal_scipy_and_statsmodels(equal: bool) -> None:
    found = t_test(A, B, equal_variance=equal)
    assert found.p == pytest.approx(stats.ttest_ind(A, B, equal_var=equal).pvalue, abs=1e-10)
    theirs = CompareMeans(DescrStatsW(A), DescrStatsW(B))
    ends = theirs.tconfint_diff(usevar="pooled" if equal else "unequal")
    assert (found.difference.low, found.difference.high) == pytest.approx(ends, abs=1e-10)


@pytest.mark.parametrize(
    ("first", "second", "welch", "student"),
    [
        ((54.0, 11.7, 87), (57.1, 10.5, 208), 0.034, 0.026),  # age
        ((16.4, 26.0, 87), (10.1, 10.9, 208), 0.032, 0.004),  # nodule volume
        ((26.8, 11.0, 87), (24.6, 6.4, 208), 0.084, 0.033),  # diameter
        ((3491.9, 1017.8, 87), (3552.8, 1184.6, 208), 0.656, 0.675),  # lung volume
    ],
)
def test_printed_means_of_the_granuloma_study(
    first: tuple[float, float, int], second: tuple[float, float, int], welch: float, student: float
) -> None:
    assert t_test_from_summary(first, second).p == pytest.approx(welch, abs=6e-4)
    assert t_test_from_summary(first, second, equal_variance=True).p == pytest.approx(student, abs=6e-4)


def test_rank_tests_equal_scipy() -> None:
    assert rank_sum(A, B).p == pytest.approx(stats.mannwhitneyu(A, B).pvalue, abs=1e-12)
    found = signed_rank(A, B[:23])
    assert found.p == pytest.approx(stats.wilcoxon(A, B[:23]).pvalue, abs=1e-12)
    assert found.difference.value == pytest.approx(np.median(A - B[:23]))


def test_a_patient_with_many_cases_is_one_difference() -> None:
    first, second = np.repeat(A, 3), np.repeat(B[:23], 3)
    found = signed_rank(first, second, patient_id=np.repeat(np.arange(23), 3))
    assert found.p == pytest.approx(stats.wilcoxon(A, B[:23]).pvalue, abs=1e-12)
    assert (found.difference.n, found.difference.unit) == (23, "patients")


def test_all_differences_one_way() -> None:
    # 8 positive differences: 2 / 2^8
    assert signed_rank(np.arange(1.0, 9.0), np.zeros(8)).p == pytest.approx(2 / 256)
    assert signed_rank([1.0, 2.0], [1.0, 2.0]).p == 1


def test_edges() -> None:
    found = t_test([1.0, 2.0, math.nan], [2.0, 3.0, 4.0])
    assert "1 without a finite value" in found.difference.note
    with pytest.warns(UndefinedMetric, match="fewer than two"):
        assert math.isnan(t_test([1.0], B).p)
    with pytest.warns(UndefinedMetric, match="empty"):
        assert math.isnan(rank_sum([], B).p)
    with pytest.warns(UndefinedMetric, match="no case"):
        assert math.isnan(signed_rank([math.nan], [1.0]).p)
    assert t_test_from_summary((1, 0, 5), (1, 0, 5)).p == 1
    assert math.isnan(t_test_from_summary((1, 0, 5), (2, 0, 5)).p)
    for bad in ((1, 1, 1), (1, -1, 5), (math.nan, 1, 5)):
        with pytest.raises(HounsfieldError, match="mean, sd, n"):
            t_test_from_summary(bad, (1, 1, 5))
    with pytest.raises(HounsfieldError, match="one value a case"):
        signed_rank([1.0], [1.0, 2.0])
