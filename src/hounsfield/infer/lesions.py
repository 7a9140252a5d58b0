"""Points in lesions: a CSV with lesion_id, x_mm, y_mm, z_mm goes in, checked `Lesion`s come out."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hounsfield.core.errors import HounsfieldError, Problem, ProblemsError
from hounsfield.core.registry import nearest
from hounsfield.tables.files import TextTable, read_text_table

POINTS = ("lesion_id", "x_mm", "y_mm", "z_mm")
_LONGEST = 48  # characters of a lesion_id: DICOM allows 64 for the segment label that holds it


@dataclass(frozen=True)
class Lesion:
    """A point in a lesion: (x, y, z) in mm, patient coordinates (LPS)."""

    lesion_id: str
    centre_mm: tuple[float, float, float]


def read_lesions(path: Path) -> list[Lesion]:
    """The points of a table, in its order; any delimiter and encoding that spreadsheets write.

    Raises: ProblemsError listing every mistake at once.
    """
    columns = f"Give a CSV with the columns {', '.join(POINTS)}."
    try:
        table = read_text_table(path)
    except OSError as error:
        raise ProblemsError("the lesions can't be read:", [Problem(path.name, "no such file.", columns)]) from error
    except HounsfieldError as error:
        raise ProblemsError("the lesions can't be read:", [Problem(path.name, str(error), columns)]) from error
    problems = [*table.problems, *_header_problems(table, path.name)] or _row_problems(table)
    if problems:
        raise ProblemsError(f"the lesions of {path.name} can't be used:", problems)
    return [Lesion(name, (point[0], point[1], point[2])) for name, point in _cells(table)]


def _header_problems(table: TextTable, name: str) -> list[Problem]:
    missing = [column for column in POINTS if column not in table.header]
    problems = [Problem(f"column {column}", "missing.", nearest(column, table.header).strip()) for column in missing]
    if not table.rows:
        problems.append(Problem(name, "holds no lesion.", "Give one row a lesion."))
    return problems


def _row_problems(table: TextTable) -> list[Problem]:
    problems = []
    cells = _cells(table)
    for row, (name, point) in zip(table.numbers, cells, strict=True):
        if not name:
            problems.append(Problem(f"row {row}", "lesion_id is empty.", "Give each lesion a name."))
        elif len(name) > _LONGEST or "\\" in name or not name.isprintable():
            remedy = f"Take at most {_LONGEST} characters, no backslash: it goes into DICOM."
            problems.append(Problem(f"row {row}", "this lesion_id can't be used.", remedy))
        if not all(math.isfinite(value) for value in point):
            problems.append(Problem(f"row {row}", "a coordinate is no number.", "Give mm, patient, LPS."))
    twice = [name for name, count in Counter(name for name, _ in cells).items() if name and count > 1]
    return problems + [Problem(f"lesion {name}", "is there twice.", "Give each its own name.") for name in twice]


def _cells(table: TextTable) -> list[tuple[str, list[float]]]:
    """lesion_id and x, y, z of each row; NaN for what is no number."""
    name, *axes = (table.header.index(column) for column in POINTS)
    return [(row[name], [_number(row[axis], table.decimal_comma) for axis in axes]) for row in table.rows]


def _number(cell: str, decimal_comma: bool) -> float:
    try:
        return float(cell.replace(",", ".") if decimal_comma else cell)
    except ValueError:
        return math.nan
