"""`hounsfield evaluate` from the outside: any table in, a report with figures that agree with other libraries out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from hounsfield.cli import main
from hounsfield.studies.evaluation import Request, content_of
from hounsfield.tables.predictions import write_predictions


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 nodules of 250 patients, two models, a size, two sites, one with markup in its name."""
    rng = np.random.default_rng(4)
    patient, label = rng.integers(250, size=400), rng.integers(2, size=400)
    frame = pd.DataFrame(
        {
            "nodule": [f"n{number}" for number in range(400)],
            "patient": [f"p{number}" for number in patient],
            "truth": np.where(label, "malignant", "benign"),
            "net": 1 / (1 + np.exp(-(2 * label - 1 + rng.normal(0, 1.2, 400)))),
            "logistic": 1 / (1 + np.exp(-(label - 0.5 + rng.normal(0, 1.2, 400)))),
            "points": np.round(3 * label + rng.normal(4, 2, 400)),
            "part": np.where(patient % 4 == 0, "validation", "test"),
            "site": np.where(patient % 2, "North", "<script>South</script>"),
            "age": np.round(rng.normal(60, 10, 400) + 4 * label),
        }
    )
    path = tmp_path_factory.mktemp("scores") / "scores.csv"
    frame.to_csv(path, index=False, sep=";")
    return path


ARGUMENTS = ("--label", "truth", "--positive", "malignant", "--patient", "patient", "--case", "nodule")


@pytest.fixture(scope="module")
def report(table: Path) -> Path:
    out = table.parent / "out"
    scores = ["--score", "net", "--score", "logistic", "--score", "points", "--trivial", "points"]
    assert (
        main(["evaluate", str(table), *ARGUMENTS, *scores, "--split", "part", "--out", str(out), "--resamples", "200"])
        == 0
    )
    return out


def test_areas_equal_scikit_learn(table: Path, report: Path) -> None:
    metrics = pd.read_parquet(report / "metrics.parquet")
    rows = pd.read_csv(table, sep=";").query("part == 'test'")
    for arm in ("net", "logistic", "points"):
        own = metrics[(metrics["arm"] == arm) & (metrics["metric"] == "auc") & (metrics["seed"].astype(str) == "all")]
        assert own["value"].item() == pytest.approx(roc_auc_score(rows["truth"] == "malignant", rows[arm]), abs=1e-10)
        assert own["low"].item() < own["value"].item() < own["high"].item()
        assert own["n"].item() == rows["patient"].nunique()


def test_ranks_have_no_calibration_and_no_accuracy(report: Path) -> None:
    metrics = pd.read_parquet(report / "metrics.parquet")
    of_points = set(metrics[metrics["arm"] == "points"]["metric"])
    assert {"auc", "sensitivity", "specificity"} <= of_points
    assert not of_points & {"accuracy", "brier", "calibration_slope", "ece"}
    comparisons = pd.read_parquet(report / "comparisons.parquet")
    accuracy = comparisons[comparisons["metric"] == "accuracy"]
    assert not accuracy[["first", "second"]].eq("points").any().any()


def test_cohort_and_subgroups(report: Path) -> None:
    groups = pd.read_parquet(report / "subgroups.parquet")
    assert set(groups["variable"]) == {"site"}
    assert groups["cases"].sum() == 3 * groups[groups["arm"] == "net"]["cases"].sum()
    assert groups["p_holm"].ge(groups["p"]).all()
    cohort = pd.read_parquet(report / "cohort.parquet")
    age = cohort[cohort["characteristic"] == "age"]
    assert set(age["test"].dropna()) == {"Welch's t test", "Mann-Whitney rank-sum test"}
    patients = cohort[(cohort["characteristic"] == "patients")].set_index("group")["n"]
    assert patients["all"] == patients["benign"] + patients["malignant"]


def test_the_page_holds_every_part_and_no_markup_of_the_table(report: Path) -> None:
    page = (report / "report.html").read_text(encoding="utf-8")
    for part in ('id="cohort"', 'id="subgroups"', "Decision curve", "Calibration", "Proof of no leakage"):
        assert part in page
    assert "<script>" not in page
    assert "&lt;script&gt;South" in page
    for name in ("decision_1.svg", "decision_1.png", "roc_1.svg"):
        assert (report / "figures" / name).is_file()


