"""Kappa, predictive values, partial areas, decision curves and matched levels, against other libraries and by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, cohen_kappa_score, roc_auc_score
from statsmodels.stats.inter_rater import cohens_kappa

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.average_precision import average_precision, weighted_average_precision
from hounsfield.stats.decision_curve import decision_curve
from hounsfield.stats.estimate import UndefinedMetric
from hounsfield.stats.kappa import kappa, kappa_of, mean_kappa
from hounsfield.stats.operating_point import DIAGNOSTIC, diagnostic, level_among, matched_to, youden
from hounsfield.stats.partial_auc import partial_auc
from hounsfield.stats.predictive_value import at_prevalence, npv, ppv

RNG = np.random.default_rng(3)
LABEL = RNG.integers(2, size=200)
SCORE = np.round(LABEL + RNG.normal(0, 1.2, 200), 1)  # with ties
PATIENT = RNG.integers(90, size=200)


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
def test_kappa_equals_scikit_learn(weights: str) -> None:
    first, second = RNG.integers(4, size=150), RNG.integers(4, size=150)
    second[:60] = first[:60]
    theirs = cohen_kappa_score(first, second, weights=None if weights == "none" else weights)
    found = kappa(first, second, weights=weights)
    assert found.value == pytest.approx(theirs, abs=1e-10)
    assert found.low < found.value < found.high


def test_kappa_of_a_matrix_equals_statsmodels() -> None:
    matrix = np.array([[22, 2, 2, 0], [5, 7, 14, 0], [0, 2, 36, 0], [0, 1, 17, 10]])  # carcinoma of the cervix, Agresti
    assert float(kappa_of(matrix)) == pytest.approx(0.493, abs=5e-4)
    for weights, kind in (("linear", "linear"), ("quadratic", "quadratic")):
        assert float(kappa_of(matrix, weights=weights)) == pytest.approx(cohens_kappa(matrix, wt=kind).kappa, abs=1e-10)


def test_kappa_has_edges() -> None:
    with pytest.warns(UndefinedMetric, match="same class"):
        assert math.isnan(kappa(["a", "a"], ["a", "a"]).value)
    with pytest.warns(UndefinedMetric, match="no case"):
        assert math.isnan(kappa([], []).value)
    with pytest.raises(HounsfieldError, match="cubic"):
        kappa([1, 2], [1, 2], weights="cubic")
    with pytest.raises(HounsfieldError, match="square"):
        kappa_of(np.ones((2, 3)))


def test_kappa_over_pairs() -> None:
    rng = np.random.default_rng(8)
    raters = np.clip(rng.integers(4, size=120) + rng.integers(-1, 2, size=(3, 120)), 0, 3)
    pairs = [(raters[a], raters[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    theirs = [cohen_kappa_score(a, b, weights="quadratic") for a, b in pairs]
    found = mean_kappa(pairs, weights="quadratic", patient_id=PATIENT[:120])
    assert found.mean.value == pytest.approx(np.mean(theirs))
    assert (found.smallest, found.largest, found.pairs) == (pytest.approx(min(theirs)), pytest.approx(max(theirs)), 3)
    assert found.mean.low < found.mean.value < found.mean.high
    assert found.mean.unit == "patients"


def test_kappa_over_pairs_has_edges() -> None:
    same, other = [1, 1, 1, 1], [1, 2, 1, 2]
    found = mean_kappa([(same, same), (other, other)])  # the first pair has no kappa
    assert (found.pairs, found.mean.value) == (1, 1)
    with pytest.warns(UndefinedMetric, match="no pair"):
        assert math.isnan(mean_kappa([(same, same)]).mean.value)
    with pytest.warns(UndefinedMetric, match="no pair"):
        assert mean_kappa([]).pairs == 0
    with pytest.raises(HounsfieldError, match="same cases"):
        mean_kappa([(same, other), (same[:3], other[:3])])
    # A step over an unused class counts as two: of three cases one is two steps off.
    first, second = [0, 2, 2], [0, 0, 2]
    assert mean_kappa([(first, second)], weights="linear", classes=[0, 1, 2]).mean.value == pytest.approx(0.4)


def test_predictive_values_by_hand() -> None:
    """Mercaldo's worked example has the same form: Se 80/100, Sp 180/200 at prevalence 0.1 -> PPV 0.08 / 0.17."""
    label = np.repeat([1, 1, 0, 0], [80, 20, 20, 180])
    called = np.repeat([1, 0, 1, 0], [80, 20, 20, 180])
    assert ppv(label, called).value == 0.8
    assert npv(label, called).value == 0.9
    found = ppv(label, called, prevalence=0.1)
    assert found.value == pytest.approx(0.08 / 0.17)
    centre, half = math.log(0.08 / 0.09), 1.959964 * math.sqrt(0.2 / (0.8 * 100) + 0.9 / (0.1 * 200))
    assert (found.low, found.high) == pytest.approx(
        [1 / (1 + math.exp(-(centre + s * half))) for s in (-1, 1)], abs=1e-6
    )
    found = npv(label, called, prevalence=0.1)
    assert found.value == pytest.approx(0.81 / 0.83)
    assert at_prevalence(0.8, 0.9, 0.1) == pytest.approx((0.08 / 0.17, 0.81 / 0.83))
    assert ppv(label, called, prevalence=1 / 3).value == pytest.approx(ppv(label, called).value)


