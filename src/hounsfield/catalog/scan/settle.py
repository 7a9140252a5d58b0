"""What the scanned rows mean: files' states, objects, series, volumes, labels, links. In: a catalog. Out: its tables.

All of it is made anew from what was scanned, by rules that look at names and contents and never at the order of rows.
"""

from __future__ import annotations

import duckdb

from hounsfield.catalog.geometry.table import compute_geometry
from hounsfield.catalog.labels.labels import apply_rules
from hounsfield.catalog.labels.rules import read_rules
from hounsfield.catalog.scan.series_table import fill_series
from hounsfield.catalog.store import DERIVED

# Of several files with one UID the first by name stands for the object. The others are copies if all that identifies
# an object agrees, and else something that must not be: two objects under one UID.
_OBJECTS = """
CREATE OR REPLACE TEMP TABLE twice AS SELECT sop_uid FROM scanned GROUP BY sop_uid HAVING count(*) > 1;
CREATE OR REPLACE TEMP TABLE losers AS
SELECT path, member, digest, winner FROM (
    SELECT path, member, digest, row_number() OVER one AS place, first_value(digest) OVER one AS winner
    FROM scanned SEMI JOIN twice USING (sop_uid) WINDOW one AS (PARTITION BY sop_uid ORDER BY path, member)
) WHERE place > 1;
UPDATE files SET state = 'object' WHERE state IN ('copy', 'clash');
UPDATE files SET state = CASE WHEN l.digest = l.winner THEN 'copy' ELSE 'clash' END
FROM losers l WHERE l.path = files.path AND l.member = files.member;
INSERT INTO objects
SELECT sop_uid, series_uid, sop_class, path, member, instance_number, frames, variant, digest, refers_to
FROM scanned ANTI JOIN losers USING (path, member);
INSERT INTO planes SELECT * EXCLUDE (path, member) FROM scanned_planes ANTI JOIN losers USING (path, member);
DELETE FROM variants WHERE variant NOT IN (SELECT variant FROM scanned);
INSERT INTO headers
SELECT series_uid, variant, header, objects
FROM (SELECT series_uid, variant, count(*)::INTEGER AS objects FROM objects GROUP BY ALL) JOIN variants USING (variant);
"""

_LINKS = """
INSERT INTO links
WITH named AS (SELECT series_uid, sop_uid, unnest(refers_to) AS uid FROM objects),
aimed AS (
    SELECT n.series_uid, n.sop_uid, coalesce(o.series_uid, n.uid) AS target
    FROM named n LEFT JOIN objects o ON o.sop_uid = n.uid
)
SELECT a.series_uid, a.target, coalesce(s.modality, ''), count(DISTINCT a.sop_uid)::INTEGER
FROM aimed a LEFT JOIN series s ON s.series_uid = a.series_uid
WHERE a.target != a.series_uid AND a.target IN (SELECT series_uid FROM series)
GROUP BY 1, 2, 3;
"""

_REMARKS = """
DELETE FROM remarks;
INSERT INTO remarks
SELECT o.series_uid, f.path, 'a file has the UID of another object and other content',
       'find out which is right; the first by name was taken'
FROM files f LEFT JOIN objects o USING (sop_uid) WHERE f.state = 'clash';
INSERT INTO remarks
SELECT series_uid, min(path), 'objects of one series name ' || count(DISTINCT patient) || ' patients',
       'check the identifiers: one series belongs to one patient'
FROM (
    SELECT h.series_uid, h.header->>'$.PatientID' AS patient, o.path
    FROM headers h JOIN objects o USING (series_uid, variant)
) GROUP BY series_uid HAVING count(DISTINCT patient) > 1;
INSERT INTO remarks
SELECT NULL, path, 'a member of the archive has a path that leads out of it: ' || member,
       'nothing was unpacked; treat the archive as hostile'
FROM files WHERE member LIKE '/%' OR member LIKE '../%' OR member LIKE '%/../%' OR member LIKE '_:%';
"""


def settle(connection: duckdb.DuckDBPyConnection) -> None:
    """Fills every computed table from `scanned`, `scanned_planes` and `variants`, in one transaction."""
    connection.begin()
    try:
        for name in DERIVED:
            connection.execute(f"DELETE FROM {name}")
        connection.execute(_OBJECTS)
        compute_geometry(connection)
        fill_series(connection)
        connection.execute(_LINKS)
        connection.execute(_REMARKS)
        apply_rules(connection, read_rules())
        connection.execute(
            "UPDATE series SET kind = l.value FROM labels l WHERE l.series_uid = series.series_uid AND l.label = 'kind'"
        )
        connection.execute("INSERT OR REPLACE INTO about VALUES ('settled', 'yes')")
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
