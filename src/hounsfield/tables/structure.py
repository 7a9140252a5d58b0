"""What makes a cases table: its columns are named here; a frame goes in, all that breaks the structure comes out.

Structure is what `read_cases` needs to make cases at all; labels, covariates and images are judged by `tables.check`.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hounsfield.tables.cells import is_missing, plain_value
from hounsfield.tables.findings import Finding, finding, looks_like_name, nearest, some

REQUIRED = ("case_id", "patient_id", "image")
CENTRE = ("centre_x_mm", "centre_y_mm", "centre_z_mm")
TEXT = (*REQUIRED, "mask", "lungs", "site", "series_uid")
KNOWN = (*TEXT, *CENTRE)


def structure_problems(frame: pd.DataFrame, rows: Sequence[int]) -> list[Finding]:
    """All structural problems, in no order; `rows` holds the spreadsheet row of each row of `frame`."""
    missing = [column for column in REQUIRED if column not in frame]
    spare = [str(column) for column in frame if column not in KNOWN]
    problems = []
    for column in missing:
        hint = nearest(column, spare)
        remedy = f"Rename column '{hint}'?" if hint else f"Columns found: {some(frame.columns, limit=12) or 'none'}."
        problems.append(finding("a required column is missing.", remedy, column=column))
    if not len(frame):
        problems.append(finding("the table has no rows.", "One row a case is needed below the header."))
    for column in (name for name in REQUIRED if name in frame):
        problems += [
            finding("the cell is empty.", "Every case needs one; remove the row otherwise.", row=row, column=column)
            for row, cell in zip(rows, frame[column], strict=True)
            if cell is None
        ]
    return problems + _doubled_cases(frame, rows) + _centres(frame, rows)


def _doubled_cases(frame: pd.DataFrame, rows: Sequence[int]) -> list[Finding]:
    if "case_id" not in frame:
        return []
    first: dict[str, int] = {}
    problems = []
    for row, case_id in zip(rows, frame["case_id"], strict=True):
        if case_id is not None and first.setdefault(case_id, row) != row:
            named = "this id" if looks_like_name(case_id) else f"'{case_id}'"
            what = f"{named} stands in row {first[case_id]} already."
            problems.append(finding(what, "Give every case its own case_id.", row=row, column="case_id"))
    return problems


def _centres(frame: pd.DataFrame, rows: Sequence[int]) -> list[Finding]:
    columns = [name for name in CENTRE if name in frame]
    if 0 < len(columns) < len(CENTRE):
        what = f"a centre needs all of {', '.join(CENTRE)}."
        return [finding(what, "Add the missing columns or remove this one.", column=name) for name in columns]
    problems = []
    for row, cells in zip(rows, frame[columns].itertuples(index=False), strict=True) if columns else ():
        given = {name: cell for name, cell in zip(columns, cells, strict=True) if not is_missing(cell)}
        if 0 < len(given) < len(CENTRE):
            problems.append(finding("the centre is incomplete.", "Give x, y and z, or none of them.", row=row))
        for name, cell in given.items():
            if not isinstance(plain_value(cell), int | float):
                what = "a centre is a number in mm."
                problems.append(finding(what, "Write it with a decimal point, no unit.", row=row, column=name))
    return problems


def header_problems(header: Sequence[str]) -> list[Finding]:
    """Columns without a name and names that stand twice."""
    problems = []
    for i, name in enumerate(header):
        if not name:
            what = f"column number {i + 1} holds cells and has no name."
            problems.append(finding(what, "Name it or delete it.", row=1))
        elif header.index(name) < i:
            problems.append(finding("the name stands twice in the header.", "Rename one.", row=1, column=name))
    return problems
