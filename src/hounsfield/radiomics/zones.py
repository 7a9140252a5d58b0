"""Zones: connected voxels of one grey level. In: a lattice; out: the zone that each voxel belongs to.

Two voxels are connected when they are neighbours (26 in 3-D, 8 by slice) of one level, so the zones of all levels are
the components of a single graph. It is taken apart block by block of voxels, and the blocks' components are joined
along the edges between them, so that memory does not grow with the lesion's edges. (ITK's connected components of equal
values do the same, but overflow the stack on an organ.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from hounsfield.core.types import IntArray
from hounsfield.radiomics.lattice import Lattice


@dataclass(frozen=True, eq=False)
class Zones:
    """The zones of a lattice.

    Attributes:
        of_voxel: (V,) number of each voxel's zone, from 0 on.
        owner, level, size: (Z,) region, grey level and number of voxels of each zone.
    """

    of_voxel: IntArray
    owner: IntArray
    level: IntArray
    size: IntArray


def zones_of(lattice: Lattice) -> Zones:
    """All zones of a lattice."""
    of_voxel = _labels(lattice)
    size = np.bincount(of_voxel)
    first = np.empty(len(size), dtype=np.int64)
    first[of_voxel[::-1]] = np.arange(len(of_voxel) - 1, -1, -1)  # the last written is the zone's first voxel
    at = lattice.index[first]
    return Zones(of_voxel, lattice.owner_of(at), lattice.flat[at].astype(np.int64), size)


def _labels(lattice: Lattice) -> IntArray:
    """(V,) number of the zone of each voxel."""
    number = np.zeros(lattice.flat.size, dtype=np.int32)  # of the voxel at a flat index
    number[lattice.index] = np.arange(len(lattice.index), dtype=np.int32)
    label = np.empty(len(lattice.index), dtype=np.int32)
    low = count = 0
    crossing = []
    for block in lattice.blocks():
        high = low + len(block)
        one, other = _edges(lattice, block, number)
        inner = other < high
        found, local = _components(one[inner] - low, other[inner] - low, len(block))
        label[low:high] = local + count
        crossing.append((one[~inner], other[~inner]))
        low, count = high, count + found
    if not any(len(one) for one, _ in crossing):
        return label
    pairs = [np.unique(np.stack([label[one], label[other]]), axis=1) for one, other in crossing]
    one, other = np.concatenate(pairs, axis=1)
    _, joined = _components(one, other, count)
    return np.asarray(joined[label])


def _edges(lattice: Lattice, block: IntArray, number: IntArray) -> tuple[IntArray, IntArray]:
    """Numbers of the voxels of `block` and of their neighbours of the same level, each pair once."""
    level = lattice.flat[block]
    one, other = [], []
    for step in lattice.directions():
        alike = np.flatnonzero(lattice.flat[block + step] == level)
        one.append(number[block[alike]])
        other.append(number[block[alike] + step])
    return np.concatenate(one), np.concatenate(other)


def _components(one: IntArray, other: IntArray, nodes: int) -> tuple[int, IntArray]:
    graph = csr_array((np.ones(len(one), dtype=np.int8), (one, other)), shape=(nodes, nodes))
    found, label = connected_components(graph, directed=False)
    return int(found), label
