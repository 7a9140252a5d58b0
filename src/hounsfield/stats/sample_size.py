"""How many cases a study needs: the expected figures and the wanted certainty in, numbers of cases out.

All suppose independent patients with one case each; with m cases a patient and correlation r between them multiply by
1 + (m - 1) r. Numbers are rounded up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy import special

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.auc import hanley_mcneil_se


@dataclass(frozen=True)
class SampleSize:
    """Numbers of cases, and how they were found."""

    positives: int
    negatives: int
    method: str

    @property
    def total(self) -> int:
        """Positives and negatives together."""
        return self.positives + self.negatives


def for_auc_width(area: float, *, half_width: float, ratio: float = 1.0, level: float = 0.95) -> SampleSize:
    """Cases for an AUC's interval of a given half width.

    Args:
        area: expected, in (0.5, 1).
        half_width: wanted, above 0.
        ratio: negatives for each positive.

    Source: variance of Hanley & McNeil, Radiology 1982;143:29.
    """
    _in(area, 0.5, 1, "area")
    _in(half_width, 0, 0.5, "half_width")
    z = _z((1 + level) / 2)
    positives = _smallest(lambda m: z * _se(area, m, ratio) <= half_width)
    return SampleSize(positives, math.ceil(positives * ratio), f"Hanley-McNeil, half width {half_width:g}")


def for_auc_against(
    area: float, *, null: float = 0.5, power: float = 0.8, alpha: float = 0.05, ratio: float = 1.0
) -> SampleSize:
    """Cases to tell an AUC from a fixed one, two-sided.

    Source: Hanley & McNeil, Radiology 1982;143:29, their formula with the variance under each hypothesis.
    """
    _in(area, 0.5, 1, "area")
    _in(null, 0.5, 1, "null", closed=True)
    if area == null:
        raise HounsfieldError("the expected area differs from the null's; got the same.")

    def enough(m: int) -> bool:
        reach = _z(1 - alpha / 2) * _se(null, m, ratio) + _z(power) * _se(area, m, ratio)
        return reach <= abs(area - null)

    positives = _smallest(enough)
    return SampleSize(positives, math.ceil(positives * ratio), f"Hanley-McNeil, {area:g} against {null:g}")


def for_auc_difference(
    first: float,
    second: float,
    *,
    correlation: float,
    power: float = 0.8,
    alpha: float = 0.05,
    ratio: float = 1.0,
) -> SampleSize:
    """Cases to tell two AUCs of the same cases apart, two-sided.

    Args:
        correlation: of the two areas; 0 for separate cases, 0.3 to 0.6 for two models of the same images as a rule.

    Source: Hanley & McNeil, Radiology 1983;148:839.
    """
    _in(first, 0.5, 1, "first")
    _in(second, 0.5, 1, "second")
    _in(correlation, -1, 1, "correlation")
    if first == second:
        raise HounsfieldError("the expected areas differ; got the same. For equal models see non_inferiority.")
    middle = (first + second) / 2

    def enough(m: int) -> bool:
        a, b, c = _se(first, m, ratio), _se(second, m, ratio), _se(middle, m, ratio)
        under_null = math.sqrt(2 * c * c * (1 - correlation))
        under_truth = math.sqrt(a * a + b * b - 2 * correlation * a * b)
        return _z(1 - alpha / 2) * under_null + _z(power) * under_truth <= abs(first - second)

    positives = _smallest(enough)
    method = f"Hanley-McNeil, {first:g} against {second:g}, correlation {correlation:g}"
    return SampleSize(positives, math.ceil(positives * ratio), method)


def for_paired_shares(only_first: float, only_second: float, *, power: float = 0.8, alpha: float = 0.05) -> int:
    """Cases for McNemar's test of two shares of the same cases, two-sided.

    Args:
        only_first, only_second: expected shares of cases that only the one, or only the other, gets right.

    Source: Connor, Biometrics 1987;43:207.
    """
    _in(only_first, 0, 1, "only_first", closed=True)
    _in(only_second, 0, 1, "only_second", closed=True)
    discordant, gap = only_first + only_second, abs(only_first - only_second)
    if gap == 0 or discordant > 1:
        raise HounsfieldError(
            f"expected two different shares with a sum of at most 1; got {only_first}, {only_second}."
        )
    reach = _z(1 - alpha / 2) * math.sqrt(discordant) + _z(power) * math.sqrt(discordant - gap**2)
    return math.ceil((reach / gap) ** 2 - 1e-9)


def _se(area: float, positives: int, ratio: float) -> float:
    return hanley_mcneil_se(area, positives=positives, negatives=math.ceil(positives * ratio))


def _smallest(enough: Callable[[int], bool]) -> int:
    high = 2
    while not enough(high):
        high *= 2
        if high > 10**9:
            raise HounsfieldError("more than a billion positive cases would be needed; expect a larger effect.")
    low = high // 2
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _z(probability: float) -> float:
    _in(probability, 0, 1, "a probability")
    return float(special.ndtri(probability))


def _in(value: float, low: float, high: float, name: str, *, closed: bool = False) -> None:
    inside = low <= value <= high if closed else low < value < high
    if not inside:
        raise HounsfieldError(f"{name} lies between {low:g} and {high:g}; got {value}.")
