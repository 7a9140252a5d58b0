"""Tables of marks, lesions and volumes: every spelling read alike, every mistake of all files named at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hounsfield.core.errors import ProblemsError, TableError
from hounsfield.tables.detections import BOX, CENTRE, DetectionTables, read_detections
from hounsfield.tables.frames import absent_columns, read_frame

MARKS = "case_id,score,z_mm,y_mm,x_mm\nv1,0.9,0,0,1\nv2,0.25,-3.5,2,0\n"
LESIONS = "case_id,z_mm,y_mm,x_mm,diameter_mm\nv1,0,0,0,10\n"
VOLUMES = "case_id,patient_id\nv1,p1\nv2,p2\nv3,p2\n"
BOXES = "case_id,score," + ",".join(BOX) + "\nv1,0.9,0,0,0,4,4,4\n"
LESION_BOXES = "case_id," + ",".join(BOX) + "\nv1,0,0,0,4,4,4\n"


def read(
    folder: Path, marks: str | dict[str, str] = MARKS, lesions: str = LESIONS, volumes: str = VOLUMES
) -> DetectionTables:
    paths = []
    for name, text in (marks if isinstance(marks, dict) else {"net.csv": marks}).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    (folder / "lesions.csv").write_text(lesions)
    (folder / "volumes.csv").write_text(volumes)
    return read_detections(paths, folder / "lesions.csv", folder / "volumes.csv")


def test_plain_tables(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert found.detections[["case_id", "arm"]].to_numpy().tolist() == [["v1", "net"], ["v2", "net"]]
    assert found.detections["score"].tolist() == [0.9, 0.25]
    assert found.detections[list(CENTRE)].to_numpy().tolist() == [[0, 0, 1], [-3.5, 2, 0]]
    assert found.lesions["diameter_mm"].tolist() == [10]
    assert found.volumes.to_numpy().tolist() == [["v1", "p1"], ["v2", "p2"], ["v3", "p2"]]


def test_byte_order_mark_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    text = "\ufeff" + MARKS.replace(",", ";").replace(".", ",")
    pd.testing.assert_frame_equal(read(tmp_path, text).detections, read(tmp_path).detections)


def test_numbers_are_the_same_identifiers_in_every_file(tmp_path: Path) -> None:
    """A missing neighbour, a text neighbour or Parquet turn volume 1 into 1.0 or '1'."""
    marks = "case_id,arm,score,z_mm,y_mm,x_mm\n1,7,0.9,0,0,1\n"
    volumes = "case_id,patient_id\n1,10\nb,\n"
    with pytest.raises(ProblemsError, match=r"row 3, column patient_id: volumes\.csv: 1 cells are empty"):
        read(tmp_path, marks, LESIONS.replace("v1", "1"), volumes)
    found = read(tmp_path, marks, LESIONS.replace("v1", "1"), volumes.replace("b,", "b,11"))
    assert found.volumes["case_id"].tolist() == ["1", "b"]
    assert found.detections[["case_id", "arm"]].to_numpy().tolist() == [["1", "7"]]
    path = tmp_path / "marks.parquet"
    pd.DataFrame({"case_id": [1.0], "score": [3], "z_mm": [1], "y_mm": [2], "x_mm": [3]}).to_parquet(path)
    again = read_detections([path], tmp_path / "lesions.csv", tmp_path / "volumes.csv")
    assert again.detections[["case_id", "arm", "score"]].to_numpy().tolist() == [["1", "marks", 3.0]]


def test_text_that_is_a_number_becomes_one(tmp_path: Path) -> None:
    """Zeros in front make a column text; its cells are numbers all the same."""
    found = read(tmp_path, BOXES.replace(",0,0,0,4", ",00,0,0,04"), LESION_BOXES)
    assert found.detections[list(BOX)].to_numpy().tolist() == [[0, 0, 0, 4, 4, 4]]
    assert found.detections[list(BOX)].dtypes.unique().tolist() == [np.float64]


def test_files_and_the_column_arm(tmp_path: Path) -> None:
    several = MARKS.replace("case_id,", "case_id,arm,").replace("v1,", "v1,a,").replace("v2,", "v2,b,")
    found = read(tmp_path, {"net.csv": MARKS, "two.csv": several})
    assert found.detections["arm"].tolist() == ["net", "net", "a", "b"]
    for twice in ({"x/net.csv": MARKS, "y/net.csv": MARKS}, {"a.csv": MARKS, "two.csv": several}):
        with pytest.raises(ProblemsError, match="several files hold arm"):
            read(tmp_path, twice)


def test_an_empty_diameter_is_none_yet(tmp_path: Path) -> None:
    found = read(tmp_path, lesions=LESIONS + "v2,1,1,1,\n")
    assert found.lesions["diameter_mm"].iloc[0] == 10
    assert np.isnan(found.lesions["diameter_mm"].iloc[1])


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"marks": MARKS.replace("score", "scores")}, "no column 'score'. Did you mean 'scores'?"),
        ({"marks": MARKS.replace("case_id", "case")}, "no column 'case_id'. Did you mean 'case'?"),
        ({"volumes": VOLUMES.replace("patient_id", "Patient ID")}, "no column 'patient_id'. Did you mean 'Patient ID'"),
        ({"marks": MARKS.replace("z_mm", "z")}, "net.csv says of nothing where it is. Give the columns z_mm"),
        ({"marks": MARKS.replace("0.25", "")}, "row 3, column score: net.csv: 1 values are no finite number"),
        ({"marks": MARKS.replace("0.25", "high")}, "row 3, column score: net.csv: 1 values are no finite number"),
        ({"marks": MARKS.replace("0.25", "1e999")}, "row 3, column score: net.csv: 1 values are no finite number"),
        ({"marks": MARKS.replace("-3.5", "nan")}, "row 3, column z_mm: net.csv: 1 values are no finite number"),
        ({"marks": MARKS.replace("v2", "v9")}, "net.csv has 1 volumes that volumes.csv does not list: v9."),
        ({"marks": MARKS.replace("v2", "")}, "row 3, column case_id: net.csv: 1 cells are empty"),
        ({"lesions": LESIONS.replace("v1", "v8")}, "lesions.csv has 1 volumes that volumes.csv does not list: v8."),
        ({"lesions": LESIONS.replace("10", "0")}, "row 2, column diameter_mm: lesions.csv: 1 diameters are no number"),
        ({"lesions": LESIONS.replace("10", "big")}, "1 diameters are no number above 0"),
        ({"volumes": VOLUMES + "v1,p1\n"}, "volumes.csv lists volumes more than once: v1."),
        (
            {"marks": "case_id,arm,score,z_mm,y_mm,x_mm\nv1,a,1,0,0,0\nv1,,1,0,0,0\n"},
            "row 3, column arm: net.csv: 1 cells are empty",
        ),
        ({"marks": BOXES.replace("4,4,4", "4,-4,4")}, "column y1: net.csv: 1 boxes end before they begin at y0"),
        ({"lesions": LESION_BOXES.replace("4,4,4", "0,4,4")}, "lesions.csv: 1 boxes have no size"),
        ({"marks": MARKS.replace("y_mm", "score")}, "several columns are called score"),
    ],
)
def test_mistakes(tmp_path: Path, tables: dict[str, str], message: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        read(tmp_path, **tables)
    assert message in str(caught.value)
    assert len(caught.value.problems) == 1


def test_all_mistakes_of_all_files_at_once(tmp_path: Path) -> None:
    marks = {"a.csv": MARKS.replace("score", "scor"), "b.csv": MARKS.replace("0.9", "").replace("v2", "v9")}
    with pytest.raises(ProblemsError) as caught:
        read(tmp_path, marks, LESIONS.replace("v1", "v8"), VOLUMES + "v3,p2\n")
    text = str(caught.value)
    for words in (
        "a.csv has no column 'score'. Did you mean 'scor'?",
        "row 2, column score: b.csv: 1 values",
        "b.csv has 1 volumes that volumes.csv does not list: v9",
        "lesions.csv has 1 volumes that volumes.csv does not list: v8",
        "volumes.csv lists volumes more than once: v3",
    ):
        assert words in text
    assert len(caught.value.problems) == 5


def test_no_file_and_no_rows(tmp_path: Path) -> None:
    for text in ("", "case_id,score,z_mm,y_mm,x_mm\n"):
        with pytest.raises(TableError, match=r"net\.csv has no rows below its header"):
            read(tmp_path, text)
    with pytest.raises(TableError, match=r"no file gone\.csv"):
        read_detections([tmp_path / "gone.csv"], tmp_path / "lesions.csv", tmp_path / "volumes.csv")


def test_frames_of_any_file(tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    path.write_text("a;b;c;;\n1;1,5;x;;\n2;2;007;;\n")
    frame = read_frame(path)
    assert frame["a"].tolist() == [1, 2]
    assert frame["b"].tolist() == [1.5, 2.0]
    assert frame["c"].tolist() == ["x", "007"]
    path.write_text("a,b\n1,2,3\n")
    with pytest.raises(ProblemsError, match="row 2: 3 cells where the header has 2"):
        read_frame(path)
    path.write_text("a,b,a\n1,2,3\n")
    with pytest.raises(ProblemsError, match="row 1: several columns are called a"):
        read_frame(path)


def test_absent_columns_name_the_one_that_may_be_meant() -> None:
    frame = pd.DataFrame(columns=["Case ID", "other"])
    found = absent_columns(frame, ("case_id", "zz"), Path("t.csv"))
    assert [one.remedy for one in found] == ["Did you mean 'Case ID'?", "It has Case ID, other."]
