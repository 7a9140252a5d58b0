"""Subsets in which two classes have the same size: what is told apart there is told apart by more than size.

In: class and a covariate of each case; out: pairs of indices, one of each class, alike in the covariate.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import StudyError
from hounsfield.core.types import FloatArray, IntArray


def matched_pairs(label: npt.ArrayLike, covariate: npt.ArrayLike, *, caliper: float) -> IntArray:
    """Pairs of one case of either class whose covariate differs by at most `caliper`, each case in one pair at most.

    Both classes are walked through in ascending order, and the two smallest that are alike make a pair: on a line this
    gives as many pairs as can be had, and the same ones whatever the order of the cases.

    Args:
        label: (N,) 0 or 1.
        covariate: (N,) e.g. the natural logarithm of the volume; cases without a finite value are passed over.
        caliper: largest difference within a pair, in the covariate's unit.
    Returns: (P, 2) indices, column 0 of class 0 and column 1 of class 1; P may be 0.
    Raises: StudyError for other labels, unequal lengths or a negative caliper.
    """
    classes: IntArray = np.asarray(label)
    value: FloatArray = np.asarray(covariate, dtype=np.float64)
    if classes.shape != value.shape or classes.ndim != 1 or not np.isin(classes, (0, 1)).all() or caliper < 0:
        raise StudyError("matching needs one label 0 or 1 and one covariate a case, and a caliper of 0 or more.")
    known = np.flatnonzero(np.isfinite(value))
    order = known[np.argsort(value[known], kind="stable")]
    first, second = (order[classes[order] == number] for number in (0, 1))
    pairs = []
    one = two = 0
    while one < len(first) and two < len(second):
        apart = value[first[one]] - value[second[two]]
        if abs(apart) <= caliper:
            pairs.append((first[one], second[two]))
            one, two = one + 1, two + 1
        elif apart < 0:
            one += 1
        else:
            two += 1
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
