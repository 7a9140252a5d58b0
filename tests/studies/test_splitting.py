"""A cases table with a split in it: a study reads it as it is, and nothing is half-written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.catalog.splits.frames import cohort

from hounsfield.catalog.splits.columns import split_of
from hounsfield.core.errors import ProblemsError, StudyError
from hounsfield.core.progress import silent
from hounsfield.studies.cohort import make_cohort
from hounsfield.studies.load import load
from hounsfield.studies.splitting import SplitPlan, compare_images, split_cases
from hounsfield.tables.check import check_cases, has_errors
from hounsfield.volume.volume import Volume
from hounsfield.volume.write import write_volume

PLAN = SplitPlan(labels=("label",), seed=1)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    frame = cohort({"a": 20, "b": 20}, cases=(1, 2), sites=("East", "West"), seed=1)
    path = tmp_path / "in" / "cases.csv"
    path.parent.mkdir()
    frame.assign(image="images/one.nii.gz", mask=None, age=[*range(len(frame) - 1), None]).to_csv(path, index=False)
    return path


def test_the_table_its_drawing_and_its_plan(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "split.csv"
    made = split_cases(table, PLAN, out)
    assert sorted(file.name for file in out.parent.iterdir()) == [
        "split-balance.png", "split-balance.svg", "split-split.json", "split.csv",
    ]  # fmt: skip
    before, after = pd.read_csv(table), pd.read_csv(out)
    assert set(after["image"]) == {"../in/images/one.nii.gz"}  # relative to the new table
    assert after["mask"].isna().all()
    pd.testing.assert_frame_equal(after.drop(columns=["image", "split"]), before.drop(columns="image"))
    assert made.columns == ("split",)
    assert made.proof.patient_overlaps == 0
    split_of(after, ["split"])  # asserts that patients are apart
    stored = json.loads((out.parent / "split-split.json").read_text())
    assert stored["plan"]["seed"] == 1
    assert stored["plan"]["shares"] == "56:14:30"
    counts = made.balance[made.balance["column"] == "label"].groupby("part")["cases"].sum()
    assert counts.to_dict() == after["split"].value_counts().to_dict()


def test_the_same_for_any_order_of_rows_and_again(table: Path, tmp_path: Path) -> None:
    for kind in ("hold-out", "k-fold", "nested", "leave-one-site-out", "hold-out-sites"):
        plan = SplitPlan(
            labels=("label",), seed=1, kind=kind, site="site", folds=3, shares="4:1", test_sites=("East",)
        )  # fmt: skip
        split_cases(table, plan, tmp_path / "a.csv")
        first = {file.name: file.read_bytes() for file in tmp_path.glob("a*")}
        split_cases(table, plan, tmp_path / "a.csv")
        assert {file.name: file.read_bytes() for file in tmp_path.glob("a*")} == first
        shuffled = table.with_name("shuffled.csv")
        pd.read_csv(table, dtype=str).sample(frac=1, random_state=5).to_csv(shuffled, index=False)
        split_cases(shuffled, plan, tmp_path / "b.csv")
        one, two = (
            pd.read_csv(tmp_path / name).sort_values("case_id", ignore_index=True) for name in ("a.csv", "b.csv")
        )
        pd.testing.assert_frame_equal(one, two)


def test_a_study_uses_the_split_as_it_is(write_balls: Callable[..., Path], tiny_study: str, tmp_path: Path) -> None:
    cases = write_balls(tmp_path / "data")
    out = tmp_path / "data" / "parts.csv"
    split_cases(cases, SplitPlan(labels=("malignant",), seed=4, shares="60:20:20", column="part"), out)
    assert not has_errors(check_cases(out, label="malignant", classes=["0", "1"], workers=1))
    text = tiny_study.replace(
        "split: {kind: hold_out, test: 0.3, validation: 0.3}", "split: {kind: column, column: part}"
    )
    (tmp_path / "s.yaml").write_text(text)
    run = make_cohort(load(str(tmp_path / "s.yaml")), out, tmp_path / "cache", workers=1, progress=silent)
    stored = pd.read_csv(out).set_index("case_id")["part"]
    used = run.split.set_index("case_id")["part"]
    assert used.to_dict() == stored.to_dict()
    assert used.value_counts().to_dict() == {"train": 12, "validation": 4, "test": 4}


def test_every_mistake_comes_at_once_and_nothing_is_written(table: Path, tmp_path: Path) -> None:
    with pytest.raises(ProblemsError) as error:
        split_cases(table, SplitPlan(labels=("lable", "age"), seed=0, site="place"), tmp_path / "x.csv")
    words = str(error.value)
    assert "column lable: the cases table has no such column. Did you mean 'label'?" in words
    assert "column age: it is empty in 1 cases (rows " in words
    assert "column place" in words
    for plan, said in (
        (SplitPlan(labels=("label",), seed=0, kind="leave-one-site-out"), "needs the column of the site: --site"),
        (SplitPlan(labels=("label",), seed=0, kind="hold-out-sites", site="site", repetitions=2), "no repetitions"),
        (SplitPlan(labels=("label",), seed=0, kind="nested"), "takes two shares"),
        (SplitPlan(labels=("label",), seed=0, shares="all"), "two or three numbers"),
        (SplitPlan(labels=("label",), seed=0, column="site"), "already"),
    ):
        with pytest.raises(StudyError, match=said):
            split_cases(table, plan, tmp_path / "x.csv")
    with pytest.raises(StudyError, match=r"\.csv or a \.parquet"):
        split_cases(table, PLAN, tmp_path / "x.xlsx")
    assert not list(tmp_path.glob("x*"))


def test_splitting_in_place_and_replacing(table: Path) -> None:
    split_cases(table, SplitPlan(labels=("label",), seed=0, kind="k-fold", folds=5), table)
    with pytest.raises(StudyError, match="split_fold0"):
        split_cases(table, SplitPlan(labels=("label",), seed=0, kind="k-fold", folds=3), table)
    plan = SplitPlan(labels=("label",), seed=0, kind="k-fold", folds=3, replace=True)
    assert split_cases(table, plan, table).columns == ("split_fold0", "split_fold1", "split_fold2")
    assert [name for name in pd.read_csv(table) if name.startswith("split")] == [
        "split_fold0", "split_fold1", "split_fold2",
    ]  # fmt: skip
    assert set(pd.read_csv(table)["image"]) == {"images/one.nii.gz"}


def test_near_duplicates_are_told_with_the_sides_they_stand_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for number in range(12):
        array = rng.integers(-1000, 1000, (10, 20, 20)).astype(np.int16)
        if number == 0:
            first = array
        if number == 11:
            array = first + 100  # the first patient again, brighter
        name = f"{number}.nii.gz"
        write_volume(Volume(array, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3)), tmp_path / name)
        rows.append((f"c{number}", f"p{number}", name, number % 2, "train" if number < 6 else "test"))
    frame = pd.DataFrame(rows, columns=["case_id", "patient_id", "image", "label", "split"])
    frame.assign(other="train").to_csv(tmp_path / "cases.csv", index=False)
    lines = compare_images(tmp_path / "cases.csv", ["split", "other"], workers=1)
    assert lines[0].startswith("split: 1 pair(s) of images of two patients look like one image (0 with the very same")
    assert "c0 and c11" in lines[0]
    assert "1 of the pairs stand on two sides of this split" in lines[0]
    assert "0 of the pairs" in lines[1]
    assert pd.read_csv(tmp_path / "cases-near-duplicates.csv")["other_patient_id"].tolist() == ["p11"]
    # Once it is put right, no list of an earlier run is left.
    frame[:-1].to_csv(tmp_path / "cases.csv", index=False)
    assert compare_images(tmp_path / "cases.csv", ["split"], workers=1) == [
        "11 images compared: none looks like that of another patient."
    ]
    assert not (tmp_path / "cases-near-duplicates.csv").exists()
