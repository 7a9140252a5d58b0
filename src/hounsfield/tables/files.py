"""Table files: a path goes in; of delimited text the header and the rows of text cells come out, of Parquet a frame.

Handled of what spreadsheets write: comma, semicolon, tab or bar between the cells; UTF-8 with and without byte order
mark, UTF-16, Windows-1252; quoted cells; Excel's `sep=;` line; empty lines and empty columns at the end. Nothing is
interpreted here: every cell is text, so identifiers keep their leading zeros.
"""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from hounsfield.core.errors import TableError
from hounsfield.tables.findings import Finding, finding

DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class TextTable:
    """Cells of a delimited text file.

    Attributes:
        header: column names, stripped.
        rows: cells of each row that is not empty, stripped, as many as there are columns.
        numbers: row number of each, as a spreadsheet counts (the header is row 1).
        decimal_comma: True when cells may hold numbers such as `1,5` (the delimiter is no comma).
        problems: rows that do not fit the header.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    decimal_comma: bool
    problems: tuple[Finding, ...]


def read_text_table(path: Path) -> TextTable:
    """Read a delimited text file.

    Raises: OSError when the file can't be opened; TableError when it is no delimited text.
    """
    text = _decode(path.read_bytes())
    delimiter, text = _delimiter(text)
    try:
        stream = io.StringIO(text, newline="")  # "": line ends of all systems, also inside quoted cells
        records = [[cell.strip() for cell in record] for record in csv.reader(stream, delimiter=delimiter)]
    except csv.Error as error:
        raise TableError(f"{path.name} is no delimited text ({error}). Save it as CSV from the spreadsheet.") from error
    first = next((i for i, record in enumerate(records) if any(record)), len(records))
    header = records[first] if first < len(records) else []
    body = [(i + 1, record) for i, record in enumerate(records) if i > first and any(record)]
    width = _width(header, body)
    problems = [
        finding(
            f"{len(record)} cells where the header has {width}.",
            "Put cells that hold the delimiter in quotation marks, or remove the extra cells.",
            row=number,
        )
        for number, record in body
        if any(record[width:])
    ]
    rows = tuple(tuple((record + [""] * width)[:width]) for _, record in body)
    return TextTable(tuple(header[:width]), rows, tuple(n for n, _ in body), delimiter != ",", tuple(problems))


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file with columns named by text and a plain index.

    Raises: OSError when it can't be opened, TableError when it is no Parquet.
    """
    try:
        frame = pd.read_parquet(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise TableError(f"{path.name} is no readable Parquet file. Write it again, or save it as CSV.") from error
    return frame.rename(columns=str).reset_index(drop=True)


def _decode(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # What Excel saves as "CSV" in western Europe; bytes it does not define must not stop the check of the rest.
        return data.decode("cp1252", errors="replace")


def _delimiter(text: str) -> tuple[str, str]:
    """The delimiter, and the text without Excel's `sep=` line (a spreadsheet hides that line and does not count it)."""
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:
        return first.strip()[4], rest
    line = next((line for line in text.splitlines() if line.strip()), "")
    # max() keeps the first of equals, so a header of one column is read with the comma.
    return max(DELIMITERS, key=lambda mark: len(next(csv.reader([line], delimiter=mark), []))), text


def _width(header: list[str], body: list[tuple[int, list[str]]]) -> int:
    """Columns in use: unnamed columns at the right end that hold nothing are leftovers of the spreadsheet."""
    used = [i for i, name in enumerate(header) if name or any(len(record) > i and record[i] for _, record in body)]
    return max(used, default=-1) + 1
