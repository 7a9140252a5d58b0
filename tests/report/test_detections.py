"""Detections of four volumes counted by hand: matching, FROC, CPM, JAFROC, comparisons, and the section's words."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from hounsfield.core.errors import TableError
from hounsfield.report.detection_section import detection_section, froc_picture
from hounsfield.report.detections import DetectionResult, DetectionStudy, Hit, evaluate_detections, study_of
from hounsfield.report.extra import Extra
from hounsfield.report.figures.curves import Curve
from hounsfield.report.figures.froc import froc_figure
from hounsfield.tables.detections import BOX, CENTRE, DetectionTables

RADIUS = Hit.read("radius")
# Lesions A and B in v1, C and D in v2, each 10 mm wide; none in v3 and v4.
LESIONS = [("v1", 0, 0, 0), ("v1", 50, 0, 0), ("v2", 0, 0, 0), ("v2", 0, 60, 0)]
# D is missed, B is found by the lowest score of all, the 0.8 marks A a second time, and v4 has no mark.
NET = [
    *(("v1", 0.9, 0, 0, 1), ("v1", 0.8, 0, 0, -1), ("v1", 0.7, 20, 0, 0), ("v1", 0.1, 50, 1, 0)),
    *(("v2", 0.5, 0, 0, 0), ("v3", 0.5, 0, 0, 0), ("v3", 0.3, 9, 9, 9)),
]
BLIND = [("v3", 0.4, 0, 0, 0), ("v4", 0.2, 0, 0, 0)]
PERFECT = [("v1", 9, 0, 0, 0), ("v1", 9, 50, 0, 0), ("v2", 9, 0, 0, 0), ("v2", 9, 0, 60, 0)]


def tables(
    *,
    volumes: Sequence[str] = ("v1", "v2", "v3", "v4"),
    lesions: Sequence[tuple] = LESIONS,
    **arms: Sequence[tuple],
) -> DetectionTables:
    rows = [(arm, *mark) for arm, marks in arms.items() for mark in marks]
    return DetectionTables(
        pd.DataFrame(rows, columns=["arm", "case_id", "score", *CENTRE]).astype({"score": float}),
        pd.DataFrame(lesions, columns=["case_id", *CENTRE]).assign(diameter_mm=10.0),
        pd.DataFrame({"case_id": list(volumes), "patient_id": [f"p{name}" for name in volumes]}),
    )


def evaluated(**arms: Sequence[tuple]) -> tuple[DetectionStudy, DetectionResult]:
    study = study_of(tables(**arms), RADIUS)
    return study, evaluate_detections(study, seed=1, resamples=100)


def values(result: DetectionResult, arm: str) -> dict[str, float]:
    rows = result.metrics[result.metrics["arm"] == arm]
    return dict(zip(rows["metric"], rows["value"], strict=True))


def test_every_number_by_hand() -> None:
    """Scores falling: 0.9 hit, 0.7 false, 0.5 hit and false, 0.3 false, 0.1 hit; four lesions, four volumes.

    False positives per volume and sensitivity: 0 and 1/4, 1/4 and 1/4, 2/4 and 2/4, 3/4 and 2/4, 3/4 and 3/4.
    JAFROC: lesions 0.9, 0.5, 0.1, missed, against 0.5 (v3) and nothing (v4): 1 + 1/2 + 0 + 0 and 1 + 1 + 1 + 1/2 of 8.
    """
    study, result = evaluated(net=NET)
    found = study.found["net"]
    assert sorted(found.hit_score) == [0.1, 0.5, 0.9]
    assert sorted(found.false_score) == [0.3, 0.5, 0.7]
    assert found.lesions.tolist() == [2, 2, 0, 0]
    own = values(result, "net")
    for rate, share in ((0.125, 0.25), (0.25, 0.25), (0.5, 0.5), (1, 0.75), (2, 0.75), (4, 0.75), (8, 0.75)):
        assert own[f"sensitivity at {rate:g}"] == pytest.approx(share)
    assert own["CPM"] == pytest.approx((0.25 + 0.25 + 0.5 + 4 * 0.75) / 7)
    assert own["JAFROC"] == pytest.approx(5 / 8)
    assert own["sensitivity, all marks"] == pytest.approx(0.75)
    assert own["false positives per volume, all marks"] == pytest.approx(0.75)
    rates, share, _, _ = result.curves["net"]
    assert rates[-1] == 0.75
    assert share[-1] == 0.75
    assert share[rates < 0.5] == pytest.approx(0.25)


def test_marks_that_are_all_false_all_right_or_all_tied() -> None:
    """Blind: lesions all below 0.4 and 0.2, so JAFROC 0. Tied: only one threshold, at 3/4 false positives a volume."""
    tied = [(name, 0.5, *place) for name, _, *place in NET]
    _, result = evaluated(blind=BLIND, perfect=PERFECT, tied=tied)
    blind, perfect, same = (values(result, arm) for arm in ("blind", "perfect", "tied"))
    assert (blind["CPM"], blind["JAFROC"], blind["sensitivity, all marks"]) == (0, 0, 0)
    assert blind["false positives per volume, all marks"] == 0.5
    assert (perfect["CPM"], perfect["JAFROC"], perfect["false positives per volume, all marks"]) == (1, 1, 0)
    assert same["CPM"] == pytest.approx(4 * 0.75 / 7)
    # Three found lesions tie with v3 and beat v4, the missed one loses to v3 and ties with v4.
    assert same["JAFROC"] == pytest.approx((3 * 0.5 + 0 + 3 * 1 + 0.5) / 8)


def test_only_the_order_of_scores_counts() -> None:
    _, plain = evaluated(net=NET)
    for shift in (lambda s: s - 5, lambda s: s * 1e12, lambda s: -1 / s):
        _, other = evaluated(net=[(name, shift(score), *place) for name, score, *place in NET])
        assert values(other, "net") == pytest.approx(values(plain, "net"))


def test_without_healthy_volumes_jafroc1_takes_all() -> None:
    """v1 has its highest false mark at 0.7, v2 none: 0.9, 0.5, 0.1, missed against 0.7: 1; against none: 3.5; of 8."""
    study = study_of(tables(volumes=("v1", "v2"), net=NET[:5]), RADIUS)
    own = values(evaluate_detections(study, seed=1, resamples=100), "net")
    assert own["JAFROC1"] == pytest.approx((1 + 3.5) / 8)
    assert "JAFROC" not in own


def test_one_volume_has_values_and_no_interval() -> None:
    study = study_of(tables(volumes=("v1",), lesions=LESIONS[:2], net=NET[:4]), RADIUS)
    rows = evaluate_detections(study, seed=1, resamples=100).metrics.set_index("metric")
    assert rows.loc["CPM", "value"] == pytest.approx((3 * 0.5 + 4 * 1) / 7)
    assert rows[["low", "high"]].isna().all().all()
    assert rows.loc["CPM", "note"] == "fewer than two patients"


def test_patients_are_resampled() -> None:
    """Both volumes of a pair belong to one patient, so ten volumes are five units."""
    marks = [(f"v{k}", 1 - k / 10, 0, 0, 0 if k % 3 else 30) for k in range(10)]
    made = tables(volumes=[f"v{k}" for k in range(10)], lesions=[(f"v{k}", 0, 0, 0) for k in range(10)], net=marks)
    made.volumes["patient_id"] = [f"p{k // 2}" for k in range(10)]
    rows = evaluate_detections(study_of(made, RADIUS), seed=1, resamples=200).metrics.set_index("metric")
    assert (rows.loc["CPM", "n"], rows.loc["CPM", "unit"]) == (5, "patients")
    assert rows.loc["CPM", "low"] < rows.loc["CPM", "value"] < rows.loc["CPM", "high"]


def test_comparisons_are_differences_with_holm_within_a_metric() -> None:
    _, result = evaluated(net=NET, blind=BLIND, twin=NET)
    rows = result.comparisons.set_index(["metric", "first", "second"])
    assert len(rows) == 2 * 3
    assert rows.loc[("CPM", "net", "blind"), "difference"] == pytest.approx(4 / 7)
    assert rows.loc[("JAFROC", "net", "blind"), "difference"] == pytest.approx(5 / 8)
    assert rows.loc[("JAFROC", "blind", "twin"), "difference"] == pytest.approx(-5 / 8)
    assert rows.loc[("CPM", "net", "twin"), ["difference", "p"]].tolist() == [0, 1]
    for _, part in rows.groupby(level="metric"):
        assert part["p_holm"].tolist() == pytest.approx(multipletests(part["p"], method="holm")[1])


def test_pairs_asked_for_and_too_many_arms() -> None:
    study = study_of(tables(**{f"a{k}": BLIND for k in range(6)}), RADIUS)
    assert evaluate_detections(study, seed=1, resamples=100).comparisons.empty
    asked = evaluate_detections(study, seed=1, resamples=100, pairs=[("a4", "a1"), ("a1", "net of another table")])
    assert asked.comparisons[["first", "second"]].drop_duplicates().to_numpy().tolist() == [["a4", "a1"]]


def test_the_curve_of_very_many_marks_follows_its_steps() -> None:
    """A hundred false marks a volume: each point is the share of lesions above the threshold with so many of them."""
    rng = np.random.default_rng(3)
    marks = [(f"v{1 + k % 4}", float(score), 500 + k, 0, 0) for k, score in enumerate(rng.random(400))]
    hits = [("v1", 0.97, 0, 0, 0), ("v1", 0.5, 50, 0, 0), ("v2", 0.2, 0, 0, 0)]
    study = study_of(tables(net=marks + hits), RADIUS)
    rates, share, low, high = evaluate_detections(study, seed=1, resamples=100).curves["net"]
    false = np.array([score for _, score, *_ in marks])
    assert rates[-1] == 100
    assert (np.diff(rates) > 0).all()
    assert rates[(rates > 16) & (rates < 100)].size > 20
    for rate, one in zip(rates, share, strict=True):
        found = [score for _, score, *_ in hits if (false >= score).sum() / 4 <= rate + 1e-9]
        assert one == pytest.approx(len(found) / 4)
    assert (low <= high).all()


CUBE = (0, 0, 0, 10, 10, 10)  # 1000 voxels


@pytest.mark.parametrize(
    ("hit", "mark", "expected"),
    [
        ("radius", (0, 0, 4.9), True),
        ("radius", (0, 0, 5.1), False),
        ("distance:3", (0, 0, 2.9), True),
        ("distance:3", (0, 0, 3.1), False),
        ("inside", (0, 0, 9.9), True),
        ("inside", (0, 0, 10), False),  # half-open
        ("inside", (0, 0, 18, 4, 4, 20), False),
        ("inside", (8, 8, 9, 10, 10, 10.8), True),  # its middle is 9, 9, 9.9
        ("iou:0.33", (0, 0, 5, 10, 10, 15), True),  # 500 common of 1500
        ("iou:0.34", (0, 0, 5, 10, 10, 15), False),
        ("iou:1", CUBE, True),
        ("iou:0.1", (0, 0, 10, 10, 10, 20), False),  # touching is no overlap
    ],
)
def test_every_criterion(hit: str, mark: tuple[float, ...], expected: bool) -> None:
    columns = CENTRE if len(mark) == 3 else BOX
    marks = pd.DataFrame([("net", "v1", 0.5, *mark)], columns=["arm", "case_id", "score", *columns])
    lesions = pd.DataFrame([("v1", 0, 0, 0, 10.0, *CUBE)], columns=["case_id", *CENTRE, "diameter_mm", *BOX])
    made = DetectionTables(marks, lesions, pd.DataFrame({"case_id": ["v1"], "patient_id": ["p1"]}))
    found = study_of(made, Hit.read(hit)).found["net"]
    assert (len(found.hit_score), len(found.false_score)) == ((1, 0) if expected else (0, 1))


def test_a_box_counts_by_its_own_middle() -> None:
    """A centre in mm beside a box in voxels must not be held against a lesion's box in voxels."""
    columns = ["arm", "case_id", "score", *CENTRE, *BOX]
    marks = pd.DataFrame([("net", "v1", 0.5, -300, -200, -100, *CUBE)], columns=columns)
    lesions = pd.DataFrame([("v1", *CUBE)], columns=["case_id", *BOX])
    made = DetectionTables(marks, lesions, pd.DataFrame({"case_id": ["v1"], "patient_id": ["p1"]}))
    assert len(study_of(made, Hit.read("inside")).found["net"].hit_score) == 1


