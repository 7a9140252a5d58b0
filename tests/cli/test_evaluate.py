"""`hounsfield evaluate` from the outside: any table in, a report with figures that agree with other libraries out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from hounsfield.cli import main
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
