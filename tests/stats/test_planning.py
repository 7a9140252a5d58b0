"""Permutation, non-inferiority and sample size: by listing, by definition, and under the null."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import special, stats

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.auc import auc, hanley_mcneil_se
from hounsfield.stats.compare import compare_auc
from hounsfield.stats.non_inferiority import non_inferior_auc, non_inferior_share
from hounsfield.stats.permutation import permuted_auc, permuted_auc_difference
from hounsfield.stats.sample_size import for_auc_against, for_auc_difference, for_auc_width, for_paired_shares


def test_permuted_labels_against_all_permutations() -> None:
    label = np.array([1, 1, 1, 0, 0, 0, 0])
    score = np.array([0.9, 0.8, 0.3, 0.7, 0.4, 0.2, 0.1])
    gap = abs(float(auc(label, score)) - 0.5)
    everything = [
        abs(float(auc(np.isin(np.arange(7), chosen).astype(int), score)) - 0.5) >= gap - 1e-12
        for chosen in itertools.combinations(range(7), 3)
    ]
    exact = float(np.mean(everything))
    assert exact == pytest.approx(stats.mannwhitneyu(score[:3], score[3:], method="exact").pvalue)
    found = permuted_auc(label, score, rng=np.random.default_rng(1), draws=4000)
    assert found == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 4000) + 1e-3)


def test_patients_swap_their_labels_as_a_whole() -> None:
    """Four patients of two like cases each: 6 ways to deal two positives; the observed split and its mirror are 2."""
    label, score = np.repeat([1, 1, 0, 0], 2), np.repeat([4.0, 3.0, 2.0, 1.0], 2)
    found = permuted_auc(label, score, rng=np.random.default_rng(2), patient_id=np.repeat(list("abcd"), 2), draws=4000)
    assert found == pytest.approx(1 / 3, abs=0.03)
    assert permuted_auc(label, score, rng=np.random.default_rng(2), draws=4000) < 0.08  # as if cases were patients


def test_permuted_models() -> None:
    rng = np.random.default_rng(5)
    label = rng.integers(2, size=120)
    good, bad = label + rng.normal(0, 1, 120), 0.3 * label + rng.normal(0, 1, 120)
    p = permuted_auc_difference(label, good, bad, rng=np.random.default_rng(6))
    assert p == pytest.approx(compare_auc(label, good, bad).p, abs=0.02)  # the same question, asked otherwise
    assert permuted_auc_difference(label, good, 3 * good + 1, rng=np.random.default_rng(6), draws=200) == 1
    with pytest.raises(HounsfieldError, match="both classes"):
        permuted_auc_difference([1, 1], [1, 2], [2, 1], rng=rng)


def test_non_inferiority_of_an_area() -> None:
    rng = np.random.default_rng(7)
    label = rng.integers(2, size=400)
    old = label + rng.normal(0, 1, 400)
    new = old + rng.normal(0, 0.2, 400)
    found = non_inferior_auc(label, new, old, margin=0.05)
    delong = compare_auc(label, new, old)
    assert found.holds
    assert (found.difference.low, found.difference.high) == pytest.approx(
        (delong.difference.low, delong.difference.high)
    )
    se = (delong.difference.high - delong.difference.low) / 2 / special.ndtri(0.975)
    assert found.p == pytest.approx(special.ndtr(-(delong.difference.value + 0.05) / se), rel=1e-6)
    worse = non_inferior_auc(label, rng.normal(0, 1, 400), old, margin=0.05)
    assert not worse.holds
    assert worse.p > 0.9
    assert "not shown" in str(worse)


def test_non_inferiority_of_a_share() -> None:
    old = np.repeat([1, 0], [80, 20])
    assert non_inferior_share(old, old, margin=0.1).holds
    assert not non_inferior_share(np.repeat([1, 0], [60, 40]), old, margin=0.1).holds
    assert not non_inferior_share(old[::10], old[::10], margin=0.1).holds  # ten cases show nothing
    for margin, alpha in ((0, 0.025), (0.1, 0.5), (-0.1, 0.025)):
        with pytest.raises(HounsfieldError, match="margin"):
            non_inferior_share(old, old, margin=margin, alpha=alpha)


def test_width_is_just_reached() -> None:
    found = for_auc_width(0.85, half_width=0.05, ratio=2)
    for positives, enough in ((found.positives, True), (found.positives - 1, False)):
        se = hanley_mcneil_se(0.85, positives=positives, negatives=2 * positives)
        assert (1.959964 * se <= 0.05) == enough
    assert found.negatives == 2 * found.positives
    assert found.total == 3 * found.positives


def test_power_against_chance_by_simulation() -> None:
    """Binormal scores of AUC 0.75: the planned size rejects 0.5 in about 80 % of studies."""
    found = for_auc_against(0.75)
    rng = np.random.default_rng(9)
    shift = math.sqrt(2) * float(special.ndtri(0.75))
    rejected = 0
    for _ in range(400):
        up, down = rng.normal(shift, 1, found.positives), rng.normal(0, 1, found.negatives)
        rejected += stats.mannwhitneyu(up, down).pvalue < 0.05
    assert rejected / 400 == pytest.approx(0.8, abs=0.07)


def test_correlated_areas_need_fewer_cases() -> None:
    apart = for_auc_difference(0.80, 0.85, correlation=0.0)
    together = for_auc_difference(0.80, 0.85, correlation=0.5)
    assert together.total < 0.6 * apart.total
    with pytest.raises(HounsfieldError, match="the same"):
        for_auc_difference(0.8, 0.8, correlation=0.5)


def test_paired_shares() -> None:
    """Shares 0.20 and 0.10 of discordant pairs: (1.96 sqrt(0.3) + 0.8416 sqrt(0.29))^2 / 0.01 = 233.2 -> 234."""
    by_hand = (1.959964 * math.sqrt(0.3) + 0.841621 * math.sqrt(0.3 - 0.01)) ** 2 / 0.01
    assert for_paired_shares(0.2, 0.1) == math.ceil(by_hand) == 234
    for bad in ((0.1, 0.1), (0.7, 0.6)):
        with pytest.raises(HounsfieldError, match="two different shares"):
            for_paired_shares(*bad)


def test_impossible_plans() -> None:
    with pytest.raises(HounsfieldError, match="area lies between"):
        for_auc_width(0.4, half_width=0.05)
    with pytest.raises(HounsfieldError, match="probability"):
        for_auc_against(0.8, power=1.0)
