"""Points of ROC, precision-recall, reliability and decision curves with bands. In: repeats of an arm. Out: arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hounsfield.core.seeds import generator
from hounsfield.core.types import BoolArray, FloatArray
from hounsfield.report.repeats import Repeat, patient_numbers
from hounsfield.report.resampling import Sample, Statistic, band_of
from hounsfield.stats.average_precision import weighted_average_precision
from hounsfield.stats.calibration import ReliabilityCurve, reliability_curve
from hounsfield.stats.decision_curve import net_benefit

GRID = np.linspace(0.0, 1.0, 201)
THRESHOLDS = np.linspace(0.01, 0.99, 99)


@dataclass(frozen=True)
class Band:
    """A curve averaged over repeats: (G,) points and their pointwise 95 % band, nan where there is none."""

    x: FloatArray
    y: FloatArray
    low: FloatArray
    high: FloatArray

    @property
    def defined(self) -> bool:
        """Whether every point has a value."""
        return bool(np.isfinite(self.y).all())


def roc_points(sample: Sample, *, positive: int, seed: int, resamples: int) -> Band:
    """Sensitivity at each 1 - specificity of `GRID`; nan where a repeat has one class only.

    Args:
        positive: position of the class taken as positive; all others are negative.
    """

    def curves(parts: Sequence[Repeat], weights: Sequence[FloatArray]) -> FloatArray:
        each = [
            _sensitivities(one.label == positive, one.prob[:, positive], weight)
            for one, weight in zip(parts, weights, strict=True)
        ]
        return np.asarray(np.mean(each, axis=0), dtype=np.float64)

    return _band(sample, curves, GRID, "roc", seed, resamples)


def precision_points(sample: Sample, *, seed: int, resamples: int) -> Band:
    """Positive predictive value at each sensitivity of `GRID`, of the highest threshold that reaches it."""

    def curves(parts: Sequence[Repeat], weights: Sequence[FloatArray]) -> FloatArray:
        each = [_precisions(one.label == 1, one.prob[:, 1], weight) for one, weight in zip(parts, weights, strict=True)]
        return np.asarray(np.mean(each, axis=0), dtype=np.float64)

    return _band(sample, curves, GRID, "precision", seed, resamples)


def decision_points(sample: Sample, *, seed: int, resamples: int) -> Band:
    """Net benefit of acting at each of `THRESHOLDS`."""

    def curves(parts: Sequence[Repeat], weights: Sequence[FloatArray]) -> FloatArray:
        each = [
            net_benefit(one.label == 1, one.prob[:, 1], THRESHOLDS, weight)
            for one, weight in zip(parts, weights, strict=True)
        ]
        return np.asarray(np.mean(each, axis=0), dtype=np.float64)

    return _band(sample, curves, THRESHOLDS, "decision", seed, resamples)


def prevalence_of(repeats: Sequence[Repeat]) -> float:
    """Share of positives, mean over repeats."""
    return float(np.mean([np.mean(one.label == 1) for one in repeats]))


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
    patients = np.concatenate(patient_numbers(repeats))
    return reliability_curve(label, prob, bins=bins, patient_id=patients)


def _band(sample: Sample, curves: Statistic, x: FloatArray, name: str, seed: int, resamples: int) -> Band:
    # The same name for all arms: they then see the same patients drawn.
    rng = generator(seed, name, sample.parts[0].target)
    line, low, high = band_of(sample, curves, columns=len(x), rng=rng, resamples=resamples)
    return Band(x, line, low, high)


def _sensitivities(positive: BoolArray, score: FloatArray, weights: FloatArray) -> FloatArray:
    """(B, G) sensitivity at the grid's false positive rates; tied scores are joined by a straight line."""
    up, down = _cumulated(positive, score, weights)
    out = np.full((len(weights), len(GRID)), np.nan)
    for row in np.flatnonzero((up[:, -1] > 0) & (down[:, -1] > 0)):
        x, y = np.r_[0.0, down[row] / down[row, -1]], np.r_[0.0, up[row] / up[row, -1]]
        out[row] = np.interp(GRID, x, y)
    return out


def _precisions(positive: BoolArray, score: FloatArray, weights: FloatArray) -> FloatArray:
    """(B, G) precision at the highest threshold whose sensitivity reaches the grid's."""
    up, down = _cumulated(positive, score, weights)
    out = np.full((len(weights), len(GRID)), np.nan)
    for row in np.flatnonzero(up[:, -1] > 0):
        called = up[row] + down[row]
        there = called > 0  # the highest scores may belong to patients who were not drawn
        recall, precision = up[row][there] / up[row, -1], up[row][there] / called[there]
        out[row] = precision[np.searchsorted(recall, GRID - 1e-12)]
    return out


def _cumulated(positive: BoolArray, score: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(B, K) weighted positives and negatives at or above each of K different scores, from the highest on."""
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    ranked, truth = weights[:, order], positive[order]
    up = np.cumsum(np.add.reduceat(ranked * truth, starts, axis=1), axis=1)
    down = np.cumsum(np.add.reduceat(ranked * ~truth, starts, axis=1), axis=1)
    return up, down
