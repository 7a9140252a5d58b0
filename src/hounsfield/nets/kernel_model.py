"""Support vector machine of measured features: a table in, probabilities of two classes out. Only arrays are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from hounsfield.core.types import FloatArray
from hounsfield.nets.feature_model import design


@dataclass(frozen=True)
class KernelModel:
    """A radial basis function around each support vector; the sum, calibrated by a logistic curve.

    Args:
        features: (F) names, with a transform before them where it helps.
        low, high, mean, scale: (F,) of the training part, as in `FeatureModel`.
        support: (S, F) standardised support vectors; dual: (S,) their weights; intercept: (1,).
        gamma: (1,) of exp(-gamma |a - b|^2); slope, offset: (1,) of the logistic curve (Platt's scaling).
    """

    features: tuple[str, ...]
    low: FloatArray
    high: FloatArray
    mean: FloatArray
    scale: FloatArray
    support: FloatArray
    dual: FloatArray
    intercept: FloatArray
    gamma: FloatArray
    slope: FloatArray
    offset: FloatArray

    def decision(self, table: Mapping[str, FloatArray]) -> FloatArray:
        """(N,) signed distances, above 0 for the second class."""
        values = design(table, self.features)
        values = np.where(
            np.isfinite(values), (np.clip(values, self.low, self.high) - self.mean) / self.scale, 0.0
        )  # a missing value stands at the mean
        apart = ((values[:, None, :] - self.support[None]) ** 2).sum(axis=2)
        return np.asarray(np.exp(-self.gamma * apart) @ self.dual + self.intercept)

    def prob(self, table: Mapping[str, FloatArray]) -> FloatArray:
        """(N, 2) probabilities; TableError when a feature is missing."""
        positive = expit(self.slope * self.decision(table) + self.offset)
        return np.stack([1 - positive, positive], axis=1)

    def arrays(self) -> dict[str, FloatArray]:
        """What is stored; the names of the features go into the bundle's card."""
        names = ("low", "high", "mean", "scale", "support", "dual", "intercept", "gamma", "slope", "offset")
        return {name: getattr(self, name) for name in names}
