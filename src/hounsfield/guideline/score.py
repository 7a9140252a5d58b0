"""Points, level and management of nodules under a point table: features and sizes in, arrays out.

Source of the rules: Tessler et al., J Am Coll Radiol 2017;14:587. Sizes are the largest of the three diameters, in cm;
every comparison with a threshold includes it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import BoolArray, FloatArray, IntArray
from hounsfield.guideline.features import Features
from hounsfield.guideline.point_table import PointTable


@dataclass(frozen=True)
class Management:
    """What a guideline says of N nodules.

    Attributes:
        points: (N,) total points.
        level: (N,) place of the level in the table's list.
        fna: (N,) fine-needle aspiration recommended.
        follow_up: (N,) follow-up or FNA recommended: what qualifies for FNA qualifies for follow-up.
    """

    points: IntArray
    level: IntArray
    fna: BoolArray
    follow_up: BoolArray

    def recommendation(self) -> list[str]:
        """ "FNA", "follow-up" or "nothing" for every nodule."""
        return [
            "FNA" if fna else "follow-up" if later else "nothing"
            for fna, later in zip(self.fna, self.follow_up, strict=True)
        ]


def points_of(features: Features, table: PointTable, *, override: bool = True) -> IntArray:
    """(N,) total points; each option that is present counts once.

    Args:
        override: False leaves the rule out that cystic and spongiform nodules have 0 points in total.
    """
    total = np.asarray(features.matrix @ table.points)
    return np.where(features.override, 0, total) if override else total


def level_of(points: npt.ArrayLike, table: PointTable) -> IntArray:
    """(N,) place of the level that each total reaches."""
    starts = [level.points for level in table.levels]
    return np.asarray(np.searchsorted(starts, np.asarray(points), side="right") - 1, dtype=np.int64)


def reaches(level: npt.ArrayLike, size_cm: npt.ArrayLike, thresholds: list[float | None]) -> BoolArray:
    """(N,) whether each size reaches the threshold of its level; a level without one is never reached.

    Raises: HounsfieldError when a size is missing or not above 0: a recommendation without a size is a guess.
    """
    place, size = np.asarray(level, dtype=np.int64), np.asarray(size_cm, dtype=np.float64)
    if size.shape != place.shape:
        raise HounsfieldError(f"every nodule has one size; got shapes {place.shape} and {size.shape}.")
    wrong = ~(np.isfinite(size) & (size > 0))
    if wrong.any():
        raise HounsfieldError(
            f"every nodule has a size in cm above 0; got {size[wrong][0]} at position {int(np.argmax(wrong))} "
            f"({int(wrong.sum())} in all). Measure it, or leave the nodule out."
        )
    limit = np.array([np.inf if one is None else one for one in thresholds])
    # 2.5 cm measured as 25 mm / 10 must reach 2.5: a tenth of a micrometre is no size.
    return np.asarray(size >= limit[place] - 1e-8)


def manage(features: Features, size_cm: FloatArray, table: PointTable, *, override: bool = True) -> Management:
    """Points, level and recommendation of every nodule.

    Args:
        size_cm: (N,) largest diameter of each nodule of `features`.

    Raises: HounsfieldError as `reaches`.
    """
    points = points_of(features, table, override=override)
    level = level_of(points, table)
    fna = reaches(level, size_cm, [one.fna_cm for one in table.levels])
    later = reaches(level, size_cm, [one.follow_up_cm for one in table.levels])
    return Management(points, level, fna, fna | later)
