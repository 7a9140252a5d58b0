"""A trained network applied to cubes: class probabilities, ratings and soft masks out, in batches, without gradient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from hounsfield.nets.dilated_unet import DilatedUnet, foreground
from hounsfield.nets.masking import Fill, apply_mask

FLIPS: tuple[tuple[int, ...], ...] = (
    (),
    (2,),
    (3,),
    (4,),
    (2, 3),
    (2, 4),
    (3, 4),
    (2, 3, 4),
)  # axes of (B, 1, z, y, x)


@dataclass(frozen=True)
class Applied:
    """What a network says of N cubes.

    Attributes:
        prob: (N, C) class probabilities; None for a segmenter.
        ratings: (N, A) auxiliary outputs; None when the network has none.
        mask: (N, z, y, x) foreground probability; None for a classifier.
    """

    prob: torch.Tensor | None
    ratings: torch.Tensor | None
    mask: torch.Tensor | None


def apply(
    network: nn.Module,
    image: torch.Tensor,
    mask: torch.Tensor | None = None,
    *,
    classes: int = 2,
    fill: Fill = "zero",
    flips: bool = False,
    batch_size: int = 32,
) -> Applied:
    """Applies a network of this package in evaluation mode; its mode is put back afterwards.

    Args:
        network: classifier, segmenter, cascade or multi-task network; runs on the device its weights are on.
        image: (N, 1, z, y, x) scaled to [-1, 1]; may lie on another device, N may be 0.
        mask: (N, 1, z, y, x) laid over the image first, for a classifier trained on masked cubes; None otherwise.
        classes: number of class logits; what the network gives beyond them are ratings.
        fill: how `mask` is laid over.
        flips: mean over the eight mirror images (of probabilities, ratings, and masks flipped back).
    Returns: float32 tensors on the CPU, in the order of `image`.
    """
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    parts = []
    try:
        with torch.inference_mode():
            for start in range(0, max(len(image), 1), batch_size):
                cubes = image[start : start + batch_size].to(device, torch.float32)
                if mask is not None:
                    laid = mask[start : start + batch_size].to(device, torch.float32)
                    cubes = apply_mask(cubes, laid, fill=fill)
                parts.append(_mean(list(_views(network, cubes, classes, FLIPS if flips else FLIPS[:1]))))
    finally:
        network.train(was_training)
    return Applied(*(_join(column) for column in zip(*parts, strict=True)))


Views = tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]


def _views(
    network: nn.Module, cubes: torch.Tensor, classes: int, flips: tuple[tuple[int, ...], ...]
) -> Iterator[Views]:
    for axes in flips:
        output = network(cubes.flip(axes) if axes else cubes)
        if isinstance(network, DilatedUnet):
            scores, mask_logits = None, output
        else:
            scores, mask_logits = output if isinstance(output, tuple) else (output, None)
        prob = None if scores is None else torch.softmax(scores[:, :classes].float(), dim=1)
        ratings = None if scores is None or scores.shape[1] == classes else scores[:, classes:].float()
        soft = None if mask_logits is None else foreground(mask_logits.float()).flip(axes)[:, 0]
        yield prob, ratings, soft


def _mean(views: list[Views]) -> Views:
    prob, ratings, soft = (
        None if column[0] is None else torch.stack([part for part in column if part is not None]).mean(0).cpu()
        for column in zip(*views, strict=True)
    )
    return prob, ratings, soft


def _join(column: tuple[torch.Tensor | None, ...]) -> torch.Tensor | None:
    known = [part for part in column if part is not None]
    # Cloned out of inference mode: such tensors could not enter a later training as input.
    return torch.cat(known).clone() if known else None
