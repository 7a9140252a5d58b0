"""Statistics that can be re-derived of the granuloma study: standard errors, intervals, and coverage at its size.

Source: Guo and Yin, Distinguish solitary cryptococcosis from malignant pulmonary nodules; 17 positive and 41 negative
patients in the test part.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from hounsfield.stats.auc import auc, hanley_mcneil_se
from hounsfield.stats.auc_bootstrap import bootstrap_auc


def p_of_difference(first: float, second: float, correlation: float) -> float:
    a, b = (hanley_mcneil_se(area, positives=17, negatives=41) for area in (first, second))
    return math.erfc(abs(first - second) / math.sqrt(2 * (a * a + b * b - 2 * correlation * a * b)))


@pytest.mark.parametrize(("area", "low", "high"), [(0.83, 0.66, 0.92), (0.80, 0.63, 0.90), (0.75, 0.58, 0.87)])
def test_intervals_that_the_paper_does_not_print(area: float, low: float, high: float) -> None:
    half = 1.959964 * hanley_mcneil_se(area, positives=17, negatives=41) / (area * (1 - area))
    ends = [float(special.expit(special.logit(area) + sign * half)) for sign in (-1, 1)]
    assert ends == pytest.approx([low, high], abs=0.0051)


def test_the_ranking_of_the_arms_is_not_established() -> None:
    assert hanley_mcneil_se(0.83, positives=17, negatives=41) == pytest.approx(0.066, abs=5e-4)
    assert p_of_difference(0.83, 0.80, 0.5) == pytest.approx(0.66, abs=0.005)
    assert p_of_difference(0.83, 0.75, 0.5) == pytest.approx(0.26, abs=0.005)
    assert p_of_difference(0.83, 0.80, 0.8) == pytest.approx(0.49, abs=0.005)
    assert p_of_difference(0.83, 0.75, 0.8) == pytest.approx(0.08, abs=0.005)


@pytest.mark.parametrize(("shift", "area"), [(0.5, 0.6382), (1.0, 0.7602), (1.5, 0.8556), (2.0, 0.9214)])
def test_area_of_two_normal_laws(shift: float, area: float) -> None:
    assert special.ndtr(shift / math.sqrt(2)) == pytest.approx(area, abs=5e-5)
    rng = np.random.default_rng(int(10 * shift))
    up, down = rng.normal(shift, 1, 200_000), rng.normal(0, 1, 200_000)
    found = auc(np.repeat([1, 0], 200_000), np.r_[up, down])
    assert found.value == pytest.approx(area, abs=0.003)


@pytest.mark.slow
@pytest.mark.parametrize(("area", "plain", "logit"), [(0.75, 0.926, 0.952), (0.83, 0.915, 0.950), (0.88, 0.900, 0.947)])
def test_coverage_at_17_and_41(area: float, plain: float, logit: float) -> None:
    """DeLong's 95 % interval on both scales, by the formula itself on 40,000 simulated studies."""
    studies, shift = 40_000, math.sqrt(2) * float(special.ndtri(area))
    rng = np.random.default_rng(round(1000 * area))
    covered = np.zeros(2)
    for _ in range(20):
        up, down = rng.normal(shift, 1, (studies // 20, 17)), rng.normal(0, 1, (studies // 20, 41))
        wins = up[:, :, None] > down[:, None, :]
        value = wins.mean(axis=(1, 2))
        variance = wins.mean(axis=2).var(axis=1, ddof=1) / 17 + wins.mean(axis=1).var(axis=1, ddof=1) / 41
        se = np.sqrt(variance)
        inside = np.abs(value - area) <= 1.959964 * se
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = np.abs(special.logit(value) - special.logit(area)) * value * (1 - value)
        # At an area of 1 the logit form is undefined; the exact bound given in its place holds these areas.
        on_logit = np.where(value < 1, gap <= 1.959964 * se, True)
        covered += [inside.sum(), on_logit.sum()]
    error = 4 * math.sqrt(0.05 * 0.95 / studies)
    assert covered / studies == pytest.approx([plain, logit], abs=error + 5e-4)


def test_the_formula_of_the_coverage_is_ours() -> None:
    rng = np.random.default_rng(1)
    up, down = rng.normal(1.2, 1, 17), rng.normal(0, 1, 41)
    wins = up[:, None] > down[None]
    se = math.sqrt(wins.mean(axis=1).var(ddof=1) / 17 + wins.mean(axis=0).var(ddof=1) / 41)
    found = auc(np.repeat([1, 0], [17, 41]), np.r_[up, down])
    half = 1.959964 * se / (found.value * (1 - found.value))
    assert found.low == pytest.approx(special.expit(special.logit(found.value) - half), abs=1e-6)


def test_duplicated_scans_leave_the_patients_interval_alone() -> None:
    """Every scan four times: the interval over patients stays, the naive one shrinks by about 2."""
    rng = np.random.default_rng(3)
    label = np.repeat([1, 0], [17, 41])
    score = label + rng.normal(0, 1, 58)
    patient = np.arange(58)
    once = bootstrap_auc(label, [score], rng=np.random.default_rng(1), patient_id=patient)
    four = bootstrap_auc(
        np.repeat(label, 4), [np.repeat(score, 4)], rng=np.random.default_rng(1), patient_id=np.repeat(patient, 4)
    )
    assert four == pytest.approx(once, abs=1e-12, nan_ok=True)
    plain = auc(label, score)
    naive = auc(np.repeat(label, 4), np.repeat(score, 4))
    respectful = auc(np.repeat(label, 4), np.repeat(score, 4), patient_id=np.repeat(patient, 4))
    assert (plain.high - plain.low) / (naive.high - naive.low) == pytest.approx(2, abs=0.1)
    assert (respectful.low, respectful.high) == pytest.approx((plain.low, plain.high), abs=0.01)
