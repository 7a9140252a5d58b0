"""Dates moved by whole days: texts of VR DA and DT go in, the same form comes out; what is no date comes out empty."""

from __future__ import annotations

import re
from datetime import date, timedelta

_FORM = re.compile(r"(\d{4})([.-]?)(\d\d)?\2(\d\d)?(.*)", re.DOTALL)
_REST = re.compile(r"(?:\d\d){0,3}(?:\.\d{1,6})?(?:[+-]\d{4})?\s*")


def shifted(text: str, days: int) -> str:
    """`text` moved by `days`; year, month or time that are absent stay absent. Empty when it is no date that can move.

    The time of day stays: moving it too would tear apart dates and times, which stand in elements of their own.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None or not _REST.fullmatch(found[5]) or (found[5].strip()[:1].isdigit() and not found[4]):
        return ""
    year, mark, month, day, rest = found.groups()
    try:
        moved = date(int(year), int(month or 1), int(day or 1)) + timedelta(days=days)
    except (ValueError, OverflowError):  # year 0, 31 February
        return ""
    parts = [f"{moved.year:04d}"] + [f"{moved.month:02d}"] * bool(month) + [f"{moved.day:02d}"] * bool(day)
    return mark.join(parts) + rest.strip()
