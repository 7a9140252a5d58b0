"""Batches that hold both classes. In: labels, a batch size and a generator; out: the indices of each batch of an epoch.

For losses over pairs of a positive and a negative case, which learn nothing from a batch of one class.
"""

from __future__ import annotations

import math
from collections import Counter

import torch

from hounsfield.core.errors import RunError


def two_class_batches(
    label: torch.Tensor, batch_size: int, generator: torch.Generator, *, share: float = 0.5
) -> list[torch.Tensor]:
    """Indices in batches of `batch_size`, each with the same number of positive cases.

    An epoch uses every case at least once. The class that needs fewer batches starts anew, in another order, as often
    as it takes, so two cases of one class are drawn equally often or once more; at the turn a batch can hold one twice.

    Args:
        label: (N,) class indices; the last class, 1, is the positive one.
        generator: on the CPU.
        share: of positive cases in a batch, rounded to whole cases, at least one of each class.
    Raises: RunError for other labels than 0 and 1, a class without a case, a batch of one, or a share outside (0, 1).
    """
    if batch_size < 2 or not 0 < share < 1:
        raise RunError(
            f"a batch of two classes has at least 2 cases and a share of positive ones between 0 and 1; "
            f"got {batch_size} and {share}."
        )
    label = label.cpu()
    positive, negative = ((label == value).nonzero()[:, 0] for value in (1, 0))
    if len(positive) + len(negative) < len(label) or not len(positive) or not len(negative):
        counts = dict(sorted(Counter(label.tolist()).items()))
        raise RunError(
            f"the two-class sampler needs cases of class 0 and of class 1 and no others; cases by class: {counts}."
        )
    first = min(max(round(batch_size * share), 1), batch_size - 1)
    second = batch_size - first
    batches = max(math.ceil(len(positive) / first), math.ceil(len(negative) / second))
    columns = (
        _rounds(positive, batches * first, generator).view(batches, first),
        _rounds(negative, batches * second, generator).view(batches, second),
    )
    return list(torch.cat(columns, dim=1))


def _rounds(cases: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """The first `count` of as many shuffled rounds of `cases` as it takes."""
    rounds = math.ceil(count / len(cases))
    return torch.cat([cases[torch.randperm(len(cases), generator=generator)] for _ in range(rounds)])[:count]
