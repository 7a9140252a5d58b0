"""Free-response ROC: scores of hits and of false positives by volume in, sensitivity at false positives per volume out.

Volumes without a lesion, and without a detection, count: they are in the denominator of the false positives. The curve
has a point at every score, the lowest included, so that what a model found is never cut off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray, IntArray
from hounsfield.stats.bootstrap import bootstrap_interval, bootstrap_table
from hounsfield.stats.estimate import Estimate, undefined
from hounsfield.stats.inputs import patient_codes

CPM_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of LUNA16


@dataclass(frozen=True)
class Detections:
    """The detections of one model over V volumes.

    Args:
        hit_score: (H,) score of the credited detection of each lesion that was found.
        hit_volume: (H,) number of its volume, 0 to V - 1.
        false_score: (F,) scores of the false positives.
        false_volume: (F,) their volumes.
        lesions: (V,) number of lesions in each volume, 0 where there is none.
        patient_id: (V,) whose volume it is; None when every volume is another patient.

    Raises: HounsfieldError when lengths differ, a score is not finite, a volume is unknown, or a volume has more hits
        than lesions.
    """

    hit_score: FloatArray
    hit_volume: IntArray
    false_score: FloatArray
    false_volume: IntArray
    lesions: IntArray
    patient_id: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("hit_score", "false_score"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        for name in ("hit_volume", "false_volume", "lesions"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.int64))
        volumes = len(self.lesions)
        for kind in ("hit", "false"):
            score, volume = getattr(self, f"{kind}_score"), getattr(self, f"{kind}_volume")
            if score.ndim != 1 or score.shape != volume.shape or not np.isfinite(score).all():
                raise HounsfieldError(f"{kind}_score and {kind}_volume have one finite score and a volume each.")
            if len(volume) and (volume.min() < 0 or volume.max() >= volumes):
                raise HounsfieldError(f"{kind}_volume counts the {volumes} volumes from 0; got {volume.max()}.")
        if self.lesions.ndim != 1 or (self.lesions < 0).any():
            raise HounsfieldError("lesions has one count, 0 or more, for each volume.")
        if (np.bincount(self.hit_volume, minlength=volumes) > self.lesions).any():
            raise HounsfieldError("a volume has more hits than lesions. Credit each lesion once; see `matching.match`.")
        patient_codes(self.patient_id, cases=volumes)


@dataclass(frozen=True)
class FrocCurve:
    """Points of the curve from no detection to all of them: (K + 1,) arrays for K distinct scores.

    Attributes:
        false_positives: mean number per volume, not falling.
        sensitivity: share of the lesions found, not falling.
        threshold: lowest score counted; the first is infinite.
    """

    false_positives: FloatArray
    sensitivity: FloatArray
    threshold: FloatArray


def froc_curve(found: Detections) -> FrocCurve:
    """The curve; NaN and UndefinedMetric without a volume, sensitivities NaN without a lesion."""
    volumes, lesions = len(found.lesions), int(found.lesions.sum())
    if not volumes or not lesions:
        undefined("FROC", "no volume" if not volumes else "no lesion in any volume")
    threshold, up, down = _counts(found, np.ones((1, max(volumes, 1))) if volumes else np.ones((1, 0)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return FrocCurve(down[0] / np.float64(volumes), up[0] / np.float64(lesions), threshold)


def sensitivity_at(
    found: Detections,
    false_positives: float,
    *,
    interpolate: bool = False,
    rng: np.random.Generator | None = None,
    resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Sensitivity at a mean number of false positives per volume.

    Args:
        false_positives: 0 or more.
        interpolate: False reads the highest sensitivity whose false positives do not exceed the number, which some
            threshold truly has; True draws straight lines between points, as LUNA16 does.
        rng: of the patient bootstrap; seeded with 0 when absent.

    Returns: beyond the last point of the curve its last sensitivity. NaN and UndefinedMetric without a lesion.
    """
    return _estimate(found, (false_positives,), interpolate, rng, resamples, level, "sensitivity")


