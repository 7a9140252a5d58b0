"""Means with standard deviations: whether they can be, whether groups add up, and which test gives the printed p.

In: printed means, SDs and numbers of cases. Out: verdicts. Since a printed mean is any value that rounds to it, every
derived figure is a range; a verdict against the paper is given only where the whole range is on the wrong side.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from hounsfield.audit.printed import Printed
from hounsfield.audit.verdict import DISAGREES, HOLDS, IMPOSSIBLE, OPEN, UNEXPLAINED, Verdict
from hounsfield.core.errors import HounsfieldError

_COARSE = 0.2  # a p known no better than this tells nothing of the method
WELCH, STUDENT = "Welch's t test", "Student's t test"


@dataclass(frozen=True)
class Group:
    """Mean and SD of n cases as printed."""

    mean: Printed
    sd: Printed
    n: int


def largest_sd(mean: float, low: float, high: float, n: int | None = None) -> float:
    """The largest SD that values between `low` and `high` with this mean can have.

    Args:
        n: number of cases; with it the bound is that of the SD over n - 1, without it of the SD over n.

    Returns: NaN when the mean itself is outside the limits.
    Source: Bhatia & Davis, Am Math Mon 2000;107:353: variance <= (high - mean)(mean - low).
    """
    variance = (high - mean) * (mean - low)
    if variance < 0:
        return math.nan
    return math.sqrt(variance * (n / (n - 1) if n is not None and n > 1 else 1))


def range_verdict(name: str, group: Group, low: float, high: float) -> Verdict:
    """Whether an SD is possible for values that the paper says lie between two limits."""
    means = [float(edge) for edge in (group.mean.low, group.mean.value, group.mean.high)]
    if low < (low + high) / 2 < high and means[0] <= (low + high) / 2 <= means[2]:
        means.append((low + high) / 2)  # where the bound is largest
    bounds = [bound for mean in means if not math.isnan(bound := largest_sd(mean, low, high, group.n))]
    if not bounds:
        return Verdict("range", name, IMPOSSIBLE, f"the mean {group.mean} lies outside {low:g} to {high:g}.")
    at_most = max(bounds)
    if float(group.sd.low) > at_most:
        reason = f"values of {low:g} to {high:g} with mean {group.mean} have an SD of at most {at_most:.1f}"
        return Verdict("range", name, IMPOSSIBLE, f"{reason}; printed {group.sd}. The limits can't have held.")
    return Verdict("range", name, HOLDS, f"SD {group.sd} is at most {at_most:.2f}, the bound for these limits.")


def pooled_verdict(name: str, groups: Sequence[Group], mean: Printed) -> Verdict:
    """Whether the mean of all is the mean of the groups weighted by their sizes."""
    total = sum(group.n for group in groups)
    low = sum(group.n * group.mean.low for group in groups) / total
    high = sum(group.n * group.mean.high for group in groups) / total
    middle = float(sum(group.n * group.mean.value for group in groups) / total)
    fits = low <= mean.high and high >= mean.low
    reason = f"the groups' means weighted by size give {middle:.4g}, printed {mean}."
    return Verdict("pooled mean", name, HOLDS if fits else DISAGREES, reason)


def t_range(first: Group, second: Group, *, equal_variance: bool) -> tuple[float, float, float]:
    """p of a t test from printed figures: at the printed values, and the smallest and largest that rounding allows.

    Raises: HounsfieldError when a group has fewer than two cases or both SDs may be 0.
    """
    if min(first.n, second.n) < 2:
        raise HounsfieldError(f"a t test needs two cases a group; got {first.n} and {second.n}.")

    def p(difference: float, sd_a: float, sd_b: float) -> float:
        test = stats.ttest_ind_from_stats(difference, sd_a, first.n, 0.0, sd_b, second.n, equal_var=equal_variance)
        return float(test.pvalue)

    gap = float(first.mean.value - second.mean.value)
    slack = float(first.mean.half + second.mean.half)
    gaps = [gap - slack, gap + slack] + ([0.0] if abs(gap) < slack else [])
    ends = [[max(1e-12, float(sd.low)), float(sd.high)] for sd in (first.sd, second.sd)]
    corners = [p(*corner) for corner in itertools.product(gaps, *ends)]
    return p(gap, float(first.sd), float(second.sd)), min(corners), max(corners)


def t_verdict(name: str, first: Group, second: Group, value: Printed) -> Verdict:
    """Which t test gives the printed p-value, if one does."""
    words, fitting, coarse = [], [], False
    for method, equal in ((WELCH, False), (STUDENT, True)):
        middle, low, high = t_range(first, second, equal_variance=equal)
        words.append(f"{method} {middle:.3g} ({low:.3g} to {high:.3g} within rounding)")
        if value.admits_range(low, high):
            fitting.append(method)
            coarse |= not value.bound and high - low > _COARSE
    status = UNEXPLAINED if not fitting else OPEN if coarse else HOLDS
    tail = "" if fitting else " A rank test can't be re-derived from means."
    return Verdict("p-value", name, status, f"printed {value}: {'; '.join(words)}.{tail}", ", ".join(fitting))


def whole_numbers_verdict(name: str, group: Group) -> Verdict:
    """Whether whole numbers (counts, scores) can have the printed mean: n times the mean must round to a whole number.

    Source: Brown & Heathers, Soc Psychol Personal Sci 2017;8:363.
    """
    first, last = math.ceil(group.mean.low * group.n), math.floor(group.mean.high * group.n)
    if first > last:
        nearest = round(group.mean.value * group.n)
        reason = f"{group.n} whole numbers can't have mean {group.mean}; {nearest}/{group.n} = {nearest / group.n:.4f}."
        return Verdict("whole numbers", name, IMPOSSIBLE, reason)
    if last - first > 0:
        return Verdict("whole numbers", name, OPEN, f"{last - first + 1} sums have mean {group.mean}.")
    return Verdict("whole numbers", name, HOLDS, f"{first}/{group.n} is printed {group.mean}.")
