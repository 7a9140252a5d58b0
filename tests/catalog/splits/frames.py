"""Frames of made-up cases for the tests of splits, drawn from a seed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd


def cohort(
    patients: Mapping[str, int], *, cases: tuple[int, ...] = (1,), sites: tuple[str, ...] = (), seed: int = 0
) -> pd.DataFrame:
    """Patients of one class each with a number of cases drawn from `cases`, at one site each; rows in any order."""
    rng = np.random.default_rng(seed)
    rows = []
    for label, count in patients.items():
        for patient in range(count):
            site = str(rng.choice(sites)) if sites else "only"
            name = f"{label}{patient}"
            rows += [(f"{name}-{case}", name, label, site) for case in range(int(rng.choice(cases)))]
    frame = pd.DataFrame(rows, columns=["case_id", "patient_id", "label", "site"])
    return frame.sample(frac=1, random_state=seed).reset_index(drop=True)


def sides(split: pd.DataFrame) -> int:
    """The largest number of parts that one patient stands in, by plain counting."""
    parts: dict[tuple[object, ...], set[str]] = {}
    for row in split.itertuples():
        parts.setdefault((row.repetition, row.fold, row.patient_id), set()).add(str(row.part))
    return max(len(found) for found in parts.values())


def share(split: pd.DataFrame, frame: pd.DataFrame, column: str, *, fold: int = 0) -> pd.DataFrame:
    """Share of each class of a column in each part of a fold: rows are parts."""
    kind = frame.set_index("case_id")[column]
    one = split[(split["fold"] == fold) & (split["repetition"] == 0)]
    table = pd.crosstab(one["part"], one["case_id"].map(kind))
    return table.div(table.sum(axis=1), axis=0)
