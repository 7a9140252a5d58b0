"""Detections, lesions and volumes as tables: three files in, one checked `DetectionTables` out.

Volumes without a lesion and volumes without a detection count, so every volume must be listed: a false positive rate
over the volumes that happen to have detections would be too high, and one over those with lesions is another figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hounsfield.core.errors import Problem, ProblemsError
from hounsfield.tables.cells import texts_of
from hounsfield.tables.findings import finding, some
from hounsfield.tables.frames import absent_columns, read_frame

CENTRE = ("z_mm", "y_mm", "x_mm")
BOX = ("z0", "y0", "x0", "z1", "y1", "x1")
DIAMETER = "diameter_mm"


@dataclass(frozen=True)
class DetectionTables:
    """What detectors marked, and what was there.

    Attributes:
        detections: `case_id`, `arm`, `score` and the columns of `CENTRE` or `BOX`.
        lesions: `case_id` and the columns of `CENTRE` or `BOX`; `diameter_mm` where given.
        volumes: `case_id`, `patient_id`, one row a volume.
    """

    detections: pd.DataFrame
    lesions: pd.DataFrame
    volumes: pd.DataFrame


def read_detections(detections: Sequence[Path], lesions: Path, volumes: Path) -> DetectionTables:
    """Reads and checks the three kinds of tables.

    Args:
        detections: one or more files; without a column `arm` the file's name is the arm.
        lesions: one row a lesion.
        volumes: one row a volume, those without lesions included; a cases table serves.

    Raises: TableError for an unreadable file; ProblemsError listing absent columns, positions and scores that are no
        finite numbers, volumes listed twice, and volumes that are not listed at all.
    """
    problems: list[Problem] = []
    frames = []
    for path in detections:
        frame = read_frame(path)
        absent = absent_columns(frame, ("case_id", "score"), path)
        problems += absent
        if not absent:
            problems += _numbers(frame, ("score", *_positions(frame, path, problems)), path)
            arm = texts_of(frame["arm"]) if "arm" in frame else path.stem
            frames.append(frame.assign(case_id=texts_of(frame["case_id"]), arm=arm))
    marked = read_frame(lesions)
    problems += absent_columns(marked, ("case_id",), lesions)
    known = read_frame(volumes)
    problems += absent_columns(known, ("case_id", "patient_id"), volumes)
    if not problems:
        extra = (DIAMETER,) if DIAMETER in marked else ()
        problems += _numbers(marked, (*_positions(marked, lesions, problems), *extra), lesions)
        marked = marked.assign(case_id=texts_of(marked["case_id"]))
        known = pd.DataFrame({name: texts_of(known[name]) for name in ("case_id", "patient_id")})
        problems += _volumes(known, volumes)
        listed = set(known["case_id"])
        for path, frame in [*zip(detections, frames, strict=True), (lesions, marked)]:
            problems += _unlisted(frame, listed, path, volumes)
    if problems:
        raise ProblemsError("the detections can't be evaluated:", problems)
    return DetectionTables(pd.concat(frames, ignore_index=True), marked, known)


def _positions(frame: pd.DataFrame, path: Path, problems: list[Problem]) -> tuple[str, ...]:
    """The columns that say where: boxes, centres or both."""
    found = tuple(name for names in (CENTRE, BOX) if set(names) <= set(frame) for name in names)
    if not found:
        what = f"{path.name} says of nothing where it is."
        problems.append(finding(what, f"Give the columns {', '.join(CENTRE)}, or the box {', '.join(BOX)}."))
    return found


def _numbers(frame: pd.DataFrame, names: Sequence[str], path: Path) -> list[Problem]:
    problems: list[Problem] = []
    for name in names:
        bad = ~np.isfinite(pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))
        if bad.any():
            what = f"{path.name}: {int(bad.sum())} values are no finite number."
            problems.append(finding(what, "Correct or remove these rows.", row=int(np.argmax(bad)) + 2, column=name))
    return problems


def _volumes(known: pd.DataFrame, path: Path) -> list[Problem]:
    problems: list[Problem] = []
    twice = known["case_id"].duplicated()
    if twice.any():
        what = f"{path.name} lists volumes more than once: {some(sorted(set(known['case_id'][twice])))}."
        problems.append(finding(what, "One row a volume.", column="case_id"))
    for name in ("case_id", "patient_id"):
        empty = known[name].isna()
        if empty.any():
            what = f"{path.name}: {int(empty.sum())} cells are empty."
            problems.append(finding(what, "Fill them in.", column=name))
    return problems


def _unlisted(frame: pd.DataFrame, listed: set[str], path: Path, volumes: Path) -> list[Problem]:
    missing = sorted({str(name) for name in frame["case_id"]} - listed)
    if not missing:
        return []
    what = f"{path.name} has {len(missing)} volumes that {volumes.name} does not list: {some(missing)}."
    return [finding(what, "List every volume, those without lesions too.", column="case_id")]
