"""The operating point of a fold: validation labels and scores in, a threshold out, nan where none can be chosen."""

from __future__ import annotations

import math

from hounsfield.core.types import FloatArray, IntArray
from hounsfield.stats.operating_point import youden

RULE = "largest Youden index on the validation part of the same fold"


def threshold_of(label: IntArray, score: FloatArray) -> float:
    """Threshold of `RULE`; nan without validation cases of both classes."""
    if not len(label) or label.min() == label.max():
        return math.nan
    return youden(label, score).threshold