def test_without_validation_no_operating_point(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", str(table), *ARGUMENTS, "--score", "net", "--out", str(tmp_path), "--resamples", "100"]
    assert main(arguments) == 0
    assert "no operating point could be chosen on other cases" in capsys.readouterr().out
    assert "sensitivity" not in set(pd.read_parquet(tmp_path / "metrics.parquet")["metric"])


def test_a_constant_score_and_few_cases(tmp_path: Path) -> None:
    path = tmp_path / "constant.csv"
    path.write_text("patient,label,score\n" + "".join(f"p{k},{k % 2},0.5\n" for k in range(12)))
    arguments = ["--label", "label", "--score", "score", "--patient", "patient", "--resamples", "100"]
    assert main(["evaluate", str(path), *arguments, "--out", str(tmp_path / "out")]) == 0
    metrics = pd.read_parquet(tmp_path / "out" / "metrics.parquet").set_index(["metric", "seed"])
    row = metrics.loc[("auc", "all")]
    assert row["value"] == 0.5
    assert np.isnan(row["low"])
    assert row["note"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--label", "truth", "--score", "net"], "--patient none"),
        ([*ARGUMENTS, "--score", "net", "--trivial", "size"], "no arm 'size'"),
        ([*ARGUMENTS, "--score", "net", "--subgroup", "sex"], "no column 'sex'"),
        ([], "required column is missing"),
    ],
)
def test_mistakes(
    arguments: list[str], message: str, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(table), *arguments, "--out", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_pair_needs_a_colon(table: Path, tmp_path: Path) -> None:
    assert main(["evaluate", str(table), *ARGUMENTS, "--score", "net", "--compare", "net", "--out", str(tmp_path)]) == 2


def test_predictions_of_a_study_and_covariates_beside(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    label = np.arange(60) % 2
    prob = np.clip(0.5 + 0.3 * (label - 0.5) + rng.normal(0, 0.2, 60), 0.01, 0.99)
    frame = pd.DataFrame(
        {
            "case_id": [f"c{k}" for k in range(60)],
            "patient_id": [f"p{k}" for k in range(60)],
            "site": None,
            "arm": "net",
            "split": "test",
            "repetition": 0,
            "fold": 0,
            "seed": 1,
            "target": "malignant",
            "label": np.where(label, "yes", "no"),
            "prob_no": 1 - prob,
            "prob_yes": prob,
        }
    )
    path = tmp_path / "predictions.parquet"
    write_predictions(frame, path, classes={"malignant": ("no", "yes")})
    covariates = pd.DataFrame({"case_id": frame["case_id"], "sex": np.where(np.arange(60) % 3, "F", "M")})
    covariates.to_csv(tmp_path / "cases.csv", index=False)
    arguments = ["--cases", str(tmp_path / "cases.csv"), "--out", str(tmp_path / "out"), "--resamples", "100"]
    assert main(["evaluate", str(path), *arguments]) == 0
    assert set(pd.read_parquet(tmp_path / "out" / "subgroups.parquet")["group"]) == {"F", "M"}
    assert main(["evaluate", str(path), str(path), "--out", str(tmp_path / "twice")]) == 1  # one arm in two files


MARKS = """case_id,arm,score,z_mm,y_mm,x_mm
v1,<b>net</b>,0.9,0,0,1
v1,<b>net</b>,0.7,20,0,0
v1,<b>net</b>,0.1,50,1,0
v2,<b>net</b>,0.5,0,0,0
v3,<b>net</b>,0.5,0,0,0
v3,<b>net</b>,0.3,9,9,9
v4,$_$,0.2,9,9,9
"""
LESIONS = "case_id,z_mm,y_mm,x_mm,diameter_mm\nv1,0,0,0,10\nv1,50,0,0,10\nv2,0,0,0,10\nv2,0,60,0,10\n"
VOLUMES = "case_id,patient_id\nv1,p1\nv2,p2\nv3,p3\nv4,p4\n"


def searched(folder: Path, *, marks: str = MARKS, lesions: str = LESIONS, volumes: str = VOLUMES) -> list[str]:
    """The three tables of a detection study as arguments."""
    arguments = []
    for name, text in (("detections", marks), ("lesions", lesions), ("volumes", volumes)):
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        arguments += [f"--{name}", str(folder / f"{name}.csv")]
    return [*arguments, "--resamples", "100"]


def test_detections_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The hand count of `report/test_detections`: sensitivity 1/4, 1/4, 2/4, then 3/4, so CPM 4/7; JAFROC 5/8."""
    out = tmp_path / "out"
    assert main(["evaluate", *searched(tmp_path), "--hit", "radius", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "<b>net</b>: CPM 0.571 (95 % CI 0." in said
    assert "$_$: CPM 0.000 (no interval)" in said
    metrics = pd.read_parquet(out / "detections.parquet").set_index(["arm", "metric"])["value"]
    assert metrics["<b>net</b>", "CPM"] == pytest.approx(4 / 7)
    assert metrics["<b>net</b>", "JAFROC"] == pytest.approx(5 / 8)
    comparisons = pd.read_csv(out / "detection_comparisons.csv")
    assert comparisons["difference"].tolist() == pytest.approx([4 / 7, 5 / 8 - 1 / 4])
    for name in ("froc.svg", "froc.png"):
        assert (out / "figures" / name).is_file()
    page = (out / "report.html").read_text(encoding="utf-8")
    assert 'id="detections"' in page
    assert "the mark lies within the lesion" in page
    assert "&lt;b&gt;net&lt;/b&gt;" in page
    assert "<b>net" not in page
    for absent in ('id="verdict"', 'id="headline"', 'id="cohort"', 'id="readers"', 'href="#verdict"', "trivial arm"):
        assert absent not in page


def test_a_healthy_volume_more_changes_the_rates(tmp_path: Path) -> None:
    """Five volumes: 0.7 and 0.5 are then 0.2 and 0.4 false positives a volume, all three 0.6."""
    assert main(["evaluate", *searched(tmp_path, volumes=VOLUMES + "v5,p5\n"), "--out", str(tmp_path / "out")]) == 0
    rows = pd.read_parquet(tmp_path / "out" / "detections.parquet").set_index(["arm", "metric"])["value"]
    own = rows["<b>net</b>"]
    assert own["sensitivity at 0.25"] == 0.25
    assert own["sensitivity at 0.5"] == 0.5
    assert own["false positives per volume, all marks"] == pytest.approx(0.6)


def test_boxes_and_overlap(tmp_path: Path) -> None:
    boxes = "z0,y0,x0,z1,y1,x1"
    marks = f"case_id,score,{boxes}\nv1,0.9,0,0,5,10,10,15\nv2,0.8,0,0,1,10,10,11\n"
    lesions = f"case_id,{boxes}\nv1,0,0,0,10,10,10\nv2,0,0,0,10,10,10\n"
    found = {}
    for limit in ("0.3", "0.5", "0.9"):  # overlaps 500 / 1500 and 900 / 1100
        out = tmp_path / limit
        arguments = searched(tmp_path, marks=marks, lesions=lesions)
        assert main(["evaluate", *arguments, "--hit", f"iou:{limit}", "--out", str(out)]) == 0
        rows = pd.read_parquet(out / "detections.parquet").set_index("metric")
        assert rows["arm"].unique().tolist() == ["detections"]  # the file's name
        found[limit] = rows.loc["sensitivity, all marks", "value"]
    assert found == {"0.3": 1, "0.5": 0.5, "0.9": 0}


@pytest.mark.parametrize(
    ("tables", "arguments", "message"),
    [
        (
            {},
            ["--hit", "near:3"],
            "--hit takes radius, inside, distance:MM or iou:SHARE, such as iou:0.1; got 'near:3'",
        ),
        ({}, ["--hit", "iou:0.1"], "needs the columns z0, y0, x0, z1, y1, x1 of the lesions"),
        ({}, ["--compare", "$_$:other"], "no arm 'other'."),
        ({"marks": MARKS.replace("score", "scores")}, [], "Did you mean 'scores'?"),
        ({"marks": MARKS.replace("0.7", "")}, [], "row 3, column score"),
        ({"volumes": VOLUMES + "v1,p1\n"}, [], "more than once: v1"),
        ({"volumes": VOLUMES.replace("v4,p4\n", "")}, [], "does not list: v4"),
        ({"marks": "case_id,score,z_mm,y_mm,x_mm\n"}, [], "detections.csv has no rows"),
    ],
)
def test_mistakes_in_detections(
    tables: dict[str, str], arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *searched(tmp_path, **tables), *arguments, "--out", str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_goes_with_what(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = searched(tmp_path)
    (tmp_path / "readings.csv").write_text("case_id,reader,rating\nn1,A,3\n")
    readings = ["--readings", str(tmp_path / "readings.csv")]
    for arguments, message in (
        ([], "nothing to evaluate: give predictions, or --detections"),
        (given[:4], "detections need --lesions (what was to be found) and --volumes"),
        (given[2:], "--lesions and --volumes go with --detections"),
        (readings, "nothing to evaluate"),
        ([*given, *readings], "readings need a target of two classes"),
    ):
        assert main(["evaluate", *arguments, "--out", str(tmp_path / "out")]) == 1
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_readers_and_detections_beside_predictions(table: Path, tmp_path: Path) -> None:
    rows = pd.read_csv(table, sep=";").query("part == 'test'")
    rng = np.random.default_rng(9)
    truth = (rows["truth"] == "malignant").to_numpy()
    made = []
    for reader, noise in (("<i>Ann</i>", 1.0), ("Bob", 2.0)):
        for way in ("alone", "<b>with</b>"):
            grade = np.round(2 * truth + rng.normal(0, noise, len(rows)), 1)
            part = pd.DataFrame({"case_id": rows["nodule"], "reader": reader, "modality": way, "rating": grade})
            made.append(part.assign(call=(grade > 1).astype(int)))
    ratings = pd.concat(made)
    ratings.to_csv(tmp_path / "readings.csv", index=False)
    out = tmp_path / "out"
    scores = ["--score", "net", "--split", "part", "--readings", str(tmp_path / "readings.csv"), "--out", str(out)]
    assert main(["evaluate", str(table), *ARGUMENTS, *scores, *searched(tmp_path)]) == 0
    areas = pd.read_parquet(out / "readers.parquet").query("metric == 'AUC'").set_index(["who", "modality"])["value"]
    for (reader, way), part in ratings.groupby(["reader", "modality"]):
        assert areas[reader, way] == pytest.approx(roc_auc_score(truth, part["rating"]))
    assert areas["net", ""] == pytest.approx(roc_auc_score(truth, rows["net"]))
    page = (out / "report.html").read_text(encoding="utf-8")
    for part in ('id="verdict"', 'id="detections"', 'id="readers"', "&lt;i&gt;Ann", "&lt;b&gt;with"):
        assert part in page
    assert "<i>Ann" not in page
    assert "<b>with" not in page
    assert (out / "figures" / "readers.svg").is_file()
    # A report of the predictions alone in the same folder leaves no table of the former beside it.
    assert main(["evaluate", str(table), *ARGUMENTS, "--score", "net", "--out", str(out), "--resamples", "100"]) == 0
    assert not {file.name for file in out.iterdir()} & {"readers.csv", "detections.parquet", "reader_comparisons.csv"}


def test_detectors_are_all_compared_beside_classifiers_of_their_names(table: Path, tmp_path: Path) -> None:
    searched(tmp_path, marks=MARKS.replace("<b>net</b>", "net").replace("$_$", "logistic") + "v4,third,1,0,0,0\n")
    request = Request(
        (table,),
        label="truth",
        positive="malignant",
        patient="patient",
        case="nodule",
        scores=("net", "logistic"),
        detections=(tmp_path / "detections.csv",),
        lesions=tmp_path / "lesions.csv",
        volumes=tmp_path / "volumes.csv",
    )
    content, _ = content_of(request)
    assert content.comparisons == (("net", "logistic"), ("net", "third"), ("logistic", "third"))
    asked, _ = content_of(replace(request, comparisons=(("third", "net"),)))
    assert asked.comparisons == (("third", "net"),)


def test_an_arm_in_two_of_three_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = []
    for number, arm in enumerate(("net", "net", "other")):
        names = {"case_id": [f"c{number}{k}" for k in range(4)], "patient_id": [f"p{number}{k}" for k in range(4)]}
        fixed = {"site": None, "arm": arm, "split": "test", "repetition": 0, "fold": 0, "seed": 1, "target": "ill"}
        prob = np.array([0.1, 0.6, 0.4, 0.9])
        frame = pd.DataFrame({**names, **fixed, "label": ["no", "yes"] * 2, "prob_no": 1 - prob, "prob_yes": prob})
        paths.append(tmp_path / f"{number}.parquet")
        write_predictions(frame, paths[-1], classes={"ill": ("no", "yes")})
    assert main(["evaluate", *map(str, paths), "--out", str(tmp_path / "out")]) == 1
    assert "several files hold arm net" in capsys.readouterr().err
