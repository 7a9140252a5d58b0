"""Which series have a geometry unlike the others of their modality. In: sizes of series; out: the odd ones, how odd.

Sizes are compared as logarithms: 10 mm among slices of 5 mm is as odd as 2.5 mm.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from hounsfield.core.types import FloatArray

MEASURES = ("spacing_mm", "slices", "row_mm", "column_mm")
THRESHOLD = 3.5
_FEWEST = 8  # below, a median and a spread say nothing about who is odd


def robust_z(values: FloatArray) -> FloatArray:
    """Modified z score of the logarithm of each value.

    The spread is the median absolute deviation; when more than half of the values are equal it is 0, and the mean
    absolute deviation takes its place.

    Args:
        values: (N,) sizes; those not above 0 or not finite get nan.
    Returns: (N,) scores; all nan below 8 values, all 0 when they are equal.
    Source: Iglewicz and Hoaglin, How to Detect and Handle Outliers, ASQC 1993, section 3.
    """
    score = np.full(len(values), np.nan)
    known = np.isfinite(values) & (values > 0)
    if known.sum() < _FEWEST:
        return score
    logs = np.log(values[known])
    away = logs - np.median(logs)
    spread = np.median(np.abs(away)) / 0.6745
    if spread < 1e-12:
        spread = 1.253314 * np.mean(np.abs(away))
    score[known] = away / spread if spread >= 1e-12 else 0.0
    return score


def outliers(series: pd.DataFrame, *, threshold: float = THRESHOLD) -> pd.DataFrame:
    """Sizes that are odd among those of the same modality.

    Args:
        series: series_uid, modality and the columns of `MEASURES`.
    Returns: series_uid, modality, measure, value, usual (the median), z; the oddest first.
    """
    found = []
    for modality, rows in series.groupby("modality", sort=True):
        for measure in MEASURES:
            values = rows[measure].to_numpy(dtype=np.float64, na_value=np.nan)
            score = robust_z(values)
            odd = np.abs(score) > threshold
            if odd.any():
                usual = float(np.median(values[np.isfinite(score)]))
                one = {"series_uid": rows["series_uid"].to_numpy()[odd], "modality": modality, "measure": measure}
                found.append(pd.DataFrame({**one, "value": values[odd], "usual": usual, "z": score[odd]}))
    columns = ["series_uid", "modality", "measure", "value", "usual", "z"]
    if not found:
        return pd.DataFrame(columns=columns)
    table = pd.concat(found, ignore_index=True)
    table["size"] = table["z"].abs()
    return table.sort_values(["size", "series_uid", "measure"], ascending=[False, True, True])[columns].reset_index(
        drop=True
    )
