"""A printed number stands for the values that round to it."""

from __future__ import annotations

from fractions import Fraction

import pytest

from hounsfield.audit.printed import CUT, ROUNDED, TWICE, printed
from hounsfield.core.errors import TableError


def test_the_digits_count() -> None:
    three, two = printed("0.730"), printed("0.73")
    assert three.value == two.value == Fraction(73, 100)
    assert (three.low, three.high) == (Fraction("0.7295"), Fraction("0.7305"))
    assert (two.low, two.high) == (Fraction("0.725"), Fraction("0.735"))


@pytest.mark.parametrize(
    ("text", "value", "half"),
    [
        ("57.2 %", Fraction("0.572"), Fraction("0.0005")),
        ("100%", Fraction(1), Fraction("0.005")),
        ("-6.91 %", Fraction("-0.0691"), Fraction("0.00005")),
        ("1.2e-3", Fraction("0.0012"), Fraction("0.00005")),
        ("12", Fraction(12), Fraction(1, 2)),
        (".33", Fraction("0.33"), Fraction("0.005")),
    ],
)
def test_forms(text: str, value: Fraction, half: Fraction) -> None:
    number = printed(text)
    assert (number.value, number.half, str(number)) == (value, half, text)


@pytest.mark.parametrize("text", ["", "n/a", "0,73", "1/3", "0.7-0.8", "nan", "<", "0.7 percent"])
def test_what_is_no_printed_number(text: str) -> None:
    with pytest.raises(TableError, match="expected a number as printed"):
        printed(text)


def test_limits() -> None:
    limit = printed("< 0.001")
    assert limit.admits(6.1e-5)
    assert not limit.admits(0.0010)
    assert limit.admits_range(0.0005, 0.02)
    assert not limit.admits_range(0.002, 0.02)


def test_habits_of_rounding() -> None:
    """The two end points of the fine-tuning study that need rounding twice, and an accuracy that was cut off."""
    assert printed("0.782").rule_for(0.781465) == TWICE
    assert printed("0.654").rule_for(0.65345001) == TWICE
    assert printed("0.781").rule_for(0.781465) == ROUNDED
    assert printed("67.29 %").rule_for(Fraction(107, 159)) == CUT
    assert printed("67.31 %").rule_for(Fraction(107, 159)) == ""
    assert printed("0.5").rule_for(float("nan")) == ""
