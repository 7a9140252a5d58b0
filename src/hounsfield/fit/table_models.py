"""A classifier of chosen features by name: table, labels and features of a training part in, a stored model out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from hounsfield.core.errors import RunError
from hounsfield.core.registry import nearest
from hounsfield.core.types import AnyArray, FloatArray, IntArray
from hounsfield.fit.features import fit_features
from hounsfield.fit.inner_folds import inner_folds
from hounsfield.fit.standard import standardise
from hounsfield.nets.feature_model import design
from hounsfield.nets.forest_model import ForestModel
from hounsfield.nets.kernel_model import KernelModel
from hounsfield.nets.table_models import TableModel

_TREES = 500
_LEAF = 5  # cases in a leaf at least
_SVM_C = 1.0


def fit_table_model(
    kind: str,
    table: Mapping[str, FloatArray],
    label: IntArray,
    *,
    features: tuple[str, ...],
    patient_id: AnyArray,
    classes: int,
    seed: int,
) -> TableModel:
    """Fits `kind` (logistic, forest, svm) with classes weighted alike.

    Args:
        table: features, (N,) each; label: (N,) class indices 0 to `classes` - 1.
        patient_id: (N,) groups of the inner cross-validation.
    Raises: RunError when there is one class only, for an unknown kind, or an SVM of more than two classes.
    """
    if len(np.unique(label)) < 2:
        raise RunError("the training part holds one class only; a model needs two. Check the label column.")
    if kind == "logistic":
        return fit_features(
            table, label, features=features, patient_id=patient_id, classes=classes, seed=seed, balanced=True
        )
    if kind not in _OTHERS:
        raise RunError(f"there is no classifier '{kind}'.{nearest(kind, ('logistic', *_OTHERS))}")
    return _OTHERS[kind](design(table, features), label, features, patient_id, classes, seed)


def _forest(
    values: FloatArray, label: IntArray, features: tuple[str, ...], patient_id: AnyArray, classes: int, seed: int
) -> ForestModel:
    known = np.isfinite(values)
    mean = np.where(known, values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    forest = RandomForestClassifier(
        _TREES, min_samples_leaf=_LEAF, class_weight="balanced", random_state=seed % 2**32, n_jobs=1
    ).fit(np.where(known, values, mean), label)
    trees = [one.tree_ for one in forest.estimators_]
    roots = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])])[:-1]
    shares = np.zeros((sum(tree.node_count for tree in trees), classes))
    found = np.concatenate([tree.value[:, 0, :] for tree in trees])
    shares[:, forest.classes_] = found / found.sum(axis=1, keepdims=True)
    split = np.concatenate([tree.feature for tree in trees])

    def moved(name: str) -> IntArray:
        return np.concatenate([getattr(tree, name) + root for tree, root in zip(trees, roots, strict=True)])

    return ForestModel(
        features=features,
        mean=mean,
        split=np.where(split < 0, -1, split).astype(np.int64),
        threshold=np.concatenate([tree.threshold for tree in trees]),
        left=moved("children_left"),
        right=moved("children_right"),
        value=shares,
        roots=roots.astype(np.int64),
    )


def _svm(
    values: FloatArray, label: IntArray, features: tuple[str, ...], patient_id: AnyArray, classes: int, seed: int
) -> KernelModel:
    if classes != 2:
        raise RunError(f"a support vector machine tells two classes apart, not {classes}; take logistic or forest.")
    standard = standardise(values)

    def fit(rows: IntArray) -> SVC:
        return SVC(C=_SVM_C, kernel="rbf", gamma="scale", class_weight="balanced").fit(
            standard.values[rows], label[rows]
        )

    # Distances of patients that the machine has not seen: those of its own training cases are too large.
    folds = inner_folds(label, patient_id, seed)
    rows = np.concatenate([held for _, held in folds]) if folds else np.arange(len(label))
    parts = [fit(train).decision_function(standard.values[held]) for train, held in folds]
    machine = fit(np.arange(len(label)))
    apart = np.concatenate(parts) if parts else machine.decision_function(standard.values)
    curve = LogisticRegression(C=1e6, class_weight="balanced").fit(apart[:, None], label[rows])
    return KernelModel(
        features,
        standard.low,
        standard.high,
        standard.mean,
        standard.scale,
        support=np.asarray(machine.support_vectors_),
        dual=np.asarray(machine.dual_coef_[0]),
        intercept=np.asarray(machine.intercept_),
        gamma=np.array([float(machine._gamma)]),
        slope=np.asarray(curve.coef_[0]),
        offset=np.asarray(curve.intercept_),
    )


_OTHERS: dict[str, Callable[..., TableModel]] = {"forest": _forest, "svm": _svm}
