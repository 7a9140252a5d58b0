"""Grey level run length matrix (IBSI 3.7, TP0I). In: a lattice; out: its 16 features.

Cell (i, j) counts runs: j voxels of grey level i in a row along one of 13 (by slice 4) directions, as long as they go.
Directions and slices are put together as for `glcm`. The run percentage divides by the voxels times the directions that
were put together, so that it is the same either way for runs of one voxel.

A run starts where the voxel before is not of its level; all runs are then followed at once, a step at a time, until the
last has ended.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hounsfield.core.types import IntArray
from hounsfield.radiomics.emphasis import emphasis
from hounsfield.radiomics.lattice import Lattice
from hounsfield.radiomics.matrices import Cells, cells_of, mean_of

NAMES = {
    "small": "short_run_emphasis",  # 3.7.1
    "large": "long_run_emphasis",
    "low": "low_grey_level_run_emphasis",
    "high": "high_grey_level_run_emphasis",
    "small_low": "short_run_low_grey_level_emphasis",
    "small_high": "short_run_high_grey_level_emphasis",
    "large_low": "long_run_low_grey_level_emphasis",
    "large_high": "long_run_high_grey_level_emphasis",
    "level_non_uniformity": "grey_level_non_uniformity",
    "normalised_level_non_uniformity": "normalised_grey_level_non_uniformity",
    "size_non_uniformity": "run_length_non_uniformity",
    "normalised_size_non_uniformity": "normalised_run_length_non_uniformity",
    "percentage": "run_percentage",
    "level_variance": "grey_level_variance",
    "size_variance": "run_length_variance",
    "entropy": "run_entropy",  # 3.7.16
}


def features(lattice: Lattice) -> dict[str, float]:
    """The family's features by name."""
    directions = len(lattice.directions())
    merged = lattice.aggregation.endswith("merged")
    voxels = lattice.voxels() * directions if merged else np.repeat(lattice.voxels(), directions)
    found = emphasis(cells(lattice), voxels)
    return mean_of({name: found[key] for key, name in NAMES.items()})


def cells(lattice: Lattice) -> Cells:
    """The matrices, in counts of runs."""
    directions = lattice.directions()
    merged = lattice.aggregation.endswith("merged")
    each = 1 if merged else len(directions)
    rows, columns = lattice.level_count + 1, max(lattice.shape) + 1
    owners = lattice.owners * each
    codes = (
        (owner * rows + level) * columns + length
        for block in lattice.blocks()
        for owner, level, length in _runs(lattice, block, directions, each)
    )
    return cells_of(codes, owners=owners, rows=rows, columns=columns)


def _runs(
    lattice: Lattice, block: IntArray, directions: IntArray, each: int
) -> Iterator[tuple[IntArray, IntArray, int]]:
    """Owner and level of the runs that start in `block`, with their length, shortest first."""
    flat = lattice.flat
    starts = [block[flat[block - step] != flat[block]] for step in directions]
    counts = [len(start) for start in starts]
    at = np.concatenate(starts)
    step = np.repeat(directions, counts)
    owner = lattice.owner_of(at) * each
    if each > 1:
        owner = owner + np.repeat(np.arange(each), counts)
    level = flat[at].astype(np.int64)
    length = 1
    while len(at):
        at = at + step
        goes_on = flat[at] == level
        yield owner[~goes_on], level[~goes_on], length
        at, step, owner, level = at[goes_on], step[goes_on], owner[goes_on], level[goes_on]
        length += 1
