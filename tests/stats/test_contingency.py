"""Tests of tables of counts against SciPy, a published 4 x 4 table and listing by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import Table

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.contingency import chi_square, fisher
from hounsfield.stats.estimate import UndefinedMetric


def test_site_comparison_of_a_published_study() -> None:
    """Three sets' class mix: uncorrected 1.6e-13 over all; HB v XZ 0.0071, with Yates 0.0082."""
    table = [[430, 671], [537, 426], [387, 398]]
    assert chi_square(table).p == pytest.approx(1.6e-13, rel=0.03)
    assert chi_square(table).freedom == 2
    assert chi_square(table[1:]).p == pytest.approx(0.0071, abs=5e-5)
    assert chi_square(table[1:], correction=True).p == pytest.approx(0.0082, abs=5e-5)


def test_equals_statsmodels() -> None:
    table = np.array([[12, 5, 7], [3, 9, 11], [8, 8, 2]])
    ours, theirs = chi_square(table), Table(table, shift_zeros=False).test_nominal_association()
    assert (ours.statistic, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-10)


def brute_force(table: np.ndarray) -> float:
    """All 3 x 2 tables of the margins, by their chances."""
    rows, first = table.sum(axis=1), table[:, 0].sum()
    total = math.comb(int(rows.sum()), int(first))
    chances, seen = [], 0.0
    for column in itertools.product(*(range(n + 1) for n in rows)):
        if sum(column) == first:
            chance = math.prod(math.comb(int(n), k) for n, k in zip(rows, column, strict=True)) / total
            chances.append(chance)
            seen = chance if column == tuple(table[:, 0]) else seen
    assert sum(chances) == pytest.approx(1)
    return sum(chance for chance in chances if chance <= seen * (1 + 1e-9))


@pytest.mark.parametrize("table", [[[3, 1], [0, 5], [4, 2]], [[7, 7], [1, 9], [2, 0]], [[5, 5], [5, 5], [5, 5]]])
def test_exact_beyond_2_by_2_equals_listing(table: list[list[int]]) -> None:
    found = fisher(table)
    assert found.p == pytest.approx(brute_force(np.array(table)), abs=1e-10)
    assert fisher(np.transpose(table)).p == pytest.approx(found.p, abs=1e-10)


def test_exact_2_by_2_equals_scipy() -> None:
    assert fisher([[402, 121], [425, 98]]).p == pytest.approx(stats.fisher_exact([[402, 121], [425, 98]]).pvalue)
    assert fisher([[402, 121], [425, 98]]).p == pytest.approx(0.0944, abs=5e-5)


def test_a_large_table_is_drawn() -> None:
    """Job satisfaction by income (Agresti, Categorical Data Analysis, 2002, p. 57): exact p = 0.7827."""
    table = [[1, 3, 10, 6], [2, 3, 10, 7], [1, 6, 14, 12], [0, 1, 9, 11]]
    found = fisher(table, rng=np.random.default_rng(1))
    assert "drawn" in found.note
    assert found.p == pytest.approx(0.7827, abs=4 * math.sqrt(0.78 * 0.22 / 20_000))


def test_edges() -> None:
    for test in (chi_square, fisher):
        assert test([[3, 0], [5, 0]]).p == 1
        with pytest.warns(UndefinedMetric, match="no count"):
            assert math.isnan(test([[0, 0], [0, 0]]).p)
        for bad in ([[1, -1], [2, 3]], [[0.5, 1], [2, 3]], [1, 2, 3], [[math.nan, 1], [1, 1]]):
            with pytest.raises(HounsfieldError, match="table of counts"):
                test(bad)
    assert "below 5" in chi_square([[1, 9], [8, 2]]).note
    with pytest.raises(HounsfieldError, match="2 x 2"):
        chi_square([[1, 2, 3], [3, 2, 1]], correction=True)
