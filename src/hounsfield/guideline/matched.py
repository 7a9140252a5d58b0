"""Specificity at equal sensitivity: the decisions of one table and of another with its totals shifted in, the gain out.

Two tables whose totals are simply higher or lower spare more or fewer benign nodules without telling them apart any
better. Adding a constant to the totals of one of them moves it along its own curve to the sensitivity of the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray
from hounsfield.guideline.features import Features
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.score import level_of, points_of, reaches
from hounsfield.stats.bootstrap import WeightedStatistic
from hounsfield.stats.estimate import Estimate
from hounsfield.stats.inputs import binary_labels
from hounsfield.stats.reader_average import bootstrap_p, reader_mean, resample

OFFSETS = range(-21, 8)  # from no nodule of TI-RADS above TR1 to all in TR5


def shifted_calls(
    features: Features, size_cm: FloatArray, table: PointTable, *, offsets: Sequence[int] = OFFSETS
) -> FloatArray:
    """(K, N) whether FNA is recommended, 1 or 0, with each of K rising constants added to every total.

    Totals stay at 0 or above, those of overridden nodules at 0.
    """
    points, limits = points_of(features, table), [level.fna_cm for level in table.levels]
    rows = []
    for offset in offsets:
        total = np.where(features.override, 0, np.maximum(0, points + offset))
        rows.append(reaches(level_of(total, table), size_cm, limits))
    return np.array(rows, dtype=np.float64)


def matched_gain(
    label: npt.ArrayLike,
    base: FloatArray,
    other: FloatArray,
    *,
    seed: int,
    patient_id: npt.ArrayLike | None = None,
    resamples: int = 2000,
) -> tuple[Estimate, float]:
    """Gain in specificity of another table at the sensitivity of the one in use.

    Args:
        label: (N,) 1 malignant, 0 benign.
        base: (N,) decisions of the table in use, 1 FNA; shares between them where decisions are averaged.
        other: (K, N) decisions of the other table as `shifted_calls` gives them, rising.
        patient_id: (N,) whose nodule it is; None resamples nodules.

    Returns: specificity of `other` minus that of `base`, by a straight line between its nearest offsets, or at its
        highest sensitivity where it does not reach that of `base`; and the bootstrap p. The sensitivity is matched in
        each resample anew.
    Raises: HounsfieldError when the shapes differ or sensitivity falls with the offset.
    """
    positive = binary_labels(label)
    if base.shape != positive.shape or other.ndim != 2 or other.shape[1] != len(positive):
        raise HounsfieldError(f"expected (N,) and (K, N) for N = {len(positive)}; got {base.shape} and {other.shape}.")
    if (np.diff(other, axis=0) < -1e-12).any():
        raise HounsfieldError("decisions of the other table must rise with the offset; see shifted_calls.")
    found = resample(
        [_statistic(positive, base, other)],
        cases=len(positive),
        rng=np.random.default_rng([seed, 1]),
        patient_id=patient_id,
        resamples=resamples,
    )
    return reader_mean(found), bootstrap_p(found.drawn[:, 0], float(found.value[0]))


def _statistic(positive: npt.NDArray[np.bool_], base: FloatArray, other: FloatArray) -> WeightedStatistic:
    ill, well = positive.astype(np.float64), (~positive).astype(np.float64)

    def statistic(weights: FloatArray) -> FloatArray:
        with np.errstate(invalid="ignore", divide="ignore"):
            many, few = (weights @ ill)[:, None], (weights @ well)[:, None]
            at = weights @ (base * ill)[:, None] / many
            spared = weights @ ((1 - base) * well)[:, None] / few
            sensitivity, specificity = weights @ (other * ill).T / many, weights @ ((1 - other) * well).T / few
        # Turned round, because of equal sensitivities the interpolation takes the last, and the best is meant.
        rows = [
            np.interp(-a, -x[::-1], y[::-1]) if np.isfinite(a) else np.nan
            for a, x, y in zip(at[:, 0], sensitivity, specificity, strict=True)
        ]
        return np.asarray(np.array(rows) - spared[:, 0])

    return statistic
