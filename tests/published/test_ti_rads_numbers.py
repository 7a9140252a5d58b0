"""The TI-RADS study on its released readings: tables 2 and 3, performance of every reader, level changes.

Source: Radiology 2019;292:112-119; the counts of the eight readers are recomputed from the same release.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hounsfield.guideline.compare import Reading, changes, compare, read_both, shifted
from hounsfield.guideline.nodules import Nodules, find_map, nodules_of
from hounsfield.guideline.point_table import PointTable, read_point_table
from hounsfield.guideline.score import level_of, points_of
from hounsfield.stats.auc import auc
from hounsfield.stats.mcnemar import mcnemar
from hounsfield.tables.readings import read_reading_map, read_readings

ACR, AI = read_point_table("acr"), read_point_table("ai")
# option, training benign, training malignant, test benign, test malignant
TABLE_3 = """
composition/cystic 3 0 0 0
composition/spongiform 119 0 11 0
composition/mixed 480 20 39 0
composition/solid 580 116 35 15
composition/cannot_classify 7 0 0 0
echogenicity/anechoic 0 0 0 0
echogenicity/hyperechoic 146 7 20 2
echogenicity/isoechoic 473 22 31 3
echogenicity/hypoechoic 497 89 33 7
echogenicity/very_hypoechoic 38 15 1 3
echogenicity/cannot_classify 35 3 0 0
shape/taller 119 25 9 2
shape/wider 1070 111 76 13
margin/smooth 830 75 64 5
margin/ill_defined 272 25 14 1
margin/lobulated 81 34 4 9
margin/extrathyroidal 0 0 0 0
margin/cannot_classify 6 2 3 0
foci/none 714 44 53 3
foci/comet_tail 87 2 7 1
foci/macrocalcification 167 26 8 3
foci/peripheral 42 11 0 1
foci/punctate 266 74 22 10
"""


@pytest.fixture(scope="module")
def frame(shared_data: Path) -> pd.DataFrame:
    return read_readings(read_reading_map(find_map("ti-rads")), shared_data / "thyroid")


def reader(frame: pd.DataFrame, name: str, part: str = "test") -> Nodules:
    (one,), problems = nodules_of(frame[(frame["reader"] == name) & (frame["part"] == part)], ACR, named_wins=True)
    assert not problems
    return one


def both(one: Nodules, *, override: bool = True) -> Reading:
    return read_both(one.reader, one.features, one.size_cm, ACR, AI, override=override)


def counts(one: Nodules, reading: Reading) -> tuple[int, int, int, int]:
    """Malignant with FNA and benign without, by ACR and by AI."""
    up = one.label == 1
    sides = (reading.first, reading.second)
    found = [(int(side.fna[up].sum()), int((~side.fna[~up]).sum())) for side in sides]
    return (*found[0], *found[1])


def by_column(frame: pd.DataFrame) -> list[list[int]]:
    """Nodules with each option: training benign, training malignant, test benign, test malignant."""
    columns = []
    for part in ("training", "test"):
        one = reader(frame, "expert", part)
        columns += [one.features.matrix[one.label == label].sum(axis=0).tolist() for label in (0, 1)]
    return columns


def test_table_3_in_every_cell(frame: pd.DataFrame) -> None:
    printed = [line.split() for line in TABLE_3.split("\n") if line]
    assert sorted(line[0] for line in printed) == sorted(ACR.option_names)
    place = {name: number for number, name in enumerate(ACR.option_names)}
    columns = by_column(frame)
    for line in printed:
        assert [column[place[line[0]]] for column in columns] == list(map(int, line[1:])), line[0]


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        (ACR, [[122, 181, 250, 468, 168], [0, 2, 16, 40, 78], [11, 14, 19, 32, 9], [0, 0, 0, 3, 12]]),
        (AI, [[343, 117, 246, 352, 131], [4, 4, 15, 38, 75], [27, 11, 21, 21, 5], [0, 0, 1, 3, 11]]),
    ],
    ids=["ACR", "AI"],
)
def test_levels(table: PointTable, rows: list[list[int]], frame: pd.DataFrame) -> None:
    found = []
    for part in ("training", "test"):
        one = reader(frame, "expert", part)
        level = level_of(points_of(one.features, table), table)
        found += [np.bincount(level[one.label == label], minlength=5).tolist() for label in (0, 1)]
    assert found == rows


def test_patients_and_points(frame: pd.DataFrame) -> None:
    patients = []
    for part in ("training", "test"):
        one = reader(frame, "expert", part)
        patients += [len({p for p, y in zip(one.patient_id, one.label, strict=True) if y == label}) for label in (0, 1)]
        points = points_of(one.features, ACR)
        mean, sd = {"training": (4.23, 2.45), "test": (4.22, 2.64)}[part]
        assert (points.mean(), points.std()) == pytest.approx((mean, sd), abs=0.005)
    assert patients == [1067, 127, 80, 14]
    expert = frame[frame["reader"] == "expert"]
    assert expert["patient_id"].nunique() == 1264


def test_training_areas_and_decisions(frame: pd.DataFrame) -> None:
    one = reader(frame, "expert", "training")
    reading = both(one)
    areas = [float(auc(one.label, side.points)) for side in (reading.first, reading.second)]
    assert areas == pytest.approx([0.790689, 0.817104], abs=5e-7)
    assert counts(one, reading) == (89, 561, 82, 674)
    plain = both(one, override=False)
    areas = [float(auc(one.label, side.points)) for side in (plain.first, plain.second)]
    assert areas == pytest.approx([0.782133, 0.812073], abs=5e-7)


READERS = {
    "2": (13, 24, 13, 28),
    "3": (12, 40, 12, 49),
    "4": (12, 40, 13, 44),
    "5": (11, 48, 12, 55),
    "6": (11, 59, 11, 65),
    "7": (12, 42, 12, 47),
    "8": (13, 32, 13, 40),
    "9": (14, 37, 13, 42),
    "consensus": (13, 43, 13, 46),
    "expert": (14, 40, 14, 55),
}


@pytest.mark.parametrize("name", READERS)
def test_fna_of_every_reader(name: str, frame: pd.DataFrame) -> None:
    one = reader(frame, name)
    assert counts(one, both(one)) == READERS[name]


@pytest.mark.parametrize(("name", "areas"), [("expert", (0.9051, 0.9278)), ("consensus", (0.9071, 0.9083))])
def test_areas_on_the_test_nodules(name: str, areas: tuple[float, float], frame: pd.DataFrame) -> None:
    one = reader(frame, name)
    reading = both(one)
    found = (float(auc(one.label, reading.first.points)), float(auc(one.label, reading.second.points)))
    assert found == pytest.approx(areas, abs=5e-5)


def test_99_nodules_of_the_expert(frame: pd.DataFrame) -> None:
    one = reader(frame, "expert")
    kept = np.array([case != "1281" for case in one.case_id])
    reading = both(one)
    found = [float(auc(one.label[kept], side.points[kept])) for side in (reading.first, reading.second)]
    assert found == pytest.approx([0.9060, 0.9274], abs=5e-5)


def test_without_the_override_the_printed_counts_are_missed(frame: pd.DataFrame) -> None:
    one = reader(frame, "expert")
    kept = np.array([case != "1281" for case in one.case_id])
    reading = both(one, override=False)
    benign = (one.label == 0) & kept
    assert [int((~side.fna[benign]).sum()) for side in (reading.first, reading.second)] == [35, 52]


def test_level_changes_and_lost_recommendations(frame: pd.DataFrame) -> None:
    one = reader(frame, "expert")
    found = changes(one.label, both(one), 5)
    table = found.levels.sum(axis=0)
    printed = {(4, 3): 5, (3, 2): 11, (3, 1): 3, (3, 0): 2, (2, 1): 8, (1, 0): 14}
    for cell, number in printed.items():
        assert table[cell] == number, cell
    assert (found.lower, found.higher) == (43, 0)
    assert found.lost.tolist() == [15, 0]
    assert found.gained.tolist() == [0, 0]


def test_other_readers_have_nodules_of_a_higher_level(frame: pd.DataFrame) -> None:
    higher = []
    for name in [*map(str, range(2, 10)), "consensus"]:
        one = reader(frame, name)
        higher.append(changes(one.label, both(one), 5).higher)
    assert sum(count > 0 for count in higher[:8]) == 7
    assert higher[8] > 0
    assert max(higher) == 6


def test_p_values(frame: pd.DataFrame) -> None:
    """AUC p = .18; specificity p < .001 and, of the consensus, .10; exact McNemar 6.1e-5 and .25."""
    rows = {}
    for name in ("expert", "consensus"):
        one = reader(frame, name)
        rows |= {(row.reader, row.metric): row for row in compare(one.label, [both(one)], seed=0)}
    assert rows["expert", "auc"].p == pytest.approx(0.18, abs=0.04)
    assert rows["expert", "specificity"].p < 0.0011
    assert rows["consensus", "specificity"].p == pytest.approx(0.0951, abs=0.02)  # 2 (1 - 3/100)^100
    assert rows["expert", "specificity"].mcnemar == pytest.approx(6.1e-5, rel=0.01)
    assert rows["consensus", "specificity"].mcnemar == 0.25
    ends = rows["expert", "sensitivity"].first
    assert (100 * ends.low, ends.high) == (pytest.approx(77.2, abs=2), 1.0)
    ends = rows["consensus", "specificity"].first
    assert (100 * ends.low, 100 * ends.high) == pytest.approx((40.3, 61.0), abs=2)


def test_mean_of_eight_readers(frame: pd.DataFrame) -> None:
    """Printed: sensitivity 81.7 [62.5, 97.7], AI 82.5 [64.1, 97.7]; specificity 47.9 and 55.1 of the 84 published."""
    readers = [reader(frame, str(number)) for number in range(2, 10)]
    rows = {row.metric: row for row in compare(readers[0].label, [both(one) for one in readers], seed=0)[8::9]}
    sides = [rows["sensitivity"].first, rows["sensitivity"].second]
    assert [100 * float(one.value) for one in sides] == pytest.approx([81.67, 82.5], abs=0.01)
    assert (100 * sides[0].low, 100 * sides[0].high) == pytest.approx((62.5, 97.7), abs=1.5)
    assert 100 * rows["specificity"].first.value == pytest.approx(47.9, abs=0.05)
    assert 100 * rows["specificity"].second.value == pytest.approx(55.1, abs=0.05)
    assert rows["specificity"].p < 0.0011
    assert all(np.array_equal(one.label, readers[0].label) for one in readers)


def test_a_point_less_for_all_does_much_of_the_same(frame: pd.DataFrame) -> None:
    """ACR minus one point: 13/15 and 54/85 on the test nodules, 72/136 and 777/1189 on the training ones."""
    for part, printed in (("test", (13, 54)), ("training", (72, 777))):
        one = reader(frame, "expert", part)
        rows = shifted(one.label, one.features, one.size_cm, ACR)
        (minus,) = [row for row in rows if row.offset == -1]
        assert (minus.found, minus.spared) == printed


def test_consensus_discordants(frame: pd.DataFrame) -> None:
    one = reader(frame, "consensus")
    reading = both(one)
    benign = one.label == 0
    assert mcnemar(~reading.first.fna[benign], ~reading.second.fna[benign]) == 0.25
