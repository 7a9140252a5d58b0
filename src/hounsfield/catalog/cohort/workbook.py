"""An Excel workbook (.xlsx, .xlsm) as text. In: its path. Out: the cells of its first filled sheet as they are shown.

Read by openpyxl. Added here is what its values lose: a number shown with leading zeros (format 000000) keeps them, and
a number of which Excel kept 15 digits says so. Formulas count with the value that Excel stored.
"""

from __future__ import annotations

import datetime
import re
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hounsfield.core.errors import TableError

NEVER_COMPUTED = "#FORMULA!"  # of a workbook written by a program and never opened in Excel
_MOST_BYTES = 400 * 1024**2  # of one part, unpacked; a sheet of a million rows has less
_ZEROS = re.compile(r"0{2,15}")
_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')  # literals, colours and conditions of a format
_DIGITS = 1e15  # Excel keeps 15 digits of a number; longer ones end in zeros that nobody typed


@dataclass(frozen=True)
class Workbook:
    """The first sheet with cells.

    Attributes:
        rows: (row as Excel counts, its cells as text); empty rows are absent.
        others: names of further sheets with cells or hidden ones, which are not read.
    """

    rows: tuple[tuple[int, tuple[str, ...]], ...]
    others: tuple[str, ...]


def read_workbook(path: Path) -> Workbook:
    """Reads the first visible sheet that has cells.

    Raises: OSError when the file can't be opened; TableError when it is no workbook, or larger than a table can be.
    """
    with path.open("rb") as stream:
        if stream.read(4) == b"\xd0\xcf\x11\xe0":
            raise TableError(f"{path.name} has a password or is in Excel's old format. Save the sheet as CSV UTF-8.")
    try:
        _check_parts(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of drawings and validations that it leaves out: none are read here
            return _read(path)
    except TableError:
        raise
    except OSError:
        raise
    except Exception as error:  # a damaged workbook makes zipfile, the XML parser and openpyxl raise whatever they like
        raise TableError(f"{path.name} is no readable Excel workbook. Save the sheet as CSV UTF-8.") from error


def _check_parts(path: Path) -> None:
    """Refuses, before anything is parsed, what would unpack to more than a table, or defines entities."""
    with zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            if part.file_size > _MOST_BYTES:
                raise TableError("the workbook is larger than a table of outcomes can be. Save the sheet as CSV UTF-8.")
            if part.filename.endswith((".xml", ".rels")):
                with archive.open(part) as stream:
                    if b"<!DOCTYPE" in stream.read(4096):
                        raise TableError(
                            "the workbook holds a document type, which Excel never writes. Save the sheet as CSV UTF-8."
                        )


def _read(path: Path) -> Workbook:
    import openpyxl

    values = openpyxl.load_workbook(path, read_only=True, data_only=True)
    formulas = openpyxl.load_workbook(path, read_only=True)
    chosen: tuple[tuple[int, tuple[str, ...]], ...] = ()
    others = []
    try:
        for sheet in values.worksheets:
            if chosen or sheet.sheet_state != "visible":
                others.append(str(sheet.title))
                continue
            # The size that a file states can be wrong either way; without it every row is looked at.
            twin = formulas[sheet.title]
            for one in (sheet, twin):
                one.reset_dimensions()
            chosen = tuple(_rows(sheet, twin))
    finally:
        values.close()
        formulas.close()
    return Workbook(chosen, tuple(others))


def _rows(sheet: Any, twin: Any) -> list[tuple[int, tuple[str, ...]]]:
    found = []
    for number, (cells, written) in enumerate(zip(sheet.iter_rows(), twin.iter_rows(), strict=True), start=1):
        texts = [_shown(cell, other).strip() for cell, other in zip(cells, written, strict=True)]
        while texts and not texts[-1]:
            texts.pop()
        if texts:
            found.append((number, tuple(texts)))
    return found


def _shown(cell: Any, written: Any) -> str:
    value = cell.value
    if value is None:
        return NEVER_COMPUTED if written.data_type == "f" else ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d" if value.time() == datetime.time() else "%Y-%m-%d %H:%M:%S")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, int | float):
        return _number(value, str(cell.number_format or ""))
    return str(value)


def _number(number: float, shown_as: str) -> str:
    if not float(number).is_integer():
        return repr(float(number))
    if abs(number) >= _DIGITS:
        return f"{number:.14E}"  # as Excel shows it: whoever reads an identifier must see that digits are lost
    plain = _NOT_SHOWN.sub("", shown_as.partition(";")[0]).strip()
    width = len(plain) if _ZEROS.fullmatch(plain) and number >= 0 else 0
    return f"{int(number):0{width}d}"
