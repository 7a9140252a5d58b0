"""The thyroid reader study on its released tables: AUCs, operating points, p-values, subsets, shared errors.

Source: Radiology 2019;292:695-701; exact values recomputed from the same release.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa

from hounsfield.guideline.nodules import find_map, nodules_of
from hounsfield.guideline.point_table import read_point_table
from hounsfield.guideline.score import level_of, points_of, reaches
from hounsfield.stats.auc import auc
from hounsfield.stats.operating_point import level_among, matched_to
from hounsfield.studies.readers import ReaderComparison, run_readers
from hounsfield.studies.readers_figures import operating_point
from hounsfield.studies.readers_panel import MEAN, Plan
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


def test_nobody_is_certain(found: ReaderComparison) -> None:
    """The consensus finds 15 of 15 with follow-up: Wilson's lower end is 15 / (15 + 1.96^2)."""
    one = found.estimates["consensus", "follow_up_sensitivity"]
    assert (one.low, one.high) == (pytest.approx(15 / (15 + 1.959964**2), abs=1e-6), pytest.approx(1))


def test_a_reader_who_spares_more(found: ReaderComparison) -> None:
    """Not in the article: reader 6 spares 59 of 84 where the algorithm spares 44, and that is no chance either."""
    (row,) = [row for row in found.comparisons if (row["metric"], row["second"]) == ("fna_specificity", "6")]
    assert row["difference"] == pytest.approx((44 - 59) / 84)
    assert row["p_holm"] < 0.05


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


# Malignant, benign; AUC of algorithm, readers, consensus; printed intervals of first and last; p against the last two
SUBSETS = {
    "easy": ((10, 39), (0.890, 0.917, 0.955), ((0.75, 0.98), (0.89, 0.99)), (0.59, 0.16)),
    "difficult": ((5, 45), (0.916, 0.697, 0.904), ((0.80, 1.00), (0.72, 1.00)), (0.02, 0.96)),
}


def test_subsets(found: ReaderComparison) -> None:
    for subset, (counts, areas, ends, p) in zip(found.subsets, SUBSETS.values(), strict=True):
        assert (subset.malignant, subset.benign) == counts
        names = ("algorithm", MEAN, "consensus")
        assert [subset.estimates[name].value for name in names] == pytest.approx(areas, abs=5e-4)
        for name, printed in zip(("algorithm", "consensus"), ends, strict=True):
            one = subset.estimates[name]
            assert (one.low, one.high) == pytest.approx(printed, abs=0.015)
        assert [row["second"] for row in subset.comparisons] == [MEAN, "consensus"]
        assert [row["p"] for row in subset.comparisons] == pytest.approx(p, abs=0.06)
    assert found.subsets[1].comparisons[0]["p"] == pytest.approx(0.02, abs=0.01)
    assert found.subsets[1].comparisons[0]["low"] > 0


def test_shared_errors(found: ReaderComparison) -> None:
    """Exact shares, and the printed intervals: 42 % [33, 53], 47 [37, 56], 72 [59, 83], 66 [53, 77]."""
    printed = {
        "model wrong": (42 / 99, 0.33, 0.53),
        "readers wrong, mean": (0.468, 0.37, 0.56),
        "readers wrong where the model is": (0.717, 0.59, 0.83),
        "model wrong where a reader is": (0.660, 0.53, 0.77),
    }
    assert {name: one.value for name, one in found.overlap.items()} == pytest.approx(
        {name: value for name, (value, _, _) in printed.items()}, abs=5e-4
    )
    for name, (_, low, high) in printed.items():
        assert (found.overlap[name].low, found.overlap[name].high) == pytest.approx((low, high), abs=0.011), name


def test_readers_at_large(found: ReaderComparison) -> None:
    """Another way to the printed 0.82 [0.73, 0.90] and p .38; normal theory, so near it only."""
    assert found.at_large is not None
    mean = found.at_large.modality[1]
    assert mean.value == pytest.approx(AREAS[MEAN], abs=5e-5)
    assert (mean.low, mean.high) == pytest.approx((0.73, 0.90), abs=0.02)
    assert found.at_large.p == pytest.approx(0.38, abs=0.05)
    assert found.at_large.differences[0].difference.value == pytest.approx(AREAS["algorithm"] - AREAS[MEAN], abs=1e-4)


