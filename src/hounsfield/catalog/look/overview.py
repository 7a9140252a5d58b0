"""A catalog counted: how many series of each kind, label and reason, what the files are, what is odd.

In: an open catalog and a filter. Out: tables without a path, a folder or a patient's identifier.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pandas as pd

from hounsfield.catalog.look.outliers import outliers
from hounsfield.catalog.look.show import Filter, Query, chosen, frame_of

_IN = "WHERE s.series_uid IN ({chosen})"


@dataclass(frozen=True)
class Overview:
    """What `overview` counts.

    Attributes:
        totals: one row: series, patients, studies, objects, slices, excluded.
        kinds: modality, kind, series, patients, excluded.
        labels: label, value, series, patients, used (series of it that no rule excludes).
        reasons: reason, first (series it came first for), any (series it holds for).
        irregular: what is irregular, series.
        outliers: as `outliers.outliers`, with series_description.
        files: state, files, gb; of the whole archive.
        file_reasons: state, reason, files; of the whole archive.
        remarks: what, remedy, times; of the whole archive.
    """

    totals: pd.DataFrame
    kinds: pd.DataFrame
    labels: pd.DataFrame
    reasons: pd.DataFrame
    irregular: pd.DataFrame
    outliers: pd.DataFrame
    files: pd.DataFrame
    file_reasons: pd.DataFrame
    remarks: pd.DataFrame


def overview(connection: duckdb.DuckDBPyConnection, wanted: Filter | None = None) -> Overview:
    """Counts the series that a filter means, all when there is none.

    Raises: CatalogError as `show.chosen`.
    """
    inner = chosen(connection, wanted or Filter())

    def ask(sql: str) -> pd.DataFrame:
        return frame_of(connection, Query(sql.replace("{in}", _IN.format(chosen=inner.sql)), inner.values))

    sizes = ask(
        "SELECT s.series_uid, s.modality, s.series_description, s.spacing_mm, s.slices, s.row_mm, s.column_mm "
        "FROM series s {in} ORDER BY s.series_uid"
    )
    odd = outliers(sizes).merge(sizes[["series_uid", "series_description"]], on="series_uid", how="left")
    return Overview(
        totals=ask(_TOTALS),
        kinds=ask(_KINDS),
        labels=ask(_LABELS),
        reasons=ask(_REASONS),
        irregular=ask(_IRREGULAR),
        outliers=odd,
        files=connection.execute(_FILES).df(),
        file_reasons=connection.execute(_FILE_REASONS).df(),
        remarks=connection.execute(_REMARKS).df(),
    )


_EXCLUDED = "s.series_uid IN (SELECT series_uid FROM exclusions)"
_TOTALS = f"""
    SELECT count(*) AS series, count(DISTINCT s.patient_id) AS patients, count(DISTINCT s.study_uid) AS studies,
           coalesce(sum(s.objects), 0)::BIGINT AS objects, coalesce(sum(s.slices), 0)::BIGINT AS slices,
           count(*) FILTER (WHERE {_EXCLUDED}) AS excluded
    FROM series s {{in}}
"""
_KINDS = f"""
    SELECT coalesce(s.modality, '') AS modality, coalesce(s.kind, '') AS kind, count(*) AS series,
           count(DISTINCT s.patient_id) AS patients, count(*) FILTER (WHERE {_EXCLUDED}) AS excluded
    FROM series s {{in}} GROUP BY ALL ORDER BY series DESC, modality, kind
"""
# A label that is a number is counted as one: every spacing by itself would fill the page.
_LABELS = f"""
    SELECT l.label, CASE WHEN TRY_CAST(l.value AS DOUBLE) IS NULL THEN l.value ELSE 'a number' END AS value,
           count(*) AS series, count(DISTINCT s.patient_id) AS patients,
           count(*) FILTER (WHERE NOT {_EXCLUDED}) AS used
    FROM labels l JOIN series s USING (series_uid) {{in}} GROUP BY ALL ORDER BY l.label, series DESC, value
"""
_REASONS = """
    SELECT e.reason, count(DISTINCT e.series_uid) FILTER (WHERE e.place = 0) AS "first",
           count(DISTINCT e.series_uid) AS "any"
    FROM exclusions e JOIN series s USING (series_uid) {in} GROUP BY ALL ORDER BY "first" DESC, "any" DESC, e.reason
"""
# With numbers as N, so that like is counted with like; the numbers stand in the column `irregular` of the list.
_IRREGULAR = """
    SELECT regexp_replace(s.irregular, '[0-9]+([.][0-9]+)?', 'N', 'g') AS irregular, count(*) AS series
    FROM series s {in} AND s.irregular IS NOT NULL AND s.irregular != ''
    GROUP BY ALL ORDER BY series DESC, 1
"""
_FILES = """
    SELECT state, count(*) AS files, sum(size) / 1e9 AS gb FROM files GROUP BY ALL ORDER BY files DESC, state
"""
_FILE_REASONS = """
    SELECT state, reason, count(*) AS files FROM files WHERE reason IS NOT NULL AND reason != ''
    GROUP BY ALL ORDER BY files DESC, state, reason
"""
# What follows a colon may be the name of a file or a member, and such a name may be a person's.
_REMARKS = """
    SELECT split_part(what, ': ', 1) AS what, remedy, count(*) AS times FROM remarks
    GROUP BY ALL ORDER BY times DESC, what
"""
