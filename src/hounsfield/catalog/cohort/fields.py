"""The fields that a cohort's rules can name, and the table that holds them. In: a catalog, a spreadsheet, names.

`series.X`, `volume.X`, `label.X`, `header.KEYWORD`, `exclusion.reason`, `outcome.X` (the spreadsheet), `value.X` (made
by the rules). A name without a dot is looked for among series, labels, spreadsheet and values, and must be in one only.
Of each name only its place in a list reaches the SQL, or a keyword made of letters and digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from hounsfield.catalog.cohort.conditions import Asked, Field, Sql, as_key, compiled
from hounsfield.catalog.cohort.join import comparable
from hounsfield.catalog.cohort.rules import KEYS, Outcomes
from hounsfield.catalog.cohort.sheet import Sheet
from hounsfield.catalog.store import CatalogError
from hounsfield.tables.cells import as_text
from hounsfield.tables.findings import nearest as nearest_of
from hounsfield.tables.findings import some

_KINDS = ("series", "volume", "label", "header", "exclusion", "outcome", "value")
_BARE = ("series", "label", "outcome", "value")
_EXCLUSION = ("reason", "rule")
_AGES = (("series", "patient_age"), ("header", "PatientAge"))
_KEYWORD = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
_NUMBERS = ("DOUBLE", "FLOAT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "HUGEINT", "UBIGINT", "UINTEGER")
# Of a series whose objects differ, what most of them say.
_HEADERS = "SELECT series_uid, first(header ORDER BY objects DESC, variant) AS header FROM headers GROUP BY series_uid"


class Fields:
    """Looks names up, notes which are used, and builds the table `cohort` of exactly these."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        outcomes: Sheet | None = None,
        values: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._connection = connection
        self._known: dict[str, dict[str, str]] = {
            "series": _columns(connection, "series"),
            "volume": _columns(connection, "volumes"),
            "label": dict.fromkeys(_texts(connection, "SELECT DISTINCT label FROM labels ORDER BY label"), "VARCHAR"),
            "exclusion": dict.fromkeys(_EXCLUSION, "VARCHAR"),
        }
        self._outcomes = outcomes
        self._places = [] if outcomes is None else [str(name) for name in outcomes.frame]
        self._values = values or {}
        self.asked: dict[Asked, None] = {}
        self._used: dict[tuple[str, str], str] = {}
        self._open: list[str] = []
        if outcomes is not None:
            self._register(outcomes)

    def look(self, name: str) -> Field:
        """The field of a name.

        Raises: CatalogError, with the nearest name, when there is none or more than one.
        """
        kind, dot, rest = name.partition(".")
        if not dot or kind not in _KINDS:
            kind, rest = self._kind_of(name), name
        if kind == "value":
            return self._value(rest)
        known = self._names(kind)
        if kind == "header" and not _KEYWORD.fullmatch(rest):
            raise CatalogError(f"'{name}': a header field is a keyword of DICOM, such as header.ConvolutionKernel.")
        if kind != "header" and rest not in known:
            raise CatalogError(f"there is no field '{name}'.{nearest(rest, known)} {self._where(kind)}")
        column = self._used.setdefault((kind, rest), f"f{len(self._used)}")
        numeric = known.get(rest, "VARCHAR").startswith(_NUMBERS)
        return Field(column, (), numeric=numeric, age=(kind, rest) in _AGES)

    def note(self, asked: Asked) -> None:
        """Remembers what a test takes the cells of a field for."""
        self.asked[asked] = None

    def is_outcome(self, name: str) -> bool:
        """True for a column of the spreadsheet."""
        kind, dot, _ = name.partition(".")
        return (kind if dot and kind in _KINDS else self._kind_of(name)) == "outcome"

    def build(self, outcomes: Outcomes | None, matches: Mapping[str, Sql]) -> None:
        """Makes the temporary table `cohort`: a row for each series, its volumes and its rows of the spreadsheet.

        Args:
            matches: column of the spreadsheet -> what it must agree with, besides the key.
        """
        catalog, labels = self._catalog_columns()
        volume = "v.volume" if any(kind == "volume" for kind, _ in self._used) else "NULL::INTEGER"
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE base AS SELECT s.series_uid, s.study_uid, nullif(trim(s.patient_id), '') AS "
            f"patient_id, nullif(trim(s.accession), '') AS accession, s.folder, {volume} AS volume{catalog} "
            f"FROM series s {self._joins(labels)}"
        )
        sheet, given, order = "", "NULL::BIGINT AS outcome_row", ""
        joined: list[Any] = []
        if outcomes is not None:
            columns = [
                f', o."c{self._places.index(name)}" AS {column}'
                for (kind, name), column in self._used.items()
                if kind == "outcome"
            ]
            given, order = "o.row AS outcome_row" + "".join(columns), ", o.row"
            sheet, joined = self._sheet(outcomes, matches)
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE cohort AS SELECT row_number() OVER (ORDER BY b.series_uid, b.volume"
            f"{order}) AS id, NULL::INTEGER AS step, b.*, {given} FROM base b {sheet}",
            joined,
        )

    def _sheet(self, outcomes: Outcomes, matches: Mapping[str, Sql]) -> tuple[str, list[Any]]:
        """The join with the spreadsheet: by its key and whatever else must agree."""
        text = f"LEFT JOIN sheet o ON {comparable('o.key', outcomes)} = {comparable(KEYS[outcomes.join], outcomes)}"
        parameters: list[Any] = []
        for name, field in matches.items():
            other = as_key(Sql(f'o."c{self._places.index(name)}"'))
            key = as_key(field)
            text += f" AND {other.text} = {key.text}"
            parameters += key.values
        return text, parameters

    def _catalog_columns(self) -> tuple[str, dict[str, str]]:
        """SELECT list of the fields of the catalog, and label -> alias of its join."""
        texts, labels = "", dict[str, str]()
        for (kind, name), column in self._used.items():
            if kind in ("series", "volume"):
                texts += f', {kind[0]}."{name}" AS {column}'
            elif kind == "exclusion":
                texts += f", x.{name} AS {column}"
            elif kind == "label":
                labels[name] = f"l{len(labels)}"
                texts += f", {labels[name]}.value AS {column}"
            elif kind == "header":
                # Several values of one element are joined by a backslash, as DICOM writes them.
                texts += (
                    f", CASE WHEN json_type(h.header, '$.{name}') = 'ARRAY' THEN array_to_string("
                    f"CAST(json_extract(h.header, '$.{name}') AS VARCHAR[]), '\\') "
                    f"ELSE json_extract_string(h.header, '$.{name}') END AS {column}"
                )
        return texts, labels

    def _joins(self, labels: Mapping[str, str]) -> str:
        kinds = {kind for kind, _ in self._used}
        text = ""
        for name, alias in labels.items():
            escaped = name.replace("'", "''")  # a name that the catalog itself holds; the check above saw to it
            text += f" LEFT JOIN labels {alias} ON {alias}.series_uid = s.series_uid AND {alias}.label = '{escaped}'"
        if "exclusion" in kinds:
            text += " LEFT JOIN exclusions x ON x.series_uid = s.series_uid AND x.place = 0"
        if "header" in kinds:
            text += f" LEFT JOIN ({_HEADERS}) h ON h.series_uid = s.series_uid"
        if "volume" in kinds:
            text += " LEFT JOIN volumes v ON v.series_uid = s.series_uid"
        return text

    def _value(self, name: str) -> Field:
        if name not in self._values:
            raise CatalogError(
                f"there is no value '{name}'.{nearest(name, self._values)} Values are made under `values:`."
            )
        if name in self._open:
            raise CatalogError(f"value.{name} is made from itself: {' -> '.join([*self._open, name])}.")
        self._open.append(name)
        text, parameters = "CASE", []
        for value, condition in self._values[name].items():
            test = compiled(condition, self.look, self.note)
            text += f" WHEN {test.text} THEN ?"
            parameters += [*test.values, value]
        self._open.pop()
        return Field(f"({text} END)", tuple(parameters))

    def _names(self, kind: str) -> Mapping[str, str]:
        if kind == "outcome":
            if self._outcomes is None:
                raise CatalogError(
                    "the rules name a column of the spreadsheet of outcomes, and none was given (--outcomes)."
                )
            return self._known["outcome"]
        return self._known.get(kind, {})

    def _kind_of(self, name: str) -> str:
        found = [kind for kind in _BARE if name in (self._values if kind == "value" else self._known.get(kind, {}))]
        if len(found) > 1:
            choices = " or ".join(f"{kind}.{name}" for kind in found)
            raise CatalogError(f"'{name}' can be several fields: write {choices}.")
        if not found:
            everything = [
                one for kind in _BARE for one in (self._values if kind == "value" else self._known.get(kind, {}))
            ]
            raise CatalogError(f"there is no field '{name}'.{nearest(name, everything)} {self._where('')}")
        return found[0]

    def _where(self, kind: str) -> str:
        if kind == "label":
            return f"Labels of this catalog: {', '.join(self._known['label']) or 'none'}."
        if kind == "outcome":
            further = self._outcomes.others if self._outcomes else ()
            rest = f" Of the workbook only the first sheet is read, not {some(further)}." if further else ""
            return f"Columns of the spreadsheet: {some(self._places, limit=30)}.{rest}"
        return f"A field is one of {', '.join(f'{one}.NAME' for one in _KINDS)}."

    def _register(self, sheet: Sheet) -> None:
        """The spreadsheet as the table `sheet`: key and row, its columns by their places."""
        frame = sheet.frame
        plain = {f"c{place}": _plain(frame[name]) for place, name in enumerate(frame.columns)}
        table = pa.table(plain | {"row": pa.array(sheet.rows, pa.int64())})
        self._connection.register("given_sheet", table)
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE sheet AS SELECT *, NULL::VARCHAR AS key FROM given_sheet"
        )
        self._connection.unregister("given_sheet")
        found = _columns(self._connection, "sheet")
        self._known["outcome"] = {name: found[f"c{place}"] for place, name in enumerate(self._places)}

    def key_of(self, column: str) -> None:
        """Fills the key of the spreadsheet from one of its columns.

        Raises: CatalogError when there is no such column, it is empty, or a spreadsheet has rounded its identifiers.
        """
        sheet = self._outcomes
        if sheet is None or column not in self._places:
            raise CatalogError(
                f"the spreadsheet has no column '{column}' to join by.{nearest(column, self._places)} "
                f"{self._where('outcome')}"
            )
        rounded = sheet.rounded_keys(column)
        if rounded:
            raise CatalogError(
                f"column '{column}' holds {len(rounded)} identifiers that a spreadsheet has turned into numbers such "
                f"as 1.23457E+11 (rows {some(rounded)}); their digits are lost. Export again with the column as text."
            )
        cells = sheet.keys(column)
        if not any(cells):
            raise CatalogError(f"column '{column}', to join by, is empty.")
        keys = pa.table({"row": pa.array(sheet.rows, pa.int64()), "text": pa.array(cells, pa.string())})
        self._connection.register("given_keys", keys)
        self._connection.execute("UPDATE sheet SET key = nullif(k.text, '') FROM given_keys k WHERE k.row = sheet.row")
        self._connection.unregister("given_keys")


def nearest(word: str, known: Iterable[str]) -> str:
    """' Did you mean ...?' for a name that differs little; case, blanks, - and _ count less than letters."""
    close = nearest_of(word, list(known))
    return f" Did you mean '{close}'?" if close else ""


def _plain(column: Any) -> pa.Array:
    """A column as numbers where it holds numbers, else as text."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return pa.array(column, from_pandas=True)
    return pa.array([as_text(value) for value in column], pa.string())


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    rows = connection.execute("SELECT name, type FROM pragma_table_info(?)", [table]).fetchall()
    return {str(name): str(kind) for name, kind in rows}


def _texts(connection: duckdb.DuckDBPyConnection, query: str) -> Sequence[str]:
    return [str(row[0]) for row in connection.execute(query).fetchall()]
