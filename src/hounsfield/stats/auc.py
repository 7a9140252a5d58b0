"""Area under the ROC curve: labels and scores in, the area, its variance and its interval out.

The area is the share of (positive, negative) pairs that the score puts in the right order, ties counting one half. Its
variance is DeLong's, in O(n log n), or Obuchowski's where patients have several cases. `auc` chooses between the ways
to an interval; each stands by itself as well.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import BoolArray, FloatArray, IntArray
from hounsfield.stats.bootstrap import bootstrap_interval
from hounsfield.stats.estimate import Estimate, undefined
from hounsfield.stats.inputs import binary_labels, checked_level, patient_codes, scores


def auc(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Area under the ROC curve, ties counted one half, with its interval.

    Args:
        label: (N,) 0 or 1; 1 is the positive class.
        prob: (N,) score, higher for the positive class; any finite number.
        patient_id: (N,) whose case it is; None when every case is another patient.
        rng: where patients repeat, the bootstrap over patients (BCa) is taken with it, Obuchowski's variance without.

    Returns: DeLong's interval on the logit scale with one case a patient; at an area of 0 or 1 an exact bound from
        disjoint pairs of patients; NaN and the warning UndefinedMetric when a class has no case.

    Source: Bamber, J Math Psychol 1975;12:387; interval: see `delong_interval`.
    """
    positive = binary_labels(label)
    score = scores(prob, cases=len(positive))
    codes, patients = patient_codes(patient_id, cases=len(positive))
    area = float(weighted_auc(positive, score, np.ones((1, len(score))))[0])
    if patients == len(positive) or rng is None or not 0 < area < 1:
        return delong_interval(positive, score, patient_id=codes, level=level)
    return bootstrap_interval(
        lambda weights: weighted_auc(positive, score, weights),
        cases=len(positive),
        rng=rng,
        patient_id=codes,
        resamples=resamples,
        level=level,
    )


def weighted_auc(label: npt.ArrayLike, prob: npt.ArrayLike, weights: FloatArray) -> FloatArray:
    """The area for many weightings of the same cases at once, as a bootstrap needs it.

    Args:
        label: (N,) 0 or 1.
        prob: (N,) score.
        weights: (B, N) how often each case counts in each of B weightings, at least 0.

    Returns: (B,) areas; NaN, without a warning, where a weighting leaves a class without a case.
    """
    positive = binary_labels(label)
    score = scores(prob, cases=len(positive))
    order = np.argsort(score, kind="stable")
    ranked = score[order]
    first_of_tie = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(ranked) else np.zeros(0, dtype=int)
    if not len(first_of_tie):
        return np.full(len(weights), np.nan)
    sorted_weights = np.asarray(weights, dtype=np.float64)[:, order]
    up = np.add.reduceat(sorted_weights * positive[order], first_of_tie, axis=1)
    down = np.add.reduceat(sorted_weights * ~positive[order], first_of_tie, axis=1)
    below = np.cumsum(down, axis=1) - down / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        areas = np.einsum("bk,bk->b", up, below) / (up.sum(axis=1) * down.sum(axis=1))
    return np.asarray(areas, dtype=np.float64)


def delong_interval(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    scale: str = "logit",
    level: float = 0.95,
) -> Estimate:
    """Interval of the area from its normal approximation.

    Args:
        label: (N,) 0 or 1.
        prob: (N,) score.
        patient_id: (N,) whose case it is; where patients repeat, the variance is Obuchowski's.
        scale: "logit" keeps the interval inside (0, 1); "probability" is the plain one, cut to [0, 1].

    Returns: the area. At 0 or 1 neither scale has an interval (no spread is seen) and the exact bound of
        `disjoint_pairs_interval` is given in its place; with fewer than two patients of a class, or no spread at
        all, the ends are NaN; `note` says so each time.

    Source: DeLong et al., Biometrics 1988;44:837; Obuchowski, Biometrics 1997;53:567; logit scale: Pepe, The
        Statistical Evaluation of Medical Tests, 2003, 5.2.
    """
    if scale not in ("logit", "probability"):
        raise HounsfieldError(f"scale is 'logit' or 'probability'; got {scale!r}.")
    checked_level(level)
    positive = binary_labels(label)
    score = scores(prob, cases=len(positive))
    codes, patients = patient_codes(patient_id, cases=len(positive))
    repeated = patients < len(positive)
    unit = "patients" if repeated else "cases"
    method = f"{'Obuchowski' if repeated else 'DeLong'}, {scale} scale"
    nothing = (math.nan, math.nan, patients, unit, method, level)
    missing = _missing_class(positive)
    if missing:
        return Estimate(undefined("AUC", missing), *nothing, missing)
    areas, covariance = auc_covariance(positive, score[None], patient_id=codes)
    value, variance = float(areas[0]), float(covariance[0, 0])
    if value in (0.0, 1.0):
        return disjoint_pairs_interval(positive, score, patient_id=codes, level=level)
    if math.isnan(variance):
        return Estimate(value, *nothing, "fewer than two patients of a class: no variance")
    if variance <= 0:
        return Estimate(value, *nothing, "the scores show no spread: no variance")
    half = float(special.ndtri((1 + level) / 2)) * math.sqrt(variance)
    if scale == "probability":
        return Estimate(value, max(0.0, value - half), min(1.0, value + half), *nothing[2:])
    centre, half = float(special.logit(value)), half / (value * (1 - value))
    return Estimate(value, float(special.expit(centre - half)), float(special.expit(centre + half)), *nothing[2:])


