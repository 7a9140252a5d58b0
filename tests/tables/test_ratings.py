"""Readers' ratings: what spreadsheets write is read, every mistake is said in words and all at once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from hounsfield.core.errors import ProblemsError, TableError
from hounsfield.tables.ratings import read_ratings

PLAIN = "case_id,reader,modality,rating,call\nc1,A,alone,4,1\nc1,A,with,5,1\nc2,A,alone,1,0\nc2,A,with,2.5,0\n"


def read(folder: Path, text: str) -> pd.DataFrame:
    path = folder / "ratings.csv"
    path.write_text(text, encoding="utf-8")
    return read_ratings(path)


def test_a_plain_table(tmp_path: Path) -> None:
    found = read(tmp_path, PLAIN)
    assert found["rating"].tolist() == [4, 5, 1, 2.5]
    assert found["modality"].tolist() == ["alone", "with", "alone", "with"]
    assert found["call"].tolist() == [1, 1, 0, 0]


def test_without_modality_and_call(tmp_path: Path) -> None:
    found = read(tmp_path, "\ufeffcase_id;reader;rating\n1;7;0,5\n2;7;3\n")
    assert found["modality"].tolist() == ["alone", "alone"]
    assert found[["case_id", "reader"]].to_numpy().tolist() == [["1", "7"], ["2", "7"]]
    assert found["rating"].tolist() == [0.5, 3]
    assert "call" not in found


def test_calls_as_booleans_of_parquet(tmp_path: Path) -> None:
    path = tmp_path / "ratings.parquet"
    pd.DataFrame({"case_id": [1, 2], "reader": ["A", "A"], "rating": [3, 4], "call": [True, False]}).to_parquet(path)
    assert read_ratings(path)["call"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            PLAIN.replace("reader", "Readers").replace("rating", "ratings"),
            ["no column 'reader'. Did you mean 'Readers'?", "no column 'rating'. Did you mean 'ratings'?"],
        ),
        (PLAIN.replace("2.5", "high"), ["ratings are numbers"]),
        (PLAIN.replace("2.5", "1e999"), ["a rating is infinite"]),
        (PLAIN.replace("2.5,0", "2.5,maybe"), ["a call is 0 or 1"]),
        (PLAIN.replace("2.5,0", "2.5,2"), ["a call is 0 or 1"]),
        (PLAIN + "c2,A,with,2,0\n", ["1 readings stand twice, such as of c2"]),
        (
            PLAIN.replace("2.5,0", ",3").replace("c1,A,alone", "c1,,alone") + "c2,A,alone,2,0\n",
            [
                "row 2, column reader: ratings.csv: 1 cells are empty",
                "row 5, column rating: ratings.csv: 1 cells are empty",
                "a call is 0 or 1",
                "1 readings stand twice",
            ],
        ),
    ],
)
def test_mistakes(tmp_path: Path, text: str, messages: list[str]) -> None:
    with pytest.raises(ProblemsError) as caught:
        read(tmp_path, text)
    assert len(caught.value.problems) == len(messages)
    for words in messages:
        assert words in str(caught.value)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no rows"):
        read(tmp_path, "case_id,reader,rating\n")
    with pytest.raises(TableError, match=r"no file gone\.csv"):
        read_ratings(tmp_path / "gone.csv")
