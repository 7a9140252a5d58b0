"""Counts behind a printed share, and the method behind its printed interval.

In: entries of a table (`table.Share`). Out: verdicts, and for the whole table how many rows and end points each method
of `stats.proportion` reproduces, which tells what the authors used far better than one row can.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy import stats

from hounsfield.audit.printed import CUT, ROUNDED, TWICE, Printed
from hounsfield.audit.verdict import DISAGREES, HOLDS, IMPOSSIBLE, OPEN, UNEXPLAINED, Verdict
from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.proportion import METHODS

RULES = (ROUNDED, TWICE)
BOOTSTRAP = "percentile bootstrap"
_SCATTER = 0.01  # of a bootstrap's ends from one run of 2000 drawings to the next
_MANY = 4  # more candidate counts than this are told by their number


@dataclass(frozen=True)
class PrintedInterval:
    """A printed interval of a share with the counts that may stand behind it.

    Attributes:
        name: the row.
        counts: candidate pairs (k, n); one when the count is printed or solved for.
        low: lower end as printed.
        high: upper end as printed.
        level: coverage, 0.95 as a rule.
        among: number of all cases when a bootstrap drew from all of them, so that n itself varied; None if unknown.
    """

    name: str
    counts: tuple[tuple[int, int], ...]
    low: Printed
    high: Printed
    level: float = 0.95
    among: int | None = None


@dataclass(frozen=True)
class MethodScore:
    """How much of a table one method reproduces under one habit of rounding."""

    method: str
    rule: str
    rows: int
    ends: int
    of_rows: int


def counts_behind(value: Printed, n: int) -> dict[int, str]:
    """Every k whose share k / n is printed as `value`, with the habit of rounding that prints it so.

    Returns: counts in ascending order. Where plain rounding has candidates only these are kept, else those that need
        rounding twice or cutting off; empty when no count has that share.

    Raises: HounsfieldError when n is below 1.
    """
    if n < 1:
        raise HounsfieldError(f"a share needs at least one case; got n = {n}. Correct the table.")
    first = max(0, math.floor((value.value - 3 * value.half) * n))
    last = min(n, math.ceil((value.value + 3 * value.half) * n))
    ruled = {k: value.rule_for(Fraction(k, n)) for k in range(first, last + 1)}
    plain = {k: rule for k, rule in ruled.items() if rule == ROUNDED}
    return plain or {k: rule for k, rule in ruled.items() if rule in (TWICE, CUT)}


def share_verdict(name: str, value: Printed, n: int, k: int | None = None) -> Verdict:
    """Whether a printed share can be, or is, k of n."""
    found = counts_behind(value, n)
    if k is not None:
        rule = value.rule_for(Fraction(k, n))
        if rule:
            how = "" if rule == ROUNDED else f", {rule}"
            return Verdict("share", name, HOLDS, f"{k}/{n} = {k / n:.4f}, printed {value}{how}.")
        return Verdict("share", name, DISAGREES, f"{k}/{n} = {k / n:.4f}, printed {value}.")
    if not found:
        return Verdict("share", name, IMPOSSIBLE, f"no count of {n} is {value}: {_neighbours(value, n)}.")
    each = [f"{count}/{n}" + ("" if rule == ROUNDED else f" ({rule})") for count, rule in found.items()]
    if len(each) == 1:
        return Verdict("share", name, HOLDS, f"only {each[0]} is {value}.")
    listed = ", ".join(each) if len(each) <= _MANY else f"{len(each)} counts of {n}"
    return Verdict("share", name, OPEN, f"{listed} are all printed {value}: the count can't be told.")


def matching_methods(interval: PrintedInterval) -> dict[str, dict[str, tuple[bool, bool]]]:
    """By rule of rounding and method, whether the lower and the upper end come out as printed.

    With several candidate counts the one that serves the method best is taken.
    """
    found: dict[str, dict[str, tuple[bool, bool]]] = {rule: {} for rule in RULES}
    for method, function in METHODS.items():
        ends = [function(k, n, level=interval.level) for k, n in interval.counts]
        for rule in RULES:
            tried = [(_as(rule, interval.low, e.low), _as(rule, interval.high, e.high)) for e in ends]
            found[rule][method] = max(tried, key=sum, default=(False, False))
    return found


def method_scores(intervals: Sequence[PrintedInterval]) -> list[MethodScore]:
    """Rows and end points of a table that each method reproduces, best first."""
    matched = [matching_methods(interval) for interval in intervals]
    scores = []
    for rule in RULES:
        for method in METHODS:
            pairs = [one[rule][method] for one in matched]
            rows, ends = sum(all(pair) for pair in pairs), sum(sum(pair) for pair in pairs)
            scores.append(MethodScore(method, rule, rows, ends, len(intervals)))
    return sorted(scores, key=lambda score: (-score.rows, -score.ends, RULES.index(score.rule)))


def interval_verdicts(intervals: Sequence[PrintedInterval]) -> list[Verdict]:
    """Which methods reproduce each printed interval."""
    return [_interval_verdict(interval) for interval in intervals]


def _interval_verdict(interval: PrintedInterval) -> Verdict:
    shown = f"{interval.low} to {interval.high}"
    if not interval.counts:
        return Verdict("interval", interval.name, OPEN, f"{shown}: no count is known to start from.")
    matched = matching_methods(interval)
    for rule in RULES:
        methods = [name for name, ends in matched[rule].items() if all(ends)]
        if methods:
            how = "" if rule == ROUNDED else f", {rule}"
            named = _words(methods)
            return Verdict("interval", interval.name, HOLDS, f"{shown} is {named}{how}.", ", ".join(methods))
    if interval.among is not None and _is_bootstrap(interval, interval.among):
        reason = f"{shown} is the percentile bootstrap of {interval.among} cases, to one percentage point."
        return Verdict("interval", interval.name, HOLDS, reason, BOOTSTRAP)
    nearly = [name for name, ends in matched[ROUNDED].items() if any(ends)]
    reason = f"{shown} is reproduced by none of {len(METHODS)} methods"
    return Verdict(
        "interval", interval.name, UNEXPLAINED, reason + (f"; one end by {_words(nearly)}." if nearly else ".")
    )


def bootstrap_ends(k: int, n: int, among: int, *, level: float = 0.95) -> tuple[float, float]:
    """Ends of the percentile bootstrap of k / n when all `among` cases are drawn with replacement; exact, no drawing.

    The number drawn from the n is binomial, and so is that of the k among them; draws without any of the n don't count.
    """
    sizes = np.arange(1, among + 1)
    chance = stats.binom.pmf(sizes, among, n / among)
    hits = np.arange(among + 1)
    joint = chance[:, None] * stats.binom.pmf(hits[None, :], sizes[:, None], k / n)
    shares = hits[None, :] / sizes[:, None]
    order = np.argsort(shares, axis=None, kind="stable")
    total = np.cumsum(joint.ravel()[order])
    ends = np.searchsorted(total / total[-1], [(1 - level) / 2, (1 + level) / 2])
    low, high = shares.ravel()[order][np.minimum(ends, len(order) - 1)]
    return float(low), float(high)


def _is_bootstrap(interval: PrintedInterval, among: int) -> bool:
    """Whether the ends agree to what 2000 drawings scatter, beside the rounding."""
    for k, n in interval.counts:
        ends = bootstrap_ends(k, n, among, level=interval.level)
        printed = (interval.low, interval.high)
        if all(abs(end - float(one)) <= float(one.half) + _SCATTER for end, one in zip(ends, printed, strict=True)):
            return True
    return False


def implied_n(share: float, interval: tuple[Printed, Printed], *, z: float = 1.959964) -> float:
    """Number of cases at which Wald's interval of `share` is as wide as printed; to judge an interval none explains."""
    half = (float(interval[1].value) - float(interval[0].value)) / 2
    return z * z * share * (1 - share) / half**2 if half > 0 else math.inf


def scores_table(scores: Iterable[MethodScore]) -> list[Mapping[str, object]]:
    """The scores as rows for a table file."""
    return [
        {"method": s.method, "rounding": s.rule, "rows": s.rows, "end_points": s.ends, "of_rows": s.of_rows}
        for s in scores
    ]


def _as(rule: str, value: Printed, exact: float) -> bool:
    if math.isnan(exact):
        return False
    return value.admits(exact) if rule == ROUNDED else value.twice(exact)


def _neighbours(value: Printed, n: int) -> str:
    below = math.floor(value.value * n)
    return " and ".join(f"{k}/{n} = {k / n:.4f}" for k in (below, below + 1) if 0 <= k <= n)


def _words(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
