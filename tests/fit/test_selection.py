"""Features chosen from many: what is dropped is known by construction, the models against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load, save
from scipy.stats import spearmanr
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from hounsfield.core.errors import BundleError, RunError
from hounsfield.fit.selection import Selection, decorrelated, fit_selected, select
from hounsfield.fit.standard import standardise
from hounsfield.fit.table_models import fit_table_model
from hounsfield.nets.table_models import build, kind_of
from hounsfield.stats.auc import auc

N = 400


@pytest.fixture(scope="module")
def made():
    """Two features that tell, ten copies, thirty of noise, two constants; two lesions a patient."""
    rng = np.random.default_rng(5)
    label = np.repeat(rng.integers(0, 2, N // 2), 2)
    noise = rng.normal(size=(N, 32))
    table = {f"noise{index:02d}": noise[:, index] for index in range(2, 32)}
    table["up"] = noise[:, 0] + 1.5 * label
    table["down"] = noise[:, 1] - 1.0 * label
    table |= {f"copy{index}": table["up"] ** 3 + 1e-3 * rng.normal(size=N) for index in range(10)}  # same ranks, nearly
    table |= {"zero": np.zeros(N), "missing": np.full(N, np.nan)}
    return table, label, np.repeat(np.arange(N // 2), 2)


def test_of_each_pair_above_the_limit_one_is_left():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 200))
    values = np.stack([a, np.exp(a), b, -b, rng.normal(size=200)], axis=1)
    left = decorrelated(values, limit=0.95)
    assert len(left) == 3
    assert len({0, 1} & set(left)) == 1
    assert len({2, 3} & set(left)) == 1
    assert 4 in left
    rho = np.abs(spearmanr(values[:, left]).statistic - np.eye(3))
    assert rho.max() <= 0.95
    assert decorrelated(values, limit=1.0).tolist() == [0, 1, 2, 3, 4]


def test_the_features_that_tell_are_found_with_their_direction(made):
    table, label, patient = made
    found = select(table, label, patient_id=patient, config=Selection(), seed=1)
    assert found.constant == 2
    assert found.doubled == 10
    weight = dict(zip(found.features, found.weight, strict=True))
    up = next(name for name in weight if name == "up" or name.startswith("copy"))
    assert found.features.index(up) == 0
    assert found.features[1] == "down"
    assert weight[up] > 0 > weight["down"]
    assert len(found.features) <= 12
    assert len(select(table, label, patient_id=patient, config=Selection(most=1), seed=1).features) == 1


def test_skewed_features_enter_as_logarithms():
    # Of a log-normal feature the logarithm is what tells: its probabilities follow a logistic curve of log(x).
    rng = np.random.default_rng(8)
    value = np.exp(rng.normal(0, 1.5, 600))
    label = (rng.random(600) < 1 / (1 + np.exp(-2 * np.log(value)))).astype(int)
    table = {"size": value, "plain": rng.normal(size=600), "shifted": value - 5}
    found = select(table, label, patient_id=np.arange(600), config=Selection(correlation=1.0), seed=1)
    assert found.features[0] == "log size"
    assert not any(name in found.features for name in ("log plain", "log shifted"))  # values below 0 have none
    plainly = Selection(correlation=1.0, log_above_skewness=None)
    assert "log size" not in select(table, label, patient_id=np.arange(600), config=plainly, seed=1).features


def test_order_of_the_table_changes_nothing(made):
    table, label, patient = made
    turned = dict(reversed(table.items()))
    first, second = (select(one, label, patient_id=patient, config=Selection(), seed=1) for one in (table, turned))
    assert first.features == second.features


def test_without_a_signal_held_out_patients_are_told_apart_by_chance():
    # Selection inside the training half alone; had it seen the test half, 12 of 200 noise features would give 0.7.
    rng = np.random.default_rng(3)
    found = []
    for _ in range(6):
        values, label = rng.normal(size=(300, 200)), rng.integers(0, 2, 300)
        table = {f"f{index:03d}": values[:, index] for index in range(200)}
        train, test = ({name: column[part] for name, column in table.items()} for part in (slice(150), slice(150, 300)))
        options = {"patient_id": np.arange(150), "classes": 2, "config": Selection(), "seed": 1}
        model, _ = fit_selected(train, label[:150], **options)
        found.append(auc(label[150:], model.prob(test)[:, 1]).value)
    assert abs(np.mean(found) - 0.5) < 3 * 0.047 / np.sqrt(6)  # SE of one AUC with 75 against 75


def test_a_forest_of_arrays_equals_scikit_learn(made):
    table, label, patient = made
    features = ("up", "down", "noise05")
    model = fit_table_model("forest", table, label, features=features, patient_id=patient, classes=2, seed=7)
    values = np.stack([table[name] for name in features], axis=1)
    peer = RandomForestClassifier(500, min_samples_leaf=5, class_weight="balanced", random_state=7).fit(values, label)
    np.testing.assert_allclose(model.prob(table), peer.predict_proba(values), atol=1e-12)


def test_a_machine_of_arrays_equals_scikit_learn(made):
    table, label, patient = made
    features = ("up", "down")
    model = fit_table_model("svm", table, label, features=features, patient_id=patient, classes=2, seed=7)
    values = standardise(np.stack([table[name] for name in features], axis=1)).values
    peer = SVC(C=1.0, gamma="scale", class_weight="balanced").fit(values, label)
    np.testing.assert_allclose(model.decision(table), peer.decision_function(values), atol=1e-9)
    prob = model.prob(table)
    np.testing.assert_allclose(prob.sum(axis=1), 1)
    assert auc(label, prob[:, 1]).value > 0.85  # two normals 1.5 and 1 apart: Phi(sqrt(3.25)/sqrt(2)) = 0.899


@pytest.mark.parametrize("kind", ["logistic", "forest", "svm"])
def test_what_is_stored_predicts_the_same(made, kind):
    table, label, patient = made
    model, chosen = fit_selected(table, label, patient_id=patient, classes=2, config=Selection(classifier=kind), seed=2)
    assert kind_of(model) == kind
    stored = save({name: np.ascontiguousarray(value) for name, value in model.arrays().items()})
    again = build(kind, chosen.features, load(stored))
    np.testing.assert_array_equal(again.prob(table), model.prob(table))
    holes = {name: np.where(np.arange(N) % 7 == 0, np.nan, column) for name, column in table.items()}
    assert np.isfinite(model.prob(holes)).all()


def test_three_classes():
    rng = np.random.default_rng(2)
    label = rng.integers(0, 3, 300)
    table = {"a": rng.normal(size=300) + 2 * (label == 1), "b": rng.normal(size=300) + 2 * (label == 2)}
    for kind in ("logistic", "forest"):
        options = {"patient_id": np.arange(300), "classes": 3, "config": Selection(classifier=kind), "seed": 1}
        model, chosen = fit_selected(table, label, **options)
        assert set(chosen.features) == {"a", "b"}
        assert (model.prob(table).argmax(axis=1) == label).mean() > 0.7
    with pytest.raises(RunError, match="tells two classes apart, not 3"):
        options["config"] = Selection(classifier="svm")
        fit_selected(table, label, **options)


def test_mistakes_in_words(made):
    table, label, patient = made
    with pytest.raises(RunError, match="one class only"):
        select(table, np.zeros(N, int), patient_id=patient, config=Selection(), seed=1)
    with pytest.raises(RunError, match="every feature is constant"):
        select({"zero": table["zero"]}, label, patient_id=patient, config=Selection(), seed=1)
    with pytest.raises(RunError, match=r"no classifier 'forrest'.*forest"):
        fit_table_model("forrest", table, label, features=("up",), patient_id=patient, classes=2, seed=1)
    with pytest.raises(BundleError, match="no model of features 'pickle'"):
        build("pickle", ("up",), {})
