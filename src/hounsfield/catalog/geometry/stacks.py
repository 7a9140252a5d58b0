"""One stack of parallel planes measured. In: the planes that form it. Out: where its slices lie along the normal, and
its grid or every reason why it has none.

Source: DICOM PS3.3 C.7.6.2 (Image Plane Module); gaps by the rule of `differing`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hounsfield.catalog.geometry.planes import Planes
from hounsfield.core.types import BoolArray, FloatArray, IntArray

GAP_SHARE, GAP_MM = 0.05, 0.1  # a gap is one when it differs from the median by more than the larger of these
SAME_MM = 0.01  # planes nearer than this along the normal lie at one position
_TILT_DEGREES = 0.5  # below this the rounding of positions may be all there is
_SHOWN = 4


@dataclass(frozen=True)
class Line:
    """N parallel planes along their normal, which is row x column (so that slices in order make a right-handed grid).

    Attributes:
        order: (N,) planes along the normal; those at one position in the order given.
        place: (N,) number of the position of each plane, from 0.
        at_mm: (P,) the distinct positions.
        spacing_mm: median distance of neighbouring positions, None for a single one.
        gaps: numbers of the distances (k: from position k to k + 1) that differ from the median.
    """

    order: IntArray
    place: IntArray
    at_mm: FloatArray
    spacing_mm: float | None
    gaps: IntArray

    @property
    def surplus(self) -> int:
        """Planes beyond one at each position."""
        return len(self.order) - len(self.at_mm)

    @property
    def length_mm(self) -> float | None:
        """What the slices cover, half a gap on either side included."""
        return None if self.spacing_mm is None else float(self.at_mm[-1] - self.at_mm[0]) + self.spacing_mm


@dataclass(frozen=True)
class VolumeGeometry:
    """One row of the catalog's table `volumes`, but for the UIDs.

    Attributes:
        members: (slices + repeated,) planes in the order of slices, numbers as in the `Planes` measured.
        affine: (column, row, slice, 1) to LPS mm, 4 x 4 row by row; None when irregular.
        irregular: reasons, parted by "; "; empty when regular.
        tilt_degrees: angle between the way from slice to slice and the normal.
        gaps: distances of slices that differ from the median.
        repeated: planes beyond one at each position.
        temporal: what sets the volume apart from others of the series, e.g. "echo 2, content time 102551".
    """

    members: IntArray
    slices: int
    rows: int
    columns: int
    spacing_mm: float | None
    row_mm: float | None
    column_mm: float | None
    length_mm: float | None
    orientation: tuple[float, ...]
    affine: tuple[float, ...] | None
    regular: bool
    irregular: str
    tilt_degrees: float | None
    gaps: int
    repeated: int
    temporal: str


def differing(distances: FloatArray, usual: float) -> BoolArray:
    """Which distances (mm) differ from the usual one by more than 0.1 mm and 5 %.

    Source: rule for the spacing that Du and Vardhanabhuti, 3D-RADNet, leave open; the package's choice.
    """
    wide: BoolArray = np.abs(distances - usual) > max(GAP_MM, GAP_SHARE * usual)
    return wide


def line_of(position: FloatArray, orientation: FloatArray) -> Line:
    """Parallel planes along their normal.

    Args:
        position: (N, 3) LPS mm, N above 0.
        orientation: (6,) cosines of all of them.
    """
    along = position @ normal_of(orientation)
    order = np.argsort(along, kind="stable")
    ordered = along[order]
    new = np.diff(ordered) > SAME_MM
    place = np.empty(len(along), dtype=np.int64)
    place[order] = np.concatenate(([0], np.cumsum(new)))
    at_mm = ordered[np.concatenate(([True], new))]
    steps = np.diff(at_mm)
    if not len(steps):
        return Line(order, place, at_mm, None, order[:0])
    usual = float(np.median(steps))
    return Line(order, place, at_mm, usual, np.flatnonzero(differing(steps, usual)))


def normal_of(orientation: FloatArray) -> FloatArray:
    """(3,) unit vector at right angles to rows and columns (6,); written out because np.cross is slow."""
    a, b, c, d, e, f = orientation.tolist()
    normal = np.array([b * f - c * e, c * d - a * f, a * e - b * d])
    unit: FloatArray = normal / math.sqrt(float(normal @ normal))
    return unit


def measure(planes: Planes, members: IntArray, line: Line, temporal: str) -> VolumeGeometry:
    """The geometry of planes of one size, pixel spacing and orientation, at 2 positions or more.

    Args:
        members: (N,) numbers of its planes.
        line: those planes along their normal.
        temporal: what sets the volume apart.
    """
    ordered = members[line.order]
    first = int(members[0])
    row_mm, column_mm = pixel_of(planes, first)
    orientation = planes.orientation[first]
    position = planes.position[ordered]
    tilt = _tilt(position, orientation)
    reasons = [] if row_mm else ["no valid pixel spacing"]
    reasons += line_reasons(line) + _sideways(position, line, tilt)
    affine = None
    if not reasons and row_mm is not None and column_mm is not None:
        affine = _affine(position, orientation, row_mm, column_mm)
    return VolumeGeometry(
        ordered,
        len(line.at_mm),
        int(planes.rows[first]),
        int(planes.columns[first]),
        line.spacing_mm,
        row_mm,
        column_mm,
        line.length_mm,
        tuple(orientation.tolist()),
        affine,
        not reasons,
        "; ".join(reasons),
        tilt,
        len(line.gaps),
        line.surplus,
        temporal,
    )


def pixel_of(planes: Planes, member: int) -> tuple[float, float] | tuple[None, None]:
    """Distance of rows and of columns of a plane in mm; None for both where they are no lengths."""
    row_mm, column_mm = planes.pixel_mm[member].tolist()
    if not (0 < row_mm < math.inf and 0 < column_mm < math.inf):
        return None, None
    return row_mm, column_mm


def line_reasons(line: Line, *, gaps: bool = True) -> list[str]:
    """What is wrong along the normal: repeated positions and, if asked for, gaps."""
    reasons = []
    if line.surplus:
        places = "one position" if len(line.at_mm) == 1 else f"{len(line.at_mm)} positions"
        reasons.append(f"{len(line.order)} images share {places}")
    if gaps and len(line.gaps) and line.spacing_mm is not None:
        steps = np.diff(line.at_mm)
        wide = steps[line.gaps]
        shown = ", ".join(f"{value:.2f}" for value in wide[:_SHOWN]) + (", ..." if len(wide) > _SHOWN else "")
        missing = int(np.rint(np.maximum(wide / line.spacing_mm - 1, 0)).sum())
        guess = f", probably {missing} missing" if missing else ""
        reasons.append(
            f"slices lie {line.spacing_mm:.2f} mm apart but at {len(wide)} of {len(steps)} gaps ({shown} mm){guess}"
        )
    return reasons


def _tilt(position: FloatArray, orientation: FloatArray) -> float:
    """Degrees between the way from the first to the last slice (N, 3 in order) and the normal."""
    normal = normal_of(orientation)
    way = position[-1] - position[0]
    along = float(way @ normal)
    across = way - along * normal
    return math.degrees(math.atan2(math.sqrt(float(across @ across)), abs(along)))


def _sideways(position: FloatArray, line: Line, tilt: float) -> list[str]:
    """Whether slices (in order) are shifted within their plane or away from an even grid."""
    if tilt > _TILT_DEGREES:
        return [f"slices are shifted against each other by {tilt:.1f} degrees (gantry tilt)"]
    if line.surplus or len(line.gaps) or line.spacing_mm is None:
        return []
    share = np.linspace(0, 1, len(position))[:, None]
    off = position - position[0] - share * (position[-1] - position[0])
    farthest = math.sqrt(float((off * off).sum(1).max()))
    if farthest <= max(GAP_MM, GAP_SHARE * line.spacing_mm):
        return []
    return [f"slices lie up to {farthest:.2f} mm beside an even grid"]


def _affine(position: FloatArray, orientation: FloatArray, row_mm: float, column_mm: float) -> tuple[float, ...]:
    """The affine of slices (N, 3 in order): its columns are the steps to the next column, row and slice."""
    affine = np.eye(4)
    affine[:3, 0] = orientation[:3] * column_mm
    affine[:3, 1] = orientation[3:] * row_mm
    affine[:3, 2] = (position[-1] - position[0]) / (len(position) - 1)
    affine[:3, 3] = position[0]
    return tuple(affine.ravel().tolist())
