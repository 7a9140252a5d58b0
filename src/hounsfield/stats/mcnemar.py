"""Two models' right and wrong answers on the same independent cases: exact McNemar test and Newcombe's interval.

For one case a patient; `compare.compare_accuracy` takes the sign-flip of patients where they have several.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import BoolArray
from hounsfield.stats.estimate import Estimate, undefined
from hounsfield.stats.inputs import binary_labels
from hounsfield.stats.proportion import wilson


def mcnemar(right_a: npt.ArrayLike, right_b: npt.ArrayLike) -> float:
    """Exact two-sided p-value: the cases that only one model gets right are fair coin tosses.

    Args:
        right_a: (N,) 0/1, whether the first model is right.
        right_b: (N,) the same of the second, same cases.

    Returns: in (0, 1]; 1 when no case tells the models apart, also without cases.
    Source: McNemar, Psychometrika 1947;12:153, exact form: twice the smaller binomial tail.
    """
    a, b = _right(right_a, right_b)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    return min(1.0, 2 * float(special.bdtr(min(only_a, only_b), only_a + only_b, 0.5))) if only_a + only_b else 1.0


def newcombe(right_a: npt.ArrayLike, right_b: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """Difference of two shares on the same cases (first minus second) with Newcombe's score interval.

    Args:
        right_a: (N,) 0/1 of the first model.
        right_b: (N,) 0/1 of the second.

    Returns: in [-1, 1], of some width even when both agree everywhere; NaN and UndefinedMetric without cases.
    Source: Newcombe, Stat Med 1998;17:2635, method 10.
    """
    first, second = _right(right_a, right_b)
    n, method = len(first), "Newcombe, paired"
    if not n:
        return Estimate(undefined("difference of shares", "no case"), math.nan, math.nan, 0, "cases", method, level)
    share_a, share_b = wilson(int(first.sum()), n, level=level), wilson(int(second.sum()), n, level=level)
    a, b = int((first & second).sum()), int((first & ~second).sum())
    c, d = int((~first & second).sum()), int((~first & ~second).sum())
    size = (a + b) * (c + d) * (a + c) * (b + d)
    surplus = float(a * d - b * c)
    if surplus > 0:
        surplus = max(surplus - n / 2, 0.0)  # the continuity correction that makes it method 10, not 9
    phi = surplus / math.sqrt(size) if size else 0.0
    gap = share_a.value - share_b.value
    down = _combined(share_a.value - share_a.low, share_b.high - share_b.value, phi)
    up = _combined(share_a.high - share_a.value, share_b.value - share_b.low, phi)
    return Estimate(gap, gap - down, gap + up, n, "cases", method, level)


def _combined(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def _right(right_a: npt.ArrayLike, right_b: npt.ArrayLike) -> tuple[BoolArray, BoolArray]:
    a, b = binary_labels(right_a, name="right_a"), binary_labels(right_b, name="right_b")
    if a.shape != b.shape:
        raise HounsfieldError(f"both models answer the same cases; got {len(a)} and {len(b)}. Join them by case_id.")
    return np.asarray(a), np.asarray(b)
