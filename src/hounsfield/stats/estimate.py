"""The value of a metric with its interval: what every interval function of this room returns.

In: numbers. Out: a frozen `Estimate` that formats itself (`str(e)`, `f"{e:.1%}"`). An interval that can't be had is
NaN at both ends and `note` says why; it is never of zero width, since that would claim certainty.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Self

from hounsfield.core.errors import HounsfieldError


class UndefinedMetric(UserWarning):
    """A metric has no value for this input (no case, one class only); NaN is returned in its place."""


@dataclass(frozen=True, eq=False)
class Estimate(float):
    """A metric's value with its confidence interval; a number, so that it can be used wherever the value alone is.

    Arithmetic and comparison take the value; `str(e)` and `f"{e:.3f}"` write the interval beside it, `float(e)` drops
    it, `dataclasses.replace(e, note=...)` makes another.

    Attributes:
        value: the point estimate; NaN when the metric is undefined for these data.
        low: lower end of the interval; NaN when there is none.
        high: upper end of the interval; NaN when there is none.
        n: how many independent units the interval rests on.
        unit: what `n` counts: "cases" when every case is its own patient, "patients" when patients repeat.
        method: how the interval was made, in words for a report.
        level: coverage that the interval aims at.
        note: what a reader must know beside the number; empty when nothing.

    Raises: HounsfieldError when `level` is outside (0, 1) or the interval does not run upwards.
    """

    value: float
    low: float
    high: float
    n: int
    unit: str
    method: str
    level: float = 0.95
    note: str = ""

    def __new__(cls, value: float, *_: object, **__: object) -> Self:
        """The number itself; everything else is set by the generated `__init__`."""
        return super().__new__(cls, value)

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise HounsfieldError(f"level is the coverage, between 0 and 1; got {self.level}. Use 0.95 for 95 %.")
        if self.low > self.high:
            raise HounsfieldError(f"an interval runs from low to high; got {self.low} to {self.high}. Swap the ends.")

    @property
    def has_interval(self) -> bool:
        """Whether both ends of the interval are known."""
        return not (math.isnan(self.low) or math.isnan(self.high))

    def __str__(self) -> str:
        return format(self, ".3f")

    def __format__(self, spec: str) -> str:
        """`0.813 (95 % CI 0.752 to 0.862; 225 cases)`; `spec` formats each number, as `.1%` or `.2f`."""
        spec = spec or ".3f"
        value = "undefined" if math.isnan(self.value) else format(self.value, spec)
        interval = "no interval"
        if self.has_interval:
            interval = f"{100 * self.level:g} % CI {self.low:{spec}} to {self.high:{spec}}"
        return f"{value} ({interval}; {self.n} {self.unit})"


def undefined(metric: str, reason: str) -> float:
    """NaN, with the warning that says which metric has no value and why."""
    warnings.warn(f"{metric} is undefined: {reason}; NaN is returned.", UndefinedMetric, stacklevel=4)
    return math.nan


def nothing(metric: str, reason: str, *, level: float = 0.95) -> Estimate:
    """The estimate of a metric that has no value, with the warning of `undefined`."""
    return Estimate(undefined(metric, reason), math.nan, math.nan, 0, "cases", "none", level, reason)
