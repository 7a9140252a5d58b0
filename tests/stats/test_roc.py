"""The ROC curve against scikit-learn and a hand count; the band against one made with rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.auc import auc
from hounsfield.stats.estimate import UndefinedMetric
from hounsfield.stats.roc import roc_band, roc_curve


def drawn(seed: int, n: int = 80) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, n)
    return label, np.round(rng.normal(size=n) + label, 1)


def test_corners_by_hand() -> None:  # scores .9 +, .5 + and - together, .1 -
    curve = roc_curve([1, 1, 0, 0], [0.9, 0.5, 0.5, 0.1])
    assert curve.false_positive_rate.tolist() == [0, 0, 0.5, 1]
    assert curve.sensitivity.tolist() == [0, 0.5, 1, 1]
    assert curve.threshold.tolist() == [np.inf, 0.9, 0.5, 0.1]


@pytest.mark.parametrize("seed", range(3))
def test_equals_scikit_learn_and_holds_the_area(seed: int) -> None:
    label, prob = drawn(seed)
    curve = roc_curve(label, prob)
    fpr, tpr, threshold = metrics.roc_curve(label, prob, drop_intermediate=False)
    np.testing.assert_allclose(curve.false_positive_rate, fpr, atol=1e-12)
    np.testing.assert_allclose(curve.sensitivity, tpr, atol=1e-12)
    np.testing.assert_array_equal(curve.threshold, threshold)
    assert np.trapezoid(curve.sensitivity, curve.false_positive_rate) == pytest.approx(auc(label, prob))


@pytest.mark.parametrize("label", [[], [1, 1], [0, 0]])
def test_one_class_has_no_curve(label: list[int]) -> None:
    with pytest.warns(UndefinedMetric, match="ROC curve"):
        curve = roc_curve(label, [0.2, 0.7][: len(label)])
    assert np.isnan(curve.false_positive_rate).any() or np.isnan(curve.sensitivity).any()
    with pytest.warns(UndefinedMetric, match="ROC curve"):
        band = roc_band(label, [0.2, 0.7][: len(label)], rng=np.random.default_rng(0))
    assert np.isnan(band.low).all()


def test_band_holds_the_curve_and_agrees_with_rows() -> None:
    label, prob = drawn(4)
    patient = np.random.default_rng(1).integers(0, 40, len(label))
    grid = np.array([0.05, 0.2, 0.5])
    band = roc_band(label, prob, rng=np.random.default_rng(0), patient_id=patient, grid=grid, resamples=4000)
    assert (band.low <= band.sensitivity).all()
    assert (band.sensitivity <= band.high).all()
    assert (band.n, band.unit) == (len(set(patient)), "patients")
    generator, everyone, rows_of = np.random.default_rng(5), np.unique(patient), []
    for _ in range(1500):
        rows = np.concatenate([np.flatnonzero(patient == p) for p in generator.choice(everyone, len(everyone))])
        fpr, tpr, _ = metrics.roc_curve(label[rows], prob[rows], drop_intermediate=False)
        rows_of.append(np.interp(grid, fpr, tpr))
    np.testing.assert_allclose(band.low, np.quantile(rows_of, 0.025, axis=0), atol=0.04)
    np.testing.assert_allclose(band.high, np.quantile(rows_of, 0.975, axis=0), atol=0.04)


def test_band_repeats_and_checks_its_grid() -> None:
    label, prob = drawn(6)
    first, again = (roc_band(label, prob, rng=np.random.default_rng(2), resamples=200) for _ in range(2))
    np.testing.assert_array_equal(first.low, again.low)
    assert len(first.false_positive_rate) == 101
    with pytest.raises(HounsfieldError, match="grid"):
        roc_band(label, prob, rng=np.random.default_rng(2), grid=[0.5, 2.0])
