"""The ROC curve and its band: labels and scores in, sensitivity at each false positive rate out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray
from hounsfield.stats.bootstrap import bootstrap_table
from hounsfield.stats.estimate import undefined
from hounsfield.stats.inputs import binary_labels, checked_level, patient_codes, scores


@dataclass(frozen=True)
class RocCurve:
    """All corners of the curve, from (0, 0) to (1, 1): (K + 1,) arrays for K distinct scores.

    Attributes:
        false_positive_rate: share of the negative cases called positive, not falling.
        sensitivity: share of the positive cases called positive, not falling.
        threshold: a case is called positive when its score is at least this; the first is infinite.
    """

    false_positive_rate: FloatArray
    sensitivity: FloatArray
    threshold: FloatArray


@dataclass(frozen=True)
class RocBand:
    """The curve on a grid with a pointwise interval at each of its G rates.

    Attributes:
        false_positive_rate: (G,) the grid.
        sensitivity: (G,) read off the curve, linear between its corners.
        low: (G,) lower end at each rate, for that rate alone and not for the whole curve at once.
        high: (G,) upper end.
        n: how many units were resampled.
        unit: "cases" or "patients".
        method: in words for a report.
        level: coverage aimed at.
    """

    false_positive_rate: FloatArray
    sensitivity: FloatArray
    low: FloatArray
    high: FloatArray
    n: int
    unit: str
    method: str
    level: float = 0.95


def roc_curve(label: npt.ArrayLike, prob: npt.ArrayLike) -> RocCurve:
    """Every corner of the ROC curve.

    Args:
        label: (N,) 0 or 1.
        prob: (N,) score, higher for 1; cases of equal score share one corner.

    Returns: the curve; NaN rates and the warning UndefinedMetric when a class has no case.
    """
    positive = binary_labels(label)
    score = scores(prob, cases=len(positive))
    _warn_of_one_class(positive)
    rates = corners(positive, score, np.ones((1, len(score))))
    threshold = np.r_[np.inf, np.unique(score)[::-1]]
    return RocCurve(rates[0][0], rates[1][0], threshold)


def roc_band(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    patient_id: npt.ArrayLike | None = None,
    grid: npt.ArrayLike | None = None,
    resamples: int = 2000,
    level: float = 0.95,
) -> RocBand:
    """Pointwise band of the ROC curve from the percentiles of a bootstrap over patients.

    Args:
        label: (N,) 0 or 1.
        prob: (N,) score.
        patient_id: (N,) whose case it is; None when every case is another patient.
        grid: (G,) false positive rates in [0, 1]; 101 equally spaced ones when absent.

    Returns: the band; where a curve is perfect the resamples all agree and the band shows no width although the
        sensitivity is not known exactly. NaN and UndefinedMetric when a class has no case.

    Source: patients as units: Rutter, Acad Radiol 2000;7:413.
    """
    checked_level(level)
    positive = binary_labels(label)
    score = scores(prob, cases=len(positive))
    codes, patients = patient_codes(patient_id, cases=len(positive))
    rate = np.linspace(0, 1, 101) if grid is None else np.asarray(grid, dtype=np.float64)
    if rate.ndim != 1 or not np.all((rate >= 0) & (rate <= 1)):
        raise HounsfieldError("grid is a list of false positive rates in [0, 1]. Leave it out for 0, 0.01 ... 1.")
    _warn_of_one_class(positive)

    def read(weights: FloatArray) -> FloatArray:
        across, up = corners(positive, score, weights)
        lost = np.isnan(across[:, -1]) | np.isnan(up[:, -1])  # a class missing; interp would make numbers of it
        lines = zip(across, up, lost, strict=True)
        return np.array([np.full(len(rate), np.nan) if gone else np.interp(rate, x, y) for x, y, gone in lines])

    curve = read(np.ones((1, len(score))))[0]
    drawn = bootstrap_table(read, cases=len(score), rng=rng, patient_id=codes, resamples=resamples, columns=len(rate))
    known = drawn[~np.isnan(drawn).any(axis=1)]
    ends = np.full((2, len(rate)), np.nan)
    if len(known) and patients > 1:
        ends = np.quantile(known, [(1 - level) / 2, (1 + level) / 2], axis=0)
    unit = "patients" if patients < len(score) else "cases"
    method = f"pointwise patient bootstrap (percentile, {len(known)} of {resamples} resamples)"
    return RocBand(rate, curve, ends[0], ends[1], patients, unit, method, level)


def corners(positive: npt.NDArray[np.bool_], score: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """False positive rate and sensitivity at each corner, (B, K + 1) each, for (B, N) weights of the cases.

    NaN throughout a row whose weights leave a class without a case.
    """
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    first_of_tie = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(ranked) else np.zeros(0, dtype=int)
    rates = []
    for chosen in (~positive, positive):
        part = (weights * chosen)[:, order]
        steps = np.add.reduceat(part, first_of_tie, axis=1) if len(ranked) else part
        total = np.cumsum(np.pad(steps, ((0, 0), (1, 0))), axis=1)
        with np.errstate(invalid="ignore"):
            rates.append(total / total[:, -1:])
    return rates[0], rates[1]


def _warn_of_one_class(positive: npt.NDArray[np.bool_]) -> None:
    if not positive.any():
        undefined("the ROC curve", "no positive case (label 1)")
    elif positive.all():
        undefined("the ROC curve", "no negative case (label 0)")
