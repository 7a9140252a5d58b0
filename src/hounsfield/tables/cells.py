"""What a cell of a table means: text cells go in, typed columns come out; a value goes in, its text comes out.

A column is made of whole numbers, of numbers or of text as a whole, never a mix; what may be an identifier (a leading
zero, too many digits for a number) stays text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

# Words by which spreadsheets and statistics packages write "no value"; not "None", which may well be a class.
MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "<na>"})

_WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,14})")
_LONG = re.compile(r"[+-]?\d{16,}")
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*|)(\.\d*)?([eE][+-]?\d+)?")


def is_missing(value: object) -> bool:
    """True for None, NaN, NaT and text that stands for no value."""
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, float | np.floating):
        return math.isnan(value)
    return isinstance(value, str) and value.strip().lower() in MISSING


def as_text(value: object) -> str | None:
    """The text by which a value is compared as identifier or class; None when missing.

    A whole number is written without a decimal point, because a spreadsheet or a missing neighbour turns 1 into 1.0.
    """
    if is_missing(value):
        return None
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating) and float(value).is_integer() and abs(float(value)) < 2**53:
        return str(int(value))
    return str(value).strip()


def text_column(values: Sequence[object]) -> pd.Series[Any]:
    """Column of text, missing as None."""
    return pd.Series([as_text(value) for value in values], dtype=object)


def texts_of(values: pd.Series[Any]) -> pd.Series[Any]:
    """`as_text` of every value of a long column, each different value once."""
    numbers, kinds = pd.factorize(values)
    known = np.array([as_text(value) for value in kinds] + [None], dtype=object)
    return pd.Series(known[numbers], index=values.index, dtype=object)


def typed_column(cells: Sequence[str], *, decimal_comma: bool = False) -> pd.Series[Any]:
    """Column of whole numbers, numbers or text: the narrowest that holds every cell unchanged.

    Args:
        cells: text of each row, stripped.
        decimal_comma: read `1,5` as one and a half, when no cell of the column has a decimal point.
    Returns: int64 (Int64 when cells are missing), float64, or object holding str and None.
    """
    present = [cell for cell in cells if not is_missing(cell)]
    if not present:
        return pd.Series([None] * len(cells), dtype=object)
    if all(_WHOLE.fullmatch(cell) for cell in present):
        whole = [pd.NA if is_missing(cell) else int(cell) for cell in cells]
        return pd.Series(whole, dtype="int64" if len(present) == len(cells) else "Int64")
    if decimal_comma and not any("." in cell for cell in present):
        cells = [cell.replace(",", ".") if cell.count(",") == 1 else cell for cell in cells]
    numbers = [math.nan if is_missing(cell) else _number(cell) for cell in cells]
    if None not in numbers:
        return pd.Series(numbers, dtype="float64")
    return text_column(cells)


def plain_value(value: object) -> object:
    """A cell as plain Python (int, float, str, bool or None)."""
    if is_missing(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _number(cell: str) -> float | None:
    """The number, or None for what is none; `007` is an identifier, not 7."""
    if not any(character.isdigit() for character in cell) or not _NUMBER.fullmatch(cell):
        return None
    if _LONG.fullmatch(cell):
        return None  # a whole number that a float can't hold: an identifier
    return float(cell)
