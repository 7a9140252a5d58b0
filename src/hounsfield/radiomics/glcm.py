"""Grey level co-occurrence matrix (IBSI 3.6, LFYI). In: a lattice; out: 24 features of PyRadiomics' class and two twins
that IBSI lists.

Cell (i, j) counts pairs of neighbouring voxels (distance 1) of grey levels i and j, each pair both ways, so the matrix
is symmetric. p is the matrix divided by its sum, Ng the number of grey levels. IBSI 3.6.1 to 3.6.3 put the matrices of
the 13 (by slice 4) directions and of the slices together in six ways, which `RadiomicsConfig.aggregation` names:

  3d_merged      one matrix of all directions                     3d_averaged    mean over 13 directions
  2d_merged      directions together, mean over slices            2d_averaged    mean over slices and directions
  2.5d_merged    all slices and directions together               2.5d_averaged  slices together, mean over directions

Not of IBSI: the maximal correlation coefficient (Haralick, Proc IEEE 1979;67:786). By p's symmetry it is the second
largest absolute eigenvalue of p(i, j) / sqrt(p(i) p(j)).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import coo_array

from hounsfield.core.types import FloatArray, IntArray
from hounsfield.radiomics.lattice import Lattice
from hounsfield.radiomics.matrices import Cells, cells_of, entropy, mean_of, nothing_as_nan

ABSENT = "no two of the lesion's voxels are neighbours"
REASONS = dict.fromkeys(
    ("correlation", "information_correlation_1", "maximal_correlation_coefficient"),
    "all neighbouring voxels are of one grey level, which makes this 0/0",
)
_DENSE_LEVELS = 400  # a full eigenvalue problem of more levels takes longer than everything else together


def features(lattice: Lattice) -> dict[str, float]:
    """The family's features by name; NaN where one is not defined."""
    return mean_of(of_cells(cells(lattice), lattice.level_count))


def cells(lattice: Lattice) -> Cells:
    """The symmetric matrices, in counts."""
    directions = lattice.directions()
    merged = lattice.aggregation.endswith("merged")
    each = 1 if merged else len(directions)
    owners, side = lattice.owners * each, int(lattice.level_count) + 1

    def codes() -> Iterator[IntArray]:
        for block in lattice.blocks():
            one = lattice.flat[block].astype(np.int64)
            owner = lattice.owner_of(block) * each
            for number, step in enumerate(directions):
                other = lattice.flat[block + step].astype(np.int64)
                pair = other > 0
                a, b = one[pair], other[pair]
                low, high = np.minimum(a, b), np.maximum(a, b)
                yield ((owner[pair] + (0 if merged else number)) * side + low) * side + high

    half = cells_of(codes(), owners=owners, rows=side, columns=side)
    apart = half.i != half.j  # both ways: (i, j) and (j, i); on the diagonal twice
    return Cells(
        np.concatenate([half.owner, half.owner[apart]]),
        np.concatenate([half.i, half.j[apart]]),
        np.concatenate([half.j, half.i[apart]]),
        np.concatenate([half.count * np.where(apart, 1.0, 2.0), half.count[apart]]),
        owners,
    )


