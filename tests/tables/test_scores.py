"""Tables of any model: every spelling that spreadsheets have, and every mistake in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hounsfield.core.errors import ProblemsError, TableError
from hounsfield.tables import scores
from hounsfield.tables.prediction_rules import prediction_problems
from hounsfield.tables.scores import EACH_CASE, Columns, read_scores

PLAIN = Columns("label", ("score",), "patient")


def write(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_plain_table(tmp_path: Path) -> None:
    path = write(tmp_path, "patient,label,score,sex\np1,1,0.9,F\np1,0,0.2,F\np2,0,0.4,M\n")
    found = read_scores([path], PLAIN)
    assert found.predictions["prob_1"].tolist() == [0.9, 0.2, 0.4]
    assert found.predictions["arm"].unique().tolist() == ["score"]
    assert found.predictions["case_id"].tolist() == ["row 2", "row 3", "row 4"]
    assert found.classes == ("0", "1")
    assert found.covariates.columns.tolist() == ["case_id", "sex"]
    assert not found.ranked
    assert not found.notes
    assert not prediction_problems(found.predictions, {"label": found.classes})


def test_what_spreadsheets_write(tmp_path: Path) -> None:
    """Byte-order mark, semicolons, decimal commas, stray spaces, empty cells, Excel's first line."""
    text = "\ufeffsep=;\nPatient ID; Truth ;P\n007; malignant;0,9\n8;benign ;0,25\n9;benign;\n10;;0,5\n"
    path = write(tmp_path, text)
    found = read_scores([path], Columns("Truth", ("P",), "Patient ID", positive="malignant"))
    assert found.predictions["prob_malignant"].tolist() == [0.9, 0.25]
    assert found.predictions["patient_id"].tolist() == ["007", "8"]
    assert found.predictions["label"].tolist() == ["malignant", "benign"]
    assert found.notes == ("P: 2 of 4 rows have no label or no finite score; set aside.",)


def test_scores_that_are_no_probabilities_become_ranks(tmp_path: Path) -> None:
    path = write(tmp_path, "patient,label,score\na,1,7\nb,0,2\nc,0,2\nd,1,-3\n")
    found = read_scores([path], PLAIN)
    assert found.ranked == {"score"}
    assert found.predictions["prob_1"].tolist() == [0.875, 0.5, 0.5, 0.125]


def test_several_columns_and_files_are_arms(tmp_path: Path) -> None:
    text = "patient,label,a,b\np,1,0.9,0.8\nq,0,0.2,0.3\n"
    one, two = write(tmp_path, text, "one.csv"), write(tmp_path, text, "two.csv")
    columns = Columns("label", ("a", "b"), "patient")
    assert set(read_scores([one], columns).predictions["arm"]) == {"a", "b"}
    assert set(read_scores([one, two], columns).predictions["arm"]) == {"one a", "one b", "two a", "two b"}
    assert set(read_scores([one, two], Columns("label", ("a",), "patient")).predictions["arm"]) == {"one", "two"}


def test_training_rows_are_never_evaluated_and_never_shared(tmp_path: Path) -> None:
    columns = Columns("label", ("score",), "patient", split="part")
    text = "patient,label,score,part\na,1,0.9,train\nb,0,0.2,test\nc,1,0.7,test\nd,0,0.1,validation\n"
    assert set(read_scores([write(tmp_path, text)], columns).predictions["patient_id"]) == {"b", "c", "d"}
    with pytest.raises(ProblemsError, match="1 patients stand in the training part"):
        read_scores([write(tmp_path, text + "a,0,0.3,test\n")], columns)
    with pytest.raises(ProblemsError, match="holds dev"):
        read_scores([write(tmp_path, text.replace("validation", "dev"))], columns)
    with pytest.raises(ProblemsError, match="no test row"):
        read_scores([write(tmp_path, text.replace("test", "validation"))], columns)


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("patient,label,score\na,1,0.9\nb,1,0.2\n", PLAIN, "one class only"),
        ("patient,label,score\na,x,0.9\nb,y,0.2\nc,z,0.1\n", PLAIN, "3 values: x, y, z"),
        ("patient,label,score\na,Benign,0.9\nb,benign,0.2\nc,malignant,0.1\n", PLAIN, "upper and lower case"),
        ("patient,label,score\na,benign,0.9\nb,malignant,0.2\n", PLAIN, "--positive"),
        ("patient,label,score\na,1,0.9\nb,0,high\n", PLAIN, "'high', which is no number"),
        ("patient,label,score\n,1,0.9\nb,0,0.1\n", PLAIN, "1 rows have no patient"),
        ("patient,label,scores\na,1,0.9\nb,0,0.1\n", PLAIN, "Did you mean 'scores'"),
        (
            "patient,label,score,id\na,1,0.9,x\nb,0,0.1,x\n",
            Columns("label", ("score",), "patient", case="id"),
            "more than once, such as x",
        ),
        (
            "patient,label,score\na,benign,0.9\nb,malignant,0.2\n",
            Columns("label", ("score",), "patient", positive="cancer"),
            "no label is 'cancer'",
        ),
    ],
)
def test_mistakes(tmp_path: Path, text: str, columns: Columns, message: str) -> None:
    with pytest.raises(ProblemsError, match=message):
        read_scores([write(tmp_path, text)], columns)


def test_all_absent_columns_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,2\n")
    with pytest.raises(ProblemsError) as caught:
        read_scores([path], PLAIN)
    for name in ("label", "score", "patient"):
        assert f"no column '{name}'" in str(caught.value)


def test_no_file_and_no_rows(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"no file gone\.csv"):
        read_scores([tmp_path / "gone.csv"], PLAIN)
    with pytest.raises(TableError, match="no rows"):
        read_scores([write(tmp_path, "patient,label,score\n")], PLAIN)


def test_every_row_another_patient_only_if_said(tmp_path: Path) -> None:
    path = write(tmp_path, "label,score\n1,0.9\n0,0.2\n")
    found = read_scores([path], Columns("label", ("score",), EACH_CASE))
    assert found.predictions["patient_id"].tolist() == ["row 2", "row 3"]


def test_the_fast_reader_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "patient": [f"p{number // 2:04d}" for number in range(500)],
            "label": rng.integers(2, size=500),
            "score": np.round(rng.random(500), 6),
        }
    )
    frame.loc[3, "score"] = np.nan
    path = tmp_path / "large.csv"
    path.write_bytes(b"\xef\xbb\xbf" + frame.to_csv(index=False).encode())
    slow = read_scores([path], PLAIN)
    monkeypatch.setattr(scores, "_LARGE", 10)
    fast = read_scores([path], PLAIN)
    pd.testing.assert_frame_equal(slow.predictions, fast.predictions)
    assert slow.notes == fast.notes
    path.write_text("patient,label,score\na,1,0.9\nb,0\n")
    with pytest.raises(TableError, match="no regular CSV"):
        read_scores([path], PLAIN)
