"""Cross-validation inside a training part: a setting is chosen there, never on validation or test."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold

from hounsfield.core.types import AnyArray, FloatArray, IntArray

Setting = TypeVar("Setting", bound=float)
FOLDS = 5


def inner_folds(label: IntArray, patient_id: AnyArray, seed: int) -> list[tuple[IntArray, IntArray]]:
    """(training, held-out) rows of patient-grouped, stratified folds; empty when there are too few cases to part.

    Folds whose training rows lack a class are left out.
    """
    rarest = int(np.unique(label, return_counts=True)[1].min())
    folds = min(FOLDS, rarest, len(np.unique(patient_id)))
    if folds < 2:
        return []
    inner = StratifiedGroupKFold(folds, shuffle=True, random_state=seed % 2**32)
    known = len(np.unique(label))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class rarer than the folds: the folds differ a little in mix
        parts = list(inner.split(np.zeros(len(label)), label, patient_id))
    return [(train, held) for train, held in parts if len(np.unique(label[train])) == known]


def lowest_loss(
    settings: Sequence[Setting],
    fit: Callable[[Setting, IntArray], Any],
    values: FloatArray,
    label: IntArray,
    folds: Sequence[tuple[IntArray, IntArray]],
) -> Setting:
    """The setting with the lowest cross-entropy over the held-out rows; of equal ones the smallest.

    Args:
        fit: (setting, training rows) to a model with `predict_proba`.
    """
    known = np.unique(label)
    losses = dict.fromkeys(settings, 0.0)
    for train, held in folds:
        for setting in settings:
            prob = fit(setting, train).predict_proba(values[held])
            losses[setting] += float(log_loss(label[held], prob, labels=known, normalize=False))
    return min(losses, key=lambda setting: (losses[setting], setting))
