"""Agreement beyond chance of two raters: two lists of classes in, Cohen's kappa with its interval out.

Several raters: the mean over their pairs, here, or Fleiss' kappa (`agreement`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import AnyArray, FloatArray
from hounsfield.stats.bootstrap import WeightedStatistic, bootstrap_interval
from hounsfield.stats.estimate import Estimate, undefined
from hounsfield.stats.inputs import class_codes

WEIGHTS = ("none", "linear", "quadratic")


@dataclass(frozen=True)
class PairsKappa:
    """Kappa over pairs of raters.

    Attributes:
        mean: over the pairs that have a kappa, with its interval for these very raters.
        smallest, largest: of the pairs.
        pairs: how many have one; a pair who use one and the same class only has none.
    """

    mean: Estimate
    smallest: float
    largest: float
    pairs: int


def kappa(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    weights: str = "none",
    classes: Sequence[Any] | None = None,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Cohen's kappa, plain or weighted by how far apart two ordered classes are.

    Args:
        first, second: (N,) class by each rater.
        weights: "none" counts every disagreement alike; "linear" and "quadratic" by the steps between the classes.
        classes: the order of the classes; sorted when absent. Needed for weights, if sorting is not the order.
        patient_id: (N,) whose case it is; patients are resampled.
        rng: of the bootstrap; seeded with 0 when absent, so that the same data give the same interval.

    Returns: in [-1, 1]; 0 is chance. NaN and UndefinedMetric without cases or when both raters use one and the same
        class only (0/0).

    Source: Cohen, Educ Psychol Meas 1960;20:37; weighted: Cohen, Psychol Bull 1968;70:213.
    """
    statistic, cases = _statistic(first, second, weights, classes)
    if not cases or np.isnan(statistic(np.ones((1, cases)))[0]):
        value = undefined("kappa", "no case" if not cases else "both raters use the same class throughout")
        return Estimate(value, np.nan, np.nan, cases, "cases", "Cohen's kappa", level, "undefined")
    return bootstrap_interval(
        statistic,
        cases=cases,
        rng=rng or np.random.default_rng(0),
        patient_id=patient_id,
        resamples=resamples,
        level=level,
    )


def mean_kappa(
    pairs: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]],
    *,
    weights: str = "none",
    classes: Sequence[Any] | None = None,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> PairsKappa:
    """Mean, smallest and largest Cohen's kappa over pairs of raters of the same cases; arguments as in `kappa`.

    Args:
        pairs: for each pair the (N,) classes by both.

    Returns: NaN and UndefinedMetric when no pair has a kappa. Raises: HounsfieldError on unequal numbers of cases.
    Source: Light, Psychol Bull 1971;76:365.
    """
    found = [_statistic(first, second, weights, classes) for first, second in pairs]
    if len({cases for _, cases in found}) > 1:
        raise HounsfieldError(f"all pairs rate the same cases; got {sorted({cases for _, cases in found})} of them.")
    cases = found[0][1] if found else 0
    values = [float(statistic(np.ones((1, cases)))[0]) if cases else np.nan for statistic, _ in found]
    known = [statistic for (statistic, _), value in zip(found, values, strict=True) if not np.isnan(value)]
    if not known:
        value = undefined("mean kappa", "no pair of raters has a kappa")
        empty = Estimate(value, np.nan, np.nan, cases, "cases", "Cohen's kappa", level, "undefined")
        return PairsKappa(empty, np.nan, np.nan, 0)
    mean = bootstrap_interval(
        lambda weighting: np.mean([statistic(weighting) for statistic in known], axis=0),
        cases=cases,
        rng=rng or np.random.default_rng(0),
        patient_id=patient_id,
        resamples=resamples,
        level=level,
    )
    return PairsKappa(mean, float(np.nanmin(values)), float(np.nanmax(values)), len(known))


def kappa_of(matrix: AnyArray, *, loss: FloatArray | None = None, weights: str = "none") -> FloatArray:
    """Kappa of (..., C, C) counts, first rater in rows; NaN where expected disagreement is 0.

    Args:
        loss: (C, C) cost of each disagreement, 0 on the diagonal; made from `weights` when absent.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2]:
        raise HounsfieldError(f"a matrix of two raters is square; got shape {counts.shape}.")
    cost = _loss(counts.shape[-1], weights) if loss is None else loss
    total = counts.sum(axis=(-2, -1))
    chance = counts.sum(axis=-1)[..., :, None] * counts.sum(axis=-2)[..., None, :]
    seen = (counts * cost).sum(axis=(-2, -1)) * total
    expected = (chance * cost).sum(axis=(-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(expected > 0, 1 - seen / expected, np.nan))


def _statistic(
    first: npt.ArrayLike, second: npt.ArrayLike, weights: str, classes: Sequence[Any] | None
) -> tuple[WeightedStatistic, int]:
    """Kappa of weighted cases, and their number."""
    rows, columns, names = class_codes(first, second, classes=classes)
    size = len(names)
    cells = np.eye(size * size)[rows * size + columns] if size else np.zeros((0, 0))
    loss = _loss(size, weights)

    def statistic(weighting: FloatArray) -> FloatArray:
        return kappa_of((weighting @ cells).reshape(len(weighting), size, size), loss=loss)

    return statistic, len(rows)


def _loss(size: int, weights: str) -> FloatArray:
    if weights not in WEIGHTS:
        raise HounsfieldError(f"weights is one of {', '.join(WEIGHTS)}; got {weights!r}.")
    steps = np.abs(np.arange(size)[:, None] - np.arange(size)[None, :]).astype(np.float64)
    return np.asarray({"none": (steps > 0).astype(np.float64), "linear": steps, "quadratic": steps**2}[weights])
