"""Few features out of many: a table and labels of a training part in, a small model out. Called inside a fold only.

Constant features and one of each pair that says the same are dropped without a look at the labels; an L1-penalised
logistic regression picks among the rest; a classifier is fitted on what it kept. The steps and their defaults are the
field's standard ones: Guo and Yin keep 12 of 91 features and do not say how.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import rankdata, skew
from sklearn.linear_model import LogisticRegression

from hounsfield.core.errors import RunError
from hounsfield.core.types import AnyArray, BoolArray, FloatArray, IntArray
from hounsfield.fit.inner_folds import inner_folds, lowest_loss
from hounsfield.fit.standard import Standard, standardise
from hounsfield.fit.table_models import fit_table_model
from hounsfield.nets.feature_model import design
from hounsfield.nets.table_models import TableModel

STRENGTHS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # inverse strength C of the L1 penalty on standardised features


class Selection(BaseModel):
    """How features are chosen, and what is fitted on them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    most: int = Field(default=12, ge=1)  # features kept at most
    correlation: float = Field(default=0.95, gt=0, le=1)  # |Spearman| above which one of a pair goes
    variance: float = Field(default=1e-8, ge=0)  # relative to the squared range; below it a feature is constant
    classifier: Literal["logistic", "forest", "svm"] = "logistic"
    # Features above 0 throughout whose skewness in the training part is larger enter as logarithms; None for none.
    log_above_skewness: float | None = 1.0


@dataclass(frozen=True)
class Selected:
    """What was chosen.

    Attributes:
        features: names, the strongest first; 'log ' before a name takes the logarithm.
        weight: (F,) coefficient of each after standardising; above 0 it speaks for the last class.
        constant, doubled: how many were dropped as constant and as doubles of another.
    """

    features: tuple[str, ...]
    weight: FloatArray
    constant: int
    doubled: int


def select(
    table: Mapping[str, FloatArray], label: IntArray, *, patient_id: AnyArray, config: Selection, seed: int
) -> Selected:
    """Chooses at most `config.most` features.

    Args:
        table: features, (N,) each; a missing value stands at the mean.
        label: (N,) class indices; with more than two classes the largest weight of any class counts.
        patient_id: (N,) groups of the inner cross-validation that chooses the penalty.
    Raises: RunError when there is one class only, or every feature is constant.
    """
    if len(np.unique(label)) < 2:
        raise RunError("the training part holds one class only; a model needs two. Check the label column.")
    names = _as_logarithms(table, config.log_above_skewness)
    standard = standardise(design(table, names))
    varied = _varied(standard, config.variance)
    if not varied.any():
        raise RunError("every feature is constant in the training part; nothing can be chosen.")
    single = decorrelated(standard.values[:, varied], limit=config.correlation)
    kept = np.flatnonzero(varied)[single]
    coefficients = _sparse(standard.values[:, kept], label, patient_id, seed)
    strength = np.abs(coefficients).max(axis=0)
    order = [index for index in np.argsort(-strength, kind="stable")[: config.most] if strength[index] > 0]
    if not order:  # the penalty that predicts best keeps nothing; the single best feature is the least that can stand
        order = [int(_strongest_alone(standard.values[:, kept], label))]
    chosen = kept[order]
    return Selected(
        tuple(names[index] for index in chosen),
        coefficients[-1, order],
        int((~varied).sum()),
        int(varied.sum() - len(single)),
    )


def decorrelated(values: FloatArray, *, limit: float) -> IntArray:
    """Columns of (N, F) left when of each pair with |Spearman| above `limit` the one more like others is dropped."""
    ranks = np.apply_along_axis(rankdata, 0, values)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.abs(np.nan_to_num(np.atleast_2d(np.corrcoef(ranks, rowvar=False))))
    np.fill_diagonal(rho, 0)
    left = np.ones(len(rho), dtype=bool)
    while True:
        inside = np.where(left[:, None] & left[None, :], rho, 0)
        first, second = np.unravel_index(int(inside.argmax()), inside.shape)
        if inside[first, second] <= limit:
            return np.flatnonzero(left)
        left[first if inside[first].sum() > inside[second].sum() else second] = False


def fit_selected(
    table: Mapping[str, FloatArray],
    label: IntArray,
    *,
    patient_id: AnyArray,
    classes: int,
    config: Selection,
    seed: int,
) -> tuple[TableModel, Selected]:
    """Selects, then fits `config.classifier`, with classes weighted alike, on what is left; errors as `select`."""
    selected = select(table, label, patient_id=patient_id, config=config, seed=seed)
    features = selected.features
    model = fit_table_model(
        config.classifier, table, label, features=features, patient_id=patient_id, classes=classes, seed=seed
    )
    return model, selected


def _as_logarithms(table: Mapping[str, FloatArray], limit: float | None) -> tuple[str, ...]:
    """Names in one order whatever the table's is, with 'log ' before those that are skewed and above 0."""
    names = []
    for name in sorted(table):
        known = np.asarray(table[name], dtype=np.float64)
        known = known[np.isfinite(known)]
        positive = limit is not None and len(known) > 2 and known.min() > 0 and np.ptp(known) > 0
        names.append(f"log {name}" if positive and limit is not None and float(skew(known)) > limit else name)
    return tuple(names)


def _varied(standard: Standard, least: float) -> BoolArray:
    spread = standard.high - standard.low
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((spread > 0) & (standard.scale**2 > least * spread**2) & standard.measured)


def _sparse(values: FloatArray, label: IntArray, patient_id: AnyArray, seed: int) -> FloatArray:
    """(R, F) coefficients, a row a class or one for two, of the strength that predicts held-out patients best."""
    solver = "liblinear" if len(np.unique(label)) == 2 else "saga"  # the former is the faster, for two classes alone

    def fit(strength: float, rows: AnyArray) -> LogisticRegression:
        model = LogisticRegression(
            C=strength, l1_ratio=1, solver=solver, class_weight="balanced", max_iter=2000, tol=1e-4, random_state=0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not converged to the last digit: the choice among strengths stands
            return model.fit(values[rows], label[rows])

    folds = inner_folds(label, patient_id, seed)
    best = lowest_loss(STRENGTHS, fit, values, label, folds) if folds else 0.1
    return np.asarray(fit(best, np.arange(len(label))).coef_, dtype=np.float64)


def _strongest_alone(values: FloatArray, label: IntArray) -> int:
    classes: Sequence[int] = np.unique(label).tolist()
    means = np.stack([values[label == one].mean(axis=0) for one in classes])
    return int((means.max(axis=0) - means.min(axis=0)).argmax())
