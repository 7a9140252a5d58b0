"""Image planes made by hand: rows of the catalog's table `planes` as a scanner would have written them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from tests.catalog.geometry.planes_of import COLUMNS

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
OBLIQUE = (1.0, 0.0, 0.0, 0.0, 0.8, 0.6)  # its normal is (0, -0.6, 0.8)


def stack(
    offsets: Sequence[float],
    *,
    orientation: Sequence[float] | None = AXIAL,
    along: Sequence[float] = (0.0, 0.0, 1.0),
    origin: Sequence[float] = (-10.0, -20.0, 30.0),
    first: int = 1,
    **columns: Any,
) -> pd.DataFrame:
    """One plane at `origin + offset * along` for each offset (mm), 4 rows of 6 columns of 0.5 x 0.25 mm.

    Args:
        first: number of the first instance, which is in its UID as well.
        columns: other values; a list gives one to each plane.
    """
    positions = np.asarray(origin) + np.outer(offsets, along)
    rows = []
    for number, position in enumerate(positions):
        row = dict.fromkeys(COLUMNS) | {"sop_uid": f"1.{first + number}", "series_uid": "1", "frame": 0, "tiles": 0}
        row |= {"position": position.tolist(), "orientation": None, "pixel_mm": [0.5, 0.25], "rows": 4, "columns": 6}
        row["instance_number"] = first + number
        if orientation is not None:
            row["orientation"] = list(orientation)
        for name, value in columns.items():
            row[name] = value[number] if isinstance(value, list) and len(value) == len(positions) else value
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def both(*stacks: pd.DataFrame) -> pd.DataFrame:
    """All planes as one series."""
    return pd.concat(stacks, ignore_index=True)
