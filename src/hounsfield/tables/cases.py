"""The cases table: a CSV or Parquet file goes in, `Cases` (its rows, checked for structure) come out, and back.

One row is one case: `case_id, patient_id, image`, as far as known `mask, lungs, site, series_uid`, a lesion's centre in
`centre_x_mm, centre_y_mm, centre_z_mm` (LPS), and any label and covariate columns. Paths are relative to the table.
Identifiers are text (leading zeros stay), empty cells are missing. Images are not opened here: see `tables.check`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from types import MappingProxyType
from typing import Any

import pandas as pd

from hounsfield.core.atomic import atomic_file
from hounsfield.core.errors import ProblemsError, TableError
from hounsfield.tables.cells import as_text, plain_value, text_column, typed_column
from hounsfield.tables.files import read_parquet, read_text_table
from hounsfield.tables.findings import Finding, finding, in_reading_order, nearest, some
from hounsfield.tables.structure import CENTRE, KNOWN, REQUIRED, TEXT, header_problems, structure_problems


@dataclass(frozen=True)
class Case:
    """What is classified: a lesion or a volume, one row of the cases table.

    Attributes:
        image: file or DICOM folder, joined with the table's folder.
        mask: file of the lesion's mask, or None.
        lungs: file of the lungs' mask, or None; one is found in the CT then where a model needs it.
        centre_mm: (x, y, z) of the lesion in patient coordinates (LPS), or None.
        values: all other columns, labels and covariates; missing as None.
    """

    case_id: str
    patient_id: str
    image: Path
    mask: Path | None = None
    site: str | None = None
    series_uid: str | None = None
    centre_mm: tuple[float, float, float] | None = None
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)
    lungs: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    def __reduce__(self) -> tuple[type[Case], tuple[Any, ...]]:
        # Cases travel to worker processes by pickle, which knows no read-only mapping.
        state = (self.case_id, self.patient_id, self.image, self.mask, self.site, self.series_uid, self.centre_mm)
        return type(self), (*state, dict(self.values), self.lungs)


@dataclass(frozen=True)
class Cases:
    """The rows of a cases table.

    Attributes:
        frame: one row a case in file order; text columns hold str or None, whole numbers Int64, numbers float64.
        folder: folder of the table; paths in `frame` are relative to it.
        rows: row of each case as a spreadsheet counts it (the header is row 1).
    """

    frame: pd.DataFrame
    folder: Path
    rows: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.frame)

    def cases(self) -> list[Case]:
        """One frozen `Case` a row, in file order."""
        return [_case(record, self.folder) for record in self.frame.to_dict("records")]

    def labels(self, column: str) -> list[str | None]:
        """The classes in a column as text (1 and 1.0 are both "1"); None where missing.

        Raises: TableError for an unknown column.
        """
        require_column(self.frame, column)
        return [as_text(value) for value in self.frame[column]]

    def only(self, case_ids: Collection[str]) -> Cases:
        """The rows of these cases, in file order.

        Raises: TableError when one is not in the table.
        """
        wanted = set(case_ids)
        unknown = sorted(wanted - set(self.frame["case_id"]))
        if unknown:
            raise TableError(f"{len(unknown)} cases are not in the table: {some(unknown)}. Take ids of column case_id.")
        keep = [case_id in wanted for case_id in self.frame["case_id"]]
        rows = tuple(row for row, kept in zip(self.rows, keep, strict=True) if kept)
        return Cases(self.frame[keep].reset_index(drop=True), self.folder, rows)


def read_cases(path: Path | str) -> Cases:
    """Read a cases table (`.csv`, `.tsv`, `.txt` with any common delimiter and encoding, or `.parquet`).

    Raises: ProblemsError listing all structural problems at once: no such file, missing columns (with the nearest
        name found), empty or doubled case_id, empty patient_id or image, centres that are no numbers, no rows.
    """
    cases, problems = scan_cases(path)
    if problems:
        raise ProblemsError(f"{Path(path).name} is no valid cases table:", problems)
    return cases


def scan_cases(path: Path | str) -> tuple[Cases, list[Finding]]:
    """What can be read of a cases table, and all its structural problems; nothing is raised for bad content."""
    path = Path(path)
    empty = Cases(pd.DataFrame(columns=list(REQUIRED)), path.parent, ())
    try:
        cases, problems = _load(path)
    except FileNotFoundError:
        beside = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = nearest(path.name, beside)
        remedy = f"Did you mean {hint}?" if hint else "Give the path of a CSV or Parquet file with one row a case."
        return empty, [finding(f"there is no file {path.name}.", remedy)]
    except (OSError, TableError) as error:
        what = str(error) if isinstance(error, TableError) else f"{path.name} can't be opened ({error.strerror})."
        return empty, [finding(what, "Give a CSV or Parquet file with one row a case.")]
    problems += structure_problems(cases.frame, cases.rows)
    return cases, in_reading_order(problems)


def write_cases(frame: pd.DataFrame, path: Path | str) -> None:
    """Write a cases table as CSV or, by the ending `.parquet`, as Parquet; whole or not at all.

    Absolute paths in `image`, `mask` and `lungs` become relative to the table, so that all can be moved together.
    Raises: ProblemsError when `frame` breaks the structure that `read_cases` asks for; nothing is written then.
    """
    path = Path(path)
    out = frame.reset_index(drop=True).copy()
    for column in (name for name in TEXT if name in out):
        out[column] = text_column(out[column].tolist())
    problems = structure_problems(out, range(2, len(out) + 2))
    if problems:
        raise ProblemsError(
            f"{path.name} would be no valid cases table; nothing was written:", in_reading_order(problems)
        )
    for column in (name for name in ("image", "mask", "lungs") if name in out):
        out[column] = pd.Series([_relative(cell, path.parent) for cell in out[column]], dtype=object)
    with atomic_file(path) as temporary:
        if path.suffix == ".parquet":
            out.to_parquet(temporary, index=False)
        else:
            out.to_csv(temporary, index=False, lineterminator="\n")


def require_column(frame: pd.DataFrame, column: str) -> None:
    """Raises: TableError, with the nearest name, when a column is not there."""
    if column not in frame:
        hint = nearest(column, list(frame.columns))
        raise TableError(
            f"there is no column '{column}'. " + (f"Did you mean '{hint}'? " if hint else "") + "Columns: "
            f"{some(frame.columns, limit=30)}."
        )


def _load(path: Path) -> tuple[Cases, list[Finding]]:
    if path.suffix.lower() in {".xlsx", ".xls", ".ods"}:
        raise TableError(f"{path.name} is a spreadsheet's own format. Save the sheet as CSV UTF-8.")
    if path.suffix.lower() == ".parquet":
        frame, problems = read_parquet(path), []
        rows = tuple(range(2, len(frame) + 2))
    else:
        table = read_text_table(path)
        problems = [*table.problems, *header_problems(table.header)]
        # Of columns with one name the first counts; the problem is named above.
        first = {name: i for i, name in reversed(list(enumerate(table.header))) if name}
        columns = {name: [row[i] for row in table.rows] for name, i in first.items()}
        frame = pd.DataFrame(
            {
                name: columns[name] if name in TEXT else typed_column(columns[name], decimal_comma=table.decimal_comma)
                for name in table.header
                if name
            },
            index=range(len(table.rows)),
        )
        rows = table.numbers
    for column in (name for name in TEXT if name in frame):
        frame[column] = text_column(frame[column].tolist())
    return Cases(frame, path.parent, rows), problems


def _case(record: Mapping[Any, Any], folder: Path) -> Case:
    cells = {str(name): plain_value(value) for name, value in record.items()}
    centre = [cells.get(name) for name in CENTRE]
    x, y, z = (float(value) if isinstance(value, int | float) else None for value in centre)
    return Case(
        case_id=str(cells["case_id"]),
        patient_id=str(cells["patient_id"]),
        image=locate(str(cells["image"]), folder),
        mask=locate(str(cells["mask"]), folder) if cells.get("mask") is not None else None,
        site=_text_or_none(cells.get("site")),
        series_uid=_text_or_none(cells.get("series_uid")),
        centre_mm=(x, y, z) if x is not None and y is not None and z is not None else None,
        values={name: value for name, value in cells.items() if name not in KNOWN},
        lungs=locate(str(cells["lungs"]), folder) if cells.get("lungs") is not None else None,
    )


def locate(cell: str, folder: Path) -> Path:
    """The file that a path cell means; a table written on Windows (`images\\a.nii.gz`) is understood elsewhere too."""
    return folder / (PureWindowsPath(cell).as_posix() if "\\" in cell else cell)


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)


def _relative(cell: str | None, folder: Path) -> str | None:
    if cell is None or not Path(cell).is_absolute():
        return cell
    return Path(os.path.relpath(cell, folder.resolve())).as_posix()
