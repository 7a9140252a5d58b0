"""Tables of points: what spreadsheets write is read, every mistake is named at once."""

from __future__ import annotations

import pytest

from hounsfield.core.errors import ProblemsError
from hounsfield.infer.lesions import Lesion, read_lesions


def problems(path) -> str:
    with pytest.raises(ProblemsError) as caught:
        read_lesions(path)
    assert str(path.parent) not in str(caught.value)
    return str(caught.value)


def table(folder, text: str, encoding: str = "utf-8"):
    path = folder / "points.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_points_in_their_order(tmp_path):
    path = table(tmp_path, "lesion_id,x_mm,y_mm,z_mm,note\n007,-1.5,2,3e1,left\nb,0,0,0,\n")
    assert read_lesions(path) == [Lesion("007", (-1.5, 2.0, 30.0)), Lesion("b", (0.0, 0.0, 0.0))]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_german_spreadsheet(tmp_path, encoding):
    path = table(tmp_path, "lesion_id;x_mm;y_mm;z_mm\nobérlappen;-1,5;2;3,25\n", encoding)
    assert read_lesions(path) == [Lesion("obérlappen", (-1.5, 2.0, 3.25))]


def test_all_mistakes_at_once(tmp_path):
    rows = ["a,1,2,3", ",1,2,3", "b,x,2,3", "a,1,2,inf", f"{'y' * 60},1,2,3"]
    text = problems(table(tmp_path, "\n".join(["lesion_id,x_mm,y_mm,z_mm", *rows]) + "\n"))
    assert "row 3: lesion_id is empty" in text
    assert "row 4: a coordinate is no number" in text
    assert "row 5: a coordinate is no number" in text
    assert "row 6: this lesion_id can't be used" in text
    assert "lesion a: is there twice" in text


def test_missing_columns_propose_the_nearest(tmp_path):
    text = problems(table(tmp_path, "lesion,x_mm,ymm,z_mm\na,1,2,3\n"))
    assert "column lesion_id: missing. Did you mean 'lesion'?" in text
    assert "column y_mm: missing. Did you mean 'ymm'?" in text


@pytest.mark.parametrize(
    "text", ["", "lesion_id,x_mm,y_mm,z_mm\n", "\0\1\2\3", "lesion_id,x_mm,y_mm,z_mm\na,1,2,3,4,5\n"]
)
def test_files_without_points(tmp_path, text):
    problems(table(tmp_path, text))


def test_no_file(tmp_path):
    assert "no such file" in problems(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "no such file" in problems(tmp_path / "folder.csv")
