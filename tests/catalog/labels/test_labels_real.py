"""The shared archive: labels and reasons of every series against a table made by looking at headers and pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest
from tests.catalog.labels.made_up import outcomes_of
from tests.catalog.labels.series_of import series_rows, truth

from hounsfield.catalog.scan.scan import scan
from hounsfield.catalog.store import open_catalog

# Column of the truth table -> label.
LABELS = {"label_modality": "modality", "kind": "kind", "view": "view", "contrast": "contrast", "coverage": "coverage"}
COLUMNS = (*LABELS, "slice_spacing_mm", "regular", "excluded", "first_reason", "other_reasons")
Told = dict[str, dict[str, str]]  # series UID -> column of the truth table -> value


def _reasons(reasons: tuple[str, ...]) -> dict[str, str]:
    first = reasons[0] if reasons else ""
    return {"excluded": "yes" if reasons else "no", "first_reason": first, "other_reasons": ";".join(reasons[1:])}


@pytest.fixture(scope="module")
def scanned(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What the scan of the archive says."""
    if not (shared_data / "dicom").is_dir():
        pytest.skip("the DICOM archive is not on this machine")
    out = tmp_path_factory.mktemp("real") / "catalog.duckdb"
    scan(shared_data / "dicom", out, workers=2)
    with open_catalog(out) as connection:
        return {str(row[0]): _told(connection, *row) for row in connection.execute(
            "SELECT series_uid, spacing_mm, regular FROM series ORDER BY series_uid"
        ).fetchall()}  # fmt: skip


def _told(
    connection: duckdb.DuckDBPyConnection, uid: str, spacing: float | None, regular: bool | None
) -> dict[str, str]:
    made = dict(connection.execute("SELECT label, value FROM labels WHERE series_uid = ?", [uid]).fetchall())
    reasons = connection.execute("SELECT reason FROM exclusions WHERE series_uid = ? ORDER BY place", [uid]).fetchall()
    return {
        **{column: str(made[label]) for column, label in LABELS.items()},
        "slice_spacing_mm": "" if spacing is None else str(spacing),
        "regular": {True: "yes", False: "no", None: ""}[regular],
        **_reasons(tuple(str(reason) for (reason,) in reasons)),
    }


def _same(column: str, expected: str, got: str) -> bool:
    if column != "slice_spacing_mm" or not expected or not got:
        return expected == got
    return float(got) == pytest.approx(float(expected), abs=0.005)  # written with two or three decimals


def _wrong(found: Mapping[str, Mapping[str, str]], column: str) -> list[tuple[str, str, str]]:
    return [
        (row["folder"], row[column], found[row["series_uid"]][column])
        for row in truth()
        if not _same(column, row[column], found[row["series_uid"]][column])
    ]


def test_every_series_is_there(scanned: Told):
    assert len(truth()) == 29
    assert set(scanned) == {row["series_uid"] for row in truth()}


@pytest.mark.parametrize("column", COLUMNS)
def test_scan_of_the_whole_archive(scanned: Told, column: str):
    assert _wrong(scanned, column) == []


def test_rules_alone_on_headers_read_with_pydicom(shared_data: Path):
    """The same without the package's own scan and geometry, so that neither can hide a fault of the rules."""
    if not (shared_data / "dicom").is_dir():
        pytest.skip("the DICOM archive is not on this machine")
    rows = series_rows(shared_data / "dicom")
    found = {
        str(row["series_uid"]): {column: one.labels[label] for column, label in LABELS.items()} | _reasons(one.reasons)
        for row, one in zip(rows, outcomes_of(rows), strict=True)
    }
    for column in (*LABELS, "excluded", "first_reason", "other_reasons"):
        assert _wrong(found, column) == []