def disjoint_pairs_interval(
    label: npt.ArrayLike, prob: npt.ArrayLike, *, patient_id: npt.ArrayLike | None = None, level: float = 0.95
) -> Estimate:
    """Exact, wide interval for an area of 0 or 1, where no variance can be estimated.

    Put the patients into k pairs, one positive and one negative case each, no patient twice. The pairs are
    independent and each is in order with a chance of at most the area, so all k are with a chance of at most
    area ** k; the bound is the area at which that is (1 - level) / 2. It covers at least `level`.

    Returns: [bound, 1] for an area of 1, [0, 1 - bound] for 0. Raises: HounsfieldError for any other area.
    """
    positive = binary_labels(label)
    value = float(weighted_auc(positive, prob, np.ones((1, len(positive))))[0])
    if value not in (0.0, 1.0):
        raise HounsfieldError(f"this bound is for an area of 0 or 1; got {value:.4f}. Use delong_interval.")
    codes, patients = patient_codes(patient_id, cases=len(positive))
    has_positive = np.bincount(codes, weights=positive, minlength=patients) > 0
    has_negative = np.bincount(codes, weights=~positive, minlength=patients) > 0
    pairs = min(int(has_positive.sum()), int(has_negative.sum()), patients // 2)
    unit = "patients" if patients < len(positive) else "cases"
    method = f"exact bound from {pairs} disjoint pairs"
    note = f"the AUC is {value:g}: DeLong's interval is undefined there"
    if pairs == 0:
        return Estimate(value, math.nan, math.nan, patients, unit, method, level, note + "; no pair of patients")
    bound = ((1 - level) / 2) ** (1 / pairs)
    low, high = (bound, 1.0) if value == 1.0 else (0.0, 1 - bound)
    return Estimate(value, low, high, patients, unit, method, level, note)


def auc_covariance(
    label: npt.ArrayLike, probs: FloatArray, *, patient_id: npt.ArrayLike | None = None
) -> tuple[FloatArray, FloatArray]:
    """Areas of K scores of the same cases and the covariance of these areas.

    Args:
        label: (N,) 0 or 1, both present.
        probs: (K, N) scores.
        patient_id: (N,) whose case it is. With one case a patient this is DeLong's covariance exactly.

    Returns: (K,) areas and (K, K) covariance, NaN when fewer than two patients have a class.
    Raises: HounsfieldError when a class has no case.
    Source: DeLong et al. 1988, from sorted ranks as in Sun & Xu, IEEE Signal Process Lett 2014;21:1389; several
        cases a patient: Obuchowski, Biometrics 1997;53:567, eq. 4 to 6.
    """
    positive = binary_labels(label)
    missing = _missing_class(positive)
    if missing:
        raise HounsfieldError(f"the covariance of AUCs needs both classes; {missing}.")
    codes, patients = patient_codes(patient_id, cases=len(positive))
    parts = [_placements(positive, scores(prob, cases=len(positive))) for prob in probs]
    areas = np.array([above.mean() for above, _ in parts])
    up_codes, down_codes = codes[positive], codes[~positive]
    up = _excess([above for above, _ in parts], areas, up_codes, patients)
    down = _excess([below for _, below in parts], areas, down_codes, patients)
    up_patients, down_patients = len(np.unique(up_codes)), len(np.unique(down_codes))
    if min(up_patients, down_patients) < 2:
        return areas, np.full((len(areas), len(areas)), np.nan)
    m, n = len(up_codes), len(down_codes)
    cross = patients / (patients - 1) * (up @ down.T)
    covariance = (
        up_patients / (up_patients - 1) * (up @ up.T) / m**2
        + down_patients / (down_patients - 1) * (down @ down.T) / n**2
        + (cross + cross.T) / (m * n)
    )
    return areas, covariance


def hanley_mcneil_se(area: float, *, positives: int, negatives: int) -> float:
    """Standard error of an area known only as a printed number, under exponential scores.

    Raises: HounsfieldError when the area is outside [0, 1] or a class is empty.
    Source: Hanley & McNeil, Radiology 1982;143:29.
    """
    if not 0 <= area <= 1 or positives < 1 or negatives < 1:
        raise HounsfieldError(f"expected an area in [0, 1] and both classes; got {area}, {positives}, {negatives}.")
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = (positives - 1) * (q1 - area**2) + (negatives - 1) * (q2 - area**2)
    return math.sqrt((area * (1 - area) + spread) / (positives * negatives))


def _placements(positive: BoolArray, score: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Share of negatives below each positive, (M,), and of positives above each negative, (N,); ties one half."""
    order = np.argsort(score)
    ranked = score[order]
    # One sort and running counts of both classes; searching every score anew would take several times as long.
    group = np.cumsum(np.r_[False, ranked[1:] != ranked[:-1]])
    up = np.bincount(group[positive[order]], minlength=int(group[-1]) + 1)
    down = np.bincount(group, minlength=len(up)) - up
    below = (np.cumsum(down) - down / 2) / down.sum()
    above = 1 - (np.cumsum(up) - up / 2) / up.sum()
    place = np.empty(len(score), dtype=np.int64)
    place[order] = group
    return below[place[positive]], above[place[~positive]]


def _excess(placements: list[FloatArray], areas: FloatArray, codes: IntArray, patients: int) -> FloatArray:
    """(K, P) sum over each patient's cases of placement minus area."""
    rows = [np.bincount(codes, weights=p - a, minlength=patients) for p, a in zip(placements, areas, strict=True)]
    return np.array(rows)


def _missing_class(positive: BoolArray) -> str:
    """Which class has no case, in words; empty when both have one."""
    if not len(positive):
        return "no case"
    if positive.all():
        return "no negative case (label 0)"
    return "" if positive.any() else "no positive case (label 1)"
