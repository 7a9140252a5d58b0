"""Several readers: analysis of variance, agreement, consensus and means, against R's printed answers and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.inter_rater import fleiss_kappa as their_fleiss

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.agreement import ICC_FORMS, fleiss_kappa, fleiss_kappa_of, icc
from hounsfield.stats.auc import auc_covariance
from hounsfield.stats.compare import compare_auc
from hounsfield.stats.consensus import majority
from hounsfield.stats.estimate import UndefinedMetric
from hounsfield.stats.mrmc import Covariances, analyse, covariances, reader_study
from hounsfield.stats.reader_average import bootstrap_p, mean_difference, reader_mean, resample
from hounsfield.stats.weighted import area, share

# Van Dyke et al. 1993: 5 readers, 2 modalities, 114 patients. AUCs and covariances as the documentation of the R
# packages RJafroc and MRMCaov prints them.
VAN_DYKE = np.array(
    [
        [0.9196457, 0.8587762, 0.9038647, 0.9731079, 0.8297907],
        [0.9478261, 0.9053140, 0.9217391, 0.9993559, 0.9299517],
    ]
)
PRINTED = Covariances(
    0.0008022883, 0.0003466137, 0.0003440748, 0.0002390284, (0.0004839618, 0.0002041879), (0.0010141, 0.0005905)
)


def test_van_dyke_as_r_prints_it() -> None:
    found = analyse(VAN_DYKE, PRINTED, n=114)
    assert found.f == pytest.approx(4.456319, rel=2e-5)
    assert found.freedom == (1, pytest.approx(15.25967, rel=2e-5))
    assert found.p == pytest.approx(0.05166569, rel=2e-5)
    (gap,) = found.differences
    assert gap.difference.value == pytest.approx(-0.04380032, abs=5e-8)
    assert gap.difference.low == pytest.approx(-0.0879594986, abs=1e-6)
    assert gap.difference.high == pytest.approx(0.0003588544, abs=1e-6)
    assert gap.p == pytest.approx(found.p)
    # MS(R) of each modality, printed beside: 0.003082629 and 0.001304602
    assert VAN_DYKE.var(axis=1, ddof=1) == pytest.approx([0.003082629, 0.001304602], rel=1e-4)
    for estimate, spread, shared in zip(found.modality, (0.003082629, 0.001304602), PRINTED.each_modality, strict=True):
        assert (estimate.high - estimate.low) / 2 > 1.96 * math.sqrt((spread + 5 * shared) / 5)


@pytest.mark.parametrize(
    ("random", "p", "gap", "modality"),
    [
        ("readers and cases", 0.05167, (-0.0879595, 0.0003589), ((0.8252, 0.9689), (0.8941, 0.9875))),
        ("cases", 0.01928, (-0.08049, -0.007115), ((0.8494, 0.9446), (0.9080, 0.9737))),
        ("readers", 0.04196, (-0.08502, -0.00258), ((0.8281, 0.9660), (0.8960, 0.9857))),
    ],
)
def test_van_dyke_whatever_is_random(random: str, p: float, gap: tuple, modality: tuple) -> None:
    """RJafroc's RRRC, FRRC and RRFC, as its book prints them."""
    found = analyse(VAN_DYKE, PRINTED, random=random, n=114)
    assert found.p == pytest.approx(p, abs=6e-6)
    (one,) = found.differences
    assert (one.difference.low, one.difference.high) == pytest.approx(gap, abs=6e-6)
    for estimate, ends in zip(found.modality, modality, strict=True):
        assert (estimate.low, estimate.high) == pytest.approx(ends, abs=6e-5)


def test_each_modality_has_its_own_variance() -> None:
    """With these readers alone the interval of a mean is that of DeLong's covariance of its readers."""
    rng = np.random.default_rng(1)
    label = np.repeat([0, 1], 40)
    score = np.array([1.5, 0.3])[:, None, None] * label + rng.normal(size=80) + rng.normal(size=(2, 3, 80))
    _, covariance = auc_covariance(label, score.reshape(6, -1))
    for place, one in enumerate(reader_study(label, score, random="cases").modality):
        block = covariance[3 * place : 3 * place + 3, 3 * place : 3 * place + 3]
        assert (one.high - one.low) / 2 == pytest.approx(1.959964 * math.sqrt(block.mean()), rel=1e-6)


