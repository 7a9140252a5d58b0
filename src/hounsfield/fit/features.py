"""Logistic models of measured features: a table and labels of the training part in, a `FeatureModel` out.

The penalty is chosen by patient-grouped cross-validation inside the training part, never on validation or test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from hounsfield.core.errors import RunError
from hounsfield.core.types import AnyArray, FloatArray, IntArray
from hounsfield.fit.inner_folds import inner_folds, lowest_loss
from hounsfield.fit.standard import standardise
from hounsfield.nets.feature_model import FeatureModel, design

PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0)  # inverse strength C of the L2 penalty on standardised features


def fit_features(
    table: Mapping[str, FloatArray],
    label: IntArray,
    *,
    features: Sequence[str],
    patient_id: AnyArray,
    classes: int,
    seed: int,
    balanced: bool = False,
) -> FeatureModel:
    """Fits an L2-penalised (multinomial) logistic regression on standardised features.

    Args:
        table: measured features, (N,) each.
        features: names, with a transform before them where wanted (`nets.feature_model.TRANSFORMS`).
        label: (N,) class indices 0 to `classes` - 1.
        patient_id: (N,) groups of the inner cross-validation that chooses the penalty.
        balanced: weigh cases so that every class counts the same; probabilities are then those of equal classes.
    Raises: RunError when the training part holds one class only; TableError for an unknown feature.
    """
    if len(np.unique(label)) < 2:
        raise RunError(
            "the training part holds one class only; a model needs two. Check the label column and the split."
        )
    standard = standardise(design(table, tuple(features)))
    weights = "balanced" if balanced else None
    penalty = _penalty(standard.values, label, patient_id, seed, weights) if len(features) > 1 else 1.0
    model = LogisticRegression(C=penalty, max_iter=5000, class_weight=weights).fit(standard.values, label)
    weight, bias = _all_classes(model, classes)
    return FeatureModel(tuple(features), standard.low, standard.high, standard.mean, standard.scale, weight, bias)


def _penalty(values: FloatArray, label: IntArray, patient_id: AnyArray, seed: int, weights: str | None) -> float:
    folds = inner_folds(label, patient_id, seed)
    if not folds:
        return 0.1  # too few cases to choose: a firm penalty

    def fit(penalty: float, rows: IntArray) -> LogisticRegression:
        model = LogisticRegression(C=penalty, max_iter=5000, class_weight=weights)
        return model.fit(values[rows], label[rows])

    return lowest_loss(PENALTIES, fit, values, label, folds)


def _all_classes(model: LogisticRegression, classes: int) -> tuple[FloatArray, FloatArray]:
    """Weights (C, F) and bias (C,), one row a class; a class absent from training can't be predicted."""
    coefficients, intercept = np.asarray(model.coef_, float), np.asarray(model.intercept_, float)
    if len(model.classes_) == 2:  # the library keeps one row for two classes: scores 0 and w.x + b
        coefficients = np.vstack([np.zeros_like(coefficients), coefficients])
        intercept = np.concatenate([np.zeros(1), intercept])
    weight = np.zeros((classes, coefficients.shape[1]))
    bias = np.full(classes, -1e9)
    for row, index in enumerate(model.classes_):
        weight[int(index)], bias[int(index)] = coefficients[row], intercept[row]
    return weight, bias
