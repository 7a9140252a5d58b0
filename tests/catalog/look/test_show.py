"""Questions to a catalog of eight made-up series; what must come out is counted by hand in the table below."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from hounsfield.catalog.look.outliers import outliers, robust_z
from hounsfield.catalog.look.overview import overview
from hounsfield.catalog.look.show import filter_of, frame_of, parse_condition, series_query, write_series
from hounsfield.catalog.store import CatalogError, open_catalog

# uid, patient, modality, kernel, slices, spacing, regular, view, reasons in order
SERIES: list[tuple[Any, ...]] = [
    ("1.1", "P1", "CT", "B30f", 100, 2.0, True, "axial", []),
    ("1.2", "P1", "CT", "b70f", 100, 1.0, True, "axial", ["spacing"]),
    ("1.3", "P2", "CT", None, 3, 5.0, True, "coronal", ["slices", "spacing"]),
    ("1.4", "P2", "CT", "", 40, None, False, "axial", ["geometry"]),
    ("2.1", "P3", "MR", None, 22, 6.5, True, "axial", []),
    ("2.2", "P3", "MR", None, 22, 6.5, True, "sagittal", ["view"]),
    ("2.3", "P4", "MR", None, 60, 1.0, True, "unknown", []),
    ("3.1", "P4", "SR", None, None, None, None, None, ["modality"]),
]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_catalog(tmp_path / "c.duckdb", write=True) as found:
        for uid, patient, modality, kernel, slices, spacing, regular, view, reasons in SERIES:
            found.execute(
                "INSERT INTO series (series_uid, patient_id, study_uid, modality, kind, kernel, slices, spacing_mm, "
                "regular, objects, series_description, irregular) VALUES (?, ?, ?, ?, 'original', ?, ?, ?, ?, ?, ?, ?)",
                [
                    *(uid, patient, f"9.{patient}", modality, kernel, slices, spacing, regular, slices or 1),
                    *("Robert'); DROP TABLE series; --", None if regular is not False else "gaps"),
                ],
            )
            if view is not None:
                found.execute("INSERT INTO labels VALUES (?, 'view', ?, 'view')", [uid, view])
                found.execute("INSERT INTO labels VALUES (?, 'odd \"name', 'x', 'r')", [uid])
            for place, reason in enumerate(reasons):
                found.execute("INSERT INTO exclusions VALUES (?, ?, ?, 'r')", [uid, place, reason])
        for path, state, reason in (("a", "object", None), ("b", "object", None), ("c", "broken", "it is empty")):
            found.execute("INSERT INTO files VALUES (?, '', 500000000, 1, ?, ?, NULL, NULL)", [path, state, reason])
        found.execute("INSERT INTO remarks VALUES (NULL, 'p', 'a path leads out: ../DOE^JANE', 'beware')")
        yield found


def uids(connection: duckdb.DuckDBPyConnection, **words: list[str]) -> list[str]:
    found = frame_of(connection, series_query(connection, filter_of(**words), ["series_uid"]))
    return sorted(found["series_uid"])


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("modality=ct", ["1.1", "1.2", "1.3", "1.4"]),  # upper and lower case are one
        ("modality!=CT", ["2.1", "2.2", "2.3", "3.1"]),
        ("slices>=60", ["1.1", "1.2", "2.3"]),
        ("slices < 22", ["1.3"]),
        ("spacing_mm=6.5", ["2.1", "2.2"]),
        ("spacing_mm!=6.5", ["1.1", "1.2", "1.3", "1.4", "2.3", "3.1"]),  # no value is another value
        ("kernel~B30", ["1.1"]),
        ("kernel=", ["1.3", "1.4", "2.1", "2.2", "2.3", "3.1"]),  # NULL and empty
        ("kernel!=", ["1.1", "1.2"]),
        ("regular=no", ["1.4"]),
        ("regular!=yes", ["1.4", "3.1"]),
        ("series_uid>=2.2", ["2.2", "2.3", "3.1"]),
        ("modality=CT' OR '1'='1", []),
    ],
)
def test_conditions(connection: duckdb.DuckDBPyConnection, condition: str, expected: list[str]):
    assert uids(connection, where=[condition]) == expected


def test_labels_and_reasons(connection: duckdb.DuckDBPyConnection):
    assert uids(connection, label=["view=axial"]) == ["1.1", "1.2", "1.4", "2.1"]
    assert uids(connection, label=["view=Sagittal", "view=coronal"]) == ["1.3", "2.2"]  # either
    assert uids(connection, label=["view!=axial"]) == ["1.3", "2.2", "2.3", "3.1"]
    assert uids(connection, excluded=["none"]) == ["1.1", "2.1", "2.3"]
    assert uids(connection, excluded=["any"]) == ["1.2", "1.3", "1.4", "2.2", "3.1"]
    assert uids(connection, excluded=["spacing"]) == ["1.2", "1.3"]  # in whatever place
    assert uids(connection, excluded=["view", "geometry"]) == ["1.4", "2.2"]
    assert uids(connection, where=["modality=CT"], label=["view=axial"], excluded=["none"]) == ["1.1"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"where": ["slicess>3"]}, "no column 'slicess'. Did you mean slices?"),
        ({"where": ["slices>many"]}, "'slices' is a number"),
        ({"where": ["slices~3"]}, "'slices' is a number"),
        ({"where": ["regular>yes"]}, "yes or no"),
        ({"where": ["orientation=1"]}, "several numbers"),
        ({"where": ["modality"]}, "is no condition"),
        ({"where": ["1=1; DROP TABLE series"]}, "no column '1'"),
        ({"label": ["veiw=axial"]}, "no label 'veiw'. Did you mean view?"),
        ({"label": ["view>axial"]}, "by = or !="),
        ({"excluded": ["spaceing"]}, "no reason 'spaceing'. Did you mean spacing?"),
    ],
)
def test_mistakes_are_told(connection: duckdb.DuckDBPyConnection, words: dict[str, list[str]], message: str):
    with pytest.raises(CatalogError, match=message.replace("?", r"\?")):
        uids(connection, **words)


def test_a_condition_keeps_what_its_value_holds():
    found = parse_condition(" series_description = T1 = post <5> ")
    assert (found.column, found.sign, found.value) == ("series_description", "=", "T1 = post <5>")


def test_columns_of_the_list(connection: duckdb.DuckDBPyConnection):
    rows = frame_of(connection, series_query(connection, filter_of(where=["series_uid=1.3"])))
    assert list(rows.columns)[-3:] == ['label_odd "name', "label_view", "excluded"]
    assert rows["excluded"].tolist() == ["slices"]  # the first that applied
    named = ["series_uid", "excluded_all", "label_view"]
    rows = frame_of(connection, series_query(connection, filter_of(), named), limit=3)
    assert list(rows.columns) == named
    assert rows["series_uid"].tolist() == ["1.1", "1.2", "1.3"]
    assert rows["excluded_all"].tolist()[2] == "slices; spacing"
    assert "tilt_degrees" in frame_of(connection, series_query(connection, filter_of(), ["all"]))
    with pytest.raises(CatalogError, match="Did you mean label_view"):
        series_query(connection, filter_of(), ["lable_view"])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_written_lists(connection: duckdb.DuckDBPyConnection, tmp_path: Path, ending: str):
    path = tmp_path / f"it's.{ending}"
    write_series(connection, series_query(connection, filter_of(excluded=["none"])), path)
    rows = pd.read_csv(path, dtype={"series_uid": str}) if ending == "csv" else pd.read_parquet(path)
    assert rows["series_uid"].tolist() == ["1.1", "2.1", "2.3"]
    with pytest.raises(CatalogError, match=".csv or .parquet"):
        write_series(connection, series_query(connection, filter_of()), tmp_path / "list.xlsx")


def test_counts(connection: duckdb.DuckDBPyConnection):
    counted = overview(connection)
    names = ["series", "patients", "studies", "objects", "slices", "excluded"]
    assert counted.totals[names].values.tolist() == [[8, 4, 4, 348, 347, 5]]
    view = counted.labels[counted.labels["label"] == "view"].set_index("value")
    assert view.loc["axial", ["series", "patients", "used"]].tolist() == [4, 3, 2]
    reasons = counted.reasons.set_index("reason")
    assert reasons.loc["spacing", ["first", "any"]].tolist() == [1, 2]
    assert reasons.loc["slices", ["first", "any"]].tolist() == [1, 1]
    assert counted.irregular.values.tolist() == [["gaps", 1]]
    assert counted.files.values.tolist() == [["object", 2, 1.0], ["broken", 1, 0.5]]
    assert counted.file_reasons.values.tolist() == [["broken", "it is empty", 1]]
    assert counted.remarks.values.tolist() == [["a path leads out", "beware", 1]]  # without the name behind the colon
    of_mr = overview(connection, filter_of(where=["modality=MR"]))
    assert of_mr.kinds.values.tolist() == [["MR", "original", 3, 2, 1]]
    assert of_mr.reasons.values.tolist() == [["view", 1, 1]]


def test_an_empty_catalog(tmp_path: Path):
    with open_catalog(tmp_path / "e.duckdb", write=True) as found:
        counted = overview(found)
        assert counted.totals["series"].tolist() == [0]
        assert counted.outliers.empty
        assert frame_of(found, series_query(found, filter_of())).empty


def test_robust_z_by_hand():
    # Logarithms 0, 1, ..., 8: median 4, absolute deviations 4 3 2 1 0 1 2 3 4 of median 2; 0.6745 * 4 / 2 = 1.349.
    score = robust_z(np.exp(np.arange(9.0)))
    assert score[[0, 4, 8]] == pytest.approx([-1.349, 0, 1.349])
    # Seven equal and one twice as large: the median deviation is 0, the mean one ln(2) / 8; 8 / 1.253314 = 6.383.
    score = robust_z(np.array([5.0] * 7 + [10.0]))
    assert score[-1] == pytest.approx(6.3831, abs=1e-4)
    assert np.isnan(robust_z(np.array([1.0] * 6 + [9.0]))).all()  # too few to say who is odd
    assert (robust_z(np.full(9, 2.5)) == 0).all()
    assert np.isnan(robust_z(np.array([1.0] * 8 + [0.0, np.nan]))[-2:]).all()


def test_outliers_are_those_of_their_own_modality():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "series_uid": [f"c{k}" for k in range(30)] + [f"m{k}" for k in range(30)],
            "modality": ["CT"] * 30 + ["MR"] * 30,
            "spacing_mm": np.concatenate([rng.uniform(1.9, 2.1, 30), rng.uniform(5.8, 6.2, 30)]),
            "slices": 100,
            "row_mm": 0.7,
            "column_mm": 0.7,
        }
    )
    assert outliers(rows).empty
    rows.loc[3, "spacing_mm"] = 6.0  # usual for MR, not for CT
    rows.loc[40, "slices"] = 1
    found = outliers(rows)
    assert set(zip(found["series_uid"], found["measure"], strict=True)) == {("c3", "spacing_mm"), ("m10", "slices")}
    assert found.set_index("series_uid").loc["m10", ["value", "usual"]].tolist() == [1, 100]
