"""What the rules' tests meet in the cells. In: the table `cohort` and what was asked of it. Out: problems and notes.

A test fails for a cell that it can't read, so "15 mm" would be excluded as below 15, and nobody would hear of it.
"""

from __future__ import annotations

import difflib
import re

import duckdb

from hounsfield.catalog.cohort.conditions import Asked, as_date, as_key, as_number
from hounsfield.catalog.cohort.fields import Fields
from hounsfield.core.errors import Problem
from hounsfield.tables.findings import some

_DAY_NUMBER = re.compile(r"[2-6]\d{4}(\.\d+)?")  # 1954 to 2091 as Excel counts days
_FEWEST_LETTERS = 4  # shorter words are always close to one another
_MOST_VALUES = 500  # of a field, among which a nearly equal one is looked for


def unreadable_cells(connection: duckdb.DuckDBPyConnection, fields: Fields) -> tuple[list[Problem], list[str]]:
    """Cells that a rule compares as numbers or dates and that are none.

    Returns: problems of the spreadsheet, which its owner can correct, and notes on headers, which nobody can.
    """
    problems, notes = [], []
    for asked in fields.asked:
        if asked.kind == "text" or (asked.kind == "number" and asked.field.numeric):
            continue
        found = _unreadable(connection, asked)
        if not found:
            continue
        shown = some(dict.fromkeys(f"'{text[:30]}'" for text, _, _ in found), limit=3)
        if fields.is_outcome(asked.name):
            rows = sorted({row for _, row, _ in found if row is not None})
            remedy = f"Correct rows {some(rows)}, or empty the cells.{_hint(asked, found)}"
            what = f"{len(rows)} cells are no {asked.kind}s ({shown}), and a rule compares them."
            problems.append(Problem(f"spreadsheet, column {asked.name.removeprefix('outcome.')}", what, remedy))
        else:
            count = sum(series for _, _, series in found)
            notes.append(f"{count} series have no {asked.kind} in {asked.name} but {shown}; they fail its test.")
    return problems, notes


def unknown_values(connection: duckdb.DuckDBPyConnection, fields: Fields) -> list[str]:
    """Notes on values that a rule asks for and no cell has, when a cell has nearly the same: a slip of the pen."""
    notes = []
    for asked in fields.asked:
        if asked.kind != "text" or len(asked.value) < _FEWEST_LETTERS or asked.name.startswith("value."):
            continue
        key = as_key(asked.field)
        found = connection.execute(
            f"SELECT DISTINCT {key.text} FROM cohort WHERE {key.text} IS NOT NULL ORDER BY 1 LIMIT {_MOST_VALUES}",
            [*key.values, *key.values],
        ).fetchall()
        values = [str(value) for (value,) in found]
        close = difflib.get_close_matches(asked.value, values, n=1, cutoff=0.8)
        if asked.value not in values and close:
            notes.append(
                f"no cell of {asked.name} is '{asked.value}', some are '{close[0]}': is it a slip in the rules?"
            )
    return notes


def _unreadable(connection: duckdb.DuckDBPyConnection, asked: Asked) -> list[tuple[str, int | None, int]]:
    """(text, row of the spreadsheet, series) of the cells that are not empty and can't be read."""
    read = as_number(asked.field) if asked.kind == "number" else as_date(asked.field)
    text = f"trim(CAST({asked.field.text} AS VARCHAR))"
    return connection.execute(
        f"SELECT {text}, outcome_row, count(DISTINCT series_uid) FROM cohort WHERE {read.text} IS NULL "
        f"AND nullif({text}, '') IS NOT NULL GROUP BY ALL ORDER BY ALL",
        [*asked.field.values, *read.values, *asked.field.values],
    ).fetchall()


def _hint(asked: Asked, found: list[tuple[str, int | None, int]]) -> str:
    if asked.kind == "number":
        return " Numbers have no unit and, in a file separated by commas, a decimal point."
    days = any(_DAY_NUMBER.fullmatch(text) for text, _, _ in found)
    return " Dates are 2018-01-31, 20180131 or 31.01.2018." + (
        " Five digits are days as Excel counts them: give the cells a date format there." if days else ""
    )
