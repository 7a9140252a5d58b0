"""An Excel workbook (.xlsx, .xlsm) as text. In: its path. Out: the cells of its first filled sheet as they are shown.

Read from the XML itself, since what matters here is what readers of values lose: a number shown with leading zeros
(format 000000) keeps them, a date is a date whatever its format, and a number of which Excel kept 15 digits says so.
Formulas count with the value that Excel stored. Nothing of the file is run.
Source: ECMA-376, Office Open XML, part 1, SpreadsheetML (18.3 worksheets, 18.8 styles, 18.17.4.1 dates).
"""

from __future__ import annotations

import datetime
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from hounsfield.core.errors import TableError

NEVER_COMPUTED = "#FORMULA!"  # of a workbook written by a program and never opened in Excel
_MOST_BYTES = 400 * 1024**2  # of one part, unpacked; a sheet of a million rows has less
_DATE_FORMATS = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])  # built in, 18.8.30
_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.I)  # literals, colours, conditions
_ZEROS = re.compile(r"0{2,15}")
_CELL = re.compile(r"([A-Z]{1,3})\d+")
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

    Raises: OSError when the file can't be opened; TableError when it is no workbook.
    """
    with path.open("rb") as stream:
        if stream.read(4) == b"\xd0\xcf\x11\xe0":
            raise TableError(f"{path.name} has a password or is in Excel's old format. Save the sheet as CSV UTF-8.")
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(_Parts(archive), path)
    except (zipfile.BadZipFile, ElementTree.ParseError, KeyError, ValueError, RuntimeError, EOFError) as error:
        if isinstance(error, TableError):
            raise
        raise TableError(f"{path.name} is no readable Excel workbook. Save the sheet as CSV UTF-8.") from error


class _Parts:
    """The XML parts of a workbook by name."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = {name.lower().lstrip("/"): name for name in archive.namelist()}

    def get(self, name: str) -> ElementTree.Element | None:
        """The root of a part, or None; Raises: TableError for a part that is too large or defines entities."""
        found = self._names.get(name.lower().lstrip("/"))
        if found is None:
            return None
        if self._archive.getinfo(found).file_size > _MOST_BYTES:
            raise TableError("the workbook is larger than a table of outcomes can be. Save the sheet as CSV UTF-8.")
        data = self._archive.read(found)
        if b"<!DOCTYPE" in data[:4096]:
            raise TableError(
                "the workbook holds a document type, which Excel never writes. Save the sheet as CSV UTF-8."
            )
        return ElementTree.fromstring(data)


def _read(parts: _Parts, path: Path) -> Workbook:
    book = parts.get("xl/workbook.xml")
    if book is None:
        raise TableError(f"{path.name} holds no workbook. Save the sheet as CSV UTF-8.")
    targets = _targets(parts)
    shared = [_text(item) for item in _children(parts.get("xl/sharedStrings.xml"), "si")]
    cells = _Cells(shared, _formats(parts.get("xl/styles.xml")), epoch_1904=_is_1904(book))
    chosen: tuple[tuple[int, tuple[str, ...]], ...] = ()
    others = []
    for sheet in _all(book, "sheet"):
        link = next((value for key, value in sheet.attrib.items() if key.endswith("}id")), "")
        root = parts.get(targets.get(link, ""))
        if root is None or _tag(root) != "worksheet":
            continue
        if chosen or sheet.get("state", "visible") != "visible":
            others.append(sheet.get("name", ""))
        else:
            chosen = tuple(cells.rows(root))
    return Workbook(chosen, tuple(others))


