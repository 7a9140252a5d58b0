"""The thyroid reader study on its released tables: AUCs, operating points, p-values, subsets, shared errors.

Source: Radiology 2019;292:695-701; exact values recomputed from the same release.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hounsfield.guideline.nodules import find_map, nodules_of
from hounsfield.guideline.point_table import read_point_table
from hounsfield.guideline.score import level_of, points_of, reaches
from hounsfield.stats.auc import auc
from hounsfield.stats.operating_point import level_among, matched_to
from hounsfield.studies.readers import MEAN, Plan, ReaderComparison, run_readers
from hounsfield.tables.readings import read_reading_map, read_readings

ACR = read_point_table("acr")


@pytest.fixture(scope="module")
def frame(shared_data: Path) -> pd.DataFrame:
    return read_readings(read_reading_map(find_map("thyroid")), shared_data / "thyroid")


@pytest.fixture(scope="module")
def found(frame: pd.DataFrame) -> ReaderComparison:
    return run_readers(frame, ACR, Plan(seed=0, sizes="own", by_patient=False))


AREAS = {
    "algorithm": 0.8667, "consensus": 0.9071, "1": 0.9060, "2": 0.7623, "3": 0.8548, "4": 0.8337, "5": 0.7813,
    "6": 0.8496, "7": 0.8087, "8": 0.7921, "9": 0.8302, MEAN: 0.8243,
}  # fmt: skip
# FNA and follow-up: malignant found of 15, benign spared of 84; reader 5 has 48 in the tables, 49 in print
COUNTS = {
    "algorithm": (13, 44, 14, 32), "consensus": (13, 43, 15, 34), "1": (14, 40, 15, 28), "2": (13, 24, 15, 14),
    "3": (12, 40, 15, 27), "4": (12, 40, 15, 28), "5": (11, 48, 14, 34), "6": (11, 59, 13, 51),
    "7": (12, 42, 15, 33), "8": (13, 32, 14, 19), "9": (14, 37, 15, 26),
}  # fmt: skip


def test_areas(found: ReaderComparison) -> None:
    assert {name: found.estimates[name, "auc"].value for name in AREAS} == pytest.approx(AREAS, abs=5e-5)
    algorithm = found.estimates["algorithm", "auc"]
    assert (algorithm.low, algorithm.high) == pytest.approx((0.76, 0.95), abs=0.011)
    mean = found.estimates[MEAN, "auc"]
    assert (mean.low, mean.high) == pytest.approx((0.73, 0.90), abs=0.011)


def test_thresholds_and_management(found: ReaderComparison) -> None:
    assert found.thresholds == pytest.approx([0.4201, 0.5061, 0.6950], abs=5e-5)
    for name, printed in COUNTS.items():
        counts = found.counts(name)
        assert tuple(right for right, _ in counts.values()) == printed, name
        assert [of for _, of in counts.values()] == [15, 84, 15, 84]
    level = found.judged[0].level
    assert np.bincount(level[~found.label], minlength=5)[1:].tolist() == [29, 16, 32, 7]
    assert np.bincount(level[found.label], minlength=5)[1:].tolist() == [1, 0, 4, 10]


@pytest.mark.parametrize(
    ("metric", "second", "p"),
    [
        ("auc", "consensus", 0.42),
        ("auc", MEAN, 0.38),
        ("fna_specificity", "consensus", 0.91),
        ("fna_specificity", "8", 0.042),
        ("fna_specificity", MEAN, 0.45),
        ("fna_sensitivity", MEAN, 0.68),
        ("follow_up_specificity", "consensus", 0.74),
    ],
)
def test_p_values(metric: str, second: str, p: float, found: ReaderComparison) -> None:
    (row,) = [row for row in found.comparisons if (row["metric"], row["second"]) == (metric, second)]
    assert row["p"] == pytest.approx(p, abs=0.06 if p > 0.1 else 0.015)
    assert row["p_holm"] >= row["p"]


def test_p_values_that_are_small_or_one(found: ReaderComparison) -> None:
    rows = {(row["metric"], row["second"]): row["p"] for row in found.comparisons}
    assert rows["fna_specificity", "2"] < 0.0011
    assert rows["fna_sensitivity", "consensus"] == 1
    assert min(p for (metric, _), p in rows.items() if metric == "auc") > 0.075


def test_subsets_and_shared_errors(found: ReaderComparison) -> None:
    easy, difficult = found.subsets
    assert (easy["malignant"], easy["benign"], difficult["malignant"], difficult["benign"]) == (10, 39, 5, 45)
    assert [easy[key] for key in ("model", MEAN, "consensus")] == pytest.approx([0.890, 0.917, 0.955], abs=5e-4)
    assert [difficult[key] for key in ("model", MEAN, "consensus")] == pytest.approx([0.916, 0.697, 0.904], abs=5e-4)
    printed = {
        "model wrong": 42 / 99,
        "readers wrong, mean": 0.468,
        "readers wrong where the model is": 0.717,
        "model wrong where a reader is": 0.660,
    }
    assert dict(found.overlap) == pytest.approx(printed, abs=5e-4)


def test_one_size_for_everybody(frame: pd.DataFrame) -> None:
    """On the diameters for all: algorithm 44/84, consensus 42/84, readers 2 to 9 one fewer each."""
    common = run_readers(frame, ACR, Plan(seed=0, sizes="common", resamples=100))
    assert common.counts("algorithm")["fna_specificity"] == (44, 84)
    assert common.counts("consensus")["fna_specificity"] == (42, 84)
    for name in map(str, range(2, 10)):
        assert common.counts(name)["fna_specificity"][0] == COUNTS[name][1] - 1
    assert common.estimates["algorithm", "auc"].unit == "patients"
    assert common.estimates["algorithm", "auc"].n == 91


def test_training_nodules(frame: pd.DataFrame) -> None:
    """Pooled folds 0.7823, the radiologist 0.7985, the algorithm on its own training nodules 0.8253."""
    (expert,), _ = nodules_of(frame[(frame["reader"] == "1") & (frame["part"] == "training")], ACR, named_wins=True)
    assert len(expert.case_id) == 1278
    assert float(auc(expert.label, points_of(expert.features, ACR))) == pytest.approx(0.7985, abs=5e-5)
    for part, printed in (("cross-validation", 0.7823), ("training", 0.8253)):
        rows = frame[(frame["reader"] == "algorithm") & (frame["part"] == part)]
        assert float(auc(rows["label"].astype(int), rows["score"])) == pytest.approx(printed, abs=5e-5)


def test_cross_validation(frame: pd.DataFrame, shared_data: Path) -> None:
    """Fold models cut at the mean of their own thresholds: 80/127 and 519/1151; the radiologist 85 and 546."""
    (expert,), _ = nodules_of(frame[(frame["reader"] == "1") & (frame["part"] == "training")], ACR, named_wins=True)
    points = dict(zip(expert.case_id, points_of(expert.features, ACR), strict=True))
    folds = pd.read_csv(shared_data / "thyroid" / "predictions_cv_train.csv", dtype={"ID": str}).groupby("Fold")
    starts = [level.points for level in ACR.levels[2:]]
    cuts = np.mean(
        [matched_to([points[case] for case in one["ID"]], one["Prediction"], starts=starts) for _, one in folds], axis=0
    )
    assert cuts == pytest.approx([0.3425, 0.4334, 0.6175], abs=4e-4)
    rows = frame[(frame["reader"] == "algorithm") & (frame["part"] == "cross-validation")].set_index("case_id")
    score = rows["score"].loc[list(expert.case_id)].to_numpy(dtype=float)
    up = np.array(expert.label) == 1
    for level, printed in (
        (level_among(score, cuts) + 1, (80, 519, 115, 333)),
        (level_of(np.array(list(points.values())), ACR), (85, 546, 116, 361)),
    ):
        fna = reaches(level, expert.size_cm, [one.fna_cm for one in ACR.levels])
        later = fna | reaches(level, expert.size_cm, [one.follow_up_cm for one in ACR.levels])
        assert (fna[up].sum(), (~fna[~up]).sum(), later[up].sum(), (~later[~up]).sum()) == printed
