"""Permutation tests of AUCs: labels and scores in, a p-value out that supposes no distribution."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray, IntArray
from hounsfield.stats.auc import auc, weighted_auc
from hounsfield.stats.inputs import binary_labels, patient_codes, scores


def permuted_auc(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    patient_id: npt.ArrayLike | None = None,
    draws: int = 2000,
) -> float:
    """p-value of an AUC of 0.5: the labels are dealt out anew, two-sided.

    Args:
        label: (N,) 0 or 1, both present.
        prob: (N,) score.
        patient_id: (N,); patients with equally many cases swap all their labels with each other, so that what one
            patient's cases share stays together. A patient whose number of cases no other has keeps the labels.

    Returns: (hits + 1) / (draws + 1).
    Raises: HounsfieldError when a class has no case.
    """
    positive = binary_labels(label)
    score = scores(prob, cases=len(positive))
    _both_classes(positive)
    codes, _ = patient_codes(patient_id, cases=len(positive))
    gap = abs(float(auc(positive, score)) - 0.5)
    groups = _groups_of_equal_size(codes)
    hits = 0
    ranks = stats.rankdata(score)
    ups = int(positive.sum())
    for _ in range(draws):
        dealt = positive.copy()
        for members in groups:
            dealt[members] = positive[members[rng.permutation(len(members))]]
        area = (ranks[dealt].sum() - ups * (ups + 1) / 2) / (ups * (len(score) - ups))
        hits += abs(area - 0.5) >= gap - 1e-12
    return (hits + 1) / (draws + 1)


def permuted_auc_difference(
    label: npt.ArrayLike,
    prob_a: npt.ArrayLike,
    prob_b: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    patient_id: npt.ArrayLike | None = None,
    draws: int = 2000,
) -> float:
    """p-value of equal AUCs of two models on the same cases: the models change places, patient by patient.

    The scores are replaced by their ranks first, since two models need not share a scale.

    Args:
        patient_id: (N,); all cases of a patient change places together.

    Returns: (hits + 1) / (draws + 1), two-sided; 1 when both rank all cases alike.
    Raises: HounsfieldError when a class has no case.
    Source: Bandos et al., Stat Med 2005;24:2873, with ranks as in Venkatraman & Begg, Biometrika 1996;83:835.
    """
    positive = binary_labels(label)
    ranks = np.stack([stats.rankdata(scores(one, cases=len(positive))) for one in (prob_a, prob_b)])
    _both_classes(positive)
    codes, patients = patient_codes(patient_id, cases=len(positive))
    gap = _difference(positive, ranks[0], ranks[1])
    hits = 0
    for _ in range(draws):
        swap = (rng.random(patients) < 0.5)[codes]
        hits += abs(_difference(positive, *np.where(swap, ranks[::-1], ranks))) >= abs(gap) - 1e-12
    return (hits + 1) / (draws + 1)


def _difference(positive: npt.NDArray[np.bool_], first: FloatArray, second: FloatArray) -> float:
    ones = np.ones((1, len(positive)))
    return float(weighted_auc(positive, first, ones)[0] - weighted_auc(positive, second, ones)[0])


def _groups_of_equal_size(codes: IntArray) -> list[IntArray]:
    """For each number of cases a patient may have, the (patients, cases) rows of the patients who have it."""
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    groups = []
    for size in np.unique(sizes[sizes > 0]):
        members = np.flatnonzero(sizes == size)
        groups.append(order[starts[members][:, None] + np.arange(size)])
    return groups


def _both_classes(positive: npt.NDArray[np.bool_]) -> None:
    if positive.all() or not positive.any():
        raise HounsfieldError("a permutation of labels needs both classes; got one.")
