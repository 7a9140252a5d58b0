"""Dates a day earlier, by the calendar; and forms that are none."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.catalog.deidentify.dates import shifted


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("20240301", "20240229"),  # a leap year's day
        ("2024.03.01", "2024.02.29"),
        ("20240101003000.25-0500", "20231231003000.25-0500"),
        ("202403", "202402"),
        ("2024", "2023"),
        ("00000000", ""),
        ("20230230", ""),
        ("00010101", ""),  # a day before year 1
        ("JANE DOE", ""),
        ("20240301JANE", ""),
        ("", ""),
    ],
)
def test_a_day_earlier(text: str, moved: str):
    assert shifted(text, -1) == moved


@given(st.dates(min_value=date(1900, 1, 1)), st.dates(min_value=date(1900, 1, 1)), st.integers(-3650, -365))
def test_the_interval_between_any_two_dates_stays(one: date, other: date, days: int):
    first, second = (date.fromisoformat(shifted(f"{day:%Y%m%d}", days)) for day in (one, other))
    assert second - first == other - one
    assert first - one == timedelta(days=days)
