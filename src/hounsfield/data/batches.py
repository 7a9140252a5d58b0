"""Cubes held in memory and dealt out in shuffled batches: tensors in, tensors out, no worker processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from hounsfield.core.content import sha256_of
from hounsfield.core.errors import RunError


@dataclass(frozen=True)
class Tensors:
    """N cases, or one batch of them.

    Attributes:
        image: (N, 1, z, y, x) float32 scaled to [-1, 1].
        mask: (N, 1, z, y, x) in [0, 1], binary (any type) or soft; None where nothing needs it.
        label: (N,) int64 class indices; None for a segmenter.
        ratings: (N, A) float32 in [0, 1], NaN where unknown; None without auxiliary targets.
    """

    image: torch.Tensor
    mask: torch.Tensor | None = None
    label: torch.Tensor | None = None
    ratings: torch.Tensor | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and len(value) != len(self.image):
                raise RunError(
                    f"{field.name} holds {len(value)} cases, image {len(self.image)}; give one for each cube."
                )
        if self.image.ndim != 5 or (self.mask is not None and self.mask.shape[2:] != self.image.shape[2:]):
            shape = None if self.mask is None else tuple(self.mask.shape)
            raise RunError(
                f"image and mask are (N, 1, z, y, x) on one grid; got {tuple(self.image.shape)} and {shape}."
            )

    def __len__(self) -> int:
        return len(self.image)

    def take(self, index: torch.Tensor | Sequence[int]) -> Tensors:
        """The cases of these indices, in their order."""
        chosen = torch.as_tensor(index, dtype=torch.long, device=self.image.device)
        return self._each(lambda value: value[chosen])

    def to(self, device: torch.device | str) -> Tensors:
        """The same cases on another device."""
        return self._each(lambda value: value.to(device))

    def with_mask(self, mask: torch.Tensor | None) -> Tensors:
        """The same cases with another mask."""
        return replace(self, mask=mask)

    def fingerprint(self) -> str:
        """Hex digest of the content, by which a training knows that it goes on with the same data."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        digests = {name: sha256_of(np.asarray(value.cpu())) for name, value in values.items() if value is not None}
        return sha256_of(digests)

    def _each(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Tensors:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: function(value) for name, value in values.items() if value is not None})


def shuffled(count: int, batch_size: int, generator: torch.Generator) -> list[torch.Tensor]:
    """Indices 0..count-1 in random order, in batches of `batch_size`.

    The last batch is smaller; a single case left over joins the batch before it, because batch normalisation knows no
    variance of one value.

    Raises: RunError when `count` < 2.
    """
    if count < 2:
        raise RunError(f"training needs at least 2 cases, got {count}; add cases or merge parts.")
    if batch_size < 2:
        raise RunError(f"batch_size must be at least 2 (batch normalisation), got {batch_size}.")
    batches = list(torch.split(torch.randperm(count, generator=generator), batch_size))
    if len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches
