"""The operating point: labels and scores of validation rows in, a threshold out, nan where none can be chosen."""

from __future__ import annotations

import math

from hounsfield.core.types import FloatArray, IntArray
from hounsfield.stats.operating_point import youden

RULE = "largest Youden index"
OWN_FOLD = "the validation part of the same fold"
ALL_FOLDS = "the out-of-fold predictions of all folds, which share one test part"


def threshold_of(label: IntArray, score: FloatArray) -> float:
    """Threshold of `RULE` on `OWN_FOLD` or `ALL_FOLDS`, whichever rows are given; nan without cases of both classes."""
    if not len(label) or label.min() == label.max():
        return math.nan
    return youden(label, score).threshold
