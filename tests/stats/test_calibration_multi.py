"""Calibration of several classes: hand counts, scikit-learn's bins, SciPy's optimiser, simulated truths and edges."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.calibration import calibration_error, calibration_fit
from hounsfield.stats.calibration_multi import (
    class_calibration,
    classwise_error,
    confidence_error,
    multinomial_calibration,
)
from hounsfield.stats.estimate import UndefinedMetric
from hounsfield.stats.multinomial import multinomial_logistic

CLASSES = ("a", "b", "c")
FEW = 200  # resamples where the interval is not what is tested
LABEL = ["a", "b", "b", "c"]
PROB = [[0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.5, 0.4, 0.1], [0.0, 0.1, 0.9]]


def drawn(seed: int, n: int = 400, *, factor: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels drawn from the softmax of scores, the softmax of `factor` times these scores, and patients."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=(n, 3)) * 1.5 + [0.5, 0.0, -0.5]
    true = softmax(score, axis=1)
    code = (rng.random((n, 1)) > np.cumsum(true, axis=1)).sum(axis=1)
    return np.array(CLASSES)[code], softmax(factor * score, axis=1), rng.integers(0, n // 2, n)


def test_confidence_by_hand() -> None:
    """Two bins of width 1/2, all confidences in the upper: .6 right, .6 right, .5 wrong, .9 right: |3 - 2.6| / 4."""
    assert confidence_error(LABEL, PROB, classes=CLASSES, bins=2, resamples=FEW) == pytest.approx(0.1)
    # Ten bins: |2 - 1.2| in the bin of .6, |0 - .5| in that of .5, |1 - .9| in the last.
    assert confidence_error(LABEL, PROB, classes=CLASSES, resamples=FEW) == pytest.approx((0.8 + 0.5 + 0.1) / 4)


def test_classwise_by_hand() -> None:
    """Two bins. a: below .5 (.3, .0) |0 - .3|, above (.6, .5) |1 - 1.1|.

    b: below (.3, .4, .1) |1 - .8|, above (.6) |1 - .6|. c: below (.1, .1, .1) |0 - .3|, above (.9) |1 - .9|.
    """
    expected = (0.4 / 4 + 0.6 / 4 + 0.4 / 4) / 3
    assert classwise_error(LABEL, PROB, classes=CLASSES, bins=2, resamples=FEW) == pytest.approx(expected)


def test_errors_from_the_bins_of_scikit_learn() -> None:
    label, prob, _ = drawn(1)

    def error(positive: np.ndarray, given: np.ndarray) -> float:
        observed, mean = calibration_curve(positive, given, n_bins=10)
        count = np.histogram(given, bins=np.linspace(0, 1, 11))[0]
        return float(np.sum(np.abs(observed - mean) * count[count > 0]) / len(given))

    each = [error(label == name, prob[:, k]) for k, name in enumerate(CLASSES)]
    assert classwise_error(label, prob, classes=CLASSES, resamples=FEW) == pytest.approx(np.mean(each), abs=1e-12)
    right = np.array(CLASSES)[prob.argmax(axis=1)] == label
    expected = error(right, prob.max(axis=1))
    assert confidence_error(label, prob, classes=CLASSES, resamples=FEW) == pytest.approx(expected, abs=1e-12)


def test_an_interval_beside_its_value_is_withheld() -> None:
    """Perfect probabilities: resampling shows more error than there is, and BCa reads in the far tail."""
    kept = 0
    for seed in range(12):
        label, prob, _ = drawn(seed, n=1000)
        found = classwise_error(label, prob, classes=CLASSES, resamples=FEW)
        assert not found.has_interval or found.low <= found.value <= found.high
        assert found.has_interval or "chance alone" in found.note
        kept += found.has_interval
    assert 0 < kept < 12
    label, prob, _ = drawn(0, n=1000, factor=3)
    assert classwise_error(label, prob, classes=CLASSES, resamples=FEW).has_interval


def test_two_classes_have_the_classwise_error_of_one() -> None:
    """With bins of equal width placed alike for p and 1 - p, both classes have the same gaps."""
    label, prob, patient = drawn(2, factor=2.0)
    one = prob[:, 0]
    two = classwise_error(label == "a", np.stack([1 - one, one], axis=1), classes=[False, True], resamples=FEW)
    assert two == pytest.approx(calibration_error(label == "a", one, resamples=FEW), abs=1e-12)
    grouped = classwise_error(label, prob, classes=CLASSES, patient_id=patient, resamples=FEW)
    assert grouped.unit == "patients"
    assert grouped.low < grouped.high


def test_each_class_against_the_rest_equals_the_fit_of_two_classes() -> None:
    label, prob, patient = drawn(3, factor=2.0)
    fits = class_calibration(label, prob, classes=CLASSES, patient_id=patient, resamples=FEW)
    for k, name in enumerate(CLASSES):
        theirs = calibration_fit(label == name, prob[:, k], patient_id=patient)
        for mine, other in (
            (fits[name].slope, theirs.slope),
            (fits[name].intercept, theirs.intercept),
            (fits[name].in_the_large, theirs.in_the_large),
        ):
            assert mine.value == pytest.approx(other.value, abs=1e-7)
            assert mine.unit == "patients"
            assert mine.high - mine.low == pytest.approx(other.high - other.low, rel=0.35)


def test_multinomial_equals_the_maximum_that_scipy_finds() -> None:
    label, prob, _ = drawn(4, factor=0.5)
    fits = multinomial_calibration(label, prob, classes=CLASSES, reference="b", resamples=FEW)
    ratio = np.log(prob[:, [0, 2]] / prob[:, [1]])
    code = np.array([{"b": 0, "a": 1, "c": 2}[name] for name in label])

    def loss(beta: np.ndarray) -> float:
        score = np.column_stack([np.zeros(len(code)), beta[:2] + beta[2:] * ratio])
        return float(np.sum(logsumexp(score, axis=1) - score[np.arange(len(code)), code]))

    best = minimize(loss, np.array([0.0, 0, 1, 1]), tol=1e-12).x
    assert list(fits) == ["a", "c"]
    mine = [fits["a"].intercept, fits["c"].intercept, fits["a"].slope, fits["c"].slope]
    assert [float(one) for one in mine] == pytest.approx(best, abs=1e-4)
    held = minimize(lambda a: loss(np.array([*a, 1, 1])), np.zeros(2), tol=1e-12).x
    assert [float(fits[name].in_the_large) for name in ("a", "c")] == pytest.approx(held, abs=1e-4)


@pytest.mark.parametrize(("factor", "slope"), [(1.0, 1.0), (2.0, 0.5), (0.5, 2.0)])
def test_the_slope_that_was_put_in_is_found(factor: float, slope: float) -> None:
    """Scores doubled: slope one half in the multinomial regression, the intercepts stay 0."""
    label, prob, _ = drawn(5, n=8000, factor=factor)
    for fit in multinomial_calibration(label, prob, classes=CLASSES, resamples=FEW).values():
        assert fit.slope.low < slope < fit.slope.high
        assert fit.slope.value == pytest.approx(slope, rel=0.1)
        assert fit.intercept.value == pytest.approx(0, abs=0.1)
    if factor == 1:
        for fit in class_calibration(label, prob, classes=CLASSES, resamples=FEW).values():
            assert fit.slope.value == pytest.approx(1, abs=0.1)
            assert fit.in_the_large.value == pytest.approx(0, abs=0.1)


def test_with_two_classes_multinomial_is_ordinary_recalibration() -> None:
    label, prob, _ = drawn(6)
    two = np.stack([1 - prob[:, 0], prob[:, 0]], axis=1)
    fit = multinomial_calibration(label == "a", two, classes=[False, True], resamples=FEW)[True]
    theirs = calibration_fit(label == "a", prob[:, 0])
    assert (fit.slope.value, fit.intercept.value) == pytest.approx((theirs.slope.value, theirs.intercept.value))
    first = multinomial_calibration(label == "a", two, classes=[False, True], reference=True, resamples=FEW)[False]
    assert (first.slope.value, first.intercept.value) == pytest.approx((fit.slope.value, -fit.intercept.value))


def test_weights_of_the_regression_count_cases() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=60)
    hit = (rng.random(60) < 1 / (1 + np.exp(-x))).astype(float)
    weights = rng.integers(0, 3, (4, 60)).astype(float)
    found = multinomial_logistic(x[:, None], hit[:, None], weights)
    for line, beta in zip(weights, found, strict=True):
        theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x[:, None], hit, sample_weight=line)
        assert beta[:, 0] == pytest.approx([theirs.intercept_[0], theirs.coef_[0, 0]], abs=1e-4)


def test_the_same_seed_gives_the_same_interval_whatever_the_patients_are_called() -> None:
    label, prob, patient = drawn(8, n=120)
    runs = [
        multinomial_calibration(
            label, prob, classes=CLASSES, patient_id=who, rng=np.random.default_rng(1), resamples=FEW
        )
        for who in (patient, patient, [f"{number:04d}" for number in patient])
    ]
    ends = [(one["b"].slope.low, one["b"].slope.high) for one in runs]
    assert ends[0] == ends[1] == ends[2]


@pytest.mark.filterwarnings("ignore::hounsfield.stats.estimate.UndefinedMetric")  # each class warns, one is tested
def test_what_has_no_finite_fit_is_undefined() -> None:
    label, prob, _ = drawn(9, n=60)
    never = np.where(label == "c", "a", label)
    with pytest.warns(UndefinedMetric, match="class c"):
        fits = class_calibration(never, prob, classes=CLASSES, resamples=FEW)
    assert math.isnan(fits["c"].slope.value)
    assert not fits["c"].slope.has_interval
    assert math.isfinite(fits["a"].slope.value)
    with pytest.warns(UndefinedMetric, match="class b against a"):
        assert math.isnan(multinomial_calibration(never, prob, classes=CLASSES, resamples=FEW)["b"].slope)
    perfect = np.eye(3)[[CLASSES.index(name) for name in label]]
    with pytest.warns(UndefinedMetric, match="class a"):
        assert math.isnan(class_calibration(label, perfect, classes=CLASSES, resamples=FEW)["a"].slope)
    level = np.full((60, 3), 1 / 3)
    with pytest.warns(UndefinedMetric, match="class a"):
        assert math.isnan(class_calibration(label, level, classes=CLASSES, resamples=FEW)["a"].slope)


@pytest.mark.filterwarnings("ignore::hounsfield.stats.estimate.UndefinedMetric")
def test_no_case_and_bad_input() -> None:
    nothing = np.zeros((0, 3))
    for error in (confidence_error, classwise_error):
        with pytest.warns(UndefinedMetric, match="calibration error"):
            assert math.isnan(error([], nothing, classes=CLASSES, resamples=FEW))
    with pytest.warns(UndefinedMetric, match="class a"):
        assert math.isnan(class_calibration([], nothing, classes=CLASSES, resamples=FEW)["a"].intercept)
    with pytest.raises(HounsfieldError, match="sum to 1; got 1.2 at position 1"):
        confidence_error(["a", "b"], [[0.5, 0.5, 0], [0.6, 0.6, 0]], classes=CLASSES)
    with pytest.raises(HounsfieldError, match="cases by classes"):
        classwise_error(["a", "b"], [[0.5, 0.5], [0.5, 0.5]], classes=CLASSES)
    with pytest.raises(HounsfieldError, match="reference is one of"):
        multinomial_calibration(LABEL, PROB, classes=CLASSES, reference="d")


def test_probabilities_of_zero_and_one_are_taken_inside() -> None:
    label, prob, _ = drawn(10, n=100)
    prob[0], prob[1] = [1, 0, 0], [0, 0, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fits = multinomial_calibration(label, prob, classes=CLASSES, resamples=FEW)
    assert all(math.isfinite(fit.slope.value) for fit in fits.values())
