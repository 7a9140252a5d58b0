"""The lesion's voxels and their neighbours. In: grey levels (z, y, x) with 0 outside; out: flat indices, and the steps
that lead from a voxel to each of its neighbours.

The array gets a border of one voxel of 0s, so that a step never leaves it nor wraps round. Voxels are handed out in
blocks, so that an organ of many million needs no more memory than a nodule.

In 3-D a voxel has 26 neighbours and 13 directions (of two opposite steps one is kept); by slice 8 and 4. By slice every
slice has matrices of its own (its `owner`); 2.5-D puts them together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from hounsfield.core.types import AnyArray, IntArray
from hounsfield.radiomics.config import Aggregation
from hounsfield.radiomics.processing import Region

_BLOCK = 1 << 18  # voxels


@dataclass(frozen=True, eq=False)
class Lattice:
    """Grey levels as a flat array.

    Attributes:
        flat: levels of the padded array, raveled.
        index: (V,) ascending flat indices of the lesion's voxels.
        shape: of the padded array.
        level_count: Ng.
        aggregation: how matrices are put together, see `glcm`.
    """

    flat: IntArray
    index: IntArray
    shape: tuple[int, int, int]
    level_count: int
    aggregation: Aggregation

    @property
    def by_slice(self) -> bool:
        """True when neighbours are sought in a voxel's own slice only."""
        return self.aggregation.startswith("2")

    @property
    def owners(self) -> int:
        """Number of regions that have matrices of their own: slices for 2-D, else 1."""
        return self.shape[0] - 2 if self.aggregation.startswith("2d") else 1

    def owner_of(self, index: IntArray) -> IntArray:
        """The region that a voxel's matrix belongs to."""
        if self.owners == 1:
            return np.zeros(index.shape, dtype=np.int64)
        return np.asarray(index // (self.shape[1] * self.shape[2]) - 1)

    def directions(self) -> IntArray:
        """Flat steps to one of each two opposite neighbours, (13,) or by slice (4,)."""
        steps = self.neighbours()
        return np.asarray(steps[steps > 0])

    def neighbours(self) -> IntArray:
        """Flat steps to all neighbours, (26,) or by slice (8,)."""
        _, rows, columns = self.shape
        reach = (0,) if self.by_slice else (-1, 0, 1)
        steps = [(z * rows + y) * columns + x for z, y, x in product(reach, (-1, 0, 1), (-1, 0, 1))]
        return np.array([step for step in steps if step != 0])

    def blocks(self) -> Iterator[IntArray]:
        """The voxels' flat indices, some at a time."""
        for low in range(0, len(self.index), _BLOCK):
            yield self.index[low : low + _BLOCK].astype(np.int64)

    def voxels(self) -> AnyArray:
        """(owners,) voxels of each region."""
        counts = np.zeros(self.owners, dtype=np.int64)
        for block in self.blocks():
            counts += np.bincount(self.owner_of(block), minlength=self.owners)
        return counts


def lattice_of(region: Region, aggregation: Aggregation) -> Lattice:
    """The lattice of a region's grey levels."""
    padded = np.pad(region.levels.astype(np.int16), 1)
    z, y, x = padded.shape
    flat = padded.ravel()
    return Lattice(flat, np.flatnonzero(flat), (z, y, x), region.level_count, aggregation)
