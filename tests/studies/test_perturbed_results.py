"""Rows of changed outlines: areas by scikit-learn, differences by hand, patients pooled by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hounsfield.core.errors import Problem
from hounsfield.stats.compare import compare_auc
from hounsfield.studies.load import load
from hounsfield.studies.perturbed_results import FIRST, page_of, table_of, way_of_pooling
from hounsfield.studies.study import PatientLevel, Study, Target


@pytest.fixture
def study(tiny_study: str, tmp_path: Path) -> Study:
    (tmp_path / "tiny.yaml").write_text(tiny_study)
    return load(str(tmp_path / "tiny.yaml"))


def cohort(label: np.ndarray, patient: list[str], target: str) -> SimpleNamespace:
    cases = [SimpleNamespace(case_id=f"c{number}", patient_id=one) for number, one in enumerate(patient)]
    return SimpleNamespace(cases=cases, labels={target: label})


def by_case(prob: np.ndarray) -> dict[str, np.ndarray]:
    return {f"c{number}": one for number, one in enumerate(prob)}


def two(prob: np.ndarray) -> np.ndarray:
    return np.stack([1 - prob, prob], axis=1)


def test_patients_are_pooled_and_keep_what_a_lost_case_says_of_them(study):
    study = study.model_copy(update={"patient": PatientLevel(pooling=["attention", "maximum"], arms=["volume"])})
    assert way_of_pooling(study) == "maximum"
    patient = ["a", "a", "b", "b", "c", "d", "e", "f"]
    label = np.array([1, 0, 0, 0, 1, 0, 1, 0])
    before = np.array([0.9, 0.2, 0.3, 0.1, 0.6, 0.5, 0.4, 0.2])
    now = np.array([0.9, 0.3, 0.5, 0.1, 0.7, 0.4, 0.6, 0.2])
    places = [("large", "volume"), ("large", "raw")]
    changed = {name: one for name, one in by_case(two(now)).items() if name not in ("c0", "c7")}  # two are lost
    found = {FIRST: dict.fromkeys(places, by_case(two(before))), "eroded": dict.fromkeys(places, changed)}
    same = {FIRST: frozenset(), "eroded": frozenset({"c3", "c4"})}
    table = table_of(study, cohort(label, patient, "large"), found, same)
    assert len(table) == 2 * 2 + 2  # the other arm is not pooled
    own = table[(table["arm"] == "volume") & (table["change"] == "eroded")].iloc[0]
    assert own[["cases", "patients", "lost", "unchanged"]].tolist() == [6, 5, 2, 2]
    kept = slice(1, 7)
    assert own["auc"] == pytest.approx(roc_auc_score(label[kept], now[kept]))
    assert own["auc_change"] == pytest.approx(
        roc_auc_score(label[kept], now[kept]) - roc_auc_score(label[kept], before[kept])
    )
    gap = compare_auc(label[kept], now[kept], before[kept], patient_id=patient[kept]).difference
    assert own[["auc_change_low", "auc_change_high"]].tolist() == pytest.approx([gap.low, gap.high], nan_ok=True)
    assert own["mean_change"] == pytest.approx(np.abs(now - before)[kept].mean())
    pooled = table[(table["target"] == "large of the patient") & (table["change"] == "eroded")].iloc[0]
    # Now a .3, b .5, c .7, d .4, e .6, before .2 .3 .6 .5 .4; labels 1 0 1 0 1, a's positive one is lost.
    assert pooled[["cases", "patients", "lost", "unchanged"]].tolist() == [5, 5, 1, 1]
    assert pooled["auc"] == pytest.approx(4 / 6)
    assert pooled["auc_as_drawn"] == pytest.approx(3 / 6)
    assert pooled["mean_change"] == pytest.approx((0.1 + 0.2 + 0.1 + 0.1 + 0.2) / 5)
    page = page_of(study, table, [Problem("case c0, eroded", "nothing of the lesion is left")])
    assert "| eroded | 6 (2 lost, outline unchanged in 2) |" in page
    assert "| outline | patients |" in page
    assert "case c0, eroded" in page


def test_three_classes_get_the_mean_area_of_each_against_the_rest(study):
    target = Target(column="kind", classes={"a": ["a"], "b": ["b"], "c": ["c"]})
    study = study.model_copy(update={"targets": {"kind": target}, "patient": PatientLevel(pooling=["mean"])})
    rng = np.random.default_rng(0)
    label = np.arange(36) % 3
    before = rng.dirichlet([1, 1, 1], 36) + np.eye(3)[label]
    before /= before.sum(axis=1, keepdims=True)
    now = before[::-1]  # the same labels in other places
    place = ("kind", "volume")
    found = {FIRST: {place: by_case(before)}, "shifted": {place: by_case(now)}}
    same = dict.fromkeys(found, frozenset())
    people = [f"p{number}" for number in range(36)]
    table = table_of(study, cohort(label, people, "kind"), found, same)
    assert len(table) == 2  # patients are pooled for two classes only
    row = table.iloc[1]
    areas = [np.mean([roc_auc_score(label == k, prob[:, k]) for k in range(3)]) for prob in (now, before)]
    assert row[["auc", "auc_as_drawn"]].tolist() == pytest.approx(areas)
    assert row["auc_change"] == pytest.approx(areas[0] - areas[1])
    assert row["auc_change_low"] < row["auc_change"] < row["auc_change_high"] < 0
    assert row["mean_change"] == pytest.approx((np.maximum(now - before, 0)).sum(axis=1).mean())


def test_nothing_left_or_one_class_has_no_area(study):
    found = {FIRST: {("large", "raw"): by_case(two(np.array([0.2, 0.7])))}, "gone": {("large", "raw"): {}}}
    table = table_of(study, cohort(np.array([1, 1]), ["a", "b"], "large"), found, dict.fromkeys(found, frozenset()))
    assert table["auc"].isna().all()
    assert table["lost"].tolist() == [0, 2]
    assert "| gone | 0 (2 lost) | not defined |  |  |" in page_of(study, table, [])
