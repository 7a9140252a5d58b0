"""What a way of making point tables is worth on nodules that it has not seen: nodules and the way in, gains out.

The way is repeated on all folds but one and its table scored on the fold left out, patients kept together. Intervals
resample patients and keep the tables that were made: they say how sure the gain of these tables is, not of all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.progress import Progress, silent
from hounsfield.core.types import FloatArray, IntArray
from hounsfield.guideline.features import Features
from hounsfield.guideline.matched import OFFSETS, matched_gain, shifted_calls
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.score import points_of
from hounsfield.stats.auc import weighted_auc
from hounsfield.stats.bootstrap import WeightedStatistic
from hounsfield.stats.estimate import Estimate
from hounsfield.stats.reader_average import mean_difference, resample
from hounsfield.stats.weighted import mean

Maker = Callable[[Features, FloatArray, FloatArray, np.random.Generator], IntArray]
"""features, label, size_cm, rng of the nodules to learn from -> (O,) points"""


@dataclass(frozen=True)
class OutOfFold:
    """A way of making tables, on nodules left out; gains are found minus start.

    Attributes:
        apparent: mean gain in AUC on the nodules that the tables were made from.
        start: mean AUC of the start table over the folds left out.
        found: of the tables made on the other folds.
        auc: gain in AUC.
        sensitivity: gain in sensitivity of the FNA recommendation.
        specificity: gain in its specificity.
        matched: gain in specificity at the start table's sensitivity, see `matched.matched_gain`.
        p: of the four gains, by paired bootstrap.
        tables: (F, O) points made in each repetition and fold.
    """

    apparent: float
    start: float
    found: float
    auc: Estimate
    sensitivity: Estimate
    specificity: Estimate
    matched: Estimate
    p: tuple[float, float, float, float]
    tables: IntArray


def out_of_fold(
    features: Features,
    label: FloatArray,
    size_cm: FloatArray,
    patient_id: Sequence[str],
    *,
    table: PointTable,
    make: Maker,
    seed: int,
    folds: int = 10,
    repetitions: int = 5,
    resamples: int = 2000,
    progress: Progress = silent,
) -> OutOfFold:
    """Nested cross-validation of `make`.

    Args:
        features, label, size_cm, patient_id: N nodules; labels 0 or 1, sizes in cm.
        table: the start table, whose levels also turn points into decisions.
        make: run on each training part with a random generator of its own.

    Raises: HounsfieldError when a fold left out lacks a class; take fewer folds then.
    """
    target = np.asarray(label, dtype=np.float64)
    pieces: list[tuple[IntArray, IntArray]] = []  # rows left out, points made without them
    apparent = []
    work = [(turn, fold) for turn in range(repetitions) for fold in range(folds)]
    parts = [_parts(target, patient_id, folds, seed + turn) for turn in range(repetitions)]
    for turn, fold in progress(work, len(work), "cross-validating"):
        inside, outside = parts[turn][fold]
        if len(set(target[outside].tolist())) < 2:
            raise HounsfieldError(f"fold {fold + 1} of {folds} lacks a class; take fewer folds.")
        known = rows_of(features, inside)
        points = make(known, target[inside], size_cm[inside], np.random.default_rng([seed, turn, fold]))
        pieces.append((outside, points))
        apparent.append(_area(known, target[inside], points) - _area(known, target[inside], table.points))
    sides = (
        _Side(features, target, size_cm, table, pieces, use=None),
        _Side(features, target, size_cm, table, pieces, use="made"),
    )
    return _compared(sides, target, patient_id, pieces, float(np.mean(apparent)), seed=seed, resamples=resamples)


def rows_of(features: Features, rows: IntArray) -> Features:
    """The nodules at `rows`."""
    return Features(features.matrix[rows], features.override[rows], features.kept[rows])


class _Side:
    """Held-out scores and decisions of the start table (`use` None) or of the tables that were made."""

    def __init__(
        self,
        features: Features,
        target: FloatArray,
        size_cm: FloatArray,
        table: PointTable,
        pieces: Sequence[tuple[IntArray, IntArray]],
        *,
        use: str | None,
    ) -> None:
        self._target = target
        self._scores: list[tuple[IntArray, IntArray]] = []
        called, seen = np.zeros((len(OFFSETS), len(target))), np.zeros(len(target))
        for rows, points in pieces:
            one = table if use is None else with_points(table, points)
            part = rows_of(features, rows)
            self._scores.append((rows, points_of(part, one)))
            called[:, rows] += shifted_calls(part, size_cm[rows], one)
            seen[rows] += 1
        self.shifted = called / seen  # share of the repetitions in which FNA was recommended
        self.fna = self.shifted[OFFSETS.index(0)]

    def area(self) -> WeightedStatistic:
        """Mean over folds of the AUC within a fold: scores of two folds come from two tables."""

        def statistic(weights: FloatArray) -> FloatArray:
            each = [weighted_auc(self._target[rows], score, weights[:, rows]) for rows, score in self._scores]
            return np.asarray(np.nanmean(np.stack(each), axis=0))

        return statistic

    def rate(self, label: int) -> WeightedStatistic:
        """Sensitivity (label 1) or specificity (label 0) of the FNA recommendation."""
        right = self.fna if label else 1 - self.fna
        return mean(np.where(self._target == label, right, np.nan))


def _compared(
    sides: tuple[_Side, _Side],
    target: FloatArray,
    patient_id: Sequence[str],
    pieces: Sequence[tuple[IntArray, IntArray]],
    apparent: float,
    *,
    seed: int,
    resamples: int,
) -> OutOfFold:
    """Gains of the tables that were made, the second side, over the start table, on the same resamples throughout."""
    statistics = [(side.area(), side.rate(1), side.rate(0)) for side in sides]
    gains, p = [], []
    for pair in zip(*statistics, strict=True):
        start, found = (
            resample(
                [one],
                cases=len(target),
                rng=np.random.default_rng([seed, 1]),
                patient_id=patient_id,
                resamples=resamples,
            )
            for one in pair
        )
        gain, value = mean_difference(found, start)
        gains.append(gain)
        p.append(value)
    matched, p_matched = matched_gain(
        target, sides[0].fna, sides[1].shifted, seed=seed, patient_id=patient_id, resamples=resamples
    )
    levels = [float(one[0](np.ones((1, len(target))))[0]) for one in statistics]
    tables = np.stack([points for _, points in pieces])
    return OutOfFold(
        apparent=apparent,
        start=levels[0],
        found=levels[1],
        auc=gains[0],
        sensitivity=gains[1],
        specificity=gains[2],
        matched=matched,
        p=(p[0], p[1], p[2], p_matched),
        tables=tables,
    )


def with_points(table: PointTable, points: IntArray, *, name: str = "candidate") -> PointTable:
    """`table` with (O,) other points."""
    return table.with_points(dict(zip(table.option_names, points.tolist(), strict=True)), name=name)


def _parts(target: FloatArray, patient_id: Sequence[str], folds: int, seed: int) -> list[tuple[IntArray, IntArray]]:
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(target, target, np.asarray(patient_id)))


def _area(features: Features, target: FloatArray, points: IntArray) -> float:
    scores = np.where(features.override, 0, features.matrix @ points)
    return float(weighted_auc(target, scores, np.ones((1, len(target))))[0])
