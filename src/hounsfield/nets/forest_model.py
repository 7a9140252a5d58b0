"""Random forest of measured features: a table in, class probabilities out. Trees are arrays; nothing can run code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hounsfield.core.types import FloatArray, IntArray
from hounsfield.nets.feature_model import design


@dataclass(frozen=True)
class ForestModel:
    """The mean of many decision trees; all nodes of all trees lie one behind the other.

    Args:
        features: (F) names, with a transform before them where it helps.
        mean: (F,) of the training part, for a missing value.
        split: (M,) index of the feature that a node looks at, -1 in a leaf.
        threshold: (M,) a value up to it goes left; left, right: (M,) nodes that follow.
        value: (M, C) class shares of a leaf; roots: (T,) first node of each tree.
    """

    features: tuple[str, ...]
    mean: FloatArray
    split: IntArray
    threshold: FloatArray
    left: IntArray
    right: IntArray
    value: FloatArray
    roots: IntArray

    def prob(self, table: Mapping[str, FloatArray]) -> FloatArray:
        """(N, C) probabilities, rows summing to 1; TableError when a feature is missing."""
        values = design(table, self.features)
        # As 32-bit numbers, in which the trees were grown: a value at a threshold goes the same way.
        values = np.where(np.isfinite(values), values, self.mean).astype(np.float32)
        total = np.zeros((len(values), self.value.shape[1]))
        rows = np.arange(len(values))
        for root in self.roots:
            node = np.full(len(values), root)
            while (inner := self.split[node] >= 0).any():
                at = node[inner]
                goes_left = values[rows[inner], self.split[at]] <= self.threshold[at]
                node[inner] = np.where(goes_left, self.left[at], self.right[at])
            total += self.value[node]
        return np.asarray(total / len(self.roots))

    def arrays(self) -> dict[str, FloatArray]:
        """What is stored; the names of the features go into the bundle's card."""
        return {name: getattr(self, name) for name in ("mean", "split", "threshold", "left", "right", "value", "roots")}
