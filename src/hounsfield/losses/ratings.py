"""Auxiliary loss: mean squared error on readers' ratings, of which some may be missing."""

from __future__ import annotations

import torch


def rating_error(ratings: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
    """Mean squared error over the ratings that are known.

    Args:
        ratings: (B, A) scaled to [0, 1]; NaN where no reader rated.
        predicted: (B, A).
    Returns: scalar; 0 when none is known.
    """
    known = ~torch.isnan(ratings)
    # The NaN is replaced before the subtraction: 0 * NaN in the gradient would be NaN.
    error = (torch.where(known, ratings, 0.0) - predicted.float()).square() * known
    return error.sum() / known.sum().clamp(min=1)
