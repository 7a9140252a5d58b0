"""Spreadsheets as people save them: what identifies stays text, and all that is wrong is said at once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tests.catalog.cohort.workbook_made import number, text, write_workbook

from hounsfield.catalog.cohort.sheet import Sheet, read_outcomes
from hounsfield.core.errors import ProblemsError, TableError


def written(tmp_path: Path, content: str | bytes) -> Sheet:
    path = tmp_path / "o.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_outcomes(path)


@pytest.mark.parametrize("encode", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_semicolons_marks_blanks_and_encodings(tmp_path: Path, encode: str) -> None:
    content = " patient_id ; Größe ;Befund\r\n 007 ;1,5; gut \r\n\r\n012;2;\r\n".encode(encode)
    sheet = written(tmp_path, content)
    assert list(sheet.frame) == ["patient_id", "Größe", "Befund"]
    assert sheet.frame["Größe"].tolist() == [1.5, 2.0]
    assert sheet.frame["Befund"].tolist() == ["gut", None]
    assert sheet.keys("patient_id") == ["007", "012"]
    assert sheet.rows == (2, 4)  # the empty line counts, as in the spreadsheet


def test_keys_are_the_text_of_their_cells(tmp_path: Path) -> None:
    sheet = written(tmp_path, "a,b,c,d\n7,7.0,12E4,007\n8,8.0,123,8\n,NA,5,9\n")
    assert sheet.keys("a") == ["7", "8", None]
    assert sheet.keys("b") == ["7", "8", None]  # what pandas and R write of whole numbers beside an empty cell
    assert sheet.keys("c") == ["12E4", "123", "5"]  # an identifier, though it could be a number
    assert sheet.keys("d") == ["007", "8", "9"]
    assert Sheet.of(pd.DataFrame({"a": [7.0, None]})).keys("a") == ["7", None]


def test_identifiers_that_a_spreadsheet_has_rounded_are_found(tmp_path: Path) -> None:
    sheet = written(tmp_path, "id;x\n1,23457E+11;1\n1234;2\n9.8E+09;3\n")
    assert sheet.rounded_keys("id") == [2, 4]
    assert sheet.rounded_keys("x") == []


def test_a_workbook(tmp_path: Path) -> None:
    rows = {
        1: [text("A1", "MRN "), text("B1", "surgery"), text("C1", "size"), text("E1", "")],
        2: [number("A2", "7", style=2), number("B2", "43131", style=1), number("C2", "1.5")],
        4: [text("A4", " 8"), text("B4", ""), number("C4", "3")],
    }
    sheet = read_outcomes(write_workbook(tmp_path / "o.xlsx", {"Data": rows, "Legend": {1: [text("A1", "x")]}}))
    assert sheet.keys("MRN") == ["000007", "8"]
    assert sheet.frame["surgery"].tolist() == ["2018-01-31", None]
    assert sheet.frame["size"].tolist() == [1.5, 3.0]
    assert (sheet.rows, sheet.others) == ((2, 4), ("Legend",))


def test_everything_wrong_with_a_sheet_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ProblemsError) as error:
        written(tmp_path, "id,size,size,x\n1,2,3,#REF!\n1,2,3,4,5\n")
    words = str(error.value)
    assert "several columns are called size" in words
    assert "row 2, column x: the cell holds the error #REF!" in words
    assert "row 3: 5 cells where the header has 4" in words


def test_files_that_are_no_spreadsheet(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no file none.csv"):
        read_outcomes(tmp_path / "none.csv")
    (tmp_path / "old.xls").write_bytes(b"x")
    with pytest.raises(TableError, match=r"Save the sheet as \.xlsx or as CSV"):
        read_outcomes(tmp_path / "old.xls")
    with pytest.raises(TableError, match="no rows below its header"):
        written(tmp_path, "id,x\n")
    with pytest.raises(TableError, match="no text"):
        written(tmp_path, "id,x\n1,2\n".encode("utf-16-le"))
    with pytest.raises(TableError, match="no visible sheet"):
        read_outcomes(write_workbook(tmp_path / "o.xlsx", {"Data": {}}))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TableError, match="can't be opened"):
        read_outcomes(tmp_path / "folder.csv")


def test_a_formula_that_nobody_computed_is_no_empty_cell(tmp_path: Path) -> None:
    rows = {1: [text("A1", "id"), text("B1", "y")], 2: [text("A2", "1"), '<c r="B2"><f>1+1</f></c>']}
    with pytest.raises(ProblemsError, match="row 2, column y: the cell holds a formula that was never computed"):
        read_outcomes(write_workbook(tmp_path / "o.xlsx", {"Data": rows}))
