"""What surrounds the genetic algorithm: which options may change, constraints, many runs, near ties.

In: a start table, features, labels, sizes. Out: new point tables with what they achieve on the nodules they were made
from; on others, `out_of_fold` and `hold_out` tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.progress import Progress, silent
from hounsfield.core.types import BoolArray, FloatArray, IntArray
from hounsfield.guideline.features import Features
from hounsfield.guideline.genetic import AucFitness, Fitness, Repair, Search, Settings, optimise
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.score import manage

Chains = Sequence[Sequence[str]]
TI_RADS_ORDER: Chains = (  # what every radiologist expects to rise within a category
    ("composition/mixed", "composition/solid"),
    ("echogenicity/hyperechoic", "echogenicity/hypoechoic", "echogenicity/very_hypoechoic"),
    ("echogenicity/anechoic", "echogenicity/isoechoic"),
    ("shape/wider", "shape/taller"),
    ("margin/smooth", "margin/lobulated", "margin/extrathyroidal"),
    ("foci/none", "foci/macrocalcification", "foci/punctate"),
)


@dataclass(frozen=True)
class Found:
    """One table that a search ended at.

    Attributes:
        points: (O,) after the smallest points of every category were subtracted, where they are.
        searched: (O,) before that.
        auc: of `points` on the nodules it was made from; the subtraction may cost a little, see `normalised`.
        sensitivity, specificity: of the FNA recommendation on these nodules; NaN without sizes.
        changed: options whose points differ from the start table's.
        runs: how many of the runs ended there.
    """

    points: IntArray
    searched: IntArray
    auc: float
    sensitivity: float
    specificity: float
    changed: int
    runs: int


def free_options(table: PointTable, features: Features, *, strict: bool = False) -> BoolArray:
    """(O,) options that a search may change: those with cases, apart from the overrides.

    Args:
        strict: holds the first option of 0 points in every category at 0, so that nothing has to be subtracted after.
    """
    free = features.matrix.any(axis=0) & ~table.is_override
    if strict:
        start = 0
        for category in table.categories:
            zeros = [place for place, option in enumerate(category.options) if option.points == 0]
            if zeros:
                free[start + zeros[0]] = False
            start += len(category.options)
    return np.asarray(free)


def normalised(points: IntArray, table: PointTable, free: BoolArray) -> IntArray:
    """Points with the smallest of every category subtracted from those that were searched.

    Args:
        free: options that occur, from `free_options` without `strict`: a reference held at 0 by the strict variant is
            the smallest of its category, and then nothing is subtracted.

    The options of override, held at 0, count for their category. The AUC changes a little where a nodule is
    overridden or has several types of foci.
    """
    result, start = np.array(points), 0
    for category in table.categories:
        block = slice(start, start + len(category.options))
        counted = free[block] | table.is_override[block]
        if counted.any():
            least = result[block][counted].min()
            result[block] = np.where(free[block], result[block] - least, result[block])
        start += len(category.options)
    return result


def in_order(table: PointTable, chains: Chains, free: BoolArray) -> Repair:
    """A repair that sorts the points along each chain, so that they never fall; chains share no option.

    Options that are not free are left out of their chain. Raises: HounsfieldError for an unknown or doubled option.
    """
    names = list(table.option_names)
    listed = [name for chain in chains for name in chain]
    unknown = sorted(set(listed) - set(names))
    if unknown or len(set(listed)) < len(listed):
        raise HounsfieldError(f"chains name options of the table, each once; unknown: {', '.join(unknown) or 'none'}.")
    places = [[names.index(name) for name in chain if free[names.index(name)]] for chain in chains]

    def repair(people: IntArray) -> IntArray:
        people = people.copy()
        for chain in places:
            people[:, chain] = np.sort(people[:, chain], axis=1)
        return people

    return repair


class DecisionFitness:
    """Specificity of the FNA recommendation among tables whose sensitivity is not below a floor.

    Args:
        features, label, size_cm: N nodules.
        table: whose levels and sizes are read; only its points vary.
        floor: sensitivity that must be kept; below it the fitness is the shortfall, negative.
    """

    def __init__(
        self, features: Features, label: FloatArray, size_cm: FloatArray, *, table: PointTable, floor: float
    ) -> None:
        self._matrix = np.where(features.override[:, None], 0, features.matrix).astype(np.float64)
        self._positive = np.asarray(label) == 1
        self._floor = floor
        # The fewest points with which a nodule of this size gets an FNA: levels rise, their sizes fall.
        needed = np.full(len(size_cm), np.inf)
        for level in table.levels:
            if level.fna_cm is not None:
                reached = np.asarray(size_cm) >= level.fna_cm - 1e-8
                needed = np.where(reached, np.minimum(needed, level.points), needed)
        self._needed = needed

    def __call__(self, points: IntArray) -> FloatArray:
        """(P, O) points -> (P,) fitness."""
        fna = self._matrix @ points.T.astype(np.float64) >= self._needed[:, None] - 1e-9
        sensitivity = fna[self._positive].mean(axis=0)
        specificity = (~fna[~self._positive]).mean(axis=0)
        kept = sensitivity >= self._floor - 1e-12
        return np.asarray(np.where(kept, specificity, sensitivity - self._floor), dtype=np.float64)


def run_many(
    fitness: Fitness,
    table: PointTable,
    free: BoolArray,
    *,
    seeds: Sequence[int],
    settings: Settings | None = None,
    repair: Repair | None = None,
    progress: Progress = silent,
) -> list[Search]:
    """One search a seed, from the points of `table`."""
    return [
        optimise(fitness, table.points, free, rng=np.random.default_rng(seed), settings=settings, repair=repair)
        for seed in progress(list(seeds), len(seeds), "searching")
    ]


def tables_found(
    searches: Sequence[Search],
    table: PointTable,
    features: Features,
    label: FloatArray,
    size_cm: FloatArray | None = None,
    *,
    subtract: bool = True,
) -> list[Found]:
    """The distinct tables that the searches ended at, the highest AUC first.

    Args:
        subtract: see `normalised`; False takes the points as they were searched.
    """
    area = AucFitness(features.matrix, features.override, np.asarray(label, dtype=np.float64))
    occurring = free_options(table, features)
    ends: dict[bytes, list[IntArray]] = {}
    for search in searches:
        points = normalised(search.points, table, occurring) if subtract else search.points
        ends.setdefault(points.tobytes(), []).append(search.points)
    found = []
    for group in ends.values():
        points = normalised(group[0], table, occurring) if subtract else group[0]
        sensitivity, specificity = decision(points, table, features, label, size_cm)
        value = float(area(points[None])[0])
        changed = int((points != table.points).sum())
        found.append(Found(points, group[0], value, sensitivity, specificity, changed, len(group)))
    return sorted(found, key=lambda one: (-one.auc, one.changed, one.points.tolist()))


def chosen(found: Sequence[Found], *, sensitivity: float, tolerance: float = 0.001) -> Found:
    """One table of many near ties by a rule declared beforehand.

    Among those whose AUC is within `tolerance` of the best: sensitivity of FNA not below `sensitivity`, the start
    table's as a rule, then the fewest changed options, then the highest AUC. If none keeps the sensitivity, the one
    that comes nearest.
    """
    if not found:
        raise HounsfieldError("there is no table to choose from; run a search first.")
    best = max(one.auc for one in found)
    near = [one for one in found if one.auc >= best - tolerance]
    kept = [one for one in near if not one.sensitivity < sensitivity - 1e-12]
    if not kept:
        most = max(one.sensitivity for one in near)
        kept = [one for one in near if one.sensitivity >= most - 1e-12]
    return min(kept, key=lambda one: (one.changed, -one.auc))


def decision(
    points: IntArray, table: PointTable, features: Features, label: FloatArray, size_cm: FloatArray | None
) -> tuple[float, float]:
    """Sensitivity and specificity of the FNA recommendation with these points; NaN twice without sizes."""
    if size_cm is None:
        return float("nan"), float("nan")
    named = dict(zip(table.option_names, points.tolist(), strict=True))
    fna = manage(features, size_cm, table.with_points(named, name="candidate")).fna
    positive = np.asarray(label) == 1
    return float(fna[positive].mean()), float((~fna[~positive]).mean())