@pytest.mark.parametrize(
    ("text", "criterion", "limit", "words"),
    [
        ("radius", "radius", 0, "within the lesion's radius"),
        ("inside", "inside", 0, "in the lesion's box"),
        ("distance:5", "distance", 5, "within 5 mm"),
        ("iou:0.25", "iou", 0.25, "overlap by 0.25"),
        ("iou:1", "iou", 1, "overlap by 1 "),
    ],
)
def test_hits_as_they_are_written(text: str, criterion: str, limit: float, words: str) -> None:
    found = Hit.read(text)
    assert (found.criterion, found.limit) == (criterion, limit)
    assert words in found.words


@pytest.mark.parametrize(
    "text",
    [
        *("", "touch", "Radius", "radius:5", "inside:1", "distance", "distance:", "distance:0", "distance:-2"),
        *("distance:inf", "distance:5mm", "distance:nan", "iou", "iou:0", "iou:1.1", "iou:0,2"),
    ],
)
def test_hits_that_mean_nothing(text: str) -> None:
    with pytest.raises(TableError, match="--hit takes radius, inside, distance:MM or iou:SHARE") as caught:
        Hit.read(text)
    assert f"got '{text}'" in str(caught.value)


def test_what_a_criterion_lacks() -> None:
    plain = tables(net=NET)
    for hit in ("iou:0.5", "inside"):
        with pytest.raises(TableError, match=r"needs the columns z0, y0, x0, z1, y1, x1 of the lesions\. Add them, or"):
            study_of(plain, Hit.read(hit))
    boxes = plain.lesions.assign(**dict.fromkeys(BOX[:3], 0), **dict.fromkeys(BOX[3:], 1))
    with pytest.raises(TableError, match=r"needs the columns z0, .* of the detections"):
        study_of(DetectionTables(plain.detections, boxes, plain.volumes), Hit.read("iou:0.5"))
    bare = plain.lesions.drop(columns="diameter_mm")
    with pytest.raises(TableError, match="diameter_mm of the lesions"):
        study_of(DetectionTables(plain.detections, bare, plain.volumes), RADIUS)
    some = plain.lesions.assign(diameter_mm=[10, np.nan, 10, 10])
    with pytest.raises(TableError, match="diameter_mm of all lesions; 1 have none"):
        study_of(DetectionTables(plain.detections, some, plain.volumes), RADIUS)
    assert study_of(DetectionTables(plain.detections, some, plain.volumes), Hit.read("distance:5")).found
    mixed = pd.concat([plain.detections, pd.DataFrame([("boxes", "v1", 0.5)], columns=["arm", "case_id", "score"])])
    with pytest.raises(TableError, match="x_mm of all detections; 1 of arm boxes have none"):
        study_of(DetectionTables(mixed, plain.lesions, plain.volumes), RADIUS)


