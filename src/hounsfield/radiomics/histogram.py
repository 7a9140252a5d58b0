"""Intensity histogram (IBSI 3.4, ZVCW). In: the lesion's grey levels; out: 23 features.

The statistics are those of `first_order`, of grey levels in place of intensities. The gradient is that of the counts
over all levels from 1 to Ng: half the difference of the neighbours, at the ends the difference to the only one.
"""

from __future__ import annotations

import numpy as np

from hounsfield.core.types import IntArray
from hounsfield.radiomics import first_order

REASONS = first_order.REASONS | dict.fromkeys(
    ("maximum_gradient", "maximum_gradient_level", "minimum_gradient", "minimum_gradient_level"),
    "there is one grey level, and a gradient needs two",
)


def features(levels: IntArray, level_count: int) -> dict[str, float]:
    """The family's features by name; NaN where one is not defined.

    Args:
        levels: (N,) grey levels from 1 on, N of 1 or more.
        level_count: Ng.
    """
    table = first_order.moments(levels.astype(np.float64))
    counts = np.bincount(levels, minlength=level_count + 1)[1:].astype(np.float64)
    share = counts[counts > 0] / len(levels)
    most = np.flatnonzero(counts == counts.max()) + 1
    # Of several modes the one nearest to the mean, of two as near the lower.
    mode = most[np.argmin(np.abs(most - table["mean"]))]
    gradient = np.gradient(counts) if len(counts) > 1 else np.array([np.nan])
    up, down = int(gradient.argmax()), int(gradient.argmin())
    known = len(counts) > 1
    return table | {
        "mode": float(mode),
        "entropy": abs(float((share * np.log2(share)).sum())),
        "uniformity": float((share**2).sum()),
        "maximum_gradient": float(gradient[up]),
        "maximum_gradient_level": float(up + 1) if known else float("nan"),
        "minimum_gradient": float(gradient[down]),
        "minimum_gradient_level": float(down + 1) if known else float("nan"),
    }
