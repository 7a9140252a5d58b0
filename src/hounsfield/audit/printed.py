"""A number as it stands in print: text in, the set of values that it can stand for out.

"0.730" is no float: it is every value that rounds to it, which is what decides whether k of n cases can be behind it.
Numbers are exact fractions, so that no rounding of the machine mixes with that of the authors.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator

from hounsfield.core.errors import TableError

_FORM = re.compile(r"(?P<bound>[<>]?)\s*(?P<number>[+-]?\d*\.?\d+(?:[eE][+-]?\d+)?)\s*(?P<percent>%?)")
ROUNDED, TWICE, CUT = "rounded", "rounded twice", "cut off"


@dataclass(frozen=True)
class Printed:
    """One printed number.

    Attributes:
        text: as printed.
        value: its value; a percentage is a share (57.2 % is 0.572).
        half: half a unit of the last printed digit, on the same scale.
        bound: "<" or ">" for a printed limit such as p < 0.001, else empty.
    """

    text: str
    value: Fraction
    half: Fraction
    bound: str = ""

    @property
    def low(self) -> Fraction:
        """The smallest value that rounds to the printed one."""
        return self.value - self.half

    @property
    def high(self) -> Fraction:
        """The largest value that rounds to the printed one (ties may go either way)."""
        return self.value + self.half

    def __str__(self) -> str:
        return self.text

    def __float__(self) -> float:
        return float(self.value)

    def admits(self, exact: Fraction | float) -> bool:
        """Whether a value is printed so when it is rounded once; for a limit, whether it lies on that side of it."""
        given = _exact(exact)
        if given is None:
            return False
        if self.bound:
            return given < self.value if self.bound == "<" else given > self.value
        return self.low <= given <= self.high

    def admits_range(self, low: float, high: float) -> bool:
        """Whether any value between `low` and `high` is printed so."""
        if math.isnan(low) or math.isnan(high):
            return False
        if self.bound:
            return self.admits(low) or self.admits(high)
        return Fraction(low) <= self.high and Fraction(high) >= self.low

    def twice(self, exact: Fraction | float) -> bool:
        """Whether a value is printed so when it is first rounded to one digit more; half always upwards."""
        given, unit = _exact(exact), 2 * self.half
        return given is not None and _half_up(_half_up(given, unit / 10), unit) == self.value

    def rule_for(self, exact: Fraction | float) -> str:
        """By which habit a value is printed so: rounded, rounded twice (see `twice`), cut off; empty when by none."""
        given = _exact(exact)
        if given is None:
            return ""
        if self.admits(given):
            return ROUNDED
        if self.bound:
            return ""
        if self.twice(given):
            return TWICE
        unit = 2 * self.half
        return CUT if math.floor(abs(given) / unit) * unit == abs(self.value) and given * self.value >= 0 else ""


def printed(text: Any) -> Printed:
    """Reads "0.730", "57.2 %", "< 0.001", "12".

    Raises: TableError when it is none of these.
    """
    if isinstance(text, Printed):
        return text
    match = _FORM.fullmatch(str(text).strip().replace("−", "-"))
    if match is None:
        raise TableError(f"expected a number as printed, such as 0.730, 57.2 % or < 0.001; got '{text}'.")
    number = match["number"]
    digits = number.lower().partition("e")
    decimals = len(digits[0].partition(".")[2]) - int(digits[2] or 0)
    scale = Fraction(1, 100) if match["percent"] else Fraction(1)
    half = Fraction(1, 2) / Fraction(10) ** decimals
    return Printed(str(text).strip(), Fraction(number) * scale, half * scale, match["bound"])


PrintedNumber = Annotated[Printed, BeforeValidator(printed)]


def _exact(value: Fraction | float) -> Fraction | None:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return Fraction(value)


def _half_up(value: Fraction, unit: Fraction) -> Fraction:
    return math.floor(value / unit + Fraction(1, 2)) * unit