def test_predictive_values_of_patients_with_several_cases() -> None:
    found = ppv(LABEL, SCORE > 0.5, prevalence=0.05, patient_id=PATIENT)
    assert found.unit == "patients"
    assert found.low < found.value < found.high


def test_predictive_values_have_edges() -> None:
    with pytest.warns(UndefinedMetric):
        assert math.isnan(ppv([1, 0], [0, 0]).value)
    with pytest.warns(UndefinedMetric, match="one class"):
        assert math.isnan(ppv([1, 1], [1, 0], prevalence=0.1).value)
    assert math.isnan(ppv([1, 0, 0], [1, 0, 0], prevalence=0.1).low)  # no false positive: no logit
    with pytest.raises(HounsfieldError, match="0.01 for 1 %"):
        ppv([1, 0], [1, 0], prevalence=1)
    with pytest.raises(HounsfieldError, match="specificity"):
        at_prevalence(0.5, 1.5, 0.1)


@pytest.mark.parametrize("top", [0.05, 0.2, 0.5, 1.0])
def test_partial_area_equals_scikit_learn(top: float) -> None:
    theirs = roc_auc_score(LABEL, SCORE, max_fpr=None if top == 1 else top)
    found = partial_auc(LABEL, SCORE, false_positive_rate=(0, top), standardised=True)
    assert found.value == pytest.approx(theirs, abs=1e-10)
    assert found.low < found.value < found.high


def test_parts_add_up_to_the_whole() -> None:
    whole = roc_auc_score(LABEL, SCORE)
    for kind in ("false_positive_rate", "sensitivity"):
        cuts = [(0.0, 0.37), (0.37, 0.8), (0.8, 1.0)]
        parts = [partial_auc(LABEL, SCORE, **{kind: cut}, resamples=100).value for cut in cuts]  # type: ignore[arg-type]
        assert sum(parts) == pytest.approx(whole, abs=1e-10)


def test_partial_areas_of_chance_and_perfection() -> None:
    label = np.repeat([0, 1], 50)
    for kind in ("false_positive_rate", "sensitivity"):
        cut = {kind: (0.1, 0.3)}
        assert partial_auc(label, label, **cut, standardised=True).value == pytest.approx(1)  # type: ignore[arg-type]
        flat = partial_auc(label, np.zeros(100), **cut, standardised=True)  # type: ignore[arg-type]
        assert flat.value == pytest.approx(0.5)
    for bad in ({}, {"false_positive_rate": (0.3, 0.1)}, {"sensitivity": (0, 1), "false_positive_rate": (0, 1)}):
        with pytest.raises(HounsfieldError, match="range"):
            partial_auc(label, label, **bad)  # type: ignore[arg-type]
    with pytest.warns(UndefinedMetric, match="one class"):
        assert math.isnan(partial_auc([1, 1], [0, 1], false_positive_rate=(0, 0.5)).value)


