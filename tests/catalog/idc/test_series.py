"""The public index as a table of series: counts that the collections' own pages state, what the index can't tell."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from hounsfield.catalog.idc.series import ABSENT, COLUMNS, index_series, printed_collections
from hounsfield.catalog.labels.labels import ACCEPTED, apply_rules, outcomes
from hounsfield.catalog.labels.rules import read_rules

# Patients, series as the pages of The Cancer Imaging Archive give them for the collections as published.
PUBLISHED = {
    "prostatex": (346, 18_321),
    "ct_colonography": (825, 3_451),
    "lungct_diagnosis": (61, 61),
    "nsclc_radiomics_genomics": (89, 89),
}
CT, MR, SEG, SC = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "4", "66.4", "7"))


@pytest.fixture(scope="module")
def indexed() -> duckdb.DuckDBPyConnection:
    """Four collections of the real index, labelled."""
    pytest.importorskip("idc_index_data")
    connection = duckdb.connect()
    index_series(connection, collections=list(PUBLISHED))
    apply_rules(connection, read_rules(), absent=ABSENT)
    return connection


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    """An index of six series, with the columns of the real one."""
    rows = [
        ("c1", "p1", "1.1", "CT", CT, "Thorax 5.0", "CHEST", 80, "3"),
        ("c1", "p1", "1.2", "CT", CT, "Topogram", "CHEST", 1, "1"),
        ("c1", "p2", "1.3", "MR", MR, "AX T2 TSE", None, 30, "x"),
        ("c1", "p2", "1.4", "MR", MR, "t1_vibe_dyn", "BREAST", 480, None),
        ("c1", "p2", "1.5", "SEG", SEG, "Tumour", None, 1, "5"),
        ("c2", "p3", "1.6", "CT", SC, None, "CHEST", 20, "6"),
    ]
    names = "collection_id, PatientID, SeriesInstanceUID, Modality, SOPClassUID, SeriesDescription, BodyPartExamined"
    others = (
        "'1' AS StudyInstanceUID, 's3://b/' AS series_aws_url, NULL::VARCHAR AS StudyDescription, "
        "'2001-02-03' AS StudyDate, '050Y' AS PatientAge, 'F' AS PatientSex, 'X' AS Manufacturer, "
        "'Y' AS ManufacturerModelName, '1.2' AS TransferSyntaxUID"
    )
    values = ", ".join("(" + ", ".join("?" * 9) + ")" for _ in rows)
    duckdb.connect().execute(
        f"COPY (SELECT *, {others} FROM (VALUES {values}) AS t({names}, instanceCount, SeriesNumber)) "
        f"TO '{tmp_path / 'idc_index.parquet'}' (FORMAT parquet)",
        [value for row in rows for value in row],
    ).fetchall()
    return tmp_path


def test_columns_of_the_index_become_those_of_series(made_up: Path):
    connection = duckdb.connect()
    assert index_series(connection, folder=made_up) == 6
    row = connection.execute(
        "SELECT patient_id, collection, study_date, series_number, objects, planes, kind FROM series "
        "WHERE series_uid = '1.1'"
    ).fetchall()
    assert row == [("p1", "c1", "20010203", 3, 80, 80, None)]
    # A number that is none is absent; objects of a segmentation say nothing of its slices.
    odd = connection.execute("SELECT series_number, planes FROM series WHERE series_uid IN ('1.3', '1.5') ORDER BY 1")
    assert sorted(odd.fetchall(), key=str) == [(5, None), (None, 30)]
    assert index_series(connection, collections=["c2", "it's not there"], folder=made_up) == 1


def test_labels_as_far_as_the_index_allows(made_up: Path):
    connection = duckdb.connect()
    index_series(connection, collections=["c1"], folder=made_up)
    apply_rules(connection, read_rules(), absent=ABSENT)
    labels = connection.execute(
        "SELECT series_uid, value FROM labels WHERE label = 'modality' ORDER BY series_uid"
    ).fetchall()
    assert [value for _, value in labels] == ["CT", "CT", "T2 - SE", "unknown", "unknown"]
    # Nothing is known of the agent or the positions, and that is no "no" and no reason.
    for label in ("contrast", "view", "slice_spacing"):
        found = connection.execute("SELECT DISTINCT value FROM labels WHERE label = ?", [label]).fetchall()
        assert found == [("unknown",)]
    reasons = connection.execute(
        "SELECT series_uid, string_agg(reason, ';' ORDER BY place) FROM exclusions GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert reasons == [("1.2", "few_slices"), ("1.4", "sequence;time_series"), ("1.5", "modality")]
    assert outcomes(connection) == {ACCEPTED: 2, "few_slices": 1, "modality": 1, "sequence": 1}


def test_what_the_index_lacks_is_known():
    assert not set(COLUMNS) & ABSENT
    assert {"contrast_agent", "repetition_time", "orientation", "spacing_mm"} <= ABSENT


def test_printed_collections_are_those_of_the_paper():
    printed = printed_collections()
    assert [sum(one.table == part for one in printed) for part in ("training", "test")] == [45, 12]
    # Sums of the patient columns of tables A1 and A2.
    assert [sum(one.patients for one in printed if one.table == part) for part in ("training", "test")] == [4738, 631]
    assert len({one.printed for one in printed}) == 57
    assert all((one.collection_id is None) == (one.state == "absent") for one in printed)


@pytest.mark.parametrize("collection", PUBLISHED)
def test_published_counts_of_patients_and_series(indexed: duckdb.DuckDBPyConnection, collection: str):
    found = indexed.execute(
        "SELECT count(DISTINCT patient_id), count(*) FROM series WHERE collection = ? AND modality IN ('CT', 'MR')",
        [collection],
    ).fetchall()
    assert found == [PUBLISHED[collection]]


def test_dynamic_series_of_one_time_point_each(indexed: duckdb.DuckDBPyConnection):
    """PROSTATEx holds each time point as a series of its own: named dynamic, and a gradient echo by its name."""
    found = indexed.execute(
        "SELECT string_agg(e.reason, ';' ORDER BY e.place), count(DISTINCT s.series_uid) FROM series s "
        "JOIN exclusions e USING (series_uid) WHERE s.series_description LIKE 'tfl_dyn_fast_tra%' "
        "GROUP BY s.series_uid"
    ).fetchall()
    assert {str(reasons).removeprefix("few_slices;") for reasons, _ in found} == {"sequence;time_series"}
    assert len(found) > 14_000


def test_each_series_of_the_index_has_one_outcome(indexed: duckdb.DuckDBPyConnection):
    total = indexed.execute("SELECT count(*) FROM series").fetchall()[0][0]
    assert sum(outcomes(indexed).values()) == total
    per_label = indexed.execute("SELECT label, count(*) FROM labels GROUP BY 1").fetchall()
    assert {count for _, count in per_label} == {total}
