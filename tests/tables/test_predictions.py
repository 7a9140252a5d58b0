"""The predictions table: round trips keep order and identifiers, and every broken rule is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hounsfield.core.errors import ProblemsError, TableError
from hounsfield.tables.predictions import classes_of, prob_columns, read_predictions, with_classes, write_predictions

CLASSES = {"invasive": ["AAH+AIS", "MIA+IAC"], "three": ["AAH+AIS", "MIA", "IAC"]}


def _frame() -> pd.DataFrame:
    """Three cases of three patients; two targets, of which one shares a class with the other."""
    shared = {"arm": "d", "repetition": 0, "fold": 0, "seed": 3}
    rows = []
    for case, patient, split in (("01", "1", "validation"), ("02", "2", "test"), ("03", "3", "test")):
        one = {"case_id": case, "patient_id": patient, "split": split, **shared}
        rows.append({**one, "target": "invasive", "label": "MIA+IAC", "prob_MIA+IAC": 0.75, "prob_AAH+AIS": 0.25})
        rows.append({**one, "target": "three", "label": "IAC", "prob_IAC": 0.5, "prob_MIA": 0.25, "prob_AAH+AIS": 0.25})
    return pd.DataFrame(rows).assign(dice=0.8)


@pytest.mark.parametrize("name", ["predictions.parquet", "predictions.csv"])
def test_round_trip(tmp_path: Path, name: str) -> None:
    frame = _frame()
    frame.loc[5, "label"] = None  # truth unknown
    write_predictions(frame, tmp_path / name, classes=CLASSES)
    back = read_predictions(tmp_path / name)
    assert classes_of(back, "invasive") == CLASSES["invasive"]
    assert classes_of(back, "three") == CLASSES["three"]
    assert back["case_id"].tolist() == ["01", "01", "02", "02", "03", "03"]
    assert back["label"].tolist()[:5] == ["MIA+IAC", "IAC"] * 2 + ["MIA+IAC"]
    assert back["label"].isna().tolist() == [False] * 5 + [True]
    assert back["site"].isna().all()
    for column in ["prob_AAH+AIS", "prob_MIA", "prob_IAC", "prob_MIA+IAC", "dice"]:
        np.testing.assert_array_equal(back[column], frame[column])
    assert {str(back[column].dtype) for column in ("repetition", "fold", "seed")} == {"int64"}
    assert [item.name for item in tmp_path.iterdir()] == [name]
    write_predictions(back, tmp_path / name)  # what was read carries its classes
    assert (tmp_path / name).read_bytes()


def test_same_table_same_bytes(tmp_path: Path) -> None:
    for name in ("a.parquet", "b.parquet"):
        write_predictions(_frame(), tmp_path / name, classes=CLASSES)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_order_of_classes_is_stored_not_guessed(tmp_path: Path) -> None:
    turned = {**CLASSES, "invasive": ["MIA+IAC", "AAH+AIS"]}
    write_predictions(_frame(), tmp_path / "p.parquet", classes=turned)
    assert classes_of(read_predictions(tmp_path / "p.parquet"), "invasive") == ["MIA+IAC", "AAH+AIS"]
    other = read_predictions(tmp_path / "p.parquet", classes=CLASSES)
    assert classes_of(other, "invasive") == ["AAH+AIS", "MIA+IAC"]
    write_predictions(_frame(), tmp_path / "p.csv", classes=turned)
    assert classes_of(read_predictions(tmp_path / "p.csv"), "invasive") == ["MIA+IAC", "AAH+AIS"]
    circle = {"invasive": ["AAH+AIS", "MIA+IAC"], "three": ["MIA", "AAH+AIS", "IAC"], "two": ["AAH+AIS", "MIA"]}
    with pytest.raises(TableError, match="Write Parquet"):
        write_predictions(_frame(), tmp_path / "q.csv", classes=circle)
    assert not (tmp_path / "q.csv").exists()


def test_table_made_elsewhere_takes_the_order_of_its_columns(tmp_path: Path) -> None:
    _frame().to_parquet(tmp_path / "p.parquet")
    back = read_predictions(tmp_path / "p.parquet")
    assert classes_of(back, "invasive") == ["MIA+IAC", "AAH+AIS"]
    assert classes_of(back, "three") == ["AAH+AIS", "IAC", "MIA"]
    with pytest.raises(TableError, match="Did you mean 'three'"):
        classes_of(back, "tree")
    assert classes_of(with_classes(back, CLASSES), "three") == CLASSES["three"]


def test_whole_numbers_as_classes_and_semicolons(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "case_id;patient_id;arm;split;repetition;fold;seed;target;label;prob_0;prob_1\n"
        "007;08;reader;test;0;0;0;malignant;1;0,25;0,75\n"
    )
    back = read_predictions(tmp_path / "p.csv")
    assert back[["case_id", "label", "prob_1"]].iloc[0].tolist() == ["007", "1", 0.75]
    assert prob_columns(classes_of(back, "malignant")) == ["prob_0", "prob_1"]


def _broken(frame: pd.DataFrame, tmp_path: Path) -> str:
    with pytest.raises(ProblemsError) as written:
        write_predictions(frame, tmp_path / "p.parquet", classes=CLASSES)
    assert list(tmp_path.iterdir()) == []
    with_classes(frame, {}).to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(ProblemsError) as read:
        read_predictions(tmp_path / "p.csv", classes=CLASSES)
    assert [p.what for p in written.value.problems] == [p.what for p in read.value.problems]
    return str(read.value)


@pytest.mark.parametrize(
    ("row", "column", "value", "words"),
    [
        (1, "prob_IAC", 0.501, "three': probabilities sum to 1 within 0.0001; found 1.001 to 1.001 (1 rows, cases 01)"),
        (2, "prob_MIA+IAC", 1.75, "a probability is outside [0, 1] (1 rows, cases 02)"),
        (0, "prob_MIA+IAC", np.nan, "a probability is missing"),
        (0, "prob_IAC", 0.0, "classes of other targets have values"),
        (0, "label", "MIA", "labels MIA are none of its classes AAH+AIS, MIA+IAC"),
        (0, "split", "train", "got train (1 rows"),
        (2, "patient_id", "9", "a case has one patient_id; several were found (2 rows, cases 02)"),
        (2, "arm", None, "row 4, column arm: the cell is empty (1 rows, cases 02)"),
        (0, "target", "invasve", "target 'invasve': two or more different classes are needed; got none"),
    ],
)
def test_broken_rows_are_named(row: int, column: str, value: object, words: str, tmp_path: Path) -> None:
    frame = _frame()
    frame.loc[row, column] = value
    assert words in _broken(frame, tmp_path)


def test_sum_just_inside_the_tolerance_passes(tmp_path: Path) -> None:
    frame = _frame()
    frame.loc[1, "prob_IAC"] = 0.50009
    write_predictions(frame, tmp_path / "p.parquet", classes=CLASSES)


def test_patient_rule(tmp_path: Path) -> None:
    frame = _frame()
    frame.loc[frame["case_id"] == "02", "patient_id"] = "1"  # case 01 of that patient is in validation
    message = _broken(frame, tmp_path)
    assert "1 patients stand in both validation and test" in message
    assert "(4 rows, cases 01, 02)" in message


def test_patient_may_change_sides_between_folds(tmp_path: Path) -> None:
    one = _frame()
    other = one.assign(fold=1, split=one["split"].map({"validation": "test", "test": "validation"}))
    write_predictions(pd.concat([one, other]), tmp_path / "p.parquet", classes=CLASSES)
    assert len(read_predictions(tmp_path / "p.parquet")) == 12


def test_rows_and_labels_that_contradict(tmp_path: Path) -> None:
    frame = _frame()
    again = frame[frame["case_id"] == "03"].assign(label="AAH+AIS")
    message = _broken(pd.concat([frame, again], ignore_index=True), tmp_path)
    assert "one row is allowed per case_id, arm" in message
    assert "a case has one label per target; several were found (4 rows, cases 03)" in message


def test_missing_columns_and_rows(tmp_path: Path) -> None:
    message = _broken(_frame().rename(columns={"seed": "Seed"}).drop(columns="fold"), tmp_path)
    assert "column seed: a required column is missing. Rename column 'Seed'?" in message
    assert "column fold: a required column is missing." in message
    (tmp_path / "p.csv").unlink()
    assert "target 'three': columns are missing: prob_IAC" in _broken(_frame().drop(columns="prob_IAC"), tmp_path)
    (tmp_path / "p.csv").unlink()
    assert "column fold: whole numbers" in _broken(_frame().assign(fold=0.5), tmp_path)
    (tmp_path / "p.csv").unlink()
    assert "column prob_MIA: numbers are expected" in _broken(_frame().assign(prob_MIA="high"), tmp_path)
    (tmp_path / "p.csv").unlink()
    assert "no rows" in _broken(_frame()[:0], tmp_path)


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"no file p\.parquet"):
        read_predictions(tmp_path / "p.parquet")
    (tmp_path / "p.parquet").write_bytes(b"nothing")
    with pytest.raises(TableError, match="no readable Parquet"):
        read_predictions(tmp_path / "p.parquet")
    with pytest.raises(TableError, match="ordered classes of each target are needed"):
        write_predictions(_frame(), tmp_path / "q.parquet")


def test_names_in_case_ids_are_not_repeated(tmp_path: Path) -> None:
    frame = _frame()
    frame["case_id"] = frame["case_id"].replace("02", "DOE^JANE")
    frame.loc[2, "prob_MIA+IAC"] = 1.75
    assert "DOE" not in _broken(frame, tmp_path)
