"""Points of ROC, precision-recall and reliability curves with bands. In: repeats of an arm. Out: arrays on a grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hounsfield.core.seeds import generator
from hounsfield.core.types import BoolArray, FloatArray
from hounsfield.report.repeats import Repeat
from hounsfield.stats.average_precision import weighted_average_precision
from hounsfield.stats.bootstrap import bootstrap_table
from hounsfield.stats.calibration import ReliabilityCurve, reliability_curve

GRID = np.linspace(0.0, 1.0, 201)


def roc_points(
    repeats: Sequence[Repeat], *, positive: int, seed: int, resamples: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sensitivity at each 1 - specificity of `GRID`, averaged over repeats, and its pointwise 95 % band.

    Args:
        positive: position of the class taken as positive; all others are negative.
    Returns: (sensitivity, low, high), each (G,); nan where a repeat has one class only.
    """
    patients = np.concatenate([repeat.patient_id for repeat in repeats])
    ends = np.cumsum([0, *(len(repeat.label) for repeat in repeats)])

    def curves(weights: FloatArray) -> FloatArray:
        parts = [
            _sensitivities(repeat.label == positive, repeat.prob[:, positive], weights[:, ends[k] : ends[k + 1]])
            for k, repeat in enumerate(repeats)
        ]
        return np.asarray(np.mean(parts, axis=0), dtype=np.float64)

    line = curves(np.ones((1, len(patients))))[0]
    rng = generator(seed, "roc", repeats[0].target)
    drawn = bootstrap_table(
        curves, cases=len(patients), rng=rng, columns=len(GRID), patient_id=patients, resamples=resamples
    )
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    if len(drawn) < 100 or not np.isfinite(line).all():
        return line, np.full_like(line, np.nan), np.full_like(line, np.nan)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return line, low, high


def operating_point(repeats: Sequence[Repeat]) -> tuple[float, float] | None:
    """Mean (1 - specificity, sensitivity) of the calls; None where there are none or a class is missing."""
    points = []
    for repeat in repeats:
        positive = repeat.label == 1
        if repeat.called is None or positive.all() or not positive.any():
            return None
        points.append((float(repeat.called[~positive].mean()), float(repeat.called[positive].mean())))
    x, y = np.mean(points, axis=0)
    return float(x), float(y)


def precision_points(repeats: Sequence[Repeat]) -> FloatArray:
    """Positive predictive value at each sensitivity of `GRID` from 0 on, averaged over repeats, (G,)."""
    parts = []
    for repeat in repeats:
        hits, called = _cumulated(repeat.label == 1, repeat.prob[:, 1])
        recall, precision = hits / hits[-1], hits / called
        parts.append(precision[np.searchsorted(recall, GRID - 1e-12)])
    return np.asarray(np.mean(parts, axis=0), dtype=np.float64)


def mean_precision(repeats: Sequence[Repeat]) -> float:
    """Average precision of the positive class, mean over repeats."""
    # The value alone: a figure's legend needs no bootstrap.
    ones = [np.ones((1, len(repeat.label))) for repeat in repeats]
    values = [
        weighted_average_precision(repeat.label, repeat.prob[:, 1], one)[0]
        for repeat, one in zip(repeats, ones, strict=True)
    ]
    return float(np.mean(values))


def reliability_points(repeats: Sequence[Repeat], *, bins: int = 10) -> ReliabilityCurve:
    """Observed share against probability in bins of equal size, the rows of all repeats together.

    The repeats of a case are not new cases: the intervals count patients.
    """
    label = np.concatenate([one.label for one in repeats])
    prob = np.concatenate([one.prob[:, 1] for one in repeats])
    patients = np.concatenate([one.patient_id for one in repeats])
    return reliability_curve(label, prob, bins=bins, patient_id=patients)


def _sensitivities(positive: BoolArray, score: FloatArray, weights: FloatArray) -> FloatArray:
    """(B, G) sensitivity at the grid's false positive rates; tied scores are joined by a straight line."""
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    ranked, truth = weights[:, order], positive[order]
    up = np.cumsum(np.add.reduceat(ranked * truth, starts, axis=1), axis=1)
    down = np.cumsum(np.add.reduceat(ranked * ~truth, starts, axis=1), axis=1)
    out = np.full((len(weights), len(GRID)), np.nan)
    for row in np.flatnonzero((up[:, -1] > 0) & (down[:, -1] > 0)):
        x, y = np.r_[0.0, down[row] / down[row, -1]], np.r_[0.0, up[row] / up[row, -1]]
        out[row] = np.interp(GRID, x, y)
    return out


def _cumulated(positive: BoolArray, score: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Hits and calls at each different score, from the highest on."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    return np.cumsum(positive[order])[last].astype(np.float64), (last + 1).astype(np.float64)
