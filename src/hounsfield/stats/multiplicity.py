"""Correction of p-values for several comparisons: (M,) p-values in, (M,) adjusted ones out, in the same order.

An adjusted p-value is compared with the usual level. A NaN stands for a test that could not be made; it stays NaN and
does not count among the M.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray


def holm(p: npt.ArrayLike) -> FloatArray:
    """Holm's step-down p-values: the chance of any false claim stays below the level, whatever the dependence.

    Raises: HounsfieldError on a p-value outside [0, 1]. Source: Holm, Scand J Stat 1979;6:65.
    """
    adjusted, known, order = _sorted(p)
    ranked = adjusted[known][order]
    steps = np.arange(len(ranked), 0, -1)
    adjusted[known] = _back(np.minimum(np.maximum.accumulate(ranked * steps), 1), order)
    return adjusted


def benjamini_hochberg(p: npt.ArrayLike) -> FloatArray:
    """Benjamini and Hochberg's p-values: the expected share of false among the claims stays below the level.

    Holds for independent or positively dependent tests. Raises: HounsfieldError on a p-value outside [0, 1].
    Source: Benjamini & Hochberg, J R Stat Soc B 1995;57:289.
    """
    adjusted, known, order = _sorted(p)
    ranked = adjusted[known][order]
    raised = ranked * len(ranked) / np.arange(1, len(ranked) + 1)
    adjusted[known] = _back(np.minimum.accumulate(raised[::-1])[::-1], order)
    return adjusted


def _sorted(p: npt.ArrayLike) -> tuple[FloatArray, npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    given = np.array(p, dtype=np.float64)
    known = ~np.isnan(given)
    if given.ndim != 1 or np.any((given[known] < 0) | (given[known] > 1)):
        raise HounsfieldError(
            f"p is a list of p-values in [0, 1]; got {given.tolist()}. Pass all of one family at once."
        )
    return given, known, np.argsort(given[known], kind="stable")


def _back(ranked: FloatArray, order: npt.NDArray[np.intp]) -> FloatArray:
    values = np.empty_like(ranked)
    values[order] = ranked
    return values
