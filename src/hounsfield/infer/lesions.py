"""Points in lesions: a CSV with lesion_id, x_mm, y_mm, z_mm goes in, checked `Lesion`s come out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hounsfield.core.errors import Problem, ProblemsError
from hounsfield.core.registry import nearest

POINTS = ("lesion_id", "x_mm", "y_mm", "z_mm")


@dataclass(frozen=True)
class Lesion:
    """A point in a lesion: (x, y, z) in mm, patient coordinates (LPS)."""

    lesion_id: str
    centre_mm: tuple[float, float, float]


def read_lesions(path: Path) -> list[Lesion]:
    """The points of a table, in its order.

    Raises: ProblemsError listing every mistake at once.
    """
    try:
        frame = pd.read_csv(path, dtype={"lesion_id": str})
    except (OSError, ValueError) as error:
        problem = Problem(path.name, "no such file, or no CSV.", f"Columns: {', '.join(POINTS)}.")
        raise ProblemsError("the lesions can't be read:", [problem]) from error
    problems = _problems(frame, path.name)
    if problems:
        raise ProblemsError("the lesions can't be used:", problems)
    rows = frame[list(POINTS)].itertuples(index=False)
    return [Lesion(str(name), (float(x), float(y), float(z))) for name, x, y, z in rows]


def _problems(frame: pd.DataFrame, name: str) -> list[Problem]:
    missing = [column for column in POINTS if column not in frame]
    if missing:
        known = [str(column) for column in frame.columns]
        return [Problem(f"{name}, column {column}", "missing.", nearest(column, known).strip()) for column in missing]
    problems = []
    for row, (lesion_id, *point) in enumerate(frame[list(POINTS)].itertuples(index=False), start=2):
        if not isinstance(lesion_id, str):
            problems.append(Problem(f"{name}, row {row}", "lesion_id is empty.", "Give each lesion a name."))
        if not np.isfinite(pd.to_numeric(pd.Series(point), errors="coerce")).all():
            problems.append(Problem(f"{name}, row {row}", "a coordinate is no number.", "Give mm, patient, LPS."))
    twice = frame["lesion_id"][frame["lesion_id"].duplicated()].dropna()
    for lesion_id in sorted(set(twice)):
        problems.append(Problem(f"{name}, lesion {lesion_id}", "is there twice.", "Give each its own name."))
    if frame.empty:
        problems.append(Problem(name, "holds no lesion.", "Give one row a lesion."))
    return problems
