"""Bootstrap over patients: a statistic of weighted cases in, its interval out.

A patient's cases stay together: each resample draws as many patients as there are, with replacement, and a case counts
as often as its patient was drawn. A statistic that takes all the weightings at once (`auc.weighted_auc`) makes 2000
resamples a matter of a fraction of a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import special

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray, IntArray
from hounsfield.stats.estimate import Estimate
from hounsfield.stats.inputs import checked_level, patient_codes

WeightedStatistic = Callable[[FloatArray], FloatArray]
"""(B, N) weights of the cases -> (B,) values, NaN where a weighting leaves the statistic undefined."""

_CELLS = 2**22  # of the (B, N) weights made at once: 32 MB, so that memory does not grow with the cohort


_JACKKNIFE = 2**30  # cells of the leave-one-out table; with more patients than that BCa and percentile agree anyway


def bootstrap_interval(
    statistic: WeightedStatistic,
    *,
    cases: int,
    rng: np.random.Generator,
    patient_id: npt.ArrayLike | None = None,
    kind: str = "bca",
    resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Interval of any statistic of the cases by resampling patients.

    Args:
        statistic: (B, N) weights -> (B,) values; see `over_rows` for one that can't take weights.
        cases: N.
        rng: source of the resamples; the same state gives the same interval.
        patient_id: (N,) whose case it is; None when every case is another patient.
        kind: "bca" (bias-corrected and accelerated, second-order right) or "percentile".

    Returns: the value with all weights 1. Resamples without a value (a class missing) are left out and counted in
        `note`. NaN ends, with the reason in `note`, when there are fewer than two patients, when all resamples
        agree (the interval would have zero width) or when more than half have no value. Where the correction of
        BCa is undefined, or patients times cases pass 1e9 and leaving each out would take minutes, the percentile
        interval is given and `method` says so.

    Raises: HounsfieldError when `kind` is unknown or `resamples` is below 100.
    Source: Efron & Tibshirani, An Introduction to the Bootstrap, 1993, 14.3; patients as units: Rutter, Acad Radiol
        2000;7:413.
    """
    if kind not in ("bca", "percentile"):
        raise HounsfieldError(f"kind is 'bca' or 'percentile'; got {kind!r}.")
    checked_level(level)
    codes, patients = patient_codes(patient_id, cases=cases)
    value = float(statistic(np.ones((1, cases)))[0])
    drawn = bootstrap_values(statistic, cases=cases, rng=rng, patient_id=codes, resamples=resamples)
    known = drawn[np.isfinite(drawn)]
    lost = resamples - len(known)
    note = f"{lost} of {resamples} resamples had no value" if lost else ""
    unit = "patients" if patients < cases else "cases"
    ends = (math.nan, math.nan)
    name = kind
    if patients < 2 or math.isnan(value):
        note = "fewer than two patients" if patients < 2 else "the statistic is undefined"
    elif 2 * lost > resamples:
        note = f"no interval: {note}"
    elif np.ptp(known) <= 1e-12 * max(1.0, abs(value)):
        note = "no interval: all resamples give the same value"
    else:
        affordable = patients * cases <= _JACKKNIFE
        tails = _bca_tails(statistic, codes, patients, value, known, level) if kind == "bca" and affordable else None
        name = "BCa" if tails else "percentile"
        tails = tails or ((1 - level) / 2, (1 + level) / 2)
        ends = (float(np.quantile(known, tails[0])), float(np.quantile(known, tails[1])))
    method = f"patient bootstrap ({'BCa' if name == 'bca' else name}, {resamples} resamples)"
    return Estimate(value, *ends, patients, unit, method, level, note)


def bootstrap_values(
    statistic: WeightedStatistic,
    *,
    cases: int,
    rng: np.random.Generator,
    patient_id: npt.ArrayLike | None = None,
    resamples: int = 2000,
) -> FloatArray:
    """(B,) values of the statistic on B resamples of the patients; NaN where it has none.

    Raises: HounsfieldError when `resamples` is below 100: too few for the ends of an interval.
    """
    table = bootstrap_table(
        lambda weights: np.asarray(statistic(weights))[:, None],
        cases=cases,
        rng=rng,
        patient_id=patient_id,
        resamples=resamples,
        columns=1,
    )
    return np.asarray(table[:, 0])


def bootstrap_table(
    statistics: WeightedStatistic,
    *,
    cases: int,
    rng: np.random.Generator,
    columns: int,
    patient_id: npt.ArrayLike | None = None,
    resamples: int = 2000,
) -> FloatArray:
    """(B, columns) values of several statistics on the same B resamples of the patients.

    Args:
        statistics: (B, N) weights -> (B, columns) values.
    """
    if resamples < 100:
        raise HounsfieldError(f"an interval needs at least 100 resamples; got {resamples}. 2000 is usual.")
    codes, patients = patient_codes(patient_id, cases=cases)
    table = np.full((resamples, columns), np.nan)
    if not cases:
        return table
    # One draw for all chunks: the numbers must not depend on how the memory was cut.
    picks = rng.integers(patients, size=(resamples, patients))
    for chunk in _chunks(resamples, cases):
        rows = picks[chunk]
        shifted = rows + patients * np.arange(len(rows))[:, None]
        counts = np.bincount(shifted.ravel(), minlength=len(rows) * patients).reshape(len(rows), patients)
        table[chunk] = statistics(counts[:, codes].astype(np.float64))
    return table


def over_rows(statistic: Callable[[IntArray], float]) -> WeightedStatistic:
    """A weighted statistic from one that is given the row numbers of a resample, each as often as it was drawn.

    One call a resample, so slow for 2000 of them unless `statistic` takes well under a millisecond.
    """

    def weighted(weights: FloatArray) -> FloatArray:
        rows = np.arange(weights.shape[1])
        return np.array([statistic(np.repeat(rows, line.astype(np.int64))) for line in weights], dtype=np.float64)

    return weighted


def _bca_tails(
    statistic: WeightedStatistic, codes: IntArray, patients: int, value: float, drawn: FloatArray, level: float
) -> tuple[float, float] | None:
    """The two probabilities at which BCa reads the resamples; None when the correction is undefined."""
    share = (np.sum(drawn < value) + 0.5 * np.sum(drawn == value)) / len(drawn)
    if not 0 < share < 1:
        return None
    left_out = np.concatenate(
        [
            statistic((codes[None] != np.arange(patients)[chunk, None]).astype(np.float64))
            for chunk in _chunks(patients, len(codes))
        ]
    )
    gap = left_out.mean() - left_out
    spread = float(np.sum(gap**2))
    if not math.isfinite(spread) or spread == 0:
        return None
    acceleration = float(np.sum(gap**3)) / (6 * spread**1.5)
    bias = float(special.ndtri(share))
    tails = []
    for z in (special.ndtri((1 - level) / 2), special.ndtri((1 + level) / 2)):
        shrink = 1 - acceleration * (bias + z)
        if shrink <= 0:
            return None
        tails.append(float(special.ndtr(bias + (bias + z) / shrink)))
    return tails[0], tails[1]


def _chunks(rows: int, cases: int) -> list[slice]:
    step = max(1, _CELLS // max(1, cases))
    return [slice(start, min(rows, start + step)) for start in range(0, rows, step)]
