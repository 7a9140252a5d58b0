"""Questions to a catalog: filters as a person writes them go in, tables of series and counts come out.

A filter's column must be one that the catalog has and its value travels beside the query, so that nothing a person
types is ever run as SQL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from hounsfield.catalog.store import CatalogError
from hounsfield.core.atomic import atomic_file
from hounsfield.tables.findings import nearest

_CONDITION = re.compile(r"\s*(\w+)\s*(!=|<=|>=|=|<|>|~)\s*(.*?)\s*", re.DOTALL)
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")
_DEFAULT = ("series_uid", "modality", "kind", "series_description", "slices", "spacing_mm")
ANY, NONE = "any", "none"  # of --excluded: for whatever reason, for no reason

# First reason and all reasons of a series; its labels, one column each, are joined to this.
_EXCLUDED = """
    SELECT series_uid, arg_min(reason, place) AS excluded, string_agg(reason, '; ' ORDER BY place) AS excluded_all
    FROM exclusions GROUP BY series_uid
"""


@dataclass(frozen=True)
class Condition:
    """A column of the table `series`, one of = != < <= > >= ~ (contains), and the value as it was written."""

    column: str
    sign: str
    value: str


@dataclass(frozen=True)
class Filter:
    """Which series are meant: all conditions hold; of several values of one label, or several reasons, any does."""

    where: tuple[Condition, ...] = ()
    labels: tuple[Condition, ...] = ()
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Query:
    """SQL made of known names alone, and the values for its question marks."""

    sql: str
    values: tuple[Any, ...]


def parse_condition(text: str) -> Condition:
    """`slices>=20`, `kernel~b30`, `kvp=` (empty): column, sign, value.

    Raises: CatalogError when it is nothing of the kind.
    """
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise CatalogError(f"'{text}' is no condition. Write COLUMN=VALUE, or with != < <= > >= ~ (contains).")
    return Condition(found[1], found[2], found[3])


def filter_of(where: Sequence[str] = (), label: Sequence[str] = (), excluded: Sequence[str] = ()) -> Filter:
    """A filter from the words of the command line."""
    labels = tuple(parse_condition(text) for text in label)
    for one in labels:
        if one.sign not in ("=", "!="):
            raise CatalogError(f"a label is compared by = or !=; got '{one.column}{one.sign}{one.value}'.")
    return Filter(tuple(parse_condition(text) for text in where), labels, tuple(excluded))


def chosen(connection: duckdb.DuckDBPyConnection, wanted: Filter) -> Query:
    """The query for the series_uid of the series that a filter means.

    Raises: CatalogError for a column, label or reason that the catalog does not have, or a value that can't be.
    """
    types = column_types(connection)
    parts: list[str] = []
    values: list[Any] = []
    for one in wanted.where:
        sql, more = _column_sql(one, types)
        parts.append(sql)
        values += more
    for sign, name in dict.fromkeys((one.sign, one.column) for one in wanted.labels):
        _check_known(name, label_names(connection), "label")
        asked = [one.value for one in wanted.labels if (one.sign, one.column) == (sign, name)]
        marks = ", ".join("lower(?)" for _ in asked)
        inside = f"SELECT series_uid FROM labels WHERE label = ? AND lower(value) IN ({marks})"
        parts.append(f"s.series_uid {'NOT IN' if sign == '!=' else 'IN'} ({inside})")
        values += [name, *asked]
    if wanted.excluded:
        sql, more = _reason_sql(connection, wanted.excluded)
        parts.append(sql)
        values += more
    where = f" WHERE {' AND '.join(parts)}" if parts else ""
    return Query(f"SELECT s.series_uid FROM series s{where}", tuple(values))


def series_query(connection: duckdb.DuckDBPyConnection, wanted: Filter, columns: Sequence[str] = ()) -> Query:
    """One row a series: columns of `series`, `label_NAME` for each label, `excluded` (first reason), `excluded_all`.

    Args:
        columns: which of these, in this order; a short list with every label when empty, all with `all`.
    Raises: CatalogError as `chosen`, or for a column that is not there.
    """
    labels = label_names(connection)
    known = [*column_types(connection), *(f"label_{name}" for name in labels), "excluded", "excluded_all"]
    names = [*_DEFAULT, *(f"label_{name}" for name in labels), "excluded"] if not columns else list(columns)
    names = known if names == ["all"] else names
    for name in names:
        _check_known(name, known, "column")
    inner = chosen(connection, wanted)
    pivot = "".join(f", max(value) FILTER (WHERE label = ?) AS {_quoted(f'label_{name}')}" for name in labels)
    sql = f"""
        SELECT {", ".join(_quoted(name) for name in names)}
        FROM series LEFT JOIN (SELECT series_uid{pivot} FROM labels GROUP BY series_uid) USING (series_uid)
        LEFT JOIN ({_EXCLUDED}) USING (series_uid)
        WHERE series_uid IN ({inner.sql}) ORDER BY modality, series_uid
    """
    return Query(sql, (*labels, *inner.values))


def frame_of(connection: duckdb.DuckDBPyConnection, query: Query, *, limit: int | None = None) -> pd.DataFrame:
    """The rows of a query, the first `limit` of them."""
    sql = query.sql if limit is None else f"SELECT * FROM ({query.sql}) LIMIT {int(limit)}"
    return connection.execute(sql, list(query.values)).df()


def write_series(connection: duckdb.DuckDBPyConnection, query: Query, path: Path) -> None:
    """Writes the rows of a query as CSV or Parquet, by the name's ending, without holding them in memory."""
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise CatalogError(f"{path.name}: the table is written as .csv or .parquet; give it one of these endings.")
    rows = connection.sql(query.sql, params=list(query.values))
    with atomic_file(path) as temporary:
        if path.suffix.lower() == ".csv":
            rows.write_csv(str(temporary))
        else:
            rows.write_parquet(str(temporary))


