"""AUCs of several models on many resamples of the patients: labels and scores in, a table of areas out.

The same draws and values as `bootstrap.bootstrap_values` with `auc.weighted_auc`, several times as fast: resamples run
along the last axis, so that counting, adding up and looking up go through memory in long rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray, IntArray
from hounsfield.stats.inputs import binary_labels, patient_codes, scores

_WIDTH = 64  # resamples at once: a class of ten thousand cases then stays within a processor's cache
_EXACT = 2**18  # cases up to which every count and half count met is exact in single precision, at half the memory


def bootstrap_auc(
    label: npt.ArrayLike,
    probs: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    patient_id: npt.ArrayLike | None = None,
    resamples: int = 2000,
) -> FloatArray:
    """(B, K) areas of K models on the same B resamples of the patients; NaN where a resample lacks a class.

    Args:
        label: (N,) 0 or 1.
        probs: (K, N) score of each model.
        rng: source of the resamples.
        patient_id: (N,) whose case it is; None when every case is another patient.

    Raises: HounsfieldError for another shape or fewer than 100 resamples.
    """
    positive = binary_labels(label)
    given = np.asarray(probs, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] != len(positive):
        raise HounsfieldError(f"probs is models x {len(positive)} cases; got shape {given.shape}.")
    if resamples < 100:
        raise HounsfieldError(f"an interval needs at least 100 resamples; got {resamples}. 2000 is usual.")
    codes, patients = patient_codes(patient_id, cases=len(positive))
    orders = [_order(positive, scores(one, cases=len(positive))) for one in given]
    areas = np.full((resamples, len(given)), np.nan)
    if positive.all() or not positive.any():
        return areas
    picks = rng.integers(patients, size=(resamples, patients))
    up_codes, down_codes = np.flatnonzero(positive), np.flatnonzero(~positive)
    for start in range(0, resamples, _WIDTH):
        rows = picks[start : start + _WIDTH]
        # (patients, resamples): how often each patient was drawn.
        shifted = rows * len(rows) + np.arange(len(rows))[:, None]
        drawn = np.bincount(shifted.ravel(), minlength=patients * len(rows)).reshape(patients, len(rows))
        weights: FloatArray = drawn.astype(np.float32 if len(positive) <= _EXACT else np.float64)
        sides = [weights[codes[one]].sum(axis=0, dtype=np.float64) for one in (up_codes, down_codes)]
        pairs = sides[0] * sides[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            for column, order in enumerate(orders):
                areas[start : start + len(rows), column] = _wins(weights, codes, order) / pairs
    return areas


def _order(positive: npt.NDArray[np.bool_], score: FloatArray) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Rows of the negatives and the positives by rising score, and how many negatives lie below and up to each."""
    down, up = np.flatnonzero(~positive), np.flatnonzero(positive)
    down, up = down[np.argsort(score[down])], up[np.argsort(score[up])]
    left = np.searchsorted(score[down], score[up], side="left")
    right = np.searchsorted(score[down], score[up], side="right")
    return down, up, left, right


def _wins(weights: FloatArray, codes: IntArray, order: tuple[IntArray, IntArray, IntArray, IntArray]) -> FloatArray:
    """(B,) pairs in the right order, ties one half, for (P, B) weights of the patients."""
    down, up, left, right = order
    below = np.zeros((len(down) + 1, weights.shape[1]), dtype=weights.dtype)
    np.cumsum(weights[codes[down]], axis=0, out=below[1:])
    gained: FloatArray = below[left]
    if not np.array_equal(left, right):
        gained = (gained + below[right]) / 2
    gained *= weights[codes[up]]
    return np.asarray(gained.sum(axis=0, dtype=np.float64))