def simulated(seed: int, *, readers: int = 4, cases: int = 60, gap: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Ratings with effects of case, reader x case and modality x case, as in Roe and Metz's model."""
    rng = np.random.default_rng(seed)
    label = np.repeat([0, 1], cases // 2)
    case, reader = rng.normal(0, 0.6, cases), rng.normal(0, 0.3, (1, readers, 1))
    by_case = rng.normal(0, 0.4, (1, readers, cases)) + rng.normal(0, 0.4, (2, 1, cases))
    signal = label * (1.2 + reader + np.array([0, gap])[:, None, None])
    return label, case + by_case + signal + rng.normal(0, 0.6, (2, readers, cases))


def test_one_reader_on_these_cases_is_delong() -> None:
    label, score = simulated(1, readers=1)
    found = reader_study(label, score, random="cases")
    delong = compare_auc(label, score[0, 0], score[1, 0])
    assert found.p == pytest.approx(delong.p, abs=1e-10)
    assert found.differences[0].difference.low == pytest.approx(delong.difference.low, abs=1e-10)
    with pytest.raises(HounsfieldError, match="two or more readers"):
        reader_study(label, score)


def test_fixed_readers_equal_delong_of_their_mean() -> None:
    """With these readers alone the variance is that of the mean difference under DeLong's covariance."""
    label, score = simulated(2, readers=3)
    areas, covariance = auc_covariance(label, score.reshape(6, -1))
    weights = np.r_[np.full(3, 1 / 3), np.full(3, -1 / 3)]
    found = reader_study(label, score, random="cases").differences[0].difference
    assert found.value == pytest.approx(weights @ areas)
    assert (found.high - found.low) / 2 == pytest.approx(1.959964 * math.sqrt(weights @ covariance @ weights), rel=1e-6)


def test_covariances_are_averages_over_pairs() -> None:
    rng = np.random.default_rng(3)
    half = rng.normal(size=(6, 6))
    matrix = half @ half.T
    found = covariances(matrix, modalities=2, readers=3)
    assert found.variance == pytest.approx(np.trace(matrix) / 6)
    assert found.same_reader == pytest.approx(np.mean([matrix[r, 3 + r] for r in range(3)]))
    pairs = [(a, b) for a in range(3) for b in range(3) if a != b]
    assert found.neither == pytest.approx(np.mean([matrix[a, 3 + b] for a, b in pairs]))
    assert found.each_modality[1] == pytest.approx(np.mean([matrix[3 + a, 3 + b] for a, b in pairs]))


@pytest.mark.slow
def test_level_of_the_test_under_the_null() -> None:
    """400 studies without a difference: rejected in 5 % within four standard errors, and mostly when there is one."""
    rejected = np.mean([reader_study(*simulated(seed)).p < 0.05 for seed in range(400)])
    assert rejected == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 400))
    assert np.mean([reader_study(*simulated(seed, gap=1.2)).p < 0.05 for seed in range(60)]) > 0.6


def test_random_readers_need_more_than_these_readers() -> None:
    label, score = simulated(5, gap=0.5)
    widths = {}
    for random in ("readers and cases", "cases", "readers"):
        gap = reader_study(label, score, random=random).differences[0].difference
        widths[random] = gap.high - gap.low
    assert widths["readers and cases"] > widths["readers"]
    for bad, message in (((label, score[0]), "modalities x readers"), ((label[:-1], score), "modalities x readers")):
        with pytest.raises(HounsfieldError, match=message):
            reader_study(*bad)
    with pytest.raises(HounsfieldError, match="random is one of"):
        reader_study(label, score, random="none")


# Shrout & Fleiss 1979, table 2: six targets by four judges.
JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])


@pytest.mark.parametrize(
    ("form", "value"), [("1,1", 0.17), ("2,1", 0.29), ("3,1", 0.71), ("1,k", 0.44), ("2,k", 0.62), ("3,k", 0.91)]
)
def test_icc_of_shrout_and_fleiss(form: str, value: float) -> None:
    found = icc(JUDGES, form=form)
    assert found.value == pytest.approx(value, abs=0.005)
    assert found.low < found.value < found.high


def test_icc_intervals() -> None:
    """As R's psych::ICC prints for these data: ICC1 -0.133 to 0.72, ICC2 0.019 to 0.76, ICC3 0.342 to 0.95."""
    for form, ends in (("1,1", (-0.133, 0.723)), ("2,1", (0.019, 0.761)), ("3,1", (0.342, 0.946))):
        found = icc(JUDGES, form=form)
        assert (found.low, found.high) == pytest.approx(ends, abs=0.002), form


def test_icc_edges() -> None:
    assert icc([[1, 1], [2, 2], [3, 3]], form="3,1").value == 1
    with pytest.warns(UndefinedMetric, match="the same"):
        assert math.isnan(icc([[1, 1], [1, 1]]).value)
    for alike in ([[1, 2], [2, 1]], [[1, 2], [1, 2]], [[1, 3], [2, 2], [3, 1]]):
        for form in ICC_FORMS:
            with pytest.warns(UndefinedMetric, match="cases' means"):
                assert math.isnan(icc(alike, form=form).value)
    for bad, message in (([[1, 2]], "2 x 2"), ([[1, math.nan], [2, 3]], "none missing")):
        with pytest.raises(HounsfieldError, match=message):
            icc(bad)
    with pytest.raises(HounsfieldError, match="form is one of"):
        icc(JUDGES, form="4,1")


