"""Metrics of a classifier: classes or probabilities of the same cases in, one number out.

Whatever can be counted is computed from the confusion matrix, so that all metrics of one model belong to one set of
predictions; the functions named `..._of` take the matrix itself, or a stack of them (for a bootstrap or a table).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import AnyArray, FloatArray, IntArray
from hounsfield.stats.auc import auc, weighted_auc
from hounsfield.stats.estimate import undefined
from hounsfield.stats.inputs import binary_labels, class_codes, probabilities


def confusion_matrix(
    label: npt.ArrayLike, predicted: npt.ArrayLike, *, classes: Sequence[Any] | None = None
) -> IntArray:
    """Counts of cases by reference class (rows) and predicted class (columns).

    Args:
        label: (N,) reference class of each case.
        predicted: (N,) class the model gave.
        classes: order of rows and columns; the names that occur, sorted, when absent.

    Returns: (C, C) counts. Raises: HounsfieldError on unequal lengths or a name that `classes` lacks.
    """
    rows, columns, names = class_codes(label, predicted, classes=classes)
    size = len(names)
    return np.bincount(rows * size + columns, minlength=size * size).reshape(size, size)


def accuracy(label: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Share of cases whose class is right, in [0, 1]; NaN and UndefinedMetric without cases."""
    matrix = confusion_matrix(label, predicted)
    return float(accuracy_of(matrix)) if matrix.sum() else undefined("accuracy", "no case")


