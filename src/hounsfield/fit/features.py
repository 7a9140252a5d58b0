"""Logistic models of measured features: a table and labels of the training part in, a `FeatureModel` out.

The penalty is chosen by patient-grouped cross-validation inside the training part, never on validation or test.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold

from hounsfield.core.errors import RunError
from hounsfield.core.types import AnyArray, FloatArray, IntArray
from hounsfield.nets.feature_model import FeatureModel, design

PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0)  # inverse strength C of the L2 penalty on standardised features
_INNER_FOLDS = 5
_RANGE = (1, 99)  # percentiles of the training part beyond which a value is cut


def fit_features(
    table: Mapping[str, FloatArray],
    label: IntArray,
    *,
    features: Sequence[str],
    patient_id: AnyArray,
    classes: int,
    seed: int,
) -> FeatureModel:
    """Fits an L2-penalised (multinomial) logistic regression on standardised features.

    Args:
        table: measured features, (N,) each.
        features: names, with a transform before them where wanted (`nets.feature_model.TRANSFORMS`).
        label: (N,) class indices 0 to `classes` - 1.
        patient_id: (N,) groups of the inner cross-validation that chooses the penalty.
    Raises: RunError when the training part holds one class only; TableError for an unknown feature.
    """
    if len(np.unique(label)) < 2:
        raise RunError(
            "the training part holds one class only; a model needs two. Check the label column and the split."
        )
    values = design(table, tuple(features))
    values = np.where(np.isfinite(values), values, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column that is empty throughout: handled on the next lines
        low, high = np.nan_to_num(np.nanpercentile(values, _RANGE, axis=0))
        values = np.clip(values, low, high)
        mean = np.nan_to_num(np.nanmean(values, axis=0))
        scale = np.nanstd(values, axis=0)
    scale = np.where(np.isfinite(scale) & (scale > 0), scale, 1.0)
    standard = np.nan_to_num((values - mean) / scale)  # a missing value stands at the mean, as in prediction
    penalty = _penalty(standard, label, patient_id, seed) if len(features) > 1 else 1.0
    model = LogisticRegression(C=penalty, max_iter=5000).fit(standard, label)
    weight, bias = _all_classes(model, classes)
    return FeatureModel(tuple(features), low, high, mean, scale, weight, bias)


def _penalty(standard: FloatArray, label: IntArray, patient_id: AnyArray, seed: int) -> float:
    rarest = int(np.unique(label, return_counts=True)[1].min())
    folds = min(_INNER_FOLDS, rarest, len(np.unique(patient_id)))
    if folds < 2:
        return 0.1  # too few cases to choose: a firm penalty
    inner = StratifiedGroupKFold(folds, shuffle=True, random_state=seed % 2**32)
    losses = dict.fromkeys(PENALTIES, 0.0)
    known = np.unique(label)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class rarer than the folds: the folds differ a little in mix
        for train, held in inner.split(standard, label, patient_id):
            if len(np.unique(label[train])) < len(known):
                continue
            for penalty in PENALTIES:
                model = LogisticRegression(C=penalty, max_iter=5000).fit(standard[train], label[train])
                prob = model.predict_proba(standard[held])
                losses[penalty] += float(log_loss(label[held], prob, labels=known, normalize=False))
    return min(losses, key=lambda penalty: (losses[penalty], penalty))


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
