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
from hounsfield.core.types import AnyArray, BoolArray, FloatArray, IntArray
from hounsfield.stats.auc import weighted_auc
from hounsfield.stats.bootstrap import WeightedStatistic
from hounsfield.stats.estimate import Estimate, nothing
from hounsfield.stats.inputs import binary_labels, class_codes, class_probabilities, patient_codes, probabilities
from hounsfield.stats.intervals import bootstrapped, mean_interval, share_interval


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


def accuracy(
    label: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Share of (N,) classes that are right, with the interval of `intervals.share_interval`, and its edges."""
    rows, columns, _ = class_codes(label, predicted)
    if not len(rows):
        return nothing("accuracy", "no case", level=level)
    return share_interval(rows == columns, patient_id=patient_id, rng=rng, level=level, resamples=resamples)


def sensitivity(
    label: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
) -> Estimate:
    """Share of the (N,) cases of label 1 that are called 1; NaN and UndefinedMetric without such cases."""
    positive, called = _two_classes(label, predicted)
    if not positive.any():
        return nothing("sensitivity", "no positive case (label 1)", level=level)
    return _share_of(called, positive, patient_id, rng, level)


def specificity(
    label: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
) -> Estimate:
    """Share of the (N,) cases of label 0 that are called 0; NaN and UndefinedMetric without such cases."""
    positive, called = _two_classes(label, predicted)
    if positive.all():
        return nothing("specificity", "no negative case (label 0)", level=level)
    return _share_of(~called, ~positive, patient_id, rng, level)


def f1(
    label: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    average: str,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """F1 averaged over the classes (see `f1_of`) with its patient bootstrap interval.

    Args:
        rng: seeded with 0 when absent, so that the same data give the same interval.

    Returns: NaN and UndefinedMetric without cases.
    """
    statistic = _of_matrix(label, predicted, lambda matrices: f1_of(matrices, average=average))
    return bootstrapped("F1", statistic, len(np.asarray(label)), patient_id, rng, level, resamples)


def mcc(
    label: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Matthews' correlation for any number of classes (see `mcc_of`); interval and edges as `f1`."""
    statistic = _of_matrix(label, predicted, mcc_of)
    return bootstrapped("MCC", statistic, len(np.asarray(label)), patient_id, rng, level, resamples)


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


def macro_auc(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    classes: Sequence[Any],
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Mean over the classes of the AUC of that class against the rest, with its patient bootstrap interval.

    Args:
        label: (N,) class of each case.
        prob: (N, C) probability of each class, columns in the order of `classes`.
        rng: seeded with 0 when absent.

    Returns: the mean in [0, 1]; NaN and UndefinedMetric when a class has no case, or all cases.
    Source: Provost & Domingos, CeDER working paper IS-00-04, 2000, without their weights.
    """
    codes, _ = class_probabilities(label, prob, classes)
    for k, name in enumerate(classes):
        if not (codes == k).any() or (codes == k).all():
            which = "positive" if not (codes == k).any() else "negative"
            return nothing("macro AUC", f"no {which} case for class {name}", level=level)

    def statistic(weights: FloatArray) -> FloatArray:
        return weighted_macro_auc(label, prob, weights, classes=classes)

    return bootstrapped("macro AUC", statistic, len(np.asarray(label)), patient_id, rng, level, resamples)


def weighted_macro_auc(
    label: npt.ArrayLike, prob: npt.ArrayLike, weights: FloatArray, *, classes: Sequence[Any]
) -> FloatArray:
    """`macro_auc` for (B, N) weightings of the cases, (B,); NaN where a weighting lacks a class."""
    codes, table = class_probabilities(label, prob, classes)
    each = [weighted_auc(codes == k, table[:, k], weights) for k in range(len(classes))]
    return np.asarray(np.mean(each, axis=0))


def brier(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Mean squared difference between the probability of the positive class and the label.

    Returns: in [0, 1], 0 best, with its patient bootstrap interval; NaN and UndefinedMetric without cases.
    Source: Brier, Mon Weather Rev 1950;78:1, half of his two-class score.
    """
    positive = binary_labels(label)
    given = probabilities(prob, cases=len(positive))
    return mean_interval((given - positive) ** 2, rng=rng, patient_id=patient_id, level=level, resamples=resamples)


def multiclass_brier(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    classes: Sequence[Any],
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Mean over cases of the summed squared differences over (N, C) class probabilities, in [0, 2]; as `brier`."""
    codes, table = class_probabilities(label, prob, classes)
    loss = np.sum((table - (codes[:, None] == np.arange(len(classes)))) ** 2, axis=1)
    return mean_interval(loss, rng=rng, patient_id=patient_id, level=level, resamples=resamples)


def _share_of(
    hit: BoolArray,
    among: BoolArray,
    patient_id: npt.ArrayLike | None,
    rng: np.random.Generator | None,
    level: float,
) -> Estimate:
    own = None
    if patient_id is not None:
        codes, _ = patient_codes(patient_id, cases=len(among))
        own = codes[among]
    return share_interval(hit[among], patient_id=own, rng=rng, level=level)


def _of_matrix(label: npt.ArrayLike, predicted: npt.ArrayLike, metric: WeightedStatistic) -> WeightedStatistic:
    """A metric of the confusion matrix as a statistic of weighted cases."""
    rows, columns, names = class_codes(label, predicted)
    size = len(names)
    cell = np.eye(size * size)[rows * size + columns]
    return lambda weights: metric((weights @ cell).reshape(len(weights), size, size))


def _two_classes(label: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[AnyArray, AnyArray]:
    positive, called = binary_labels(label), binary_labels(predicted, name="predicted")
    if positive.shape != called.shape:
        raise HounsfieldError(f"label and predicted have one value a case; got {len(positive)} and {len(called)}.")
    return positive, called


def _counts(matrix: AnyArray) -> FloatArray:
    counts = np.asarray(matrix, dtype=np.float64)
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2]:
        raise HounsfieldError(f"a confusion matrix is square, reference by prediction; got shape {counts.shape}.")
    return counts


def _ratio(above: AnyArray, below: AnyArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(above / below, dtype=np.float64)