def test_the_section_says_what_was_counted() -> None:
    study, result = evaluated(net=NET, perfect=PERFECT)
    section = detection_section(study, result, {"title": "FROC"})
    assert section["words"].startswith("4 volumes of 4 patients, 2 with 4 lesions. A hit: the mark lies within the")
    assert section["columns"] == ["net", "perfect"]
    rows = {row["name"]: row["cells"] for row in section["rows"]}
    assert [cell["value"] for cell in rows["CPM"]] == ["0.571", "1.000"]
    assert rows["CPM"][1]["under"] == ""  # all resamples agree: no interval
    assert [row["metric"] for row in section["comparisons"]] == ["CPM", "JAFROC"]
    assert section["comparisons"][0]["pair"] == "net – perfect"
    assert section["comparisons"][0]["difference"].startswith("−0.429 (")
    assert detection_section(None, None, None) == {"rows": []}


def test_the_picture_shows_the_four_best_arms_best_first() -> None:
    arms = {"blind": BLIND, "b": BLIND, "c": BLIND, "net": NET, "perfect": PERFECT}
    picture = froc_picture(evaluated(**arms)[1])
    assert picture.alt.startswith("Free-response ROC. perfect: CPM 1.000; net: CPM 0.571 (")
    assert "c: CPM" not in picture.alt


def test_an_arm_without_a_false_positive_is_seen() -> None:
    """One point is no line; beside an arm of many false positives its point must be on the axis, at sensitivity 1."""
    many = Curve("many", np.geomspace(0.05, 50, 30), np.zeros(30))
    alone = Curve("perfect", np.array([0.05]), np.array([1.0]))
    for curves in ([alone], [many, alone]):
        image = matplotlib.image.imread(io.BytesIO(froc_figure(curves, name="froc").png))[..., :3]
        colour = np.array([0x00, 0x72, 0xB2] if len(curves) == 1 else [0xD5, 0x5E, 0x00]) / 255
        upper = image[: len(image) // 4]
        assert (np.abs(upper - colour).max(axis=-1) < 0.02).sum() > 10


def test_tables_of_what_is_there() -> None:
    _, result = evaluated(net=NET)
    written = {name: len(table) for name, table in Extra(detections=result).tables().items()}
    assert {name: count for name, count in written.items() if count} == {"detections": 7 + 4}
    _, several = evaluated(net=NET, blind=BLIND)
    assert len(Extra(detections=several).tables()["detection_comparisons"]) == 2
    assert all(math.isfinite(value) for value in result.metrics["value"])