def cpm(
    found: Detections,
    *,
    rates: tuple[float, ...] = CPM_RATES,
    interpolate: bool = True,
    rng: np.random.Generator | None = None,
    resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Competition performance metric: mean sensitivity at 1/8 to 8 false positives per volume.

    Source: Setio et al., Med Image Anal 2017;42:1; with interpolation as there, by default.
    """
    return _estimate(found, rates, interpolate, rng, resamples, level, "CPM")


def froc_band(
    found: Detections,
    rates: npt.ArrayLike,
    *,
    rng: np.random.Generator | None = None,
    resamples: int = 1000,
    level: float = 0.95,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(G,) sensitivity, low and high at given false positives per volume, pointwise over patients, no interpolation."""
    at = _rates(rates)
    value = _read(found, np.ones((1, len(found.lesions))), at, interpolate=False)[0]
    drawn = bootstrap_table(
        lambda weights: _read(found, weights, at, interpolate=False),
        cases=len(found.lesions),
        rng=rng or np.random.default_rng(0),
        columns=len(at),
        patient_id=found.patient_id,
        resamples=resamples,
    )
    known = drawn[~np.isnan(drawn).any(axis=1)]
    if not len(known):
        return value, np.full(len(at), np.nan), np.full(len(at), np.nan)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return value, low, high


def values_of(found: Detections, weights: FloatArray, rates: tuple[float, ...], *, interpolate: bool) -> FloatArray:
    """(B,) mean sensitivity at the rates for (B, V) weights of the volumes: the statistic of a paired bootstrap."""
    return np.asarray(_read(found, weights, _rates(rates), interpolate=interpolate).mean(axis=1))


def _estimate(
    found: Detections,
    rates: tuple[float, ...],
    interpolate: bool,
    rng: np.random.Generator | None,
    resamples: int,
    level: float,
    name: str,
) -> Estimate:
    at = _rates(rates)
    if not found.lesions.sum():
        value = undefined(name, "no lesion in any volume")
        return Estimate(value, np.nan, np.nan, len(found.lesions), "volumes", name, level, "no lesion in any volume")
    return bootstrap_interval(
        lambda weights: np.asarray(_read(found, weights, at, interpolate=interpolate).mean(axis=1)),
        cases=len(found.lesions),
        rng=rng or np.random.default_rng(0),
        patient_id=found.patient_id,
        kind="percentile",
        resamples=resamples,
        level=level,
    )


def _rates(rates: npt.ArrayLike) -> FloatArray:
    at = np.asarray(rates, dtype=np.float64)
    if at.ndim != 1 or not len(at) or not np.isfinite(at).all() or (at < 0).any():
        raise HounsfieldError(f"false positives per volume are numbers of 0 or more; got {at.tolist()}.")
    return at


def _counts(found: Detections, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(K + 1,) thresholds and (B, K + 1) weighted hits and false positives at or above each."""
    score = np.r_[found.hit_score, found.false_score]
    threshold, place = np.unique(-score, return_inverse=True)
    place = place.reshape(-1)
    size, hits = len(threshold), len(found.hit_score)
    table = []
    for part, volume in ((place[:hits], found.hit_volume), (place[hits:], found.false_volume)):
        steps = np.zeros((len(weights), size + 1))
        if len(part):
            order = np.argsort(part, kind="stable")
            first = np.flatnonzero(np.r_[True, np.diff(part[order]) > 0])
            steps[:, part[order][first] + 1] = np.add.reduceat(weights[:, volume[order]], first, axis=1)
        table.append(np.cumsum(steps, axis=1))
    return np.r_[np.inf, -threshold], table[0], table[1]


def _read(found: Detections, weights: FloatArray, at: FloatArray, *, interpolate: bool) -> FloatArray:
    """(B, G) sensitivities; NaN where a weighting leaves no lesion."""
    _, up, down = _counts(found, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity = up / (weights @ found.lesions)[:, None]
        rate = down / weights.sum(axis=1)[:, None]
    rows = []
    for x, y in zip(rate, sensitivity, strict=True):
        if np.isnan(y[0]):
            rows.append(np.full(len(at), np.nan))
        elif interpolate:
            # At a vertical step the highest sensitivity is the one that a threshold can have.
            last = np.flatnonzero(np.r_[np.diff(x) > 0, True])
            rows.append(np.interp(at, x[last], y[last]))
        else:
            rows.append(y[np.searchsorted(x, at + 1e-12, side="right") - 1])
    return np.array(rows)
