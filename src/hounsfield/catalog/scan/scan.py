"""The scan: a folder tree of DICOM in, the catalog's file out. Headers only; in parallel; taken up again after a kill.

Files that have not changed since the last scan are not read again, those that are gone leave the catalog. Each window
of files is committed by itself, so that a killed scan loses seconds. What is made of the rows in the end depends on the
files alone, not on their order nor on how often the scan was interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from hounsfield.catalog.scan.media import is_media_directory
from hounsfield.catalog.scan.read import Rows, read_entries
from hounsfield.catalog.scan.settle import settle
from hounsfield.catalog.scan.walk import Entry, batches, count_files, walk
from hounsfield.catalog.store import CatalogError, open_catalog
from hounsfield.core.engine import cores, each, slots
from hounsfield.core.progress import Progress, silent

_BATCH = 256  # files that a worker reads at once
# Of DuckDB, which spills to disk beyond; each of its threads takes a share.
_MEMORY, _THREADS = "160MB", 4

_NUMBERS = pa.list_(pa.float64())
_PLANE_FIELDS: list[tuple[str, Any]] = [
    *(("path", pa.string()), ("member", pa.string()), ("sop_uid", pa.string()), ("series_uid", pa.string())),
    *(("frame", pa.int32()), ("rows", pa.int32())),
    *(("columns", pa.int32()), ("position", _NUMBERS), ("orientation", _NUMBERS), ("pixel_mm", _NUMBERS)),
    *(("instance_number", pa.int64()), ("acquisition", pa.int64()), ("temporal", pa.int64())),
    *(("acquisition_time", pa.string()), ("content_time", pa.string()), ("trigger_time", pa.float64())),
    *(("echo", pa.int32()), ("b_value", pa.float64()), ("stack", pa.string()), ("image_type", pa.string())),
    ("tiles", pa.int32()),
]
_SCHEMAS = {
    "files": pa.schema(
        [
            *(("path", pa.string()), ("member", pa.string()), ("size", pa.int64()), ("mtime_ns", pa.int64())),
            *(("state", pa.string()), ("reason", pa.string()), ("sop_uid", pa.string()), ("digest", pa.string())),
        ]
    ),
    "scanned": pa.schema(
        [
            *(("path", pa.string()), ("member", pa.string()), ("sop_uid", pa.string()), ("series_uid", pa.string())),
            *(("sop_class", pa.string()), ("instance_number", pa.int64()), ("frames", pa.int32())),
            *(("variant", pa.string()), ("digest", pa.string()), ("refers_to", pa.list_(pa.string()))),
        ]
    ),
    "scanned_planes": pa.schema(_PLANE_FIELDS),
    "variants": pa.schema([("variant", pa.string()), ("header", pa.string())]),
}


@dataclass(frozen=True)
class ScanResult:
    """What a scan did.

    Attributes:
        read: files read; unchanged: files that were known; gone: files that left the catalog.
        states: number of files and members of archives by state.
        series: number of series now in the catalog.
        seconds: of the scan.
    """

    read: int
    unchanged: int
    gone: int
    states: dict[str, int]
    series: int
    seconds: float


def scan(
    archive: Path,
    out: Path,
    *,
    workers: int = 0,
    engine: str = "local",
    progress: Progress = silent,
) -> ScanResult:
    """Scans `archive` into the catalog `out`, which is made or brought up to date.

    Args:
        archive: a folder, or one file: a zip or tar file, a DICOMDIR (for the folder it lies in).
        workers: processes; 0 takes all cores, of the cluster where one is used.
        engine: of `core.engine.each`; files must lie at the same paths on every machine of a cluster.

    Raises: CatalogError when there is no archive, or the file is another archive's catalog.
    """
    if not archive.exists():
        raise CatalogError(f"there is no folder {archive.name}. Give the folder of the DICOM archive.")
    if archive.is_file() and is_media_directory(archive.name):
        archive = archive.absolute().parent
    begin = time.monotonic()
    out.parent.mkdir(parents=True, exist_ok=True)
    with open_catalog(out, write=True) as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'; SET threads = {min(_THREADS, cores())}")
        connection.execute("SET preserve_insertion_order = false")
        _own(connection, archive, out)
        connection.execute("CREATE OR REPLACE TEMP TABLE seen (path VARCHAR)")
        read, unchanged = _all(connection, archive, out, workers=workers, engine=engine, progress=progress)
        gone = _forget(connection, "NOT EXISTS (SELECT 1 FROM seen WHERE seen.path = {table}.path)")
        if read or gone or not _settled(connection):
            settle(connection)
        states = dict(connection.execute("SELECT state, count(*) FROM files GROUP BY 1 ORDER BY 1").fetchall())
        series = _number(connection, "SELECT count(*) FROM series")
    return ScanResult(read, unchanged, gone, states, series, time.monotonic() - begin)


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    # All rows are fetched: a result that is left open keeps the connection busy.
    return int(connection.execute(query).fetchall()[0][0])


def _own(connection: duckdb.DuckDBPyConnection, archive: Path, out: Path) -> None:
    """A catalog belongs to one folder: another would drop all of its files as gone."""
    found = connection.execute("SELECT value FROM about WHERE key = 'archive'").fetchall()
    place = str(archive.resolve())
    if found and found[0][0] != place:
        raise CatalogError(
            f"{out.name} is the catalog of another folder. Give another name with --out, or delete it to begin anew."
        )
    connection.execute("INSERT OR REPLACE INTO about VALUES ('archive', ?)", [place])


def _settled(connection: duckdb.DuckDBPyConnection) -> bool:
    return _number(connection, "SELECT count(*) FROM about WHERE key = 'settled'") > 0


def _all(
    connection: duckdb.DuckDBPyConnection,
    archive: Path,
    out: Path,
    *,
    workers: int,
    engine: str,
    progress: Progress,
) -> tuple[int, int]:
    """Reads what is new, window by window; returns how many files were read and how many were known."""
    count = slots(workers, engine)
    window = _BATCH * 8 * count
    own = {str(out.resolve()), f"{out.resolve()}.wal"}
    total = count_files(archive)
    entries = (entry for entry in walk(archive) if entry.full not in own)
    read = unchanged = 0
    for chunk in progress(batches(entries, window), max(1, -(-total // window)), "scanning"):
        fresh = _fresh(connection, chunk)
        unchanged += len(chunk) - len(fresh)
        read += len(fresh)
        parts = each(read_entries, list(_cut(fresh, _BATCH)), workers=count, engine=engine) if fresh else []
        rows = Rows()
        for part in parts:
            rows.add(part)
        _write(connection, chunk, fresh, rows)
    return read, unchanged


def _cut(entries: list[Entry], size: int) -> Iterator[list[Entry]]:
    left = iter(entries)
    while part := list(islice(left, size)):
        yield part


def _fresh(connection: duckdb.DuckDBPyConnection, chunk: list[Entry]) -> list[Entry]:
    """Entries that are new or have changed since they were read."""
    given = pa.table(
        {
            "place": pa.array(range(len(chunk)), pa.int64()),
            "path": pa.array([entry.path for entry in chunk], pa.string()),
            "size": pa.array([entry.size for entry in chunk], pa.int64()),
            "mtime_ns": pa.array([entry.mtime_ns for entry in chunk], pa.int64()),
        }
    )
    connection.register("given", given)
    known = connection.execute(
        "SELECT place FROM given JOIN files f USING (path, size, mtime_ns) "
        "WHERE f.member = '' AND f.state != 'unreadable'"
    ).fetchnumpy()["place"]
    connection.unregister("given")
    old = set(known.tolist())
    return [entry for place, entry in enumerate(chunk) if place not in old]


def _write(connection: duckdb.DuckDBPyConnection, chunk: list[Entry], fresh: list[Entry], rows: Rows) -> None:
    """One window as one transaction: it is in the catalog whole or not at all."""
    connection.begin()
    try:
        _insert(connection, "seen", pa.table({"path": pa.array([entry.path for entry in chunk], pa.string())}))
        if fresh:
            connection.execute("DELETE FROM about WHERE key = 'settled'")
            paths = pa.table({"path": pa.array([entry.path for entry in fresh], pa.string())})
            connection.register("fresh", paths)
            _forget(connection, "EXISTS (SELECT 1 FROM fresh WHERE fresh.path = {table}.path)")
            connection.unregister("fresh")
            for name, values in (("files", rows.files), ("scanned", rows.objects), ("scanned_planes", rows.planes)):
                _insert(connection, name, _table(name, values))
            known = "WHERE variant NOT IN (SELECT variant FROM variants)"
            _insert(connection, "variants", _table("variants", list(rows.variants.items())), known)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _forget(connection: duckdb.DuckDBPyConnection, which: str) -> int:
    """Removes the rows of some files, `which` with {table} for the table; returns how many files there were."""
    count = _number(connection, f"SELECT count(*) FROM files WHERE member = '' AND {which.format(table='files')}")
    if count:
        for name in ("files", "scanned", "scanned_planes"):
            connection.execute(f"DELETE FROM {name} WHERE {which.format(table=name)}")
    return count


def _table(name: str, rows: list[tuple[Any, ...]]) -> pa.Table:
    schema = _SCHEMAS[name]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _insert(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table, which: str = "") -> None:
    if rows.num_rows:
        connection.register("incoming", rows)
        connection.execute(f"INSERT INTO {name} SELECT * FROM incoming {which}")
        connection.unregister("incoming")
