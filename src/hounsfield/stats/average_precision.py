"""Average precision: labels and scores in, the mean precision over the steps of recall out, with its interval."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hounsfield.core.types import FloatArray
from hounsfield.stats.estimate import Estimate, nothing
from hounsfield.stats.inputs import binary_labels, scores
from hounsfield.stats.intervals import bootstrapped


def average_precision(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Precision averaged over the steps of recall, without interpolation (scikit-learn's definition).

    Args:
        rng: of the patient bootstrap; seeded with 0 when absent.

    Returns: in (0, 1]; the prevalence for scores that tell nothing. NaN and UndefinedMetric without a positive case.
    """
    positive = binary_labels(label)
    score = scores(prob, cases=len(positive))
    if not positive.any():
        return nothing("average precision", "no positive case (label 1)", level=level)
    return bootstrapped(
        "average precision",
        lambda weights: weighted_average_precision(positive, score, weights),
        len(positive),
        patient_id,
        rng,
        level,
        resamples,
    )


def weighted_average_precision(label: npt.ArrayLike, prob: npt.ArrayLike, weights: FloatArray) -> FloatArray:
    """The same for (B, N) weightings of the cases, (B,); NaN where a weighting has no positive case."""
    positive = binary_labels(label)
    score = scores(prob, cases=len(positive))
    if not len(score):
        return np.full(len(weights), np.nan)
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    first = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    sorted_weights = np.asarray(weights, dtype=np.float64)[:, order]
    steps = np.add.reduceat(sorted_weights * positive[order], first, axis=1)
    called = np.cumsum(np.add.reduceat(sorted_weights, first, axis=1), axis=1)
    hits = np.cumsum(steps, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Before the first case with weight nothing is called and no step of recall is made.
        precision = np.where(called > 0, hits / called, 0.0)
        return np.asarray((steps * precision).sum(axis=1) / hits[:, -1])
