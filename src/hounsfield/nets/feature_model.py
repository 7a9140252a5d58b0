"""Logistic model of measured features: a table of lesion features in, class probabilities out. Plain numbers, no torch.

It is the trivial arm of a study (volume alone), the first-order one, and the mixer of a network with features; it is
stored as arrays like any network, so that nothing that is loaded can run code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hounsfield.core.errors import TableError
from hounsfield.core.registry import nearest
from hounsfield.core.types import FloatArray

# Before a feature's name: how its value enters. 'log volume_mm3' is the natural logarithm of volume_mm3.
TRANSFORMS: dict[str, Callable[[FloatArray], FloatArray]] = {"log ": np.log, "log1p ": np.log1p, "sqrt ": np.sqrt}


@dataclass(frozen=True)
class FeatureModel:
    """Standardised features times weights.

    Args:
        features: (F) names, with a transform before them where it helps; see `TRANSFORMS`.
        low, high: (F,) range of the (transformed) features in the training part, its extreme hundredths cut off; what
            lies beyond enters as the end of the range, so that no outlier is extrapolated from.
        mean, scale: (F,) after that; the mean also stands in for a missing value.
        weight: (C, F); bias: (C,); class scores whose softmax is the probability.
    """

    features: tuple[str, ...]
    low: FloatArray
    high: FloatArray
    mean: FloatArray
    scale: FloatArray
    weight: FloatArray
    bias: FloatArray

    def logits(self, table: Mapping[str, FloatArray]) -> FloatArray:
        """(N, C) class scores of N rows; TableError when a feature is missing."""
        values = design(table, self.features)
        known = np.isfinite(values)
        values = (np.clip(values, self.low, self.high) - self.mean) / self.scale
        # A feature that can't be measured (a kurtosis of one voxel, a logarithm of 0) stands at the training mean, as
        # in training: it says nothing.
        values = np.where(known, values, 0.0)
        return np.asarray(values @ self.weight.T + self.bias, dtype=np.float64)

    def prob(self, table: Mapping[str, FloatArray]) -> FloatArray:
        """(N, C) probabilities, rows summing to 1."""
        return softmax(self.logits(table))

    def arrays(self) -> dict[str, FloatArray]:
        """What is stored; the names of the features go into the bundle's card."""
        return {name: getattr(self, name) for name in ("low", "high", "mean", "scale", "weight", "bias")}


def design(table: Mapping[str, FloatArray], features: tuple[str, ...]) -> FloatArray:
    """(N, F) float64 values of the named features, transformed; not yet standardised."""
    columns = []
    for feature in features:
        prefix = next((text for text in TRANSFORMS if feature.startswith(text)), "")
        name = feature.removeprefix(prefix)
        if name not in table:
            raise TableError(f"no measured feature '{name}'.{nearest(name, table)} Known: {', '.join(sorted(table))}.")
        values: FloatArray = np.asarray(table[name], dtype=np.float64)
        if prefix:
            with np.errstate(divide="ignore", invalid="ignore"):
                values = TRANSFORMS[prefix](values)
        columns.append(values)
    return np.stack(columns, axis=1)


def names_of(features: Sequence[str]) -> set[str]:
    """The measured features behind names with a transform: {'volume_mm3'} for ['log volume_mm3']."""
    return {feature.split()[-1] for feature in features}


def softmax(logits: FloatArray) -> FloatArray:
    """(N, C) scores to probabilities along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def log_odds(prob: FloatArray) -> FloatArray:
    """(N, C) probabilities to (N, C - 1) log ratios to the first class; what a mixer of models is fed."""
    safe = np.clip(prob, 1e-6, 1.0)
    return np.asarray(np.log(safe[:, 1:] / safe[:, :1]))
