"""Geometry of a stack of DICOM slices. In: where each slice lies; out: their order and one regular grid, or every
reason why there is none.

Source: DICOM PS3.3 C.7.6.2 (Image Plane Module): position of the first pixel's centre, direction cosines of rows and
    columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hounsfield.core.types import FloatArray, IntArray

_GAP_SHARE, _GAP_MM = 0.01, 0.02  # positions are written with few decimals: 1 %, but at least 0.02 mm, is no gap
_TILT_DEGREES = 0.5
_SHOWN = 8  # rows of a table in a message


@dataclass(frozen=True)
class Plane:
    """One slice: name for messages, size, and geometry in LPS mm (None where the header lacks it).

    Attributes:
        pixel_mm: distance of rows, distance of columns.
        orientation: direction cosines of a row (x, y, z), then of a column.
    """

    name: str
    rows: int
    columns: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    pixel_mm: tuple[float, ...] | None


@dataclass(frozen=True)
class Stack:
    """Slices in order along the normal of the rows and columns, which makes the grid right-handed."""

    order: tuple[int, ...]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    direction: FloatArray


def arrange(planes: Sequence[Plane]) -> tuple[Stack | None, list[str]]:
    """The regular stack that `planes` form, or None and all the reasons why they form none."""
    problems = _incomplete(planes) or _mixed(planes)
    if problems:
        return None, problems
    first = planes[0]
    cosines = np.asarray(first.orientation).reshape(2, 3)
    if np.abs(cosines @ cosines.T - np.eye(2)).max() > 1e-3:
        return None, [
            "the rows and columns of the slices are not at right angles. The header is wrong; export the series again."
        ]
    normal = np.cross(cosines[0], cosines[1])
    positions = np.array([plane.position for plane in planes], dtype=np.float64)
    along = positions @ normal
    order = np.argsort(along, kind="stable")
    if len(planes) < 2:
        return None, [
            "the series holds one slice; a volume needs at least 2. Is the rest of the series in another folder?"
        ]
    problems = _tilted(positions[order], normal) + _doubled(planes, along, order) + _gaps(planes, along, order)
    if problems:
        return None, problems
    step = float(along[order[-1]] - along[order[0]]) / (len(planes) - 1)
    left, _, right = np.linalg.svd(np.column_stack([cosines[0], cosines[1], normal]))
    row_mm, column_mm = first.pixel_mm or (1.0, 1.0)
    x, y, z = (float(value) for value in positions[order[0]])
    return Stack(tuple(int(one) for one in order), (step, row_mm, column_mm), (x, y, z), left @ right), []


def some(names: Sequence[str]) -> str:
    """The first few names and how many more there are."""
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _incomplete(planes: Sequence[Plane]) -> list[str]:
    problems = []
    for what, tag, size in (
        ("position", "ImagePositionPatient", 3),
        ("orientation", "ImageOrientationPatient", 6),
        ("pixel_mm", "PixelSpacing", 2),
    ):
        bad = [plane.name for plane in planes if not _numbers(getattr(plane, what), size)]
        if bad:
            problems.append(
                f"{len(bad)} of {len(planes)} slices have no valid {tag} ({some(bad)}). Leave them out, or export "
                "them again."
            )
    sizes = [plane.pixel_mm for plane in planes if plane.pixel_mm is not None and _numbers(plane.pixel_mm, 2)]
    if any(min(size) <= 0 for size in sizes):
        problems.append("PixelSpacing must be above 0. Export the series again.")
    return problems


def _numbers(value: tuple[float, ...] | None, size: int) -> bool:
    return value is not None and len(value) == size and bool(np.isfinite(value).all())


def _mixed(planes: Sequence[Plane]) -> list[str]:
    """Sizes, pixel spacings and orientations must each be one."""
    found = {
        "sizes (columns x rows)": Counter(f"{plane.columns} x {plane.rows}" for plane in planes),
        "pixel spacings (mm)": Counter(
            " x ".join(f"{value:.3f}" for value in plane.pixel_mm or ()) for plane in planes
        ),
        "orientations": _orientations(planes),
    }
    problems = []
    for what, counts in found.items():
        if len(counts) > 1:
            parts = [f"{count} slices {value}" for value, count in counts.most_common(_SHOWN)]
            problems.append(
                f"the series mixes {what}: {'; '.join(parts)}. Separate them into folders or series of their own."
            )
    return problems


def _orientations(planes: Sequence[Plane]) -> Counter[str]:
    """Number of slices of each orientation; those within rounding of each other (0.001) count as one."""
    kinds: list[tuple[float, ...]] = []
    counts: Counter[str] = Counter()
    for plane in planes:
        mine = plane.orientation or ()
        same = next((kind for kind in kinds if np.abs(np.subtract(kind, mine)).max() < 1e-3), None)
        if same is None:
            kinds.append(mine)
            same = mine
        counts["(" + ", ".join(f"{value:.3f}" for value in same) + ")"] += 1
    return counts


def _tilted(positions: FloatArray, normal: FloatArray) -> list[str]:
    whole = positions[-1] - positions[0]
    across, along = np.linalg.norm(whole - (whole @ normal) * normal), abs(float(whole @ normal))
    angle = float(np.degrees(np.arctan2(across, along)))
    if along < 1e-3 or angle <= _TILT_DEGREES:
        return []
    return [
        f"the slices are shifted against each other by {angle:.1f} degrees (gantry tilt): as a volume with right "
        "angles the anatomy would be "
        "sheared. Use a series reconstructed without tilt, or resample it upright with a tool that corrects tilt "
        "(dcm2niix)."
    ]


def _doubled(planes: Sequence[Plane], along: FloatArray, order: IntArray) -> list[str]:
    steps = np.diff(along[order])
    places = 1 + int((steps > _GAP_MM / 2).sum())
    if places == len(planes):
        return []
    pairs = [f"{planes[order[k]].name} = {planes[order[k + 1]].name}" for k in np.flatnonzero(steps <= _GAP_MM / 2)]
    return [
        f"{len(planes)} images share {places} positions, so some places are there several times ({some(pairs)}). "
        "Copies must be removed; "
        "phases, echoes or time points must be separated into folders of their own."
    ]


def _gaps(planes: Sequence[Plane], along: FloatArray, order: IntArray) -> list[str]:
    steps = np.diff(along[order])
    distinct = steps[steps > _GAP_MM / 2]
    if len(distinct) == 0:
        return []
    usual = float(np.median(distinct))
    wide = np.flatnonzero((steps > _GAP_MM / 2) & (np.abs(steps - usual) > max(_GAP_SHARE * usual, _GAP_MM)))
    if len(wide) == 0:
        return []
    rows = [
        f"    {planes[order[k]].name} at {along[order[k]]:.2f} mm -> {planes[order[k + 1]].name} at "
        f"{along[order[k + 1]]:.2f} mm: {steps[k]:.2f} mm"
        for k in wide[:_SHOWN]
    ]
    if len(wide) > _SHOWN:
        rows.append(f"    and {len(wide) - _SHOWN} more")
    missing = int(np.rint(np.maximum(steps[wide] / usual - 1, 0)).sum())
    guess = f", probably {missing} slice(s) missing" if missing else ""
    return [
        f"the distance between slices is {usual:.2f} mm but for {len(wide)} place(s){guess}. Fetch the whole series "
        "again:",
        *rows,
    ]
