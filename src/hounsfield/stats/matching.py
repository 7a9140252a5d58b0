"""Which detection hits which lesion: positions or boxes of one volume in, for each detection its lesion out.

The criterion is a parameter, because a sensitivity means nothing without it. Every lesion is credited once, with its
highest-scored hit; further detections of the same lesion are no false positives by default, as in LUNA16.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import BoolArray, FloatArray, IntArray

Criterion = Literal["radius", "distance", "iou", "inside"]
CRITERIA: tuple[Criterion, ...] = ("radius", "distance", "iou", "inside")
FALSE, AGAIN = -1, -2  # a detection that hits no lesion; one of a lesion that a higher score has hit


def match(
    lesion: npt.ArrayLike,
    detection: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    criterion: Criterion,
    limit: float = 0.0,
    lesion_diameter_mm: npt.ArrayLike | None = None,
    count_again: bool = False,
) -> IntArray:
    """Assigns the detections of one volume to its lesions, the highest score first.

    Args:
        lesion: (L, 3) centres in mm for "radius" and "distance"; (L, 6) boxes (z0, y0, x0, z1, y1, x1), half-open,
            for "iou" and "inside".
        detection: (D, 3) centres for all but "iou", which takes (D, 6) boxes.
        score: (D,) finite.
        criterion: "radius", centre within the lesion's radius or `limit` mm, whichever is larger; "distance", centres
            at most `limit` mm apart; "iou", boxes overlap by at least `limit`; "inside", centre in the lesion's box.
        limit: see there.
        lesion_diameter_mm: (L,) for "radius".
        count_again: count further detections of a lesion as false.

    Returns: (D,) place of the lesion, `FALSE` for none, `AGAIN` for a lesion already hit by a higher score. A
        detection that could hit several takes the nearest (largest overlap) that is still free.

    Raises: HounsfieldError for shapes, limits or scores that don't fit the criterion.
    """
    places, found, scored = _checked(lesion, detection, score, criterion)
    near, hits = _hits(places, found, criterion, limit, lesion_diameter_mm)
    result = np.full(len(scored), FALSE, dtype=np.int64)
    free = np.ones(len(places), dtype=bool)
    for row in np.argsort(-scored, kind="stable"):
        wanted = np.flatnonzero(hits[row])
        if not len(wanted):
            continue
        left = wanted[free[wanted]]
        if not len(left):
            result[row] = FALSE if count_again else AGAIN
            continue
        chosen = left[np.argmax(near[row, left])]
        result[row] = chosen
        free[chosen] = False
    return result


def box_iou(first: npt.ArrayLike, second: npt.ArrayLike) -> FloatArray:
    """(A, B) intersection over union of half-open boxes (A, 6) and (B, 6); 0 where both are empty."""
    a, b = np.asarray(first, dtype=np.float64)[:, None], np.asarray(second, dtype=np.float64)[None]
    sides = np.maximum(0, np.minimum(a[..., 3:], b[..., 3:]) - np.maximum(a[..., :3], b[..., :3]))
    common = sides.prod(axis=-1)
    total = _size(a) + _size(b) - common
    return np.asarray(np.divide(common, total, out=np.zeros_like(common), where=total > 0))


def _size(box: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(0, box[..., 3:] - box[..., :3]).prod(axis=-1))


def _hits(
    lesion: FloatArray,
    detection: FloatArray,
    criterion: Criterion,
    limit: float,
    diameter_mm: npt.ArrayLike | None,
) -> tuple[FloatArray, BoolArray]:
    """(D, L) nearness, larger is better, and whether it is a hit."""
    if criterion == "iou":
        if not 0 < limit <= 1:
            raise HounsfieldError(f"criterion 'iou' takes a limit in (0, 1]; got {limit}.")
        overlap = box_iou(detection, lesion)
        return overlap, overlap >= limit
    centre = lesion if criterion in ("radius", "distance") else (lesion[:, :3] + lesion[:, 3:]) / 2
    apart = np.linalg.norm(detection[:, None] - centre[None], axis=-1)
    if criterion == "inside":
        inside = (detection[:, None] >= lesion[None, :, :3]) & (detection[:, None] < lesion[None, :, 3:])
        return -apart, np.asarray(inside.all(axis=-1))
    if limit < 0 or (criterion == "distance" and limit <= 0):
        raise HounsfieldError(f"criterion '{criterion}' takes a limit in mm, 0 or more; got {limit}.")
    reach = np.full(len(lesion), float(limit))
    if criterion == "radius":
        diameter = np.asarray([] if diameter_mm is None else diameter_mm, dtype=np.float64)
        if diameter.shape != (len(lesion),) or not (diameter > 0).all():
            raise HounsfieldError("criterion 'radius' needs lesion_diameter_mm, one above 0 for each lesion.")
        reach = np.maximum(reach, diameter / 2)
    return -apart, apart <= reach[None] + 1e-9


def _checked(
    lesion: npt.ArrayLike, detection: npt.ArrayLike, score: npt.ArrayLike, criterion: Criterion
) -> tuple[FloatArray, FloatArray, FloatArray]:
    if criterion not in CRITERIA:
        raise HounsfieldError(f"criterion is one of {', '.join(CRITERIA)}; got {criterion!r}.")
    widths = {"radius": (3, 3), "distance": (3, 3), "iou": (6, 6), "inside": (6, 3)}[criterion]
    arrays = []
    for name, given, width in (("lesion", lesion, widths[0]), ("detection", detection, widths[1])):
        array = np.asarray(given, dtype=np.float64)
        array = array.reshape(-1, width) if array.size == 0 else array
        if array.ndim != 2 or array.shape[1] != width or not np.isfinite(array).all():
            raise HounsfieldError(
                f"{name} has {width} finite numbers a row for '{criterion}'; got shape {array.shape}."
            )
        arrays.append(array)
    scored = np.asarray(score, dtype=np.float64)
    if scored.shape != (len(arrays[1]),) or not np.isfinite(scored).all():
        raise HounsfieldError(f"score has one finite value for each of {len(arrays[1])} detections.")
    return arrays[0], arrays[1], scored
