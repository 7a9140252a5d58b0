"""The geometry of one series. In: its image planes and the header its objects share. Out: its volumes and the facts
that the catalog's table `series` holds.

A volume has one image size, pixel spacing and orientation; planes that differ in these are apart from the start. Planes
that share positions are parted by `phases`. A single plane is no volume. A mosaic (`tiles` above 0) is a volume by
itself; `rows`, `columns` and `position` of its plane are those of the whole mosaic.

Source: Du and Vardhanabhuti, 3D-RADNet (slice positions and spacing), with the package's rule for what they leave open:
    positions projected on the normal; not regular if one is missing, repeats, or a gap differs from the median by more
    than 0.1 mm and 5 %, or if the orientation changes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np

from hounsfield.catalog.geometry.phases import part_planes
from hounsfield.catalog.geometry.planes import Planes
from hounsfield.catalog.geometry.stacks import Line, VolumeGeometry, line_of, line_reasons, measure, pixel_of
from hounsfield.core.types import FloatArray, IntArray

_ALIKE = 1e-3  # cosines, and pixel spacings in mm, within this of each other are the same
_SHOWN = 3


@dataclass(frozen=True)
class SeriesGeometry:
    """The geometry columns of the table `series`, and the volumes.

    Attributes:
        slices: distinct positions (tiles of a mosaic; images if none has a position).
        rows, columns, spacing_mm, row_mm, column_mm, length_mm, orientation: of the largest group of like planes;
            spacing is the median distance of neighbouring positions, length includes half a gap at either end.
        regular: by the rule in the file's head; None without planes. A regular series may hold no regular volume: the
            rule asks neither for upright stacking (gantry tilt) nor for pixel spacing.
        repeated: a position comes more than once.
        temporal: the time that differs at a repeated position (`phases.TIMES`), or "".
        irregular: every reason against one regular volume, parted by "; "; may be filled for a regular series.
        tilt_degrees: the largest of its volumes.
        stacks: its volumes, which `volumes` counts.
    """

    planes: int
    volumes: int
    slices: int
    rows: int | None
    columns: int | None
    spacing_mm: float | None
    row_mm: float | None
    column_mm: float | None
    length_mm: float | None
    orientation: tuple[float, ...] | None
    regular: bool | None
    repeated: bool | None
    temporal: str
    irregular: str
    tilt_degrees: float | None
    stacks: tuple[VolumeGeometry, ...]


COLUMNS = tuple(one.name for one in fields(SeriesGeometry) if one.name != "stacks")


@dataclass(frozen=True)
class _Found:
    """Parallel planes (`groups[k]` along `lines[k]`), like planes, their volumes, and the times that part them."""

    groups: list[IntArray] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    grids: list[IntArray] = field(default_factory=list)
    stacks: list[VolumeGeometry] = field(default_factory=list)
    times: list[str] = field(default_factory=list)

    @property
    def temporal(self) -> str:
        return next((time for time in self.times if time), "")


def series_geometry(planes: Planes, header: Mapping[str, object]) -> SeriesGeometry:
    """The geometry of one series.

    Args:
        planes: of the series.
        header: {keyword: value} of what its objects share; `SpacingBetweenSlices` (mm) is read for mosaics.
    """
    placed = np.flatnonzero(planes.placed())
    if not len(placed):
        return _unplaced(planes)
    mosaic_mm = _number(header.get("SpacingBetweenSlices")) if planes.tiles.any() else None
    found = _found(planes, placed, mosaic_mm)
    first = int(max(found.grids, key=len)[0])
    line = found.lines[int(np.argmax([len(group) for group in found.groups]))]
    tiles = int(planes.tiles[first])
    row_mm, column_mm = pixel_of(planes, first)
    surplus = sum(each.surplus for each in found.lines)
    reasons = _reasons(planes, found, line, mosaic_mm)
    tilts = [stack.tilt_degrees for stack in found.stacks if stack.tilt_degrees is not None]
    return SeriesGeometry(
        planes=len(planes),
        volumes=len(found.stacks),
        slices=tiles or sum(len(each.at_mm) for each in found.lines),
        rows=int(planes.rows[first]) // _across(tiles),
        columns=int(planes.columns[first]) // _across(tiles),
        spacing_mm=mosaic_mm if tiles else line.spacing_mm,
        row_mm=row_mm,
        column_mm=column_mm,
        length_mm=_covered(tiles, mosaic_mm) if tiles else line.length_mm,
        orientation=tuple(planes.orientation[first].tolist()),
        regular=not reasons,
        repeated=surplus > 0,
        temporal=found.temporal,
        irregular="; ".join(reasons + _further(found, reasons)),
        tilt_degrees=max(tilts) if tilts else None,
        stacks=tuple(found.stacks),
    )


def _unplaced(planes: Planes) -> SeriesGeometry:
    """A series of which no plane has a place: no volume, and not regular."""
    count = len(planes)
    row_mm, column_mm = pixel_of(planes, 0) if count else (None, None)
    return SeriesGeometry(
        planes=count,
        volumes=0,
        slices=count,
        rows=int(planes.rows[0]) if count else None,
        columns=int(planes.columns[0]) if count else None,
        spacing_mm=None,
        row_mm=row_mm,
        column_mm=column_mm,
        length_mm=None,
        orientation=None,
        regular=False if count else None,
        repeated=False if count else None,
        temporal="",
        irregular=f"{count} of {count} images have no valid position and orientation" if count else "",
        tilt_degrees=None,
        stacks=(),
    )


def _found(planes: Planes, placed: IntArray, mosaic_mm: float | None) -> _Found:
    found = _Found()
    size = np.stack([planes.rows, planes.columns, planes.tiles], axis=1)
    features = np.hstack([size, np.nan_to_num(planes.pixel_mm, nan=-1.0)])
    for of_group in _alike(planes.orientation[placed]):
        group = placed[of_group]
        line = line_of(planes.position[group], planes.orientation[group[0]])
        found.groups.append(group)
        found.lines.append(line)
        for of_grid in _alike(features[group]):
            grid = group[of_grid]
            if len(grid) < len(group):
                line = line_of(planes.position[grid], planes.orientation[grid[0]])
            found.grids.append(grid)
            if planes.tiles[grid[0]]:
                stacks, time = _mosaics(planes, grid, line, mosaic_mm)
            else:
                stacks, time = _stacks(planes, grid, line)
            found.stacks.extend(stacks)
            found.times.append(time)
    return found


def _stacks(planes: Planes, grid: IntArray, line: Line) -> tuple[list[VolumeGeometry], str]:
    """The volumes in like planes, and the time that parts them."""
    if not line.surplus:
        return ([measure(planes, grid, line, "")] if len(grid) > 1 else []), ""
    parts, temporal = part_planes(planes, grid, line.place)
    stacks = []
    for part in parts:
        members = grid[part.chosen]
        mine = line_of(planes.position[members], planes.orientation[members[0]])
        if mine.spacing_mm is not None:
            stacks.append(measure(planes, members, mine, ", ".join(part.signs)))
    return stacks, temporal


def _mosaics(planes: Planes, grid: IntArray, line: Line, mosaic_mm: float | None) -> tuple[list[VolumeGeometry], str]:
    """A volume for each mosaic, and the time that parts them."""
    parts, temporal = part_planes(planes, grid, line.place)
    first = int(grid[0])
    tiles, across, pixel = int(planes.tiles[first]), _across(int(planes.tiles[first])), pixel_of(planes, first)
    why = "slices are tiles of a mosaic, and which way they run is not in the standard header"
    stacks = [
        VolumeGeometry(
            members=grid[[number]],
            slices=tiles,
            rows=int(planes.rows[first]) // across,
            columns=int(planes.columns[first]) // across,
            spacing_mm=mosaic_mm,
            row_mm=pixel[0],
            column_mm=pixel[1],
            length_mm=_covered(tiles, mosaic_mm),
            orientation=tuple(planes.orientation[grid[number]].tolist()),
            affine=None,
            regular=False,
            irregular=why,
            tilt_degrees=None,
            gaps=0,
            repeated=0,
            temporal=", ".join(part.signs),
        )
        for part in parts
        for number in part.chosen
    ]
    return stacks, temporal


def _reasons(planes: Planes, found: _Found, line: Line, mosaic_mm: float | None) -> list[str]:
    """What the rule has against the series; `line` is that of its largest group."""
    reasons = []
    missing = len(planes) - sum(len(group) for group in found.groups)
    if missing:
        reasons.append(f"{missing} of {len(planes)} images have no valid position and orientation")
    if len(found.groups) > 1:
        reasons.append(f"images have {len(found.groups)} orientations")
    if not planes.tiles.any():
        return reasons + [why for each in found.lines for why in line_reasons(each, gaps=each is line)]
    if mosaic_mm is None:
        reasons.append("the distance of slices in the mosaics is not in the header")
    return reasons + [why for each in found.lines for why in line_reasons(each, gaps=False)]


def _further(found: _Found, known: list[str]) -> list[str]:
    """What else speaks against one regular volume."""
    reasons = [f"images of one orientation form {len(found.grids)} sizes or pixel spacings"]
    reasons = reasons if len(found.grids) > len(found.groups) else []
    of_volumes = dict.fromkeys(why for stack in found.stacks for why in stack.irregular.split("; ") if why)
    new = [why for why in of_volumes if why not in known]
    return reasons + new[:_SHOWN] + ([f"and {len(new) - _SHOWN} more"] if len(new) > _SHOWN else [])


def _alike(features: FloatArray) -> list[IntArray]:
    """Rows (N, K) in groups; a row is in the group of the first row it is within `_ALIKE` of."""
    rest = np.arange(len(features))
    groups = []
    while len(rest):
        same = (np.abs(features[rest] - features[rest[0]]) <= _ALIKE).all(1)
        groups.append(rest[same])
        rest = rest[~same]
    return groups


def _across(tiles: int) -> int:
    """Tiles along one side of a mosaic, which is square; 1 for an ordinary plane."""
    return math.isqrt(tiles - 1) + 1 if tiles > 0 else 1


def _covered(tiles: int, spacing: float | None) -> float | None:
    return None if spacing is None else tiles * spacing


def _number(value: object) -> float | None:
    """A length above 0 from a header's value, else None."""
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    if not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 < number < math.inf else None
