"""Cross-entropy of class labels and logits, optionally weighted by class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional


def cross_entropy(label: torch.Tensor, logits: torch.Tensor, *, weights: Sequence[float] | None = None) -> torch.Tensor:
    """Mean over the batch of -log softmax(logits)[label].

    Args:
        label: (B,) class indices.
        logits: (B, C).
        weights: C class weights; the mean is then weighted by them. None counts every case alike, as published.
    Returns: scalar.
    """
    weight = None if weights is None else torch.tensor(weights, dtype=torch.float32, device=logits.device)
    return functional.cross_entropy(logits.float(), label, weight=weight)


def balanced_weights(label: torch.Tensor, classes: int) -> tuple[float, ...]:
    """Weights n / (C n_c) that give every class the same sum.

    Raises: ValueError when a class has no case.
    """
    counts = torch.bincount(label, minlength=classes).tolist()
    if min(counts) == 0:
        raise ValueError(
            f"balanced weights need a case of each of the {classes} classes; the counts are {counts}. "
            "Merge or drop the empty class, or use class_weights: none."
        )
    return tuple(len(label) / (classes * count) for count in counts)