def test_net_benefit_by_counting() -> None:
    label, prob = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.4, 0.6, 0.3, 0.1])
    found = decision_curve(label, prob, thresholds=[0.5, 0.2, 0.4])
    # at 0.5: one true, one false; at 0.2: two true, two false; at 0.4: two true (0.4 reaches 0.4), one false
    assert found.net_benefit == pytest.approx([1 / 5 - 1 / 5, 2 / 5 - 2 / 5 * 0.25, 2 / 5 - 1 / 5 * (0.4 / 0.6)])
    assert found.treat_all == pytest.approx([2 / 5 - 3 / 5, 2 / 5 - 3 / 5 * 0.25, 2 / 5 - 3 / 5 * (0.4 / 0.6)])


def test_net_benefit_at_another_prevalence_and_its_band() -> None:
    prob = 1 / (1 + np.exp(-SCORE))
    found = decision_curve(LABEL, prob, prevalence=0.05, patient_id=PATIENT, resamples=200)
    assert found.unit == "patients"
    assert found.treat_all[4] == pytest.approx(0.0, abs=1e-12)  # threshold 0.05 = prevalence
    assert (found.low <= found.high).all()
    assert ((found.low <= found.net_benefit + 1e-9) & (found.net_benefit - 1e-9 <= found.high)).mean() > 0.9
    with pytest.raises(HounsfieldError, match=r"\[0, 1\]"):
        decision_curve(LABEL, SCORE)
    with pytest.warns(UndefinedMetric, match="one class"):
        assert np.isnan(decision_curve([1, 1], [0.2, 0.3]).net_benefit).all()


def test_levels_as_large_as_a_readers() -> None:
    """Scores 1 to N: each level's share is the reader's, to 1 / N."""
    points = np.repeat([0, 2, 3, 4, 6, 7, 9], [20, 30, 25, 50, 40, 20, 15])
    model = np.random.default_rng(1).permutation(np.arange(1.0, 201.0))
    thresholds = matched_to(points, model, starts=(3, 4, 7))
    shares = np.bincount(level_among(model, thresholds), minlength=4) / 200
    assert shares == pytest.approx([50 / 200, 25 / 200, 90 / 200, 35 / 200], abs=1 / 200)
    assert level_among(thresholds, thresholds).tolist() == [0, 1, 2]  # equal to a threshold: the lower level
    again = matched_to(points, np.exp(model / 50), starts=(3, 4, 7))
    assert (level_among(np.exp(model / 50), again) == level_among(model, thresholds)).mean() > 0.99
    with pytest.raises(HounsfieldError, match="rising"):
        matched_to(points, model, starts=(4, 3))


def test_thresholds_of_the_published_network(shared_data: Path) -> None:
    scores = pd.read_csv(shared_data / "thyroid" / "predictions_train.csv")["Prediction"].to_numpy()
    points = np.repeat([0, 3, 4, 7], [297, 553 - 297, 1038 - 553, 1278 - 1038])  # the radiologist's shares
    assert matched_to(points, scores, starts=(3, 4, 7)) == pytest.approx([0.4201, 0.5061, 0.6950], abs=5e-5)


def test_a_threshold_from_the_test_part_says_so() -> None:
    found = diagnostic(LABEL, SCORE)
    assert found.threshold == youden(LABEL, SCORE).threshold
    assert DIAGNOSTIC in found.rule


def test_average_precision_equals_scikit_learn_for_any_weights() -> None:
    weights = RNG.integers(0, 4, (6, 200)).astype(float)
    expected = [average_precision_score(LABEL, SCORE, sample_weight=row) for row in weights]
    assert weighted_average_precision(LABEL, SCORE, weights) == pytest.approx(expected, abs=1e-10)
    found = average_precision(LABEL, SCORE, patient_id=PATIENT)
    assert found.value == pytest.approx(average_precision_score(LABEL, SCORE), abs=1e-10)
    assert found.low < found < found.high
    assert found.unit == "patients"
