"""Series that no volume can be read from, told from the catalog alone. In: the table `cohort`. Out: series -> reason.

The same rules as those of the reader (`volume.dicom_planes.arrange`), so that a cases table holds what can be read. The
catalog's own `regular` allows for more: what is even enough to be labelled need not be even enough to be measured in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import duckdb

from hounsfield.volume.dicom_planes import Plane, arrange

_AT_ONCE = 200  # series whose planes are in memory together


def unreadable_series(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Why no volume can be read from each such series of `cohort` that is still in; series without planes are left."""
    found = _mosaics(connection) | _crowded(connection)
    for uid, planes in _planes(connection):
        stack, problems = arrange(planes)
        if stack is None:
            found[uid] = problems[0].partition(": ")[0].partition(". ")[0]
    return found


def folder_of(low: str, high: str, objects: int) -> str:
    """What to read a series from: its file, or the lowest folder with all its files.

    Args:
        low, high: the first and the last of its paths in order; they share what all share.
    """
    if objects == 1:
        return low
    return os.path.commonpath([os.path.dirname(low), os.path.dirname(high)]) or "."


def _planes(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, list[Plane]]]:
    uids = [
        str(uid)
        for (uid,) in connection.execute(
            "SELECT DISTINCT series_uid FROM cohort WHERE step IS NULL ORDER BY series_uid"
        ).fetchall()
    ]
    for start in range(0, len(uids), _AT_ONCE):
        rows = connection.execute(
            "SELECT series_uid, rows, columns, position, orientation, pixel_mm FROM planes "
            "WHERE list_contains(?, series_uid) AND coalesce(image_type, '') NOT LIKE '%LOCALIZER%' "
            "ORDER BY series_uid, sop_uid, frame",
            [uids[start : start + _AT_ONCE]],
        ).fetchall()
        series: dict[str, list[Plane]] = {}
        for uid, *geometry in rows:
            series.setdefault(uid, []).append(Plane("", *geometry))
        yield from series.items()


def _mosaics(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    rows = connection.execute(
        "SELECT DISTINCT series_uid FROM planes WHERE coalesce(image_type, '') LIKE '%MOSAIC%'"
    ).fetchall()
    return dict.fromkeys((str(uid) for (uid,) in rows), "mosaics of many slices in one image")


def _crowded(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Series whose folder holds copies of their slices, or damaged files that may be some of them."""
    inside = "starts_with(o.path, p.folder || '/') OR o.path = p.folder OR p.folder = '.'"
    connection.create_function("hounsfield_folder_of", folder_of)
    try:
        return {
            str(uid): str(why)
            for uid, why in connection.execute(
                f"""
                WITH p AS (
                    SELECT series_uid, hounsfield_folder_of(min(path), max(path), count(*)) AS folder
                    FROM objects WHERE series_uid IN (SELECT series_uid FROM cohort WHERE step IS NULL)
                        AND coalesce(member, '') = ''
                    GROUP BY series_uid
                )
                SELECT DISTINCT p.series_uid, 'copies of its slices lie in the same folder' FROM p
                    JOIN scanned o USING (series_uid) JOIN files f ON f.path = o.path AND f.member = o.member
                    WHERE f.state = 'copy' AND ({inside})
                UNION ALL
                SELECT DISTINCT p.series_uid, 'damaged DICOM files lie in the same folder' FROM p
                    JOIN files o ON o.state IN ('broken', 'unreadable') AND ({inside})
                """
            ).fetchall()
        }
    finally:
        connection.remove_function("hounsfield_folder_of")
