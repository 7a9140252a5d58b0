"""The catalog's file: one DuckDB database beside the archive, its tables and columns. In: a path. Out: a connection.

The scan writes `files`, `scanned`, `scanned_planes` and `variants`; all others are computed from these and can be
computed again, the same ones whatever the order of the files. No table holds a patient's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from hounsfield.core.errors import HounsfieldError

VERSION = 1

TABLES: dict[str, str] = {
    # One row a file, or a member of an archive, whatever it is. `state`: object, copy (the same object once more),
    # clash (its UID belongs to other content), other (no DICOM), broken, unreadable, archive, directory (DICOMDIR).
    "files": """
        path VARCHAR, member VARCHAR, size BIGINT, mtime_ns BIGINT, state VARCHAR, reason VARCHAR, sop_uid VARCHAR,
        digest VARCHAR
    """,
    # What was read of each file, copies included: the winners among them become `objects` and `planes`.
    "scanned": """
        path VARCHAR, member VARCHAR, sop_uid VARCHAR, series_uid VARCHAR, sop_class VARCHAR, instance_number BIGINT,
        frames INTEGER, variant VARCHAR, digest VARCHAR, refers_to VARCHAR[]
    """,
    "scanned_planes": """
        path VARCHAR, member VARCHAR, sop_uid VARCHAR, series_uid VARCHAR,
        frame INTEGER, rows INTEGER, columns INTEGER, position DOUBLE[3],
        orientation DOUBLE[6], pixel_mm DOUBLE[2], instance_number BIGINT, acquisition BIGINT, temporal BIGINT,
        acquisition_time VARCHAR, content_time VARCHAR, trigger_time DOUBLE, echo INTEGER, b_value DOUBLE,
        stack VARCHAR, image_type VARCHAR, tiles INTEGER
    """,
    "variants": "variant VARCHAR, header JSON",
    # One row a DICOM object. `digest` is that of its header, `variant` that of the part that `headers` holds.
    "objects": """
        sop_uid VARCHAR, series_uid VARCHAR, sop_class VARCHAR, path VARCHAR, member VARCHAR,
        instance_number BIGINT, frames INTEGER, variant VARCHAR, digest VARCHAR, refers_to VARCHAR[]
    """,
    # One row an image plane: a single-frame object has one (frame 0), a multi-frame object one a frame, from 1.
    # Positions and cosines in LPS mm; `pixel_mm` is row distance, column distance.
    "planes": """
        sop_uid VARCHAR, series_uid VARCHAR, frame INTEGER, rows INTEGER, columns INTEGER, position DOUBLE[3],
        orientation DOUBLE[6], pixel_mm DOUBLE[2], instance_number BIGINT, acquisition BIGINT, temporal BIGINT,
        acquisition_time VARCHAR, content_time VARCHAR, trigger_time DOUBLE, echo INTEGER, b_value DOUBLE,
        stack VARCHAR, image_type VARCHAR, tiles INTEGER
    """,
    # The elements that are the same in all objects of a series, as JSON {keyword: value or list}; one row a variant.
    "headers": "series_uid VARCHAR, variant VARCHAR, header JSON, objects INTEGER",
    # One row a series; text as in the header, numbers as numbers, NULL where the header is silent or empty. Only
    # `contrast_agent` keeps an empty text, which says that no agent was given.
    "series": """
        series_uid VARCHAR, study_uid VARCHAR, patient_id VARCHAR, accession VARCHAR, collection VARCHAR,
        folder VARCHAR, modality VARCHAR, kind VARCHAR, sop_class VARCHAR, image_type VARCHAR,
        series_description VARCHAR, study_description VARCHAR,
        protocol_name VARCHAR, body_part VARCHAR, series_number BIGINT, study_date VARCHAR,
        patient_age VARCHAR, patient_sex VARCHAR, manufacturer VARCHAR, model VARCHAR, institution VARCHAR,
        field_strength DOUBLE, kvp DOUBLE, kernel VARCHAR, scanning_sequence VARCHAR, sequence_variant VARCHAR,
        scan_options VARCHAR, sequence_name VARCHAR, pulse_sequence VARCHAR, repetition_time DOUBLE, echo_time DOUBLE,
        inversion_time DOUBLE, flip_angle DOUBLE, echo_train DOUBLE, angio_flag VARCHAR, b_value DOUBLE,
        contrast_agent VARCHAR, contrast_given BOOLEAN, temporal_positions BIGINT, patient_position VARCHAR,
        slice_thickness DOUBLE, header_tilt DOUBLE, burned_in VARCHAR, transfer_syntax VARCHAR, segments INTEGER,
        objects INTEGER, planes INTEGER, variants INTEGER, volumes INTEGER, slices INTEGER, rows INTEGER,
        columns INTEGER, spacing_mm DOUBLE, row_mm DOUBLE, column_mm DOUBLE, length_mm DOUBLE,
        orientation DOUBLE[6], regular BOOLEAN, repeated BOOLEAN, temporal VARCHAR, irregular VARCHAR,
        tilt_degrees DOUBLE
    """,
    # One row a volume of a series; `affine` maps (column, row, slice) to LPS mm, row-major 4 x 4, NULL if irregular.
    "volumes": """
        series_uid VARCHAR, volume INTEGER, slices INTEGER, rows INTEGER, columns INTEGER, spacing_mm DOUBLE,
        row_mm DOUBLE, column_mm DOUBLE, length_mm DOUBLE, orientation DOUBLE[6], affine DOUBLE[16], regular BOOLEAN,
        irregular VARCHAR, tilt_degrees DOUBLE, gaps INTEGER, repeated INTEGER, temporal VARCHAR, sop_uids VARCHAR[],
        frames INTEGER[]
    """,
    # One row a label of a series, with the rule that made it; value `unknown` when the header can't tell.
    "labels": "series_uid VARCHAR, label VARCHAR, value VARCHAR, rule VARCHAR",
    # Every reason why a series is excluded, the first that applied has place 0.
    "exclusions": "series_uid VARCHAR, place INTEGER, reason VARCHAR, rule VARCHAR",
    # From a SEG, RTSTRUCT, SR or derived series to the series it refers to.
    "links": "series_uid VARCHAR, target_uid VARCHAR, kind VARCHAR, objects INTEGER",
    # What deserves a look: a UID with two contents, an archive that changed, a header that contradicts itself.
    "remarks": "series_uid VARCHAR, path VARCHAR, what VARCHAR, remedy VARCHAR",
    "about": "key VARCHAR PRIMARY KEY, value VARCHAR",
}
DERIVED = ("objects", "planes", "headers", "series", "volumes", "labels", "exclusions", "links")


class CatalogError(HounsfieldError):
    """A catalog file that can't be used: locked, damaged, or of another version."""


