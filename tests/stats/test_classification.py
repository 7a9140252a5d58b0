"""Metrics of a classifier against scikit-learn, hand counts and edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.average_precision import average_precision
from hounsfield.stats.classification import (
    accuracy,
    accuracy_of,
    brier,
    confusion_matrix,
    f1,
    f1_of,
    macro_auc,
    mcc,
    mcc_of,
    multiclass_brier,
    sensitivity,
    specificity,
    weighted_macro_auc,
)
from hounsfield.stats.estimate import UndefinedMetric

CLASSES = ["AAH", "AIS", "MIA", "IAC"]


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 4, 80)
    predicted = np.where(rng.random(80) < 0.6, label, rng.integers(0, 4, 80))
    return np.array(CLASSES)[label], np.array(CLASSES)[predicted]


@pytest.mark.parametrize("seed", range(4))
def test_counts_equal_scikit_learn(seed: int) -> None:
    label, predicted = drawn(seed)
    expected = metrics.confusion_matrix(label, predicted, labels=CLASSES)
    np.testing.assert_array_equal(confusion_matrix(label, predicted, classes=CLASSES), expected)
    assert accuracy(label, predicted) == pytest.approx(metrics.accuracy_score(label, predicted))
    assert mcc(label, predicted) == pytest.approx(metrics.matthews_corrcoef(label, predicted))
    for average in ("weighted", "macro"):
        wanted = metrics.f1_score(label, predicted, average=average)
        assert f1(label, predicted, average=average) == pytest.approx(wanted)


def test_rows_are_the_reference() -> None:
    matrix = confusion_matrix(["b", "b", "m"], ["m", "b", "m"], classes=["b", "m"])
    assert matrix.tolist() == [[1, 1], [0, 1]]


def test_a_class_that_never_occurs_does_not_count_in_macro_f1() -> None:
    matrix = confusion_matrix(["a", "b"], ["a", "b"], classes=["a", "b", "c"])
    assert f1_of(matrix, average="macro") == 1
    predicted_only = np.array([[1, 0, 1], [0, 2, 0], [0, 0, 0]])  # F1: a 2/3, b 1, c 0
    assert f1_of(predicted_only, average="macro") == pytest.approx((2 / 3 + 1) / 3)


def test_mcc_of_two_classes_is_the_usual_one() -> None:
    tn, fp, fn, tp = 50, 7, 11, 32
    usual = (tp * tn - fp * fn) / math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    assert mcc_of(np.array([[tn, fp], [fn, tp]])) == pytest.approx(usual, rel=1e-12)


def test_mcc_of_perfect_and_constant_predictions() -> None:
    assert mcc_of(np.diag([3, 4, 5])) == 1
    assert mcc_of(np.array([[0, 3], [0, 5]])) == 0
    assert mcc_of(np.array([[0, 0], [0, 5]])) == 0


def test_matrices_in_a_stack_are_taken_one_by_one() -> None:
    stack = np.random.default_rng(0).integers(1, 30, (6, 3, 3))
    for function in (accuracy_of, mcc_of, lambda m: f1_of(m, average="weighted")):
        np.testing.assert_allclose(function(stack), [function(one) for one in stack])


def test_sensitivity_and_specificity_by_hand() -> None:
    label, called = [1, 1, 1, 0, 0], [1, 1, 0, 0, 1]
    assert sensitivity(label, called) == pytest.approx(2 / 3)
    assert specificity(label, called) == pytest.approx(1 / 2)
    with pytest.warns(UndefinedMetric, match="no positive case"):
        assert math.isnan(sensitivity([0, 0], [0, 1]))
    with pytest.warns(UndefinedMetric, match="no negative case"):
        assert math.isnan(specificity([1, 1], [0, 1]))


def test_no_case_is_undefined() -> None:
    for function in (accuracy, mcc, lambda a, b: f1(a, b, average="macro")):
        with pytest.warns(UndefinedMetric, match="no case"):
            assert math.isnan(function([], []))


def test_macro_auc_equals_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    label = rng.integers(0, 3, 90)
    prob = rng.dirichlet([1, 1, 1], 90)
    prob[np.arange(90), label] += 0.3
    prob /= prob.sum(axis=1, keepdims=True)
    expected = metrics.roc_auc_score(label, prob, multi_class="ovr", average="macro")
    assert macro_auc(label, prob, classes=[0, 1, 2]) == pytest.approx(expected)
    ones = np.ones((1, 90))
    assert weighted_macro_auc(label, prob, ones, classes=[0, 1, 2])[0] == pytest.approx(expected)


def test_macro_auc_without_a_class_is_undefined() -> None:
    with pytest.warns(UndefinedMetric, match="no positive case"):
        assert math.isnan(macro_auc(["a", "b"], np.full((2, 3), 1 / 3), classes=["a", "b", "c"]))


def test_brier_by_hand() -> None:  # (0.2^2 + 0.4^2 + 0.1^2) / 3
    assert brier([1, 1, 0], [0.8, 0.6, 0.1]) == pytest.approx(0.07)
    # Two classes written as two columns count every difference twice.
    columns = np.array([[0.2, 0.8], [0.4, 0.6], [0.9, 0.1]])
    assert multiclass_brier([1, 1, 0], columns, classes=[0, 1]) == pytest.approx(0.14)
    with pytest.raises(HounsfieldError, match="sigmoid"):
        brier([1, 0], [2.3, -1.0])


def test_average_precision_by_hand() -> None:  # ranks +, -, +: (1/1 + 2/3) / 2
    assert average_precision([1, 0, 1], [0.9, 0.8, 0.7]) == pytest.approx(5 / 6)
    with pytest.warns(UndefinedMetric, match="no positive case"):
        assert math.isnan(average_precision([0, 0], [0.1, 0.2]))


@pytest.mark.parametrize(
    ("label", "predicted", "classes", "said"),
    [
        (["a"], ["b", "a"], None, "one class a case"),
        (["a"], ["x"], ["a", "b"], "got also 'x'"),
        (["a"], ["a"], ["a", "a"], "every class once"),
    ],
)
def test_bad_classes_are_named(label: list[str], predicted: list[str], classes: list[str] | None, said: str) -> None:
    with pytest.raises(HounsfieldError, match=said):
        confusion_matrix(label, predicted, classes=classes)


def test_unknown_average_and_shape() -> None:
    with pytest.raises(HounsfieldError, match="weighted"):
        f1([0, 1], [0, 1], average="micro")
    with pytest.raises(HounsfieldError, match="square"):
        mcc_of(np.ones((2, 3)))
    with pytest.raises(HounsfieldError, match="cases by classes"):
        macro_auc([0, 1], np.ones((2, 3)) / 3, classes=[0, 1])
