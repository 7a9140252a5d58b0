"""Tests of a table of counts: r x c counts of two characteristics in, a p-value out.

For separate groups of independent patients (sex by class, scanner by site). Two models on the same cases are paired:
see `mcnemar` and `compare`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray, IntArray
from hounsfield.stats.estimate import undefined

_TABLES = 200_000  # enumerated at most; beyond it tables are drawn


@dataclass(frozen=True)
class Test:
    """A test of a table.

    Attributes:
        p: two-sided p-value.
        method: which test, in words for a report.
        statistic: chi-square, or NaN for an exact test.
        freedom: its degrees of freedom, 0 for an exact test.
        note: what a reader must know beside it.
    """

    p: float
    method: str
    statistic: float = math.nan
    freedom: int = 0
    note: str = ""


def chi_square(table: npt.ArrayLike, *, correction: bool = False) -> Test:
    """Pearson's chi-square test of independence.

    Args:
        table: (R, C) counts; rows or columns without a count are left out.
        correction: Yates' continuity correction, for 2 x 2 tables alone.

    Returns: p = 1 when one row or one column is left, since nothing can differ; NaN and UndefinedMetric without a
        count. `note` warns of expected counts below 5.
    """
    counts = _table(table)
    name = "chi-square with Yates' correction" if correction else "chi-square"
    if not counts.size:
        return Test(undefined("chi-square", "no count"), name)
    if min(counts.shape) < 2:
        return Test(1.0, name, 0.0, 0, "one group or one category only")
    if correction and counts.shape != (2, 2):
        raise HounsfieldError(f"Yates' correction is for 2 x 2 tables; got {counts.shape}. Leave it out.")
    found = stats.chi2_contingency(counts, correction=correction)
    small = int((found.expected_freq < 5).sum())
    note = f"{small} of {counts.size} expected counts are below 5: take Fisher's exact test" if small else ""
    return Test(float(found.pvalue), name, float(found.statistic), int(found.dof), note)


def fisher(table: npt.ArrayLike, *, rng: np.random.Generator | None = None, draws: int = 20_000) -> Test:
    """Fisher's exact test of an r x c table (Freeman and Halton's extension beyond 2 x 2).

    The p-value is the chance, with both margins held, of a table as likely as the one seen or less likely. All tables
    are listed when there are at most 200,000, else `draws` of them are drawn and p = (hits + 1) / (draws + 1).

    Args:
        table: (R, C) counts; rows or columns without a count are left out.
        rng: for tables too large to list; 0 seeds it when absent.

    Returns: p = 1 with one row or column left; NaN and UndefinedMetric without a count.
    Source: Freeman & Halton, Biometrika 1951;38:141.
    """
    counts = _table(table)
    if not counts.size:
        return Test(undefined("Fisher's exact test", "no count"), "Fisher's exact test")
    if min(counts.shape) < 2:
        return Test(1.0, "Fisher's exact test", note="one group or one category only")
    if counts.shape == (2, 2):
        return Test(float(stats.fisher_exact(counts).pvalue), "Fisher's exact test")
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    seen = _log_chance(counts[None])[0]
    if _fits(rows, columns):
        p = sum(math.exp(chance) for chance in _all_tables(rows, columns) if chance <= seen + 1e-7)
        return Test(min(1.0, p), "Fisher's exact test (Freeman-Halton)")
    drawn = stats.random_table(rows, columns).rvs(size=draws, random_state=rng or np.random.default_rng(0))
    hits = int((_log_chance(drawn.astype(np.int64)) <= seen + 1e-7).sum())
    note = f"{draws} tables drawn"
    return Test((hits + 1) / (draws + 1), "Fisher's exact test (Freeman-Halton, Monte Carlo)", note=note)


def _table(table: npt.ArrayLike) -> IntArray:
    given = np.asarray(table)
    counts = np.asarray(given, dtype=np.float64)
    if counts.ndim != 2 or not np.isfinite(counts).all() or (counts < 0).any() or (counts != np.round(counts)).any():
        raise HounsfieldError(f"expected an r x c table of counts, 0 or more; got {given.tolist()!r:.80}.")
    whole = counts.astype(np.int64)
    return whole[whole.sum(axis=1) > 0][:, whole.sum(axis=0) > 0] if whole.sum() else np.zeros((0, 0), dtype=np.int64)


def _log_chance(tables: IntArray) -> FloatArray:
    """Log of the hypergeometric chance of (T, R, C) tables of the same margins."""
    rows, columns = tables[0].sum(axis=1), tables[0].sum(axis=0)
    fixed = special.gammaln(rows + 1).sum() + special.gammaln(columns + 1).sum() - special.gammaln(rows.sum() + 1)
    return np.asarray(fixed - special.gammaln(tables + 1).sum(axis=(1, 2)))


def _fits(rows: IntArray, columns: IntArray) -> bool:
    """Whether the tables of these margins can be listed, by an upper bound on their number."""
    short, long = (rows, columns) if len(rows) <= len(columns) else (columns, rows)
    bound = 1.0
    for total in long[:-1]:
        bound *= math.comb(int(total) + len(short) - 1, len(short) - 1)
    return bound <= _TABLES


def _all_tables(rows: IntArray, columns: IntArray) -> Iterator[float]:
    """Log chances of every table, filled column by column."""
    short, long = (rows, columns) if len(rows) <= len(columns) else (columns, rows)
    fixed = special.gammaln(rows + 1).sum() + special.gammaln(columns + 1).sum() - special.gammaln(rows.sum() + 1)

    def fill(left: tuple[int, ...], place: int, cost: float) -> Iterator[float]:
        if place == len(long) - 1:
            yield float(fixed - cost - special.gammaln(np.array(left) + 1).sum())
            return
        for column in _columns(int(long[place]), left):
            rest = tuple(a - b for a, b in zip(left, column, strict=True))
            yield from fill(rest, place + 1, cost + sum(math.lgamma(count + 1) for count in column))

    yield from fill(tuple(int(total) for total in short), 0, 0.0)


def _columns(total: int, left: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Every way to split a column's total over the rows without exceeding what is left of each."""
    if len(left) == 1:
        if total <= left[0]:
            yield (total,)
        return
    for count in range(max(0, total - sum(left[1:])), min(total, left[0]) + 1):
        for rest in _columns(total - count, left[1:]):
            yield (count, *rest)
