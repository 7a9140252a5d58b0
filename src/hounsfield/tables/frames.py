"""Any table file as a frame: a CSV or Parquet of anyone in; columns of numbers or text out, every absence in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hounsfield.core.errors import Problem, ProblemsError, TableError
from hounsfield.tables.cells import typed_column
from hounsfield.tables.files import read_parquet, read_text_table
from hounsfield.tables.findings import finding, nearest, some


def read_frame(path: Path) -> pd.DataFrame:
    """Reads .parquet as it is and all else as delimited text, whose columns become numbers where all cells are.

    Raises: TableError when there is no such file, it is no table or has no row; ProblemsError for ragged rows and
        for columns of one name.
    """
    try:
        if path.suffix.lower() == ".parquet":
            frame = read_parquet(path)
        else:
            table = read_text_table(path)
            problems = [*table.problems, *_doubled(table.header)]
            if problems:
                raise ProblemsError(f"{path.name} can't be read:", problems)
            cells = list(zip(*table.rows, strict=True)) or [()] * len(table.header)
            comma = table.decimal_comma
            frame = pd.DataFrame(
                {
                    name: typed_column(list(column), decimal_comma=comma)
                    for name, column in zip(table.header, cells, strict=True)
                }
            )
    except FileNotFoundError:
        raise TableError(f"there is no file {path.name}. Give a table (.csv or .parquet).") from None
    if frame.empty:
        raise TableError(f"{path.name} has no rows below its header.")
    return frame


def _doubled(header: Sequence[str]) -> list[Problem]:
    """Two columns of one name: taking either in silence would be a guess. Columns without a name don't count."""
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    return [finding(f"several columns are called {some(twice)}.", "Rename or remove one.", row=1)] if twice else []


def absent_columns(frame: pd.DataFrame, needed: Sequence[str], path: Path) -> list[Problem]:
    """One problem for each column that is not there, with the one that may be meant."""
    problems: list[Problem] = []
    for name in needed:
        if name not in frame:
            close = nearest(name, [str(one) for one in frame])
            hint = f"Did you mean '{close}'?" if close else f"It has {some(frame.columns, limit=8)}."
            problems.append(finding(f"{path.name} has no column '{name}'.", hint))
    return problems
