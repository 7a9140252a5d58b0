"""The spreadsheet of outcomes. In: CSV, Parquet or Excel, or a frame. Out: a `Sheet`: typed columns and text keys.

Columns are numbers or text as everywhere in this package; a key, which identifies, is always the text of its cell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from hounsfield.catalog.cohort.workbook import NEVER_COMPUTED, read_workbook
from hounsfield.core.errors import Problem, ProblemsError, TableError
from hounsfield.tables.cells import as_text, is_missing, typed_column
from hounsfield.tables.files import read_parquet, read_text_table
from hounsfield.tables.findings import Finding, finding, some

_ROUNDED = re.compile(r"[+-]?\d([.,]\d+)?E\+\d+")  # what a spreadsheet makes of a long number
_WHOLE = re.compile(r"[+-]?\d+(\.0*)?")
_ERROR = re.compile(r"#(REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|FORMULA!)")


@dataclass(frozen=True, eq=False)
class Sheet:
    """Rows of a spreadsheet.

    Attributes:
        frame: one column a column, numbers or text.
        rows: of each row its number as the spreadsheet counts, the header being row 1.
        texts: column -> its cells as they were written; empty where only values are known (Parquet, a frame).
        others: names of further sheets of the workbook, which were not read.
    """

    frame: pd.DataFrame
    rows: tuple[int, ...]
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    @staticmethod
    def of(frame: pd.DataFrame) -> Sheet:
        """A frame made elsewhere; its first row counts as row 2."""
        plain = frame.reset_index(drop=True).rename(columns=str)
        return Sheet(plain, tuple(range(2, len(plain) + 2)))

    def keys(self, column: str) -> list[str | None]:
        """The identifiers in a column; 7.0 is 7 where the whole column holds such numbers, and 007 stays 007."""
        cells = self.texts.get(column)
        if cells is None:
            return [as_text(value) for value in self.frame[column]]
        present = [cell for cell in cells if not is_missing(cell)]
        if all(_WHOLE.fullmatch(cell) for cell in present):
            cells = [cell.partition(".")[0] for cell in cells]
        return [None if is_missing(cell) else cell for cell in cells]

    def rounded_keys(self, column: str) -> list[int]:
        """Rows whose identifier was shortened to a number such as 1.23457E+11."""
        cells = self.texts.get(column, ())
        return [row for row, cell in zip(self.rows, cells, strict=False) if _ROUNDED.fullmatch(cell.upper())]


def read_outcomes(path: Path) -> Sheet:
    """The spreadsheet: CSV, Parquet, or the first filled sheet of an Excel workbook.

    Raises: TableError or ProblemsError saying all that is wrong with it.
    """
    ending = path.suffix.lower()
    if ending in {".xls", ".ods", ".numbers"}:
        raise TableError(f"{path.name} is in a format that is not read. Save the sheet as .xlsx or as CSV UTF-8.")
    try:
        if ending == ".parquet":
            return _filled(Sheet.of(read_parquet(path)), path)
        sheet = _from_workbook(path) if ending in {".xlsx", ".xlsm"} else _from_text(path)
    except FileNotFoundError:
        raise TableError(f"there is no file {path.name}. Give a table (.csv, .xlsx or .parquet).") from None
    except OSError as error:
        raise TableError(f"{path.name} can't be opened ({error.strerror}).") from error
    return _filled(sheet, path)


def _filled(sheet: Sheet, path: Path) -> Sheet:
    if sheet.frame.empty:
        raise TableError(f"{path.name} has no rows below its header.")
    return sheet


def _from_text(path: Path) -> Sheet:
    table = read_text_table(path)
    if any("\x00" in name for name in table.header):
        raise TableError(f"{path.name} is no text. Save the sheet as CSV UTF-8.")
    return _made(path, table.header, table.rows, table.numbers, decimal_comma=table.decimal_comma, known=table.problems)


def _from_workbook(path: Path) -> Sheet:
    book = read_workbook(path)
    if not book.rows:
        raise TableError(f"{path.name} has no visible sheet with cells.")
    header = list(book.rows[0][1])
    while header and not header[-1]:
        header.pop()
    body = book.rows[1:]
    problems = [
        finding(f"{len(cells)} cells where the header has {len(header)}.", "Name the columns.", row=number)
        for number, cells in body
        if any(cells[len(header) :])
    ]
    rows = [(*cells, *[""] * len(header))[: len(header)] for _, cells in body]
    return _made(path, header, rows, [number for number, _ in body], known=problems, others=book.others)


def _made(
    path: Path,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Sequence[int],
    *,
    decimal_comma: bool = False,
    known: Sequence[Problem] = (),
    others: tuple[str, ...] = (),
) -> Sheet:
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    problems = list(known)
    if twice:
        problems.append(finding(f"several columns are called {some(twice)}.", "Rename or remove one.", row=1))
    columns = {name: [row[at] for row in rows] for at, name in enumerate(header) if name}
    for name, cells in columns.items():
        problems += [
            _faulty(cell, row, name) for row, cell in zip(numbers, cells, strict=True) if _ERROR.fullmatch(cell)
        ]
    if problems:
        raise ProblemsError(f"{path.name} can't be read:", problems)
    frame = pd.DataFrame({name: typed_column(cells, decimal_comma=decimal_comma) for name, cells in columns.items()})
    return Sheet(frame, tuple(numbers), columns, others)


def _faulty(cell: str, row: int, column: str) -> Finding:
    if cell == NEVER_COMPUTED:
        what, remedy = "the cell holds a formula that was never computed.", "Open the workbook in Excel and save it."
        return finding(what, remedy, row=row, column=column)
    return finding(f"the cell holds the error {cell}.", "Correct its formula, or empty it.", row=row, column=column)
