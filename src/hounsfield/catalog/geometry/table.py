"""The geometry of all series of a catalog. In: the tables `planes`, `headers` and `objects`. Out: the table `volumes`
and the temporary table `geometry`, one row a series with the geometry columns of `series`.

Series are read in chunks by where their planes lie in the table, so that memory stays the same however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from hounsfield.catalog.geometry.planes import SIGNS, Planes
from hounsfield.catalog.geometry.series import COLUMNS, SeriesGeometry, series_geometry
from hounsfield.core.types import AnyArray, FloatArray, IntArray

PLANES_AT_ONCE = 40_000

_TYPES = {
    **dict.fromkeys(("planes", "volumes", "slices", "rows", "columns", "gaps", "repeated", "volume"), pa.int32()),
    **dict.fromkeys(("spacing_mm", "row_mm", "column_mm", "length_mm", "tilt_degrees"), pa.float64()),
    **dict.fromkeys(("series_uid", "temporal", "irregular"), pa.string()),
    **dict.fromkeys(("orientation", "affine"), pa.list_(pa.float64())),
    "regular": pa.bool_(),
}
_OF_VOLUME = (
    *("slices", "rows", "columns", "spacing_mm", "row_mm", "column_mm", "length_mm", "orientation", "affine"),
    *("regular", "irregular", "tilt_degrees", "gaps", "repeated", "temporal"),
)
_EMPTY = """
DELETE FROM volumes;
CREATE OR REPLACE TEMP TABLE geometry (
    series_uid VARCHAR, planes INTEGER, volumes INTEGER, slices INTEGER, rows INTEGER, columns INTEGER,
    spacing_mm DOUBLE, row_mm DOUBLE, column_mm DOUBLE, length_mm DOUBLE, orientation DOUBLE[6], regular BOOLEAN,
    repeated BOOLEAN, temporal VARCHAR, irregular VARCHAR, tilt_degrees DOUBLE
);
"""
# Chunk numbers follow the first row of each series: the planes of a folder were written together.
_CHUNKS = """
CREATE OR REPLACE TEMP TABLE geometry_chunks AS
SELECT series_uid, first, last, ((sum(planes) OVER (ORDER BY first, series_uid) - planes) // ?)::BIGINT AS chunk
FROM (
    SELECT series_uid, min(rowid) AS first, max(rowid) AS last, count(*) AS planes
    FROM planes WHERE series_uid IS NOT NULL GROUP BY series_uid
)
"""
_VECTORS = {"position": 3, "orientation": 6, "pixel_mm": 2}
_READ = f"""
SELECT p.series_uid, p.sop_uid, coalesce(p.frame, 0)::INTEGER AS frame,
       coalesce(p.rows, 0)::BIGINT AS rows, coalesce(p.columns, 0)::BIGINT AS columns,
       coalesce(p.tiles, 0)::BIGINT AS tiles,
       {", ".join(f"p.{name}[{k + 1}] AS {name}{k}" for name, size in _VECTORS.items() for k in range(size))},
       {", ".join(f"p.{name}" for name in SIGNS)}
FROM planes p JOIN geometry_chunks c USING (series_uid)
WHERE c.chunk = ? AND p.rowid BETWEEN ? AND ?
ORDER BY p.series_uid, p.instance_number NULLS LAST, p.sop_uid, p.frame
"""
_SPACINGS = """
SELECT series_uid, any_value(coalesce(
    header->>'$.SpacingBetweenSlices[0]', header->>'$.SpacingBetweenSlices') ORDER BY objects DESC, variant)
FROM headers WHERE series_uid IN (SELECT DISTINCT series_uid FROM planes WHERE tiles > 0) GROUP BY series_uid
"""
# Structure sets and reports have no image plane; they are series all the same.
_WITHOUT = """
INSERT INTO geometry (series_uid, planes, volumes, slices, temporal, irregular)
SELECT DISTINCT series_uid, 0, 0, 0, '', '' FROM objects
WHERE series_uid IS NOT NULL AND series_uid NOT IN (SELECT series_uid FROM geometry)
"""


class _Rows(Mapping[str, AnyArray]):
    """Columns of the rows from `start` to `stop` of a table, made arrays only when asked for: most series never ask."""

    def __init__(self, table: Any, start: int, stop: int) -> None:
        self._table, self._start, self._length = table, start, stop - start

    def __getitem__(self, name: str) -> AnyArray:
        column = self._table.column(name).slice(self._start, self._length)
        values: AnyArray = column.to_numpy()
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.column_names)

    def __len__(self) -> int:
        return int(self._table.num_columns)


@dataclass
class _Found:
    """Rows of both tables as columns; `members` are rows of the chunk, one array a volume."""

    series: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in ("series_uid", *COLUMNS)})
    volumes: dict[str, list[Any]] = field(
        default_factory=lambda: {name: [] for name in ("series_uid", "volume", *_OF_VOLUME)}
    )
    members: list[IntArray] = field(default_factory=list)

    def add(self, uid: str, start: int, geometry: SeriesGeometry) -> None:
        """One series, whose planes begin at row `start`."""
        self.series["series_uid"].append(uid)
        for name in COLUMNS:
            self.series[name].append(getattr(geometry, name))
        for number, stack in enumerate(geometry.stacks):
            self.volumes["series_uid"].append(uid)
            self.volumes["volume"].append(number)
            for name in _OF_VOLUME:
                self.volumes[name].append(getattr(stack, name))
            self.members.append(stack.members + start)


def compute_geometry(
    connection: duckdb.DuckDBPyConnection,
    *,
    planes_at_once: int = PLANES_AT_ONCE,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Fills `volumes` and makes the temporary table `geometry`, replacing what was in them.

    Args:
        connection: to a catalog, open for writing; a transaction may be open.
        planes_at_once: read into memory at once; a larger series is read whole nevertheless.
        progress: called with the number of series done since the last call.
    Returns: number of series, those without image planes included.
    """
    connection.execute(_EMPTY)
    connection.execute(_CHUNKS, [planes_at_once])
    spacings = dict(connection.execute(_SPACINGS).fetchall())
    chunks = connection.execute(
        "SELECT chunk, min(first), max(last) FROM geometry_chunks GROUP BY chunk ORDER BY chunk"
    ).fetchall()
    for chunk in chunks:
        table: Any = connection.sql(_READ, params=list(chunk)).to_arrow_table()
        done = _measured(table, spacings)
        _insert(connection, done, table)
        if progress is not None:
            progress(len(done.series["series_uid"]))
    connection.execute(_WITHOUT)
    connection.execute("DROP TABLE geometry_chunks")
    counted = connection.execute("SELECT count(*) FROM geometry").fetchone()
    return int(counted[0]) if counted else 0


def _measured(table: Any, spacings: Mapping[str, str | None]) -> _Found:
    """The geometry of each series of a chunk, whose rows are in order."""
    found = _Found()
    if not table.num_rows:
        return found
    runs = table.column("series_uid").combine_chunks().dictionary_encode()
    codes = runs.indices.to_numpy()
    starts = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1]))).tolist()
    uids = runs.dictionary.to_pylist()  # in order of appearance, which is that of the rows
    rows, columns, tiles = (table.column(name).to_numpy() for name in ("rows", "columns", "tiles"))
    position, orientation, pixel_mm = (_vectors(table, name, size) for name, size in _VECTORS.items())
    for uid, start, stop in zip(uids, starts, [*starts[1:], table.num_rows], strict=True):
        planes = Planes(
            rows[start:stop],
            columns[start:stop],
            tiles[start:stop],
            position[start:stop],
            orientation[start:stop],
            pixel_mm[start:stop],
            _Rows(table, start, stop),
        )
        found.add(uid, start, series_geometry(planes, {"SpacingBetweenSlices": spacings.get(uid)}))
    return found


