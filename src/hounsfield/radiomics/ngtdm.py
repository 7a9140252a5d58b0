"""Neighbourhood grey tone difference matrix (IBSI 3.10, IPET). In: a lattice; out: its 5 features.

For each voxel with at least one neighbour in the lesion, its grey level is held against the mean level of these
neighbours (distance 1: 26, by slice 8). n(i) is the number of such voxels of level i, s(i) the sum of their absolute
differences, p(i) = n(i) / Nvc, Ng,p the number of levels that occur.
"""

from __future__ import annotations

import numpy as np

from hounsfield.core.types import FloatArray
from hounsfield.radiomics.lattice import Lattice
from hounsfield.radiomics.matrices import mean_of

ABSENT = "no voxel of the lesion has a neighbour in it"
_FLAT = 1e6  # what the manual sets the coarseness to when nothing differs (3.10.1)


def features(lattice: Lattice) -> dict[str, float]:
    """The family's features by name."""
    n, s = tone_differences(lattice)
    rows = [_of_matrix(n[owner], s[owner]) for owner in range(lattice.owners)]
    return mean_of({name: np.array([row[name] for row in rows]) for name in rows[0]})


def tone_differences(lattice: Lattice) -> tuple[FloatArray, FloatArray]:
    """n and s, (owners, Ng + 1) each, indexed by grey level."""
    width = lattice.level_count + 1
    n, s = np.zeros(lattice.owners * width), np.zeros(lattice.owners * width)
    for block in lattice.blocks():
        level = lattice.flat[block].astype(np.int64)
        total, count = np.zeros(len(block)), np.zeros(len(block), dtype=np.int64)
        for step in lattice.neighbours():
            other = lattice.flat[block + step]
            total += other
            count += other > 0
        some = count > 0
        code = (lattice.owner_of(block) * width + level)[some]
        n += np.bincount(code, minlength=len(n))
        s += np.bincount(code, np.abs(level[some] - total[some] / count[some]), minlength=len(s))
    return n.reshape(-1, width), s.reshape(-1, width)


def _of_matrix(n: FloatArray, s: FloatArray) -> dict[str, float]:
    i = np.flatnonzero(n).astype(np.float64)
    if len(i) == 0:
        return dict.fromkeys(("coarseness", "contrast", "busyness", "complexity", "strength"), float("nan"))
    n, s = n[n > 0], s[n > 0]
    voxels = n.sum()
    p = n / voxels
    apart = np.abs(i[:, None] - i)
    both = p[:, None] + p
    weighted, total = float(p @ s), float(s.sum())
    several = len(i) > 1
    spread = float(p @ apart**2 @ p) / (len(i) * (len(i) - 1)) if several else 0.0
    busy = float(np.abs((i * p)[:, None] - i * p).sum())
    return {
        "coarseness": min(1 / weighted, _FLAT) if weighted > 0 else _FLAT,  # 3.10.1
        "contrast": spread * total / voxels,
        "busyness": weighted / busy if several and busy > 0 else 0.0,
        "complexity": float((apart * ((p * s)[:, None] + p * s) / both).sum()) / voxels,
        "strength": float((both * apart**2).sum()) / total if total > 0 else 0.0,  # 3.10.5
    }
