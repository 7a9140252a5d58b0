"""Patients held out: who goes where by hand, and the one evaluation against counts and scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from hounsfield.core.errors import HounsfieldError, TableError
from hounsfield.guideline.features import Features
from hounsfield.guideline.hold_out import HeldOut, evaluate, hold_out
from hounsfield.guideline.nodules import Nodules
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.population import Population
from hounsfield.guideline.score import manage
from hounsfield.stats.proportion import wilson


def frame_of(rows: list[tuple[str, str, str, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["case_id", "patient_id", "part", "label"])


READINGS = frame_of(
    [("a", "1", "train", 1), ("b", "1", "test", 0), ("c", "2", "train", 0), ("d", "3", "test", 1), ("e", "4", "", 0)]
)


def test_a_part_takes_its_patients_out_of_the_search() -> None:
    split = hold_out(READINGS, part="test")
    assert split.held["case_id"].tolist() == ["b", "d"]
    assert split.search["case_id"].tolist() == ["c", "e"]  # nodule a is of patient 1, who is held out
    assert (split.dropped, split.how) == (1, "part test")


@pytest.mark.parametrize("seed", range(5))
def test_a_share_is_drawn_by_patient_from_both_classes(seed: int) -> None:
    """40 patients of two nodules, 8 with a malignant one: a quarter is 2 of 8 and 8 of 32."""
    frame = frame_of([(f"n{k}", f"p{k // 2}", "", float(k % 10 == 0)) for k in range(80)])
    split = hold_out(frame, share=0.25, seed=seed)
    held = set(split.held["patient_id"])
    assert len(held) == 10
    assert split.held["label"].sum() == 2
    assert len(split.held) == 20
    assert not held & set(split.search["patient_id"])
    assert len(split.search) == 60
    again = hold_out(frame.sample(frac=1, random_state=1), share=0.25, seed=seed)
    assert set(again.held["patient_id"]) == held  # whatever the order of the rows


def test_part_and_share_together() -> None:
    rows = [(f"n{k}", f"p{k}", "test" if k < 10 else "train", float(k % 2)) for k in range(50)]
    split = hold_out(frame_of(rows), part="test", share=0.5, seed=1)
    assert len(split.held) == 10 + 20
    assert (split.held["part"] == "test").sum() == 10
    assert split.how == "part test and 50% of the other patients, seed 1"


def test_what_cannot_be_held_out() -> None:
    with pytest.raises(TableError, match=r"no reading has part 'tset'; there are: , test, train"):
        hold_out(READINGS, part="tset")
    with pytest.raises(HounsfieldError, match="between 0 and 1"):
        hold_out(READINGS, share=1.0)
    with pytest.raises(HounsfieldError, match="between 0 and 1"):
        hold_out(READINGS)
    with pytest.raises(TableError, match="held out are 5 readings, searched on 0"):
        hold_out(READINGS.assign(part="test"), part="test")
    with pytest.raises(TableError, match="held out are 0 readings"):
        hold_out(READINGS, share=0.01)
    with pytest.raises(TableError, match="1 readings have no patient_id"):
        hold_out(READINGS.assign(patient_id=["1", "", "2", "3", "4"]), part="test")


@pytest.fixture(scope="module")
def nodules(cells: Population) -> Nodules:
    """120 nodules of as many patients, 40 malignant."""
    rng = np.random.default_rng(31)
    label = np.repeat([0.0, 1.0], [80, 40])
    rows = np.concatenate(
        [
            rng.choice(len(weights), size=count, p=weights / weights.sum())
            for weights, count in ((cells.benign, 80), (cells.malignant, 40))
        ]
    )
    names = tuple(f"n{k}" for k in range(120))
    features = Features(cells.features.matrix[rows], cells.features.override[rows], np.arange(120))
    return Nodules("one", "", names, names, label, rng.uniform(0.6, 3.5, 120), features)


def held(nodules: Nodules, start: PointTable, table: PointTable) -> HeldOut:
    return evaluate(nodules, start, table, split=hold_out(READINGS, part="test"), seed=0, resamples=300)


def test_evaluation_against_counts(nodules: Nodules, acr: PointTable, ai: PointTable) -> None:
    found = held(nodules, acr, ai)
    first, second = (manage(nodules.features, nodules.size_cm, table) for table in (acr, ai))
    ill = nodules.label == 1
    area, sensitivity, specificity = found.rows
    assert area.first.value == pytest.approx(roc_auc_score(ill, first.points))
    assert area.second.value == pytest.approx(roc_auc_score(ill, second.points))
    assert area.difference.value == pytest.approx(area.second.value - area.first.value)
    assert sensitivity.second.value == pytest.approx(second.fna[ill].mean())
    expected = wilson(int((~first.fna[~ill]).sum()), 80)
    assert (specificity.first.low, specificity.first.high) == (expected.low, expected.high)
    lost = int((first.fna & ~second.fna)[~ill].sum())
    gained = int((~first.fna & second.fna)[~ill].sum())
    assert specificity.mcnemar == pytest.approx(binomtest(lost, lost + gained).pvalue)
    assert specificity.difference.low < (lost - gained) / 80 < specificity.difference.high
    assert (found.patients, found.malignant, found.benign, found.dropped) == (120, 40, 80, 1)


def test_equal_tables_differ_by_nothing_and_are_not_called_certain(nodules: Nodules, acr: PointTable) -> None:
    found = held(nodules, acr, acr)
    for row in found.rows:
        assert (row.difference.value, row.p) == (0, 1)
        assert not row.difference.has_interval
        assert row.first.has_interval
    assert found.p_matched == 1
