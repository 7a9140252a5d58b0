"""The cases table: what spreadsheets write is read, structural problems come all at once."""

from __future__ import annotations

import pickle
from pathlib import Path

import pandas as pd
import pytest

from hounsfield.core.errors import ProblemsError, TableError
from hounsfield.tables.cases import Case, Cases, read_cases, write_cases
from hounsfield.tables.findings import Finding

ROWS = [("001", "07", "a.nii.gz", "München", "1", "1,5"), ("002", "08", "b.nii.gz", "", "", "2")]
HEADER = ("case_id", "patient_id", "image", "site", "malignant", "volume")


def _write(path: Path, mark: str = ",", encoding: str = "utf-8", end: str = "\n") -> Path:
    lines = [mark.join(f'"{c}"' if mark in c else c for c in row) for row in (HEADER, *ROWS)]
    path.write_bytes(end.join([*lines, ""]).encode(encoding))
    return path


@pytest.mark.parametrize("mark", [";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_spreadsheet_dialects_give_the_same_cases(tmp_path: Path, mark: str, encoding: str, end: str) -> None:
    first, second = read_cases(_write(tmp_path / "cases.csv", mark, encoding, end)).cases()
    assert first == Case("001", "07", tmp_path / "a.nii.gz", site="München", values={"malignant": 1, "volume": 1.5})
    assert second == Case("002", "08", tmp_path / "b.nii.gz", values={"malignant": None, "volume": 2.0})


def test_decimal_comma_needs_a_delimiter_other_than_comma(tmp_path: Path) -> None:
    frame = read_cases(_write(tmp_path / "cases.csv")).frame
    assert frame["volume"].tolist() == ["1,5", "2"]  # in a comma-separated file "1,5" is text, not a number


def test_sep_line_is_not_counted_and_empty_rows_are(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("sep=;\ncase_id;patient_id;image;;\n1;p;a.nii;;\n;;;;\n2;p;b.nii;;\n")
    cases = read_cases(path)
    assert cases.rows == (2, 4)
    assert list(cases.frame) == ["case_id", "patient_id", "image"]


def test_identifiers_stay_text_and_classes_lose_the_point(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("case_id,patient_id,image,label,code,grade\n00,1e5,a,1.0,01,2\n01,2,b,0.0,02,\n")
    cases = read_cases(path)
    assert cases.frame["case_id"].tolist() == ["00", "01"]
    assert cases.frame["patient_id"].tolist() == ["1e5", "2"]
    assert cases.labels("label") == ["1", "0"]
    assert cases.labels("code") == ["01", "02"]
    assert cases.labels("grade") == ["2", None]  # the empty cell must not turn 2 into 2.0
    with pytest.raises(TableError, match="Did you mean 'grade'"):
        cases.labels("grad")


def test_centre_and_windows_paths(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text(
        "case_id,patient_id,image,mask,centre_x_mm,centre_y_mm,centre_z_mm\n"
        "1,p,im\\a.nii,masks\\a.nii,-10,20.5,3\n2,p,im/b.nii,,,,\n"
    )
    first, second = read_cases(path).cases()
    assert (first.image, first.mask) == (tmp_path / "im" / "a.nii", tmp_path / "masks" / "a.nii")
    assert first.centre_mm == (-10.0, 20.5, 3.0)
    assert (second.mask, second.centre_mm) == (None, None)


def test_cases_travel_by_pickle_and_are_read_only() -> None:
    case = Case("1", "p", Path("a"), values={"age": 61})
    assert pickle.loads(pickle.dumps(case)) == case
    assert hash(case) == hash(Case("1", "p", Path("a")))
    with pytest.raises(TypeError):
        case.values["age"] = 60  # type: ignore[index]


@pytest.mark.parametrize("name", ["cases.csv", "cases.parquet"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    frame = pd.DataFrame(
        {
            "case_id": ["007", "8"],
            "patient_id": [1, 2],
            "image": [tmp_path / "images" / "a.nii.gz", "images/b.nii.gz"],
            "mask": [None, tmp_path.parent / "elsewhere" / "b.nii.gz"],
            "malignant": [0, 1],
            "age": [61.25, None],
            "note": ['said "so", twice', None],
        }
    )
    write_cases(frame, tmp_path / name)
    cases = read_cases(tmp_path / name)
    assert cases.frame["image"].tolist() == ["images/a.nii.gz", "images/b.nii.gz"]
    assert cases.frame["mask"].tolist() == [None, "../elsewhere/b.nii.gz"]
    assert cases.frame["patient_id"].tolist() == ["1", "2"]
    assert [case.values["age"] for case in cases.cases()] == [61.25, None]
    assert [case.values["note"] for case in cases.cases()] == ['said "so", twice', None]
    assert cases.labels("malignant") == ["0", "1"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]


def test_a_bad_frame_is_not_written(tmp_path: Path) -> None:
    frame = pd.DataFrame({"case_id": ["1", "1"], "patient_id": ["p", "p"], "image": ["a", "b"]})
    with pytest.raises(ProblemsError, match="stands in row 2 already"):
        write_cases(frame, tmp_path / "cases.csv")
    assert not (tmp_path / "cases.csv").exists()


def _problems(path: Path) -> list[Finding]:
    with pytest.raises(ProblemsError) as caught:
        read_cases(path)
    assert str(path.parent) not in str(caught.value)
    return [problem for problem in caught.value.problems if isinstance(problem, Finding)]


def test_all_structural_problems_at_once(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text(
        "case_id,patientID,image,mask,mask,centre_x_mm\n1,p,a,m,m,0\n1,p,,m,m,0\n,p,c,m,m,0\n4,p,d,m,m,0,left over\n"
    )
    found = {(p.row, p.column, p.what.split()[0]) for p in _problems(path)}
    assert found == {
        (None, "patient_id", "a"),
        (None, "centre_x_mm", "a"),
        (1, "mask", "the"),
        (3, "case_id", "'1'"),
        (3, "image", "the"),
        (4, "case_id", "the"),
        (5, None, "7"),
    }
    assert "Rename column 'patientID'?" in [p.remedy for p in _problems(path)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "required column is missing"),
        (b"case_id,patient_id,image\n", "no rows"),
        (b"case_id,patient_id,image,,\n1,p,a,x,\n", "has no name"),
        (b"case_id,patient_id,image,centre_x_mm,centre_y_mm,centre_z_mm\n1,p,a,1,2,\n", "incomplete"),
        (b"case_id,patient_id,image,centre_x_mm,centre_y_mm,centre_z_mm\n1,p,a,1,2,3mm\n", "number in mm"),
    ],
)
def test_bad_tables(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "cases.csv").write_bytes(content)
    assert any(words in problem.what for problem in _problems(tmp_path / "cases.csv"))


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("case_id,patient_id,image\n1,p,a\n")
    (tmp_path / "book.xlsx").write_bytes(b"PK")
    (tmp_path / "cases.parquet").write_bytes(b"no parquet")
    assert _problems(tmp_path / "case.csv")[0].remedy == "Did you mean cases.csv?"
    assert "Save the sheet as CSV" in _problems(tmp_path / "book.xlsx")[0].what
    assert "no readable Parquet" in _problems(tmp_path / "cases.parquet")[0].what
    (tmp_path / "folder.csv").mkdir()
    assert "can't be opened" in _problems(tmp_path / "folder.csv")[0].what


def test_only_keeps_rows_and_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("case_id,patient_id,image\n1,p,a\n2,p,b\n3,q,c\n")
    kept = read_cases(path).only(["3", "1"])
    assert (kept.frame["case_id"].tolist(), kept.rows) == (["1", "3"], (2, 4))
    with pytest.raises(TableError, match="not in the table: 9"):
        read_cases(path).only(["9"])


def test_lidc_table(shared_data: Path) -> None:
    cases: Cases = read_cases(shared_data / "lidc-nodules" / "cases.csv")
    assert (len(cases), cases.frame["patient_id"].nunique()) == (792, 441)  # counts of the data's own description
    assert all(case.image.is_file() and case.mask is not None and case.mask.is_file() for case in cases.cases())
    assert set(cases.labels("malignant")) == {"0", "1"}