def sensitivity(label: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Share of the positive cases (label 1) that are called positive; NaN and UndefinedMetric without such cases."""
    positive, called = _two_classes(label, predicted)
    if not positive.any():
        return undefined("sensitivity", "no positive case (label 1)")
    return float(called[positive].mean())


def specificity(label: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Share of the negative cases (label 0) that are called negative; NaN and UndefinedMetric without such cases."""
    positive, called = _two_classes(label, predicted)
    if positive.all():
        return undefined("specificity", "no negative case (label 0)")
    return float((~called[~positive]).mean())


def f1(label: npt.ArrayLike, predicted: npt.ArrayLike, *, average: str) -> float:
    """F1 averaged over the classes; see `f1_of`. NaN and UndefinedMetric without cases."""
    matrix = confusion_matrix(label, predicted)
    return float(f1_of(matrix, average=average)) if matrix.sum() else undefined("F1", "no case")


def mcc(label: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Matthews' correlation for any number of classes; see `mcc_of`. NaN and UndefinedMetric without cases."""
    matrix = confusion_matrix(label, predicted)
    return float(mcc_of(matrix)) if matrix.sum() else undefined("MCC", "no case")


def accuracy_of(matrix: AnyArray) -> FloatArray:
    """Accuracy of (..., C, C) confusion matrices, (...,); NaN where a matrix is empty."""
    counts = _counts(matrix)
    return _ratio(np.trace(counts, axis1=-2, axis2=-1), counts.sum(axis=(-2, -1)))


def f1_of(matrix: AnyArray, *, average: str) -> FloatArray:
    """F1 of (..., C, C) confusion matrices, averaged over the classes.

    Args:
        matrix: counts, reference in rows, prediction in columns.
        average: "weighted" by each class's number of cases, or "macro", all classes alike.

    Returns: (...,) in [0, 1]. A class that neither occurs nor is predicted (0/0) is left out of the mean; a matrix
        without cases gives NaN.
    """
    if average not in ("weighted", "macro"):
        raise HounsfieldError(f"average is 'weighted' or 'macro'; got {average!r}.")
    counts = _counts(matrix)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    truth, called = counts.sum(axis=-1), counts.sum(axis=-2)
    each = _ratio(2 * hits, truth + called)
    weight = truth if average == "weighted" else (truth + called > 0).astype(np.float64)
    return _ratio(np.sum(np.nan_to_num(each) * weight, axis=-1), weight.sum(axis=-1))


def mcc_of(matrix: AnyArray) -> FloatArray:
    """Gorodkin's R_K of (..., C, C) confusion matrices, equal to Matthews' correlation for two classes.

    Returns: (...,) in [-1, 1]; 0 by convention where it is 0/0 (one class only in the reference or in the
        prediction); NaN where a matrix has no case.

    Source: Gorodkin, Comput Biol Chem 2004;28:367.
    """
    counts = _counts(matrix)
    total = counts.sum(axis=(-2, -1))
    truth, called = counts.sum(axis=-1), counts.sum(axis=-2)
    agreement = np.trace(counts, axis1=-2, axis2=-1) * total - np.sum(truth * called, axis=-1)
    spread = (total**2 - np.sum(called**2, axis=-1)) * (total**2 - np.sum(truth**2, axis=-1))
    value = np.where(spread > 0, _ratio(agreement, np.sqrt(np.maximum(spread, 0))), 0.0)
    return np.asarray(np.where(total > 0, value, np.nan))


def macro_auc(label: npt.ArrayLike, prob: npt.ArrayLike, *, classes: Sequence[Any]) -> float:
    """Mean over the classes of the AUC of that class against the rest.

    Args:
        label: (N,) class of each case.
        prob: (N, C) probability of each class, columns in the order of `classes`.

    Returns: the mean in [0, 1]; NaN and UndefinedMetric when a class has no case, or all cases.
    Source: Provost & Domingos, CeDER working paper IS-00-04, 2000, without their weights.
    """
    codes, table = _class_table(label, prob, classes)
    return float(np.mean([auc(codes == k, table[:, k]) for k in range(len(classes))]))


def weighted_macro_auc(
    label: npt.ArrayLike, prob: npt.ArrayLike, weights: FloatArray, *, classes: Sequence[Any]
) -> FloatArray:
    """`macro_auc` for (B, N) weightings of the cases, (B,); NaN where a weighting lacks a class."""
    codes, table = _class_table(label, prob, classes)
    each = [weighted_auc(codes == k, table[:, k], weights) for k in range(len(classes))]
    return np.asarray(np.mean(each, axis=0))


def brier(label: npt.ArrayLike, prob: npt.ArrayLike) -> float:
    """Mean squared difference between the probability of the positive class and the label.

    Returns: in [0, 1], 0 best; NaN and UndefinedMetric without cases. Source: Brier, Mon Weather Rev 1950;78:1, half
        of his two-class score.
    """
    positive = binary_labels(label)
    given = probabilities(prob, cases=len(positive))
    return float(np.mean((given - positive) ** 2)) if len(given) else undefined("Brier score", "no case")


def multiclass_brier(label: npt.ArrayLike, prob: npt.ArrayLike, *, classes: Sequence[Any]) -> float:
    """Mean over cases of the summed squared differences over (N, C) class probabilities, in [0, 2]."""
    codes, table = _class_table(label, prob, classes)
    if not len(codes):
        return undefined("Brier score", "no case")
    wanted = codes[:, None] == np.arange(len(classes))
    return float(np.mean(np.sum((table - wanted) ** 2, axis=1)))


def _two_classes(label: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[AnyArray, AnyArray]:
    positive, called = binary_labels(label), binary_labels(predicted, name="predicted")
    if positive.shape != called.shape:
        raise HounsfieldError(f"label and predicted have one value a case; got {len(positive)} and {len(called)}.")
    return positive, called


def _class_table(label: npt.ArrayLike, prob: npt.ArrayLike, classes: Sequence[Any]) -> tuple[IntArray, FloatArray]:
    codes, _, names = class_codes(label, label, classes=classes)
    table = np.asarray(prob, dtype=np.float64)
    if table.shape != (len(codes), len(names)):
        raise HounsfieldError(
            f"prob is cases by classes, {(len(codes), len(names))}; got shape {table.shape}. Order it as `classes`."
        )
    probabilities(table.ravel(), cases=table.size)
    return codes, table


def _counts(matrix: AnyArray) -> FloatArray:
    counts = np.asarray(matrix, dtype=np.float64)
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2]:
        raise HounsfieldError(f"a confusion matrix is square, reference by prediction; got shape {counts.shape}.")
    return counts


def _ratio(above: AnyArray, below: AnyArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(above / below, dtype=np.float64)
