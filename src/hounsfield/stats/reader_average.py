"""Several readers of the same cases: their mean with an interval over cases and readers, and paired differences.

In: one statistic of weighted cases a reader (`weighted`). Out: `Estimate`s and p-values. All readers see the same
resample of the patients; for a claim about readers in general, the readers are resampled as well. For the analysis of
variance of multi-reader studies see `mrmc`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray
from hounsfield.stats.bootstrap import WeightedStatistic, bootstrap_table
from hounsfield.stats.estimate import Estimate
from hounsfield.stats.inputs import checked_level, patient_codes


@dataclass(frozen=True)
class Resampled:
    """Values of R readers on the cases as they are and on B resamples of the patients.

    Attributes:
        value: (R,) on the cases themselves.
        drawn: (B, R) on the resamples; the same row is the same resample for every reader.
        n: number of patients, or of cases where each is another patient.
        unit: what `n` counts.
    """

    value: FloatArray
    drawn: FloatArray
    n: int
    unit: str


def resample(
    statistics: Sequence[WeightedStatistic],
    *,
    cases: int,
    rng: np.random.Generator,
    patient_id: npt.ArrayLike | None = None,
    resamples: int = 2000,
) -> Resampled:
    """Values of every reader's statistic on the same resamples.

    Args:
        statistics: one a reader, each (B, N) weights -> (B,) values.
        cases: N.
        patient_id: (N,) whose case it is; None resamples cases.

    Raises: HounsfieldError without a reader or with fewer than 100 resamples.
    """
    if not statistics:
        raise HounsfieldError("a mean over readers needs at least one reader.")

    def all_of_them(weights: FloatArray) -> FloatArray:
        return np.stack([one(weights) for one in statistics], axis=1)

    _, patients = patient_codes(patient_id, cases=cases)
    drawn = bootstrap_table(
        all_of_them, cases=cases, rng=rng, columns=len(statistics), patient_id=patient_id, resamples=resamples
    )
    value = all_of_them(np.ones((1, cases)))[0]
    return Resampled(value, drawn, patients, "patients" if patients < cases else "cases")


def reader_mean(found: Resampled, *, rng: np.random.Generator | None = None, level: float = 0.95) -> Estimate:
    """Mean over the readers with its percentile interval.

    Args:
        rng: draws the readers with replacement, too, for readers in general; None keeps these very readers.

    Returns: with one reader that reader's own interval. Resamples without a value are left out and counted in `note`.
    """
    checked_level(level)
    drawn = _means(found, rng)
    known = drawn[np.isfinite(drawn)]
    lost = len(drawn) - len(known)
    note = f"{lost} of {len(drawn)} resamples had no value" if lost else ""
    who = "readers and " if rng is not None and len(found.value) > 1 else ""
    method = f"percentile bootstrap of {who}{found.unit} ({len(drawn)} resamples)"
    ends = np.quantile(known, [(1 - level) / 2, (1 + level) / 2]) if len(known) > len(drawn) / 2 else [math.nan] * 2
    return Estimate(float(found.value.mean()), float(ends[0]), float(ends[1]), found.n, found.unit, method, level, note)


def mean_difference(
    first: Resampled, second: Resampled, *, rng: np.random.Generator | None = None, level: float = 0.95
) -> tuple[Estimate, float]:
    """Difference of two reader means, first minus second, and its bootstrap p-value (see `bootstrap_p`).

    Args:
        first, second: made with the same state of `rng` and the same cases, so that rows are the same resamples.
            With equally many readers the drawn readers are the same in both, as when each reads twice.
        rng: as in `reader_mean`.

    Raises: HounsfieldError when the resamples can't be the same.
    """
    if len(first.drawn) != len(second.drawn) or first.n != second.n:
        raise HounsfieldError("both sides are compared on the same resamples of the same cases; resample them alike.")
    same = first.drawn.shape[1] == second.drawn.shape[1]
    picks = None if rng is None else _picks(first, rng)
    a = _means(first, rng, picks)
    b = _means(second, rng, picks if same else None)
    gap = a - b
    known = gap[np.isfinite(gap)]
    value = float(first.value.mean() - second.value.mean())
    ends = np.quantile(known, [(1 - level) / 2, (1 + level) / 2]) if len(known) > len(gap) / 2 else [math.nan] * 2
    method = f"paired percentile bootstrap ({len(gap)} resamples)"
    estimate = Estimate(value, float(ends[0]), float(ends[1]), first.n, first.unit, method, level)
    return estimate, bootstrap_p(gap, value)


def bootstrap_p(drawn: FloatArray, value: float) -> float:
    """Two-sided p of a bootstrapped difference: twice the share of resamples on the other side of 0, or on it.

    Args:
        drawn: (B,) differences on resamples; values that are not finite don't count.
        value: the difference itself; its sign says which side is the other.

    Returns: 2 (hits + 1) / (B + 1), at most 1, so that it is never 0 and equal systems have 1; NaN without a resample.
    """
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return math.nan
    # Rounding of sums must not make a zero difference a small one.
    hits = int(np.sum(known * (1 if value >= 0 else -1) <= 1e-12))
    return min(1.0, 2 * (hits + 1) / (len(known) + 1))


def _picks(found: Resampled, rng: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    resamples, readers = found.drawn.shape
    return rng.integers(readers, size=(resamples, readers))


def _means(
    found: Resampled,
    rng: np.random.Generator | None,
    picks: np.ndarray[tuple[int, ...], np.dtype[np.int64]] | None = None,
) -> FloatArray:
    if rng is None or found.drawn.shape[1] == 1:
        return np.asarray(found.drawn.mean(axis=1))
    chosen = _picks(found, rng) if picks is None else picks
    return np.asarray(np.take_along_axis(found.drawn, chosen, axis=1).mean(axis=1))
