"""Which interval is chosen when, and that it covers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.auc import auc, delong_interval
from hounsfield.stats.classification import accuracy, brier, f1, macro_auc, mcc, sensitivity, specificity
from hounsfield.stats.estimate import UndefinedMetric
from hounsfield.stats.intervals import mean_interval, share_interval
from hounsfield.stats.proportion import wilson


def clustered(seed: int, patients: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
    label = (rng.random(len(patient)) < 0.4).astype(int)
    prob = 1 / (1 + np.exp(-(label + 0.7 * rng.normal(size=patients)[patient] + rng.normal(size=len(patient)))))
    return label, prob, patient


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_auc_chooses_by_the_patients() -> None:
    label, prob, patient = clustered(0)
    single = auc(label, prob, patient_id=range(len(label)), rng=rng())
    assert single.method == "DeLong, logit scale"
    assert single == delong_interval(label, prob)
    repeated = auc(label, prob, patient_id=patient, rng=rng())
    assert repeated.method == "patient bootstrap (BCa, 2000 resamples)"
    analytic = auc(label, prob, patient_id=patient)
    assert analytic.method == "Obuchowski, logit scale"
    assert repeated.value == pytest.approx(metrics.roc_auc_score(label, prob))
    assert (repeated.low, repeated.high) == pytest.approx((analytic.low, analytic.high), abs=0.02)
    assert (repeated.n, repeated.unit) == (60, "patients")


def test_perfect_auc_of_repeated_patients_never_has_zero_width() -> None:
    estimate = auc([0, 0, 1, 1, 0, 1], [0.1, 0.1, 0.9, 0.9, 0.2, 0.8], patient_id=list("aabbcd"), rng=rng())
    assert estimate.value == 1
    assert estimate.low == pytest.approx(0.025**0.5)  # patients a, c against b, d: two disjoint pairs
    assert "undefined" in estimate.note


def test_auc_of_one_class_warns() -> None:
    with pytest.warns(UndefinedMetric, match="no negative case"):
        assert math.isnan(auc([1, 1, 1], [0.1, 0.2, 0.3], patient_id=list("aab"), rng=rng()).value)


def test_accuracy_chooses_by_the_patients() -> None:
    label, prob, patient = clustered(1)
    called = (prob > 0.5).astype(int)
    assert accuracy(label, called) == wilson(int((label == called).sum()), len(label))
    repeated = accuracy(label, called, patient_id=patient, rng=rng())
    assert repeated.method.startswith("patient bootstrap")
    assert repeated.value == pytest.approx(metrics.accuracy_score(label, called))
    analytic = accuracy(label, called, patient_id=patient)
    assert (repeated.low, repeated.high) == pytest.approx((analytic.low, analytic.high), abs=0.02)


def test_all_right_with_repeated_patients_counts_patients() -> None:
    estimate = share_interval([1] * 20, patient_id=[k // 2 for k in range(20)], rng=rng())
    assert estimate.low == pytest.approx(0.025 ** (1 / 10))  # Clopper-Pearson at 10 of 10
    assert estimate.high == 1
    assert "one trial" in estimate.note


def test_sensitivity_and_specificity_take_their_own_cases() -> None:
    label, called = np.array([1, 1, 1, 0, 0]), np.array([1, 1, 0, 0, 1])
    assert sensitivity(label, called) == wilson(2, 3)
    assert specificity(label, called, patient_id=list("aabcd")) == wilson(1, 2)
    assert sensitivity(label, called, patient_id=list("aabcd")).n == 2
    with pytest.raises(HounsfieldError, match="one value a case"):
        sensitivity(label, called[:3])


def test_f1_and_mcc_are_bootstrapped_around_the_right_value() -> None:
    label, prob, patient = clustered(2)
    called = (prob > 0.5).astype(int)
    for average in ("weighted", "macro"):
        estimate = f1(label, called, average=average, patient_id=patient, rng=rng())
        assert estimate.value == pytest.approx(metrics.f1_score(label, called, average=average))
        assert estimate.low < estimate.value < estimate.high
    estimate = mcc(label, called, patient_id=patient, rng=rng())
    assert estimate.value == pytest.approx(metrics.matthews_corrcoef(label, called))
    by_rows = []
    generator = np.random.default_rng(8)
    for _ in range(1500):
        rows = np.concatenate([np.flatnonzero(patient == p) for p in generator.integers(0, 60, 60)])
        by_rows.append(np.corrcoef(label[rows], called[rows])[0, 1])
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(by_rows, [0.025, 0.975])), abs=0.03)


def test_macro_auc_and_brier() -> None:
    generator = np.random.default_rng(3)
    label = generator.integers(0, 3, 90)
    prob = generator.dirichlet([1, 1, 1], 90)
    estimate = macro_auc(label, prob, classes=[0, 1, 2], rng=rng())
    assert estimate.value == pytest.approx(metrics.roc_auc_score(label, prob, multi_class="ovr"))
    assert estimate.low < 0.5 < estimate.high
    binary = brier(label == 1, prob[:, 1], rng=rng())
    assert binary.value == pytest.approx(metrics.brier_score_loss(label == 1, prob[:, 1]))


def test_mean_leaves_out_what_has_no_value_and_says_so() -> None:
    estimate = mean_interval([0.8, math.nan, 0.9, 0.7], rng=rng())
    assert estimate.value == pytest.approx(0.8)
    assert estimate.n == 3
    assert "1 of 4 cases have no value" in estimate.note
    endless = mean_interval([1.0, math.inf], rng=rng())
    assert endless.value == math.inf
    assert not endless.has_interval


def test_no_case_at_all() -> None:
    with pytest.warns(UndefinedMetric):
        assert math.isnan(f1([], [], average="macro", rng=rng()).value)
    with pytest.warns(UndefinedMetric):
        assert math.isnan(mean_interval([], rng=rng()).value)
    with pytest.warns(UndefinedMetric):
        assert math.isnan(accuracy([], []).value)


@pytest.mark.slow
def test_bootstrap_of_clustered_auc_covers() -> None:
    """True area 0.8, one to three cases a patient with a shared part: 300 intervals, 95 % give or take 3 SE."""
    shift = 0.8416212 * math.sqrt(2)
    generator = np.random.default_rng(11)
    held = 0
    for _ in range(300):
        patient = np.repeat(np.arange(70), generator.integers(1, 4, 70))
        label = (generator.random(len(patient)) < 0.5).astype(int)
        shared = math.sqrt(0.5) * generator.normal(size=70)[patient]
        prob = shift * label + shared + math.sqrt(0.5) * generator.normal(size=len(patient))
        estimate = auc(label, prob, patient_id=patient, rng=generator, resamples=500)
        held += estimate.low <= 0.8 <= estimate.high
    assert 0.91 < held / 300 < 0.985