def of_cells(counts: Cells, level_count: int) -> dict[str, FloatArray]:
    """(M,) of each feature for M symmetric matrices."""
    p = counts.shares()
    side = level_count + 1
    apart, together = np.abs(p.i - p.j), p.i + p.j
    margin = p.along(p.i, side)  # p_i.
    difference, total = p.along(apart, side), p.along(together, 2 * side)  # p_{i-j}, p_{i+j}
    k, s = np.arange(side), np.arange(2 * side)
    mean = p.total(p.i)
    variance = p.total((p.i - mean[p.owner]) ** 2)
    joint_entropy = entropy(p)
    largest = np.zeros(p.owners)
    np.maximum.at(largest, p.owner, p.count)
    off = together - 2 * mean[p.owner]  # i + j - 2 mu
    apart_mean, sum_mean = difference @ k, total @ s
    table = {
        "joint_maximum": largest,  # 3.6.1
        "joint_average": mean,
        "joint_variance": variance,
        "joint_entropy": joint_entropy,
        "difference_average": apart_mean,  # 3.6.5
        "difference_variance": ((k - apart_mean[:, None]) ** 2 * difference).sum(axis=1),
        "difference_entropy": _bits(difference),
        "sum_average": sum_mean,  # 3.6.8
        "sum_variance": ((s - sum_mean[:, None]) ** 2 * total).sum(axis=1),
        "sum_entropy": _bits(total),
        "angular_second_moment": p.total(p.count),
        "contrast": difference @ k**2,
        "dissimilarity": apart_mean,  # the same as the difference average
        "inverse_difference": difference @ (1 / (1 + k)),
        "normalised_inverse_difference": difference @ (1 / (1 + k / level_count)),
        "inverse_difference_moment": difference @ (1 / (1 + k**2)),
        "normalised_inverse_difference_moment": difference @ (1 / (1 + (k / level_count) ** 2)),
        "inverse_variance": difference[:, 1:] @ (1 / k[1:] ** 2),
        "autocorrelation": p.total(p.i * p.j),
        "cluster_tendency": p.total(off**2),  # equals the sum variance
        "cluster_shade": p.total(off**3),
        "cluster_prominence": p.total(off**4),
    }
    table |= _correlations(p, margin, mean=mean, variance=variance, joint_entropy=joint_entropy)
    return {name: nothing_as_nan(p, values) for name, values in table.items()}


def _correlations(
    p: Cells, margin: FloatArray, *, mean: FloatArray, variance: FloatArray, joint_entropy: FloatArray
) -> dict[str, FloatArray]:
    """3.6.19, 3.6.24, 3.6.25 and the maximal correlation coefficient; NaN when all is of one grey level."""
    one = _bits(margin)  # HX; by symmetry HXY1 = HXY2 = 2 HX
    with np.errstate(invalid="ignore", divide="ignore"):
        several = (margin > 0).sum(axis=1) > 1
        correlation = np.where(several, (p.total(p.i * p.j) - mean**2) / variance, np.nan)
        first = np.where(several, (joint_entropy - 2 * one) / one, np.nan)
        second = np.sqrt(np.maximum(1 - np.exp(-2 * (2 * one - joint_entropy)), 0))
    return {
        "correlation": correlation,
        "information_correlation_1": first,
        "information_correlation_2": second,
        "maximal_correlation_coefficient": np.array([_maximal(p, owner, margin[owner]) for owner in range(p.owners)]),
    }


def _maximal(p: Cells, owner: int, margin: FloatArray) -> float:
    present = np.flatnonzero(margin)
    if len(present) < 2:
        return float("nan")
    rank = np.zeros(len(margin), dtype=np.intp)
    rank[present] = np.arange(len(present))
    mine = p.owner == owner
    i, j = p.i[mine], p.j[mine]
    shape = (len(present), len(present))
    scaled = coo_array((p.count[mine] / np.sqrt(margin[i] * margin[j]), (rank[i], rank[j])), shape=shape)
    if len(present) <= _DENSE_LEVELS:
        values = np.linalg.eigvalsh(scaled.toarray())
    else:
        from scipy.sparse.linalg import eigsh  # a quarter of a second to load, and hardly ever needed

        start = np.sqrt(margin[present]) + 1e-3  # a fixed start: the same bytes every time
        values = eigsh(scaled.tocsr(), k=3, which="LM", v0=start, return_eigenvectors=False)
    return float(np.sort(np.abs(values))[-2])


def _bits(shares: FloatArray) -> FloatArray:
    """(M,) entropy of each row."""
    return np.asarray(-(shares * np.log2(np.where(shares > 0, shares, 1.0))).sum(axis=1))
