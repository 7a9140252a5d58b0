"""What lung segmentation gives back. In: labels on a volume's grid; out: the labels with volumes in ml and remarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hounsfield.core.errors import ImageError
from hounsfield.core.types import AnyArray
from hounsfield.volume.volume import Volume

RIGHT, LEFT = 1, 2
NAMES = {RIGHT: "right", LEFT: "left"}


class NoLungs(ImageError):
    """An image in which no lungs are found: no CT in HU, another part of the body, or no air in the chest."""


@dataclass(frozen=True, eq=False)
class Lungs:
    """Lungs of one volume.

    Attributes:
        labels: (z, y, x) uint8 on the volume's grid: 0 elsewhere, 1 in the patient's right lung, 2 in the left one.
        right_ml, left_ml: their volumes, vessels and filled dents included.
        remarks: what a reader of these numbers must know, in sentences.
    """

    labels: AnyArray
    right_ml: float
    left_ml: float
    remarks: tuple[str, ...] = ()

    @property
    def total_ml(self) -> float:
        """Volume of both lungs."""
        return self.right_ml + self.left_ml


def measured(labels: AnyArray, volume: Volume, remarks: tuple[str, ...]) -> Lungs:
    """Lungs with their volumes, from labels on the grid of `volume`."""
    count = np.bincount(labels.ravel(), minlength=3)
    right, left = (float(count[side] * volume.voxel_mm3 / 1000) for side in (RIGHT, LEFT))
    return Lungs(labels, right, left, remarks)
