"""Mappings of readings: every way in which columns can be kept, hostile files, and mistakes told all at once."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from hounsfield.core.errors import ProblemsError, TableError
from hounsfield.guideline.nodules import MAPS
from hounsfield.tables.readings import read_plain_readings, read_reading_map, read_readings

MAPPING = """
title: test
shared:
  words: &words {"1": taller, "0": wider, "": wider}
sources:
  - file: all.csv
    reader: expert
    group: experts
    case_id: ID
    patient_id: {column: ID, before: _}
    drop: ["7"]
    parts:
      test: {file: test.csv, column: ID, also: ["9"]}
    otherwise: training
    columns:
      label: {column: Cancer, number: "true"}
      size_cm: {largest_of: [L, W], divide: 10}
      shape: {column: S, values: *words, cases: {"3": taller}}
      foci: {any_of: [C1, C2], values: {PEF: punctate, Macro: macro, "": ""}}
      flags: {flags: {F1: comet, F2: rim}}
      kind: {constant: expert}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "map.yaml").write_text(MAPPING)
    rows = [
        "\ufeffID;Cancer;L;W;S;C1;C2;F1;F2",
        "1_1;1;12;25;1;PEF;Macro;1;0",
        "1_2;0;8;;0;;;0;0",
        "3;0;;;;Macro;Macro;1;1",
        "7;1;1;1;1;;;0;0",
        "9;1;30;10;0;PEF;;0;1",
    ]
    (tmp_path / "all.csv").write_bytes("\r".join(rows).encode())  # byte-order mark, bare carriage returns
    (tmp_path / "test.csv").write_text("ID\n1_2\n")
    return tmp_path


def test_every_kind_of_column(folder: Path) -> None:
    frame = read_readings(read_reading_map(folder / "map.yaml"), folder)
    assert frame["case_id"].tolist() == ["1_1", "1_2", "3", "9"]
    assert frame["patient_id"].tolist() == ["1", "1", "3", "9"]
    assert frame["part"].tolist() == ["training", "test", "training", "test"]
    assert frame["label"].tolist() == [1, 0, 0, 1]
    assert frame["size_cm"].tolist()[:2] == [2.5, 0.8]
    assert math.isnan(frame["size_cm"][2])
    assert frame["shape"].tolist() == ["taller", "wider", "taller", "wider"]  # 3 by name, an empty cell by meaning
    assert frame["foci"].tolist() == ["macro;punctate", "", "macro", "punctate"]
    assert frame["flags"].tolist() == ["comet", "", "comet;rim", "rim"]
    assert set(frame["kind"]) == {"expert"}
    assert set(frame["group"]) == {"experts"}


def test_all_problems_of_the_files_at_once(folder: Path) -> None:
    text = (folder / "all.csv").read_bytes().decode()
    (folder / "all.csv").write_bytes(text.replace("1_2;0;8;;0", "1_1;x;8;;maybe").encode())
    with pytest.raises(ProblemsError) as caught:
        read_readings(read_reading_map(folder / "map.yaml"), folder)
    message = str(caught.value)
    for part in ("1_1", "'x' has no meaning for label", "'maybe' has no meaning for shape"):
        assert part in message


def test_a_missing_column_is_named_with_the_nearest(folder: Path) -> None:
    text = (folder / "all.csv").read_bytes().decode()
    (folder / "all.csv").write_bytes(text.replace("Cancer", "cancer ").encode())
    with pytest.raises(ProblemsError, match="no column 'Cancer'. Did you mean 'cancer'"):
        read_readings(read_reading_map(folder / "map.yaml"), folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{constant: expert}", "{constant: expert, column: ID}", "one origin"),
        ("{constant: expert}", "{}", "one origin"),
        ("divide: 10", "divide: 0", "greater than 0"),
        ("otherwise:", "otherwize:", "otherwize"),
    ],
)
def test_a_bad_mapping(folder: Path, old: str, new: str, message: str) -> None:
    (folder / "map.yaml").write_text(MAPPING.replace(old, new))
    with pytest.raises(ProblemsError, match=message):
        read_reading_map(folder / "map.yaml")


def test_a_mapping_can_not_run_code(folder: Path) -> None:
    (folder / "map.yaml").write_text("title: !!python/object/apply:os.getcwd []\nsources: []\n")
    with pytest.raises(TableError, match="no readable YAML"):
        read_reading_map(folder / "map.yaml")


@pytest.mark.parametrize("path", sorted(MAPS.glob("*.yaml")), ids=lambda path: path.stem)
def test_mappings_that_ship_are_well_formed(path: Path) -> None:
    assert len(read_reading_map(path).sources) >= 10


def test_plain_readings(tmp_path: Path) -> None:
    path = tmp_path / "plain.csv"
    path.write_text("case_id;label;size_cm;shape\n007;1;1,5;taller\n8; 0 ;;wider\n")
    frame = read_plain_readings(path)
    assert frame["case_id"].tolist() == ["007", "8"]
    assert frame["patient_id"].tolist() == ["007", "8"]
    assert frame["label"].tolist() == [1, 0]
    assert frame["size_cm"][0] == 1.5
    assert math.isnan(frame["size_cm"][1])
    frame.to_parquet(tmp_path / "plain.parquet")
    assert read_plain_readings(tmp_path / "plain.parquet")["size_cm"][0] == 1.5


def test_plain_readings_that_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "plain.csv"
    path.write_text("case_id,label,size_cm\na,malignant,1\na,0,big\n")
    with pytest.raises(ProblemsError) as caught:
        read_plain_readings(path)
    for part in ("'malignant' is no number", "'big' is no number", "case a, reader reader: stands there twice"):
        assert part in str(caught.value)
    path.write_text("nodule,label\na,1\n")
    with pytest.raises(ProblemsError, match="no column case_id"):
        read_plain_readings(path)
