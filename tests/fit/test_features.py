"""Logistic models against scikit-learn's own pipeline, and what they do with missing, constant and one-class data."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hounsfield.core.errors import RunError, TableError
from hounsfield.fit.features import PENALTIES, fit_features


def cases(count: int, classes: int = 2, seed: int = 0):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, count)
    table = {"size": np.exp(rng.normal(label, 1.0)), "noise": rng.normal(size=count), "hu": rng.normal(-label, 2.0)}
    patient = np.array([f"p{number:03d}" for number in rng.integers(0, count // 2, count)], dtype=object)
    return table, label, patient


def fit(table, label, patient, features, classes=2):
    return fit_features(table, label, features=features, patient_id=patient, classes=classes, seed=3)


def clipped(values: np.ndarray) -> np.ndarray:
    return np.clip(values, *np.percentile(values, [1, 99], axis=0))


def test_one_feature_is_plain_logistic_regression():
    table, label, patient = cases(80)
    found = fit(table, label, patient, ("log size",)).prob(table)
    x = clipped(np.log(table["size"])[:, None])
    expected = make_pipeline(StandardScaler(), LogisticRegression(C=1.0)).fit(x, label).predict_proba(x)
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_penalty_is_that_of_cross_validation_by_patient(classes):
    table, label, patient = cases(150, classes)
    found = fit(table, label, patient, ("size", "noise", "hu"), classes).prob(table)
    x = StandardScaler().fit_transform(clipped(np.stack([table["size"], table["noise"], table["hu"]], axis=1)))
    folds = list(StratifiedGroupKFold(5, shuffle=True, random_state=3).split(x, label, patient))

    def held_out_loss(penalty: float) -> float:
        model = LogisticRegression(C=penalty, max_iter=5000)
        return log_loss(label, cross_val_predict(model, x, label, cv=folds, method="predict_proba"))

    best = min(PENALTIES, key=held_out_loss)
    assert found == pytest.approx(LogisticRegression(C=best, max_iter=5000).fit(x, label).predict_proba(x), abs=1e-6)
    assert found.sum(axis=1) == pytest.approx(1)


def test_order_of_cases_and_copies_change_nothing():
    table, label, patient = cases(60)
    one = fit(table, label, patient, ("log size",))
    order = np.random.default_rng(1).permutation(60)
    two = fit({name: values[order] for name, values in table.items()}, label[order], patient[order], ("log size",))
    assert two.weight == pytest.approx(one.weight, abs=1e-5)


def test_missing_values_count_as_the_mean():
    table, label, patient = cases(60)
    table["hu"][::7] = np.nan
    model = fit(table, label, patient, ("size", "hu"))
    row = {"size": np.array([1.0, 1.0]), "hu": np.array([np.nan, model.mean[1]])}
    one, other = model.prob(row)
    assert np.isfinite(one).all()
    assert one == pytest.approx(other)


def test_empty_and_constant_columns_say_nothing():
    table, label, patient = cases(60)
    table |= {"empty": np.full(60, np.nan), "constant": np.full(60, 7.0)}
    with_them = fit(table, label, patient, ("size", "empty", "constant", "hu")).prob(table)
    assert np.isfinite(with_them).all()
    assert with_them == pytest.approx(fit(table, label, patient, ("size", "hu")).prob(table), abs=1e-6)


def test_a_class_that_is_absent_is_never_predicted():
    table, label, patient = cases(60)
    prob = fit(table, label * 2, patient, ("log size",), classes=3).prob(table)
    assert prob[:, 1] == pytest.approx(0)
    assert prob[:, [0, 2]] == pytest.approx(fit(table, label, patient, ("log size",)).prob(table))


def test_few_patients_get_a_firm_penalty():
    table, label, patient = cases(60)
    keep = np.array([np.flatnonzero(label == 0)[0], *np.flatnonzero(label == 1)[:6]])
    few = {name: values[keep] for name, values in table.items()}
    assert np.isfinite(fit(few, label[keep], patient[keep], ("size", "hu")).weight).all()


def test_one_class_and_unknown_features_are_refused():
    table, label, patient = cases(20)
    with pytest.raises(RunError, match="one class only"):
        fit(table, np.zeros(20, dtype=int), patient, ("size",))
    with pytest.raises(TableError, match="Did you mean 'size'"):
        fit(table, label, patient, ("sizes",))
