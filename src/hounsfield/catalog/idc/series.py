"""The index of the Imaging Data Commons as a table `series`. In: the package idc-index-data. Out: rows for the rules.

The index describes a million public series by a few columns: no positions, no timing, no contrast agent. What it lacks
is NULL and listed in `ABSENT`, so that rules which need it stay silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import duckdb
import yaml
from pydantic import BaseModel, ConfigDict

from hounsfield.catalog.idc.index import index_folder
from hounsfield.catalog.labels.conditions import CONTRACT, quoted
from hounsfield.catalog.labels.layers import SHIPPED
from hounsfield.catalog.store import TABLES

# Classes whose objects hold one image each: CT, MR, PET and secondary capture. Of the others the count of objects says
# nothing about the count of slices.
_ONE_IMAGE = ", ".join(f"'1.2.840.10008.5.1.4.1.1.{end}'" for end in ("2", "4", "128", "7"))

# Column of `series` -> SQL over the index.
COLUMNS: dict[str, str] = {
    "series_uid": "SeriesInstanceUID",
    "study_uid": "StudyInstanceUID",
    "patient_id": "PatientID",
    "collection": "collection_id",
    "folder": "series_aws_url",
    "modality": "Modality",
    "sop_class": "SOPClassUID",
    "series_description": "SeriesDescription",
    "study_description": "StudyDescription",
    "body_part": "BodyPartExamined",
    "series_number": "TRY_CAST(SeriesNumber AS BIGINT)",
    "study_date": "replace(CAST(StudyDate AS VARCHAR), '-', '')",
    "patient_age": "PatientAge",
    "patient_sex": "PatientSex",
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "transfer_syntax": "TransferSyntaxUID",
    "objects": "instanceCount",
    "planes": f"CASE WHEN SOPClassUID IN ({_ONE_IMAGE}) THEN instanceCount END",
}
ABSENT = frozenset(CONTRACT) - frozenset(COLUMNS)


class PrintedCollection(BaseModel):
    """A collection of the paper's tables, and what the index has of it: no `collection_id` where it has nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    printed: str
    table: Literal["training", "test"]
    modality: str
    location: str
    patients: int
    collection_id: str | None = None
    state: Literal["present", "pathology", "absent"]


@cache
def printed_collections() -> tuple[PrintedCollection, ...]:
    """The collections of 3D-RADNet's tables A1 and A2 in their order, from `rules/idc_collections.yaml`."""
    content: Any = yaml.safe_load((SHIPPED / "idc_collections.yaml").read_text(encoding="utf-8"))
    return tuple(PrintedCollection.model_validate(one) for one in content["collections"])


def index_series(
    connection: duckdb.DuckDBPyConnection, *, collections: Sequence[str] = (), folder: Path | None = None
) -> int:
    """Makes the table `series` anew from the index, and tells how many rows it has.

    Args:
        collections: identifiers as in the index; all when empty.
        folder: of idc_index.parquet; that of the installed package when None.

    Raises: FetchError when the package is not installed.
    """
    path = (folder or index_folder()) / "idc_index.parquet"
    chosen = f"WHERE collection_id IN ({', '.join(quoted(name) for name in collections)})" if collections else ""
    connection.execute(f"CREATE OR REPLACE TABLE series ({TABLES['series']})").fetchall()
    names, values = ", ".join(COLUMNS), ", ".join(COLUMNS.values())
    inserted = connection.execute(
        f"INSERT INTO series ({names}) SELECT {values} FROM read_parquet({quoted(str(path))}) {chosen}"
    ).fetchall()
    return int(inserted[0][0])
