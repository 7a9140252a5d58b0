"""A frame of readings as arrays, reader by reader: the tidy frame of `tables.readings` in, `Nodules` out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.core.errors import Problem, TableError
from hounsfield.core.registry import nearest
from hounsfield.core.types import FloatArray
from hounsfield.guideline.features import Features, features_of
from hounsfield.guideline.point_table import PointTable

if TYPE_CHECKING:
    import pandas as pd

MAPS = Path(__file__).parent / "readings"


@dataclass(frozen=True)
class Nodules:
    """The nodules that one reader read.

    Attributes:
        reader, group: as in the frame.
        case_id, patient_id: of the N nodules that could be used.
        label: (N,) 1 malignant, 0 benign, NaN unknown.
        size_cm: (N,) largest diameter, NaN unknown.
        features: their options.
    """

    reader: str
    group: str
    case_id: tuple[str, ...]
    patient_id: tuple[str, ...]
    label: FloatArray
    size_cm: FloatArray
    features: Features


def find_map(name_or_path: str) -> Path:
    """The file of a mapping of readings by path, or by the name of one that ships; TableError when there is neither."""
    path = Path(name_or_path)
    if path.is_file():
        return path
    known = {one.stem: one for one in sorted(MAPS.glob("*.yaml"))}
    if name_or_path in known:
        return known[name_or_path]
    hint = nearest(name_or_path, list(known))
    raise TableError(f"no mapping '{path.name}': neither a file nor one of {', '.join(known)}.{hint}")


def nodules_of(
    frame: pd.DataFrame, table: PointTable, *, named_wins: bool = False
) -> tuple[list[Nodules], list[Problem]]:
    """One `Nodules` for each reader, in the order in which they appear; and the readings that were set aside.

    Args:
        named_wins: see `features.features_of`.

    Raises: TableError when a category of `table` has no column.
    """
    found: list[Nodules] = []
    problems: list[Problem] = []
    for reader, rows in frame.groupby("reader", sort=False):
        columns = {c.key: rows[c.key].tolist() for c in table.categories if c.key in rows}
        features, faults = features_of(columns, table, named_wins=named_wins)
        cases = rows["case_id"].tolist()
        for fault in faults:
            place = int(fault.where.split()[-1]) - 1
            problems.append(Problem(f"case {cases[place]}, reader {reader}", fault.what, "Set aside; correct it."))
        kept = rows.iloc[features.kept]
        found.append(
            Nodules(
                str(reader),
                str(kept["group"].iloc[0]) if "group" in kept and len(kept) else "",
                tuple(kept["case_id"]),
                tuple(kept["patient_id"]),
                _numbers(kept, "label"),
                _numbers(kept, "size_cm"),
                features,
            )
        )
    return found, problems


def on_common_cases(readers: Sequence[Nodules]) -> list[Nodules]:
    """The readers on the cases that all of them read, in one order.

    Raises: TableError when no case was read by all.
    """
    common = set.intersection(*(set(one.case_id) for one in readers)) if readers else set()
    if not common:
        raise TableError("no case was read by all readers. Compare readers of the same cases.")
    order = sorted(common)
    return [_taken(one, np.array([one.case_id.index(case) for case in order])) for one in readers]


def with_truth(nodules: Nodules, *, size: bool = True) -> Nodules:
    """The nodules whose label, and size, are known. Raises: TableError when a class is left without any."""
    known = np.isin(nodules.label, (0.0, 1.0))
    if size:
        known &= np.isfinite(nodules.size_cm) & (nodules.size_cm > 0)
    kept = _taken(nodules, np.flatnonzero(known))
    if len(set(kept.label.tolist())) < 2:
        malignant, benign = (int((kept.label == value).sum()) for value in (1, 0))
        raise TableError(
            f"reader {nodules.reader}: {malignant} malignant and {benign} benign nodules with a known label and size. "
            "Both are needed; fill the columns label (0, 1) and size_cm."
        )
    return kept


def _taken(one: Nodules, rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Nodules:
    features = Features(one.features.matrix[rows], one.features.override[rows], one.features.kept[rows])
    return Nodules(
        one.reader,
        one.group,
        tuple(one.case_id[row] for row in rows),
        tuple(one.patient_id[row] for row in rows),
        one.label[rows],
        one.size_cm[rows],
        features,
    )


def _numbers(rows: pd.DataFrame, name: str) -> FloatArray:
    if name not in rows:
        return np.full(len(rows), np.nan)
    return np.asarray(rows[name], dtype=np.float64)
