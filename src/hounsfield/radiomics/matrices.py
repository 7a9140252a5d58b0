"""Texture matrices as lists of their cells. In: codes of events (which matrix, which grey level, which second index),
counted; out: the cells that are not 0, and sums over them.

A matrix of 4096 grey levels has 17 million cells, of which a lesion fills some thousand, so only these are kept; every
feature is a weighted sum over them. Several matrices (one a slice or direction) lie in one list and are told apart by
their owner; where a direction or slice has none, its features are NaN and the mean passes over it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hounsfield.core.types import AnyArray, FloatArray, IntArray

_DENSE = 1 << 22  # codes up to here are counted in an array of that length, others by sorting


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of M matrices that are not 0.

    Attributes:
        owner: (K,) number of the matrix, below `owners`.
        i, j: (K,) indices as the manual has them, from 1 on (i is always the grey level).
        count: (K,) float64 content.
        owners: M.
    """

    owner: IntArray
    i: IntArray
    j: IntArray
    count: FloatArray
    owners: int

    def total(self, weight: AnyArray | float = 1.0) -> FloatArray:
        """(M,) sums of count times weight."""
        return np.asarray(np.bincount(self.owner, self.count * weight, self.owners))

    def along(self, index: IntArray, width: int) -> FloatArray:
        """(M, width) sums of count by a cell's `index` in 0 .. width - 1: a margin of each matrix."""
        flat = np.bincount(self.owner * width + index, self.count, self.owners * width)
        return np.asarray(flat.reshape(self.owners, width))

    def shares(self) -> Cells:
        """The same with each matrix divided by its sum; a matrix without cells stays so."""
        sums = self.total()
        return Cells(self.owner, self.i, self.j, self.count / sums[self.owner], self.owners)


def cells_of(codes: Iterable[IntArray], *, owners: int, rows: int, columns: int) -> Cells:
    """Counts codes (owner * rows + i) * columns + j, with i in 0 .. rows - 1 and j in 0 .. columns - 1."""
    space = owners * rows * columns
    if space <= _DENSE:
        dense = np.zeros(space, dtype=np.int64)
        for block in codes:
            dense += np.bincount(block, minlength=space)
        code = np.flatnonzero(dense)
        count = dense[code]
    else:
        code, count = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        for block in codes:
            new, times = np.unique(block, return_counts=True)
            code, where = np.unique(np.concatenate([code, new]), return_inverse=True)
            count = np.bincount(where, np.concatenate([count, times]), len(code)).astype(np.int64)
    owner, rest = np.divmod(code, rows * columns)
    i, j = np.divmod(rest, columns)
    return Cells(owner, i, j, count.astype(np.float64), owners)


def mean_of(table: dict[str, FloatArray]) -> dict[str, float]:
    """The mean over matrices of each feature, without matrices where it is not defined; NaN where none is left."""
    if all(len(values) == 1 for values in table.values()):
        return {name: float(values[0]) for name, values in table.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing is the NaN that is meant
        return {name: float(np.nanmean(values)) for name, values in table.items()}


def entropy(shares: Cells) -> FloatArray:
    """(M,) bits of each matrix, 0 where it has one cell; NaN where it has none."""
    return nothing_as_nan(shares, -shares.total(np.log2(shares.count)))


def nothing_as_nan(cells: Cells, values: FloatArray) -> FloatArray:
    """`values` with NaN for matrices without cells."""
    return np.where(np.bincount(cells.owner, minlength=cells.owners) > 0, values, np.nan)