class _Cells:
    """Turns cells into text by the shared strings and number formats of the workbook."""

    def __init__(self, shared: Sequence[str], formats: Sequence[str], *, epoch_1904: bool) -> None:
        self._shared, self._formats, self._epoch_1904 = shared, formats, epoch_1904

    def rows(self, sheet: ElementTree.Element) -> Iterator[tuple[int, tuple[str, ...]]]:
        """(number, texts) of every row that is not empty."""
        number = 0
        for row in _all(sheet, "row"):
            number = int(row.get("r", number + 1))
            cells: dict[int, str] = {}
            place = -1
            for cell in _children(row, "c"):
                place = _column(cell.get("r", ""), place + 1)
                cells[place] = self._shown(cell).strip()
            if any(cells.values()):
                yield number, tuple(cells.get(at, "") for at in range(max(cells) + 1))

    def _shown(self, cell: ElementTree.Element) -> str:
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            return "".join(_text(item) for item in _children(cell, "is"))
        value = next(("".join(item.itertext()) for item in _children(cell, "v")), "")
        if kind == "s":
            return self._shared[int(value)] if value else ""
        if kind == "b":
            return {"1": "true", "0": "false"}.get(value.strip(), value)
        if kind == "d":
            return value.removesuffix("T00:00:00").replace("T", " ")
        if not value and any(_tag(item) == "f" for item in cell):
            return NEVER_COMPUTED
        if kind != "n" or not value.strip():
            return value
        style = int(cell.get("s", 0))
        return self._number(value.strip(), self._formats[style] if style < len(self._formats) else "")

    def _number(self, text: str, shown_as: str) -> str:
        number = float(text)
        if shown_as == "date":
            return _date(number, epoch_1904=self._epoch_1904)
        if not number.is_integer():
            return repr(number)
        if abs(number) >= _DIGITS:
            return f"{number:.14E}"  # as Excel shows it: whoever reads an identifier must see that digits are lost
        width = len(shown_as) if _ZEROS.fullmatch(shown_as) and number >= 0 else 0
        return f"{int(number):0{width}d}"


def _targets(parts: _Parts) -> dict[str, str]:
    """Relationship id -> part."""
    links = parts.get("xl/_rels/workbook.xml.rels")
    found = {}
    for link in _children(links, "Relationship"):
        target = link.get("Target", "")
        found[link.get("Id", "")] = target if target.startswith("/") else f"xl/{target}"
    return found


def _formats(styles: ElementTree.Element | None) -> list[str]:
    """Of each cell style how a number is shown: "date", zeros such as "000000", or ""."""
    if styles is None:
        return []
    codes = {int(item.get("numFmtId", -1)): item.get("formatCode", "") for item in _all(styles, "numFmt")}
    found = []
    for block in _children(styles, "cellXfs"):
        for style in _children(block, "xf"):
            number = int(style.get("numFmtId", 0))
            code = codes.get(number, "")
            is_date = number in _DATE_FORMATS if not code else bool(re.search("[dmyhs]", _plain(code), re.I))
            found.append("date" if is_date else _plain(code))
    return found


def _plain(code: str) -> str:
    """The first section of a format without literals and colours; General is none."""
    plain = _NOT_SHOWN.sub("", code.partition(";")[0]).strip()
    return "" if plain.lower() in ("general", "@") else plain


def _date(number: float, *, epoch_1904: bool) -> str:
    """A serial number as 2018-01-31, with the time when there is one.

    The 1900 system counts a 29 February 1900 that never was, so days up to 59 are one later than the others say.
    """
    if number < 0 or number > 2_958_465:  # 31 December 9999
        return repr(number)
    if epoch_1904:
        start = datetime.datetime(1904, 1, 1)
    else:
        start = datetime.datetime(1899, 12, 31) if number < 60 else datetime.datetime(1899, 12, 30)
    moment = start + datetime.timedelta(seconds=round(number * 86_400))
    if number < 1:
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%Y-%m-%d" if number == int(number) else "%Y-%m-%d %H:%M:%S")


def _is_1904(book: ElementTree.Element) -> bool:
    return any(item.get("date1904") in ("1", "true") for item in _children(book, "workbookPr"))


def _column(reference: str, otherwise: int) -> int:
    """Place of a cell such as BC7 in its row, from 0."""
    found = _CELL.fullmatch(reference)
    if not found:
        return otherwise
    place = 0
    for letter in found[1]:
        place = place * 26 + ord(letter) - 64
    return place - 1


def _text(item: ElementTree.Element) -> str:
    """Text of a string, its runs joined; phonetic hints for readers of Japanese are none of it."""
    runs = [one for one in item if _tag(one) in ("t", "r")]
    return "".join("".join(part.itertext()) for run in runs for part in run.iter() if _tag(part) == "t")


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _children(element: ElementTree.Element | None, tag: str) -> Iterator[ElementTree.Element]:
    return (child for child in ([] if element is None else element) if _tag(child) == tag)


def _all(element: ElementTree.Element, tag: str) -> Iterator[ElementTree.Element]:
    return (child for child in element.iter() if _tag(child) == tag)
