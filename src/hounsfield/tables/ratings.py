"""Readers' ratings of the evaluated cases as a table: one file in, one checked row a case, reader and modality out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from hounsfield.core.errors import Problem, ProblemsError
from hounsfield.tables.cells import texts_of
from hounsfield.tables.findings import finding, some
from hounsfield.tables.frames import absent_columns, read_frame

NEEDED = ("case_id", "reader", "rating")
KEY = ["case_id", "reader", "modality"]


def read_ratings(path: Path) -> pd.DataFrame:
    """Reads ratings of cases by readers.

    Columns: `case_id`, `reader`, `rating` (a number, higher for the positive class); optional `modality` (how the case
    was read, such as "alone" and "with model") and `call` (1 where the reader would act).

    Raises: TableError for an unreadable file; ProblemsError listing absent columns, ratings and calls that are no
        numbers, and readings that stand twice.
    """
    frame = read_frame(path)
    problems = absent_columns(frame, NEEDED, path)
    if problems:
        raise ProblemsError("the readings can't be used:", problems)
    frame = frame.assign(case_id=texts_of(frame["case_id"]), reader=texts_of(frame["reader"]))
    frame["modality"] = texts_of(frame["modality"]) if "modality" in frame else "alone"
    for name in (*KEY, "rating", *(["call"] if "call" in frame else [])):
        empty = frame[name].isna()
        if empty.any():
            what = f"{path.name}: {int(empty.sum())} cells are empty."
            problems.append(finding(what, "Fill them in or drop the rows.", row=int(np.argmax(empty)) + 2, column=name))
    problems += _numbers(frame, path)
    twice = frame.duplicated(KEY)
    if twice.any():
        such = some(frame["case_id"][twice], limit=3)
        what = f"{path.name}: {int(twice.sum())} readings stand twice, such as of {such}."
        problems.append(finding(what, "Keep one reading a case, reader and modality."))
    if problems:
        raise ProblemsError("the readings can't be used:", problems)
    return frame


def _numbers(frame: pd.DataFrame, path: Path) -> list[Problem]:
    problems: list[Problem] = []
    if not pd.api.types.is_numeric_dtype(frame["rating"]):
        problems.append(finding(f"{path.name}: ratings are numbers.", "Write 1 to 5 or 0 to 100.", column="rating"))
    elif np.isinf(frame["rating"].to_numpy(dtype=np.float64, na_value=np.nan)).any():
        problems.append(finding(f"{path.name}: a rating is infinite.", "Correct or drop the row.", column="rating"))
    if "call" in frame and not set(frame["call"].dropna()) <= {0, 1}:
        problems.append(finding(f"{path.name}: a call is 0 or 1.", "1 where the reader would act.", column="call"))
    return problems
