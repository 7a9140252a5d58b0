"""What the join of catalog and spreadsheet left over, both ways. In: the tables `cohort` and `sheet`. Out: two lists.

Only identifiers and row numbers are listed: other cells of a spreadsheet may hold names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import duckdb
import pandas as pd

from hounsfield.catalog.cohort.rules import KEYS, CohortRules, Outcomes
from hounsfield.catalog.store import CatalogError
from hounsfield.tables.findings import some

_NO_KEY = "the cell of the identifier is empty"
_NO_SERIES = "no series of the catalog has this identifier"
_NO_MATCH = "the catalog has the identifier, but the other columns of the match don't agree"


def comparable(column: str, outcomes: Outcomes) -> str:
    """SQL of an identifier as it is compared: without blanks and, if the rules say so, without leading zeros."""
    plain = f"trim({column})"
    if outcomes.zeros == "keep":
        return plain
    whole = f"regexp_full_match({plain}, '[0-9]+')"
    return f"(CASE WHEN {whole} THEN coalesce(nullif(ltrim({plain}, '0'), ''), '0') ELSE {plain} END)"


def require_unmistakable(connection: duckdb.DuckDBPyConnection, outcomes: Outcomes) -> None:
    """Check that leaving out zeros makes no two identifiers of the catalog, or of the spreadsheet, one.

    Raises: CatalogError when it does.
    """
    if outcomes.zeros == "keep":
        return
    column = KEYS[outcomes.join]
    for table, name, where in (("base", column, "catalog"), ("sheet", "key", "spreadsheet")):
        found = connection.execute(
            f"SELECT string_agg(DISTINCT trim({name}), ' and ' ORDER BY trim({name})) FROM {table} "
            f"WHERE {name} IS NOT NULL GROUP BY {comparable(name, outcomes)} "
            f"HAVING count(DISTINCT trim({name})) > 1 ORDER BY 1"
        ).fetchall()
        if found:
            raise CatalogError(
                f"zeros: ignore would make one of several identifiers of the {where}: "
                f"{some((one for (one,) in found), limit=3)}. Restore the zeros in the spreadsheet instead."
            )


def unmatched_rows(connection: duckdb.DuckDBPyConnection, reasons: Sequence[str], outcomes: Outcomes) -> pd.DataFrame:
    """Rows of the spreadsheet that no case came from.

    Args:
        reasons: of the steps, in order.
    Returns: row (as a spreadsheet counts), key, why, did_you_mean.
    """
    column = KEYS[outcomes.join]
    own, theirs_sql = comparable("s.key", outcomes), comparable(column, outcomes)
    frame = connection.execute(
        f"""
        SELECT s.row, s.key, max(c.step) AS step, count(c.id) AS met, bool_or({own} IN (SELECT {theirs_sql}
            FROM base WHERE {column} IS NOT NULL)) AS known
        FROM sheet s LEFT JOIN cohort c ON c.outcome_row = s.row
        GROUP BY s.row, s.key HAVING count(*) FILTER (WHERE c.id IS NOT NULL AND c.step IS NULL) = 0 ORDER BY s.row
        """
    ).df()
    theirs = connection.execute(f"SELECT DISTINCT trim({column}) FROM base WHERE {column} IS NOT NULL").fetchall()
    known = {_loose(str(one)): str(one) for (one,) in sorted(theirs, reverse=True)}
    rows = []
    for record in frame.to_dict("records"):
        key = None if pd.isna(record["key"]) else str(record["key"])
        hint = ""
        if key is None:
            why = _NO_KEY
        elif record["met"]:
            why = f"all its series were excluded, the last: {reasons[int(record['step']) - 1]}"
        elif record["known"]:
            why = _NO_MATCH
        else:
            why, hint = _NO_SERIES, known.get(_loose(key), "")
        rows.append((int(record["row"]), key or "", why, hint))
    return pd.DataFrame(rows, columns=["row", "key", "why", "did_you_mean"])


def unmatched_series(connection: duckdb.DuckDBPyConnection, step: int, rules: CohortRules) -> pd.DataFrame:
    """Series that came as far as the join and found no row.

    Returns: patient_id, accession, study_uid, series_uid, did_you_mean (the key of a row that is nearly the same).
    """
    frame = connection.execute(
        "SELECT DISTINCT patient_id, accession, study_uid, series_uid FROM cohort WHERE step = ? ORDER BY ALL", [step]
    ).df()
    keys = connection.execute("SELECT DISTINCT key FROM sheet WHERE key IS NOT NULL").fetchall()
    known = {_loose(str(one)): str(one) for (one,) in sorted(keys, reverse=True)}
    own = frame[KEYS[rules.outcomes.join if rules.outcomes else "patient"]]
    hints = ["" if pd.isna(one) else known.get(_loose(str(one)), "") for one in own]
    return frame.assign(did_you_mean=[hint if hint != one else "" for hint, one in zip(hints, own, strict=True)])


def _loose(key: str) -> str:
    """What stays of an identifier when signs, case and leading zeros don't count."""
    return re.sub(r"[^a-z0-9]|(?<![0-9])0+(?=[0-9])", "", key.lower())
