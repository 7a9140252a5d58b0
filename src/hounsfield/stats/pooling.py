"""One probability of a patient from those of the lesions. In: (N,) probabilities and groups; out: (G,) pooled ones.

A patient is positive when any lesion is. `maximum` takes the most suspicious lesion; `noisy_or`, 1 - prod(1 - p), is
the chance that at least one is positive if lesions were independent, and grows with their number; `mean` suits several
series of one lesion; `attention` weighs lesions by a learnt preference (Ilse et al., ICML 2018, without hidden layer).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import AnyArray, FloatArray, IntArray

PLAIN = ("mean", "maximum", "noisy_or")
_EDGE = 1e-6  # of probabilities whose log odds are taken
_PENALTY = 1.0  # of the attention's three numbers: few patients can't carry large ones


def pool(prob: FloatArray, group: AnyArray, *, how: str) -> tuple[AnyArray, FloatArray]:
    """Pooled probability of each group, groups in sorted order.

    Args:
        prob: (N,) in [0, 1]. group: (N,) identifiers.
        how: one of `PLAIN`.
    Returns: (G,) identifiers and (G,) probabilities.
    Raises: HounsfieldError for another name, probabilities outside [0, 1], or none at all.
    """
    names, index = _groups(prob, group)
    if how == "mean":
        return names, np.bincount(index, weights=prob) / np.bincount(index)
    if how == "maximum":
        pooled = np.zeros(len(names))
        np.maximum.at(pooled, index, prob)
        return names, pooled
    if how == "noisy_or":
        # As a sum of logarithms: the product of many small factors would be lost.
        with np.errstate(divide="ignore"):
            return names, -np.expm1(np.bincount(index, weights=np.log1p(-prob)))
    raise HounsfieldError(f"lesions are pooled by {', '.join(PLAIN)} or attention; got '{how}'.")


@dataclass(frozen=True)
class Attention:
    """Lesions weighed by the softmax of `preference` times their log odds, summed, then a logistic curve.

    With preference 0 it is the mean of the log odds, with a large one the maximum.
    """

    preference: float
    slope: float
    offset: float

    def pool(self, prob: FloatArray, group: AnyArray) -> tuple[AnyArray, FloatArray]:
        """As `pool`."""
        names, index = _groups(prob, group)
        return names, expit(self.slope * _weighed(prob, index, self.preference) + self.offset)


def fit_attention(prob: FloatArray, group: AnyArray, label: IntArray) -> Attention:
    """Attention fitted by penalised maximum likelihood on patients that the lesions' model has not learnt from.

    Args:
        prob, group: (N,) as `pool`.
        label: (N,) 0 or 1 of each lesion; a patient is positive when any is.
    Raises: HounsfieldError when patients of one class only are there.
    """
    names, index = _groups(prob, group)
    positive = np.zeros(len(names), dtype=bool)
    np.logical_or.at(positive, index, np.asarray(label) == 1)
    if positive.all() or not positive.any():
        raise HounsfieldError("attention is fitted on patients of two classes; there is one only. Give more patients.")

    def loss(values: FloatArray) -> float:
        score = values[1] * _weighed(prob, index, values[0]) + values[2]
        misfit = np.where(positive, np.logaddexp(0, -score), np.logaddexp(0, score)).sum()
        return float(misfit + _PENALTY * (values[0] ** 2 + (values[1] - 1) ** 2) / 2)

    found = minimize(loss, np.array([0.5, 1.0, 0.0]), method="L-BFGS-B", bounds=[(0, 10), (0, 10), (-20, 20)])
    preference, slope, offset = found.x
    return Attention(float(preference), float(slope), float(offset))


def _groups(prob: FloatArray, group: AnyArray) -> tuple[AnyArray, IntArray]:
    prob = np.asarray(prob, dtype=np.float64)
    if not len(prob) or len(prob) != len(group) or not ((prob >= 0) & (prob <= 1)).all():
        raise HounsfieldError(
            "pooling takes at least one probability in [0, 1] and a group for each; got "
            f"{len(prob)} probabilities and {len(group)} groups."
        )
    names, index = np.unique(np.asarray(group), return_inverse=True)
    return names, index


def _weighed(prob: FloatArray, index: IntArray, preference: float) -> FloatArray:
    odds = logit(np.clip(prob, _EDGE, 1 - _EDGE))
    top = np.full(index.max() + 1, -np.inf)
    np.maximum.at(top, index, odds)
    weight = np.exp(preference * (odds - top[index]))
    return np.asarray(np.bincount(index, weights=weight * odds) / np.bincount(index, weights=weight))
