"""The image planes of one series as arrays. In: rows of the catalog's table `planes`. Out: `Planes`, in an order that
does not depend on that of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hounsfield.core.types import AnyArray, BoolArray, FloatArray, IntArray

# Columns that may tell apart planes at one position; empty cells are None or NaN.
SIGNS = (
    "stack",
    "image_type",
    "echo",
    "b_value",
    "temporal",
    "trigger_time",
    "acquisition_time",
    "content_time",
    "acquisition",
)
_RIGHT_ANGLE = 1e-3  # cosines are written with few decimals; beyond this they are no unit vectors at right angles


@dataclass(frozen=True)
class Planes:
    """N planes of one series in order of instance number, SOP instance UID and frame; each is there once.

    Attributes:
        rows, columns: (N,) size of the stored image, of the whole mosaic where `tiles` is above 0; 0 where unknown.
        tiles: (N,) slices in a mosaic, 0 for an ordinary plane.
        position: (N, 3) LPS mm of the centre of the first pixel, NaN where the header is silent.
        orientation: (N, 6) direction cosines of a row, then of a column, NaN where the header is silent.
        pixel_mm: (N, 2) distance of rows, distance of columns, NaN where the header is silent.
        other: the columns `SIGNS`, (N,) each, and whatever else the caller wants back (`sop_uid`, `frame`).
    """

    rows: IntArray
    columns: IntArray
    tiles: IntArray
    position: FloatArray
    orientation: FloatArray
    pixel_mm: FloatArray
    other: Mapping[str, AnyArray]

    def __len__(self) -> int:
        return len(self.rows)

    def placed(self) -> BoolArray:
        """(N,) whether the position is there and the orientation is a pair of unit vectors at right angles."""
        cosines = self.orientation
        along, down = cosines[:, :3], cosines[:, 3:]
        with np.errstate(invalid="ignore", over="ignore"):
            off = np.abs((along * along).sum(1) - 1) + np.abs((down * down).sum(1) - 1) + np.abs((along * down).sum(1))
            valid: BoolArray = (off <= 3 * _RIGHT_ANGLE) & np.isfinite(self.position).all(1)  # NaN compares as False
        return valid


def planes_of(frame: pd.DataFrame) -> Planes:
    """The planes of one series from rows of the table `planes`, in any order.

    Args:
        frame: columns of the table; `position`, `orientation` and `pixel_mm` hold sequences, or None. A row that comes
            twice (same `sop_uid` and `frame`) is dropped.
    """
    ordered = frame.sort_values(["instance_number", "sop_uid", "frame"], kind="stable", na_position="last")
    ordered = ordered.drop_duplicates(["sop_uid", "frame"])
    rows, columns, tiles = (
        pd.to_numeric(ordered[name]).fillna(0).to_numpy(dtype=np.int64) for name in ("rows", "columns", "tiles")
    )
    vectors = {
        name: _vectors(ordered[name], size) for name, size in (("position", 3), ("orientation", 6), ("pixel_mm", 2))
    }
    other = {name: ordered[name].to_numpy() for name in (*SIGNS, "sop_uid", "frame")}
    return Planes(rows, columns, tiles, other=other, **vectors)


def _vectors(cells: pd.Series, size: int) -> FloatArray:
    """(N, size); a cell that is empty or of another length gives NaN."""
    out = np.full((len(cells), size), np.nan)
    for row, cell in enumerate(cells):
        if isinstance(cell, (list, tuple, np.ndarray)) and len(cell) == size:
            out[row] = [np.nan if value is None else float(value) for value in cell]
    return out
