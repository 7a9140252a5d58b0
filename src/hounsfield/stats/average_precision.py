"""Average precision: labels and scores in, one number out.

By itself in this file because scikit-learn takes over a second to load, which the other metrics do without.
"""

from __future__ import annotations

import numpy.typing as npt
from sklearn import metrics

from hounsfield.stats.estimate import undefined
from hounsfield.stats.inputs import binary_labels, scores


def average_precision(label: npt.ArrayLike, prob: npt.ArrayLike) -> float:
    """Precision averaged over the steps of recall, without interpolation (scikit-learn's definition).

    Returns: in (0, 1]; the prevalence for scores that tell nothing. NaN and UndefinedMetric without a positive case.
    """
    positive = binary_labels(label)
    score = scores(prob, cases=len(positive))
    if not positive.any():
        return undefined("average precision", "no positive case (label 1)")
    return float(metrics.average_precision_score(positive, score))
