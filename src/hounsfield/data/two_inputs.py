"""Cases with two cubes, the lesion's and the lungs', as one object: tensors in, tensors out, as `data.batches`."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hounsfield.core.errors import RunError
from hounsfield.data.batches import Tensors


@dataclass(frozen=True)
class TwoInputs(Tensors):
    """N cases, or one batch of them.

    Attributes:
        lungs: (N, 1, z, y, x) scaled to [-1, 1], -1 (air) outside the lungs, on a grid of its own; float16 or float32.
    """

    lungs: torch.Tensor | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lungs is None or self.lungs.ndim != 5:
            shape = "none" if self.lungs is None else f"{tuple(self.lungs.shape)}"
            raise RunError(f"a case with two inputs has its lungs as (N, 1, z, y, x); got {shape}.")
