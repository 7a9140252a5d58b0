"""JAFROC figure of merit: hits and false positives by volume in, the chance that a lesion outscores a false one out.

theta = P(score of a lesion > highest false positive of a volume), ties one half; a lesion that was not found and a
volume without a false positive count as a score below all others. JAFROC takes the false positives of volumes without
lesions, JAFROC1 those of all volumes.
"""

from __future__ import annotations

import math

import numpy as np

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray, IntArray
from hounsfield.stats.auc import weighted_auc
from hounsfield.stats.bootstrap import bootstrap_interval
from hounsfield.stats.estimate import Estimate, undefined
from hounsfield.stats.froc import Detections


def jafroc(
    found: Detections,
    *,
    kind: str = "JAFROC",
    rng: np.random.Generator | None = None,
    resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """The figure of merit with its patient bootstrap interval.

    Args:
        kind: "JAFROC", against volumes without lesions; "JAFROC1", against all volumes.
        rng: seeded with 0 when absent.

    Returns: in [0, 1]. NaN and UndefinedMetric without a lesion or without a volume to compare with.
    Source: Chakraborty & Berbaum, Med Phys 2004;31:2313; JAFROC1: Chakraborty, Acad Radiol 2011;18:129.
    """
    _checked(kind)
    reason = _missing(found, kind)
    if reason:
        value = undefined(kind, reason)
        return Estimate(value, math.nan, math.nan, len(found.lesions), "volumes", kind, level, reason)
    estimate = bootstrap_interval(
        lambda weights: figure_of_merit(found, weights, kind=kind),
        cases=len(found.lesions),
        rng=rng or np.random.default_rng(0),
        patient_id=found.patient_id,
        resamples=resamples,
        level=level,
    )
    return estimate


def figure_of_merit(found: Detections, weights: FloatArray, *, kind: str = "JAFROC") -> FloatArray:
    """(B,) figures of merit for (B, V) weights of the volumes; NaN where a weighting leaves no lesion or no volume."""
    _checked(kind)
    volumes = len(found.lesions)
    lesion_score, lesion_volume = _lesions(found)
    highest = np.full(volumes, -np.inf)
    np.maximum.at(highest, found.false_volume, found.false_score)
    against = np.flatnonzero(found.lesions == 0) if kind == "JAFROC" else np.arange(volumes)
    label = np.r_[np.ones(len(lesion_score)), np.zeros(len(against))]
    score = np.r_[lesion_score, highest[against]]
    # Only the order counts: ranks hold scores of any size, the absent ones below all others.
    score = np.unique(score, return_inverse=True)[1].astype(np.float64)
    return weighted_auc(label, score, weights[:, np.r_[lesion_volume, against]])


def _lesions(found: Detections) -> tuple[FloatArray, IntArray]:
    """Score and volume of every lesion; minus infinity for one that was not found."""
    hits = np.bincount(found.hit_volume, minlength=len(found.lesions))
    missed = np.repeat(np.arange(len(found.lesions)), found.lesions - hits)
    score = np.r_[found.hit_score, np.full(len(missed), -np.inf)]
    return score, np.r_[found.hit_volume, missed].astype(np.int64)


def _missing(found: Detections, kind: str) -> str:
    if not found.lesions.sum():
        return "no lesion in any volume"
    return "no volume without a lesion; take JAFROC1" if kind == "JAFROC" and not (found.lesions == 0).any() else ""


def _checked(kind: str) -> None:
    if kind not in ("JAFROC", "JAFROC1"):
        raise HounsfieldError(f"kind is 'JAFROC' or 'JAFROC1'; got {kind!r}.")
