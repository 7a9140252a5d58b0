"""Logistic model of measured features: a table of lesion features in, class probabilities out. Plain numbers, no torch.

It is the trivial arm of a study (volume alone), the first-order one, and the mixer of a network with features; it is
stored as arrays like any network, so that nothing that is loaded can run code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hounsfield.core.errors import TableError
from hounsfield.core.registry import nearest
from hounsfield.core.types import FloatArray

LOG = "log "  # before a feature's name: its natural logarithm enters


@dataclass(frozen=True)
class FeatureModel:
    """Standardised features times weights.

    Args:
        features: (F) names; 'log volume_mm3' means the natural logarithm of volume_mm3.
        mean, scale: (F,) of the (transformed) features in the training part; `mean` also stands in for a missing value.
        weight: (C, F); bias: (C,); class scores whose softmax is the probability.
    """

    features: tuple[str, ...]
    mean: FloatArray
    scale: FloatArray
    weight: FloatArray
    bias: FloatArray

    def logits(self, table: Mapping[str, FloatArray]) -> FloatArray:
        """(N, C) class scores of N rows; TableError when a feature is missing."""
        values = (design(table, self.features) - self.mean) / self.scale
        # A feature that can't be measured (a kurtosis of one voxel) stands at the training mean: it says nothing.
        values = np.where(np.isfinite(values), values, 0.0)
        return np.asarray(values @ self.weight.T + self.bias, dtype=np.float64)

    def prob(self, table: Mapping[str, FloatArray]) -> FloatArray:
        """(N, C) probabilities, rows summing to 1."""
        return softmax(self.logits(table))

    def arrays(self) -> dict[str, FloatArray]:
        """What is stored; the names of the features go into the bundle's card."""
        return {"mean": self.mean, "scale": self.scale, "weight": self.weight, "bias": self.bias}


def design(table: Mapping[str, FloatArray], features: tuple[str, ...]) -> FloatArray:
    """(N, F) float64 values of the named features, logarithms taken; not yet standardised."""
    columns = []
    for feature in features:
        name = feature.removeprefix(LOG)
        if name not in table:
            raise TableError(f"no measured feature '{name}'.{nearest(name, table)} Known: {', '.join(sorted(table))}.")
        values = np.asarray(table[name], dtype=np.float64)
        if feature.startswith(LOG):
            with np.errstate(divide="ignore", invalid="ignore"):
                values = np.log(values)
        columns.append(values)
    return np.stack(columns, axis=1)


def softmax(logits: FloatArray) -> FloatArray:
    """(N, C) scores to probabilities along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def log_odds(prob: FloatArray) -> FloatArray:
    """(N, C) probabilities to (N, C - 1) log ratios to the first class; what a mixer of models is fed."""
    safe = np.clip(prob, 1e-6, 1.0)
    return np.asarray(np.log(safe[:, 1:] / safe[:, :1]))