def test_agreement(found: ReaderComparison) -> None:
    calls = np.array([one.fna for one in found.judged if one.name.isdecimal()])
    counts = np.stack([calls.sum(axis=0), (~calls).sum(axis=0)], axis=1)
    assert found.agreement["FNA"].value == pytest.approx(fleiss_kappa(counts), abs=1e-10)
    pairs = found.pairs["two readers"]
    assert pairs.pairs == 36
    levels = {one.name: np.maximum(one.level, 1) for one in found.judged}
    theirs = [cohen_kappa_score(levels["algorithm"], levels[str(k)], weights="quadratic") for k in range(1, 10)]
    with_model = found.pairs["algorithm and a reader"]
    assert with_model.mean.value == pytest.approx(np.mean(theirs))
    assert (with_model.smallest, with_model.largest) == pytest.approx((min(theirs), max(theirs)))


def test_operating_points(found: ReaderComparison) -> None:
    for one in found.judged:
        sensitive, spared, _, _ = COUNTS[one.name]
        assert operating_point(found, one) == pytest.approx((1 - spared / 84, sensitive / 15))


def test_one_size_for_everybody(frame: pd.DataFrame) -> None:
    """On the diameters for all: algorithm 44/84, consensus 42/84, readers 2 to 9 one fewer each."""
    common = run_readers(frame, ACR, Plan(seed=0, sizes="common", resamples=100))
    assert common.counts("algorithm")["fna_specificity"] == (44, 84)
    assert common.counts("consensus")["fna_specificity"] == (42, 84)
    assert common.counts("consensus")["follow_up_specificity"] == (33, 84)
    for name in map(str, range(2, 10)):
        assert common.counts(name)["fna_specificity"][0] == COUNTS[name][1] - 1
    assert common.estimates["algorithm", "auc"].unit == "patients"
    assert common.estimates["algorithm", "auc"].n == 91


def test_the_readers_size_for_everybody(frame: pd.DataFrame) -> None:
    """On `Size (cm)` for all: benign spared by algorithm 46, reader 1 41, consensus 43; follow-up 32, 29, 34."""
    theirs = run_readers(frame, ACR, Plan(seed=0, sizes="consensus", resamples=100))
    for name, fna, later in (("algorithm", 46, 32), ("1", 41, 29), ("consensus", 43, 34)):
        counts = [right for right, _ in theirs.counts(name).values()]
        assert counts == [COUNTS[name][0], fna, COUNTS[name][2], later]
    for name in map(str, range(2, 10)):  # these have that column anyway
        assert tuple(right for right, _ in theirs.counts(name).values()) == COUNTS[name]


def test_training_nodules(frame: pd.DataFrame) -> None:
    """Pooled folds 0.7823, the radiologist 0.7985, the algorithm on its own training nodules 0.8253."""
    (expert,), _ = nodules_of(frame[(frame["reader"] == "1") & (frame["part"] == "training")], ACR, named_wins=True)
    assert len(expert.case_id) == 1278
    assert float(auc(expert.label, points_of(expert.features, ACR))) == pytest.approx(0.7985, abs=5e-5)
    for part, printed in (("cross-validation", 0.7823), ("training", 0.8253)):
        rows = frame[(frame["reader"] == "algorithm") & (frame["part"] == part)]
        assert float(auc(rows["label"].astype(int), rows["score"])) == pytest.approx(printed, abs=5e-5)


def test_thresholds_from_held_out_scores(frame: pd.DataFrame) -> None:
    """0.3480, 0.4328, 0.6047 in place of those of the training nodules: 14/15 and 30/84 in place of 13/15 and 44/84."""
    held_out = frame[~((frame["reader"] == "algorithm") & (frame["part"] == "training"))]
    held_out = held_out.assign(part=held_out["part"].replace("cross-validation", "training"))
    found = run_readers(held_out, ACR, Plan(seed=0, resamples=100))
    assert found.thresholds == pytest.approx([0.3480, 0.4328, 0.6047], abs=6e-5)
    counts = found.counts("algorithm")
    assert (counts["fna_sensitivity"], counts["fna_specificity"]) == ((14, 15), (30, 84))


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
