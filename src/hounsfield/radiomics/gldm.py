"""Neighbouring grey level dependence matrix (IBSI 3.11, REK0; PyRadiomics calls it GLDM). In: a lattice; out: its 17
features.

Cell (i, j) counts voxels of grey level i with j - 1 neighbours (distance 1: 26, by slice 8) of the same level, that is,
with coarseness 0: the voxel itself counts, so j is 1 at least. Every voxel is counted once, so the dependence count
percentage is 1 whatever the lesion; the manual lists it all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hounsfield.core.types import IntArray
from hounsfield.radiomics.emphasis import emphasis
from hounsfield.radiomics.lattice import Lattice
from hounsfield.radiomics.matrices import Cells, cells_of, mean_of

NAMES = {
    "small": "low_dependence_emphasis",  # 3.11.1
    "large": "high_dependence_emphasis",
    "low": "low_grey_level_count_emphasis",
    "high": "high_grey_level_count_emphasis",
    "small_low": "low_dependence_low_grey_level_emphasis",
    "small_high": "low_dependence_high_grey_level_emphasis",
    "large_low": "high_dependence_low_grey_level_emphasis",
    "large_high": "high_dependence_high_grey_level_emphasis",
    "level_non_uniformity": "grey_level_non_uniformity",
    "normalised_level_non_uniformity": "normalised_grey_level_non_uniformity",
    "size_non_uniformity": "dependence_count_non_uniformity",
    "normalised_size_non_uniformity": "normalised_dependence_count_non_uniformity",
    "percentage": "dependence_count_percentage",
    "level_variance": "grey_level_variance",
    "size_variance": "dependence_count_variance",
    "entropy": "dependence_count_entropy",
    "energy": "dependence_count_energy",  # 3.11.17
}


def features(lattice: Lattice) -> dict[str, float]:
    """The family's features by name."""
    found = emphasis(cells(lattice), lattice.voxels())
    return mean_of({name: found[key] for key, name in NAMES.items()})


def cells(lattice: Lattice) -> Cells:
    """The matrices, in counts of voxels."""
    rows, columns = lattice.level_count + 1, len(lattice.neighbours()) + 2

    def codes() -> Iterator[IntArray]:
        for block in lattice.blocks():
            level = lattice.flat[block]
            alike = np.ones(len(block), dtype=np.int64)
            for step in lattice.neighbours():
                alike += lattice.flat[block + step] == level
            yield (lattice.owner_of(block) * rows + level.astype(np.int64)) * columns + alike

    return cells_of(codes(), owners=lattice.owners, rows=rows, columns=columns)