@contextmanager
def open_catalog(path: Path, *, write: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """The catalog at `path`, made when it is opened for writing and not there.

    Raises: CatalogError when there is none to read, another process writes to it, or it is no catalog.
    """
    if not write and not path.exists():
        make = f"hounsfield catalog build ARCHIVE --out {path.name}"
        raise CatalogError(f"there is no catalog {path.name}. Make one: {make}")
    try:
        connection = duckdb.connect(str(path), read_only=not write)
    except duckdb.Error as error:
        busy = "lock" in str(error).lower()
        why = "another process is writing to it; wait for that" if busy else "it is no catalog, or damaged"
        raise CatalogError(f"{path.name} can't be opened: {why}.") from error
    try:
        connection.execute("SET enable_progress_bar = false")  # its own would be drawn across ours, and into logs
        if write:
            create(connection)
        _check(connection, path)
        yield connection
    finally:
        connection.close()


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the tables that are not there."""
    for name, columns in TABLES.items():
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")
    connection.execute("INSERT OR IGNORE INTO about VALUES ('version', ?)", [str(VERSION)])


def _check(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    try:
        found = connection.execute("SELECT value FROM about WHERE key = 'version'").fetchall()
    except duckdb.Error as error:
        raise CatalogError(f"{path.name} is no catalog of this package. Give another file.") from error
    if not found or found[0][0] != str(VERSION):
        said = found[0][0] if found else "none"
        raise CatalogError(f"{path.name} has version {said}, this package writes {VERSION}. Build it again.")