def _vectors(table: Any, name: str, size: int) -> FloatArray:
    """(N, size) of the columns `name`0, `name`1, ...; NaN where empty."""
    columns = [table.column(f"{name}{k}").to_numpy() for k in range(size)]
    vectors: FloatArray = np.stack([column.astype(np.float64) for column in columns], axis=1)
    return vectors


def _insert(connection: duckdb.DuckDBPyConnection, found: _Found, table: Any) -> None:
    _append(connection, "geometry", _columns(found.series))
    if not found.members:
        return
    rows = pa.array(np.concatenate(found.members))
    ends = pa.array(np.concatenate(([0], np.cumsum([len(each) for each in found.members]))).astype(np.int32))
    columns = _columns(found.volumes)
    columns["sop_uids"] = pa.ListArray.from_arrays(ends, table.column("sop_uid").combine_chunks().take(rows))
    columns["frames"] = pa.ListArray.from_arrays(ends, table.column("frame").combine_chunks().take(rows))
    _append(connection, "volumes", columns)


def _columns(lists: Mapping[str, list[Any]]) -> dict[str, Any]:
    columns = {name: pa.array(values, type=_TYPES[name]) for name, values in lists.items() if name != "repeated"}
    if "repeated" in lists:  # a fact of a series, a number in a volume
        columns["repeated"] = pa.array(lists["repeated"])
    return columns


def _append(connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, Any]) -> None:
    connection.register("geometry_rows", pa.table(dict(columns)))
    try:
        connection.execute(f"INSERT INTO {name} BY NAME SELECT * FROM geometry_rows")
    finally:
        connection.unregister("geometry_rows")
