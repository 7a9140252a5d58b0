"""Detections, lesions and volumes as tables: three files in, one checked `DetectionTables` out.

Volumes without a lesion and volumes without a detection count, so every volume must be listed: a false positive rate
over the volumes that happen to have detections would be too high, and one over those with lesions is another figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hounsfield.core.errors import Problem, ProblemsError
from hounsfield.core.types import BoolArray
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
        lesions: `case_id` and the columns of `CENTRE` or `BOX`; `diameter_mm` where given, NaN where it is empty.
        volumes: `case_id`, `patient_id`, one row a volume.
    """

    detections: pd.DataFrame
    lesions: pd.DataFrame
    volumes: pd.DataFrame


def read_detections(detections: Sequence[Path], lesions: Path, volumes: Path) -> DetectionTables:
    """Reads and checks the three kinds of tables.

    Args:
        detections: one or more files; without a column `arm` the file's name is the arm.
        lesions: one row a lesion; a diameter may be empty, where no criterion asks for it.
        volumes: one row a volume, those without lesions included; a cases table serves.

    Raises: TableError for an unreadable file; ProblemsError listing, for all files at once, absent columns, positions
        and scores that are no finite numbers, boxes and diameters without a size, empty cells, arms that stand in two
        files, volumes listed twice, and volumes that are not listed at all.
    """
    known, problems = _volumes(volumes)
    listed = (set(known["case_id"]), volumes) if "case_id" in known else None
    frames = []
    for path in detections:
        frame, wrong = _marks(path, ("case_id", "score"), listed)
        problems += wrong
        frames.append(frame.assign(arm=texts_of(frame["arm"]) if "arm" in frame else path.stem))
        if "arm" in frame:
            problems += _empty(frames[-1], "arm", path)
    problems += _doubled(detections, frames)
    marked, wrong = _marks(lesions, ("case_id",), listed)
    problems += wrong
    if DIAMETER in marked:
        marked, wrong = _diameters(marked, lesions)
        problems += wrong
    if set(BOX) <= set(marked):
        problems += _flat(marked, lesions)
    if problems:
        raise ProblemsError("the detections can't be evaluated:", problems)
    return DetectionTables(pd.concat(frames, ignore_index=True), marked, known)


def _marks(
    path: Path, needed: Sequence[str], listed: tuple[set[str], Path] | None
) -> tuple[pd.DataFrame, list[Problem]]:
    """Rows with a place in a volume, numbers as numbers, and what is wrong with them."""
    frame = read_frame(path)
    problems = absent_columns(frame, needed, path)
    places = tuple(name for names in (CENTRE, BOX) if set(names) <= set(frame) for name in names)
    if not places:
        what = f"{path.name} says of nothing where it is."
        problems.append(finding(what, f"Give the columns {', '.join(CENTRE)}, or the box {', '.join(BOX)}."))
    for name in (*(name for name in needed if name in frame and name != "case_id"), *places):
        frame[name] = _numbers(frame[name])
        bad = ~np.isfinite(frame[name].to_numpy())
        if bad.any():
            problems.append(_bad(bad, "values are no finite number", "Correct or remove these rows.", name, path))
    if set(BOX) <= set(frame):
        for low, high in zip(BOX[:3], BOX[3:], strict=True):
            bad = (frame[high] < frame[low]).to_numpy()
            if bad.any():
                hint = f"Boxes run from {', '.join(BOX[:3])} up to {', '.join(BOX[3:])}."
                problems.append(_bad(bad, f"boxes end before they begin at {low}", hint, high, path))
    if "case_id" in frame:
        frame["case_id"] = texts_of(frame["case_id"])
        problems += _empty(frame, "case_id", path)
        problems += [] if listed is None else _unlisted(frame, listed[0], path, listed[1])
    return frame, problems


def _numbers(values: pd.Series[Any]) -> pd.Series[Any]:
    """As float64, NaN for what is no number."""
    return pd.Series(
        pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan), index=values.index
    )


def _bad(bad: BoolArray, what: str, remedy: str, column: str, path: Path) -> Problem:
    return finding(f"{path.name}: {int(bad.sum())} {what}.", remedy, row=int(np.argmax(bad)) + 2, column=column)


def _empty(frame: pd.DataFrame, name: str, path: Path) -> list[Problem]:
    empty = frame[name].isna().to_numpy()
    return [_bad(empty, "cells are empty", "Fill them in.", name, path)] if empty.any() else []


def _diameters(frame: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, list[Problem]]:
    """Diameters above 0, NaN for an empty cell."""
    value = _numbers(frame[DIAMETER])
    bad = (~(np.isfinite(value) & (value > 0)) & frame[DIAMETER].notna()).to_numpy()
    wrong = [_bad(bad, "diameters are no number above 0", "Give it in mm, or leave it empty.", DIAMETER, path)]
    return frame.assign(**{DIAMETER: value}), wrong if bad.any() else []


def _flat(frame: pd.DataFrame, path: Path) -> list[Problem]:
    """A lesion's box without a size can't be hit."""
    bad = np.any([frame[high] == frame[low] for low, high in zip(BOX[:3], BOX[3:], strict=True)], axis=0)
    hint = "An end is one beyond the last voxel: a lesion on slice 7 alone runs from 7 to 8."
    return [_bad(bad, "boxes have no size", hint, BOX[3], path)] if bad.any() else []


def _doubled(paths: Sequence[Path], frames: Sequence[pd.DataFrame]) -> list[Problem]:
    """Marks of two files under one arm would be added up."""
    counts = Counter(str(arm) for frame in frames for arm in frame["arm"].dropna().unique())
    twice = [arm for arm, count in counts.items() if count > 1]
    if not twice:
        return []
    what = f"several files hold arm {some(twice)}: {some(path.name for path in paths)}."
    return [finding(what, "Rename the files, or give each a column arm.", column="arm")]


def _volumes(path: Path) -> tuple[pd.DataFrame, list[Problem]]:
    frame = read_frame(path)
    names = ("case_id", "patient_id")
    problems = absent_columns(frame, names, path)
    known = pd.DataFrame({name: texts_of(frame[name]) for name in names if name in frame})
    for name in known:
        problems += _empty(known, str(name), path)
    if "case_id" in known:
        given = known["case_id"].dropna()
        twice = sorted(set(given[given.duplicated()]))
        if twice:
            what = f"{path.name} lists volumes more than once: {some(twice)}."
            problems.append(finding(what, "One row a volume.", column="case_id"))
    return known, problems


def _unlisted(frame: pd.DataFrame, listed: set[str], path: Path, volumes: Path) -> list[Problem]:
    missing = sorted(set(frame["case_id"].dropna()) - listed)
    if not missing:
        return []
    what = f"{path.name} has {len(missing)} volumes that {volumes.name} does not list: {some(missing)}."
    return [finding(what, "List every volume, those without lesions too.", column="case_id")]