def column_types(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Columns of the table `series` and their SQL types."""
    rows = connection.execute("SELECT column_name, column_type FROM (DESCRIBE series)").fetchall()
    return {str(name): str(kind) for name, kind in rows}


def label_names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Labels that the rules gave."""
    return [str(row[0]) for row in connection.execute("SELECT DISTINCT label FROM labels ORDER BY 1").fetchall()]


def _column_sql(one: Condition, types: dict[str, str]) -> tuple[str, list[Any]]:
    _check_known(one.column, list(types), "column")
    kind, name = types[one.column], f"s.{_quoted(one.column)}"
    if kind.endswith("]"):
        raise CatalogError(f"'{one.column}' holds several numbers; no condition can be put on it.")
    if not one.value and one.sign in ("=", "!="):
        empty = f"({name} IS NULL OR CAST({name} AS VARCHAR) = '')"
        return (empty if one.sign == "=" else f"NOT {empty}"), []
    if kind == "BOOLEAN":
        return _boolean_sql(one, name)
    if kind == "VARCHAR":
        if one.sign == "~":
            return f"contains(lower({name}), lower(?))", [one.value]
        return f"lower({name}) {_sql_sign(one.sign)} lower(?)", [one.value]
    try:
        if one.sign == "~":
            raise ValueError
        return f"{name} {_sql_sign(one.sign)} ?", [float(one.value)]
    except ValueError:
        raise CatalogError(
            f"'{one.column}' is a number; compare it by = != < <= > >= with one, e.g. {one.column}>=1. "
            f"Got '{one.sign}{one.value}'."
        ) from None


def _boolean_sql(one: Condition, name: str) -> tuple[str, list[Any]]:
    value = one.value.lower()
    if one.sign not in ("=", "!=") or value not in (*_YES, *_NO):
        raise CatalogError(f"'{one.column}' is yes or no: {one.column}=yes. Got '{one.sign}{one.value}'.")
    return f"{name} {_sql_sign(one.sign)} ?", [value in _YES]


def _reason_sql(connection: duckdb.DuckDBPyConnection, reasons: Sequence[str]) -> tuple[str, list[Any]]:
    known = [str(row[0]) for row in connection.execute("SELECT DISTINCT reason FROM exclusions ORDER BY 1").fetchall()]
    anything = "SELECT series_uid FROM exclusions"
    parts: list[str] = []
    values: list[Any] = []
    for reason in reasons:
        if reason in (ANY, NONE):
            parts.append(f"s.series_uid {'IN' if reason == ANY else 'NOT IN'} ({anything})")
        else:
            _check_known(reason, [*known, ANY, NONE], "reason")
            parts.append(f"s.series_uid IN ({anything} WHERE reason = ?)")
            values.append(reason)
    return f"({' OR '.join(parts)})", values


def _sql_sign(sign: str) -> str:
    return "IS DISTINCT FROM" if sign == "!=" else sign  # so that an empty cell is not equal to anything


def _check_known(name: str, known: Sequence[str], what: str) -> None:
    if name not in known:
        near = nearest(name, known)
        hint = f"Did you mean {near}?" if near else f"There are: {', '.join(known) or 'none'}."
        raise CatalogError(f"the catalog has no {what} '{name}'. {hint}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