# Fleiss 1971 as in textbooks: ten subjects, five classes, fourteen raters; kappa 0.210.
FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def test_fleiss_kappa() -> None:
    found = fleiss_kappa_of(FLEISS)
    assert found.value == pytest.approx(0.210, abs=5e-4)
    assert found.value == pytest.approx(their_fleiss(np.array(FLEISS)), abs=1e-10)
    assert found.low < found.value < found.high
    readers = np.random.default_rng(1).integers(3, size=(4, 50))
    counts = np.stack([(readers == k).sum(axis=0) for k in range(3)], axis=1)
    assert fleiss_kappa(readers.tolist()).value == pytest.approx(their_fleiss(counts), abs=1e-10)
    with pytest.warns(UndefinedMetric, match="one class"):
        assert math.isnan(fleiss_kappa([["a", "a"], ["a", "a"]]).value)
    with pytest.raises(HounsfieldError, match="two or more readers"):
        fleiss_kappa([["a", "b"]])
    with pytest.raises(HounsfieldError, match="same number of readers"):
        fleiss_kappa_of([[2, 0], [1, 2]])


def test_majority_by_hand() -> None:
    rank = {"smooth": 0, "lobulated": 2, "extension": 3}
    first = ["smooth", "smooth", "smooth", "extension"]
    second = ["smooth", "lobulated", "lobulated", "extension"]
    third = ["smooth", "lobulated", "extension", "smooth"]
    found = majority([first, second, third], rank=rank)
    assert found.choice == ("smooth", "lobulated", "lobulated", "extension")  # 3-0, 2-1, 1-1-1 by median, 2-1
    assert found.tied == (2,)
    assert majority([["smooth"], ["extension"]], rank=rank).choice == ("smooth",)  # of two the more benign
    with pytest.raises(HounsfieldError, match="missing: odd"):
        majority([["odd"]], rank=rank)


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ("00233", "0"),  # 2-2-1: the reading between the tied ones has one vote only and can't win
        ("22330", "2"),  # the lower of the tied, not the lowest of all
        ("33001", "0"),
        ("00112233", "1"),  # of four tied the lower median
        ("001122333", "3"),  # no tie
        ("0123", "1"),
        ("012", "1"),
        ("11223", "1"),
    ],
)
def test_only_tied_choices_win(votes: str, expected: str) -> None:
    found = majority([[vote] for vote in votes], rank={str(k): k for k in range(4)})
    assert found.choice == (expected,)
    assert found.tied == (() if votes == "001122333" else (0,))
    turned = majority([[vote] for vote in reversed(votes)], rank={str(k): k for k in range(4)})
    assert turned == found  # whoever votes first


def test_equal_ranks_are_told_apart_by_name() -> None:
    rank = {"isoechoic": 1, "hyperechoic": 1, "hypoechoic": 2}
    assert majority([["isoechoic"], ["hyperechoic"]], rank=rank).choice == ("hyperechoic",)


def test_means_over_readers() -> None:
    label = np.repeat([0, 1], 30)
    rng = np.random.default_rng(4)
    scores = [label + rng.normal(0, 1, 60) for _ in range(5)]
    found = resample([area(label, one) for one in scores], cases=60, rng=np.random.default_rng(1))
    fixed, general = reader_mean(found), reader_mean(found, rng=np.random.default_rng(2))
    assert fixed.value == general.value == pytest.approx(np.mean(found.value))
    assert general.high - general.low > fixed.high - fixed.low
    assert "readers and cases" in general.method
    gap, p = mean_difference(found, found)
    assert (gap.value, p) == (0, 1)


def test_bootstrap_p_of_discordants_one_way() -> None:
    """k of n cases differ, one way: 2 (1 - k/n)^n; k = 3 of 100 gives 0.095, identical systems 1."""
    calls = np.zeros(100, dtype=int)
    better = calls.copy()
    better[:3] = 1
    both = [
        resample([share(one, among=np.ones(100, dtype=int))], cases=100, rng=np.random.default_rng(7), resamples=8000)
        for one in (better, calls)
    ]
    _, p = mean_difference(*both)
    assert p == pytest.approx(2 * 0.97**100, abs=0.015)
    assert bootstrap_p(np.zeros(99), 0.0) == 1
    assert bootstrap_p(np.full(1999, 0.3), 0.3) == pytest.approx(2 / 2000)
    assert math.isnan(bootstrap_p(np.array([math.nan]), 0.3))
