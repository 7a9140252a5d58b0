"""A way of making a point table: many searches and the declared choice among the tables at which they end.

In: a start table and nodules. Out: what was found and chosen. The same way runs on all nodules for the table that is
kept, and on each training part of a cross-validation (`out_of_fold`), so that what is estimated is what is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hounsfield.core.progress import Progress, silent
from hounsfield.core.types import FloatArray, IntArray
from hounsfield.guideline.features import Features
from hounsfield.guideline.genetic import AucFitness, Fitness, Search, Settings
from hounsfield.guideline.out_of_fold import Maker
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.search import (
    TI_RADS_ORDER,
    DecisionFitness,
    Found,
    chosen,
    decision,
    free_options,
    in_order,
    run_many,
    tables_found,
)

FITNESS = ("auc", "fna")


@dataclass(frozen=True)
class Way:
    """How a table is made; the defaults are the published algorithm, twenty times, and the declared rule.

    Attributes:
        runs: searches from the start table.
        settings: of each search.
        ordered: points never fall along `search.TI_RADS_ORDER`.
        strict: reference options are held at 0; always with "fna", see `subtracts`.
        fitness: one of `FITNESS`: "auc", or "fna", the specificity of FNA at the start table's sensitivity.
    """

    runs: int = 20
    settings: Settings = field(default_factory=Settings)
    ordered: bool = False
    strict: bool = False
    fitness: str = "auc"

    @property
    def subtracts(self) -> bool:
        """Whether category minima are subtracted after the search: it would move the decisions that "fna" counted."""
        return self.fitness != "fna"


@dataclass(frozen=True)
class Made:
    """What a way ended at.

    Attributes:
        searches: one a run.
        found: their distinct tables, the highest AUC first.
        start: the start table on the same nodules.
        chosen: one of `found`.
    """

    searches: tuple[Search, ...]
    found: tuple[Found, ...]
    start: Found
    chosen: Found


def make_table(
    way: Way,
    table: PointTable,
    features: Features,
    label: FloatArray,
    size_cm: FloatArray,
    *,
    seeds: Sequence[int],
    progress: Progress = silent,
) -> Made:
    """Runs `way` from `table` on N nodules.

    Args:
        label, size_cm: (N,) 1 malignant, 0 benign, both present; cm above 0.
        seeds: one a search; `way.runs` is for those who draw them.
    """
    free = free_options(table, features, strict=way.strict or not way.subtracts)
    base = decision(table.points, table, features, label, size_cm)
    area = AucFitness(features.matrix, features.override, label)
    fitness: Fitness = area
    if way.fitness == "fna":
        fitness = DecisionFitness(features, label, size_cm, table=table, floor=base[0])
    repair = in_order(table, TI_RADS_ORDER, free) if way.ordered else None
    searches = run_many(fitness, table, free, seeds=seeds, settings=way.settings, repair=repair, progress=progress)
    found = tables_found(searches, table, features, label, size_cm, subtract=way.subtracts)
    start = Found(table.points, table.points, float(area(table.points[None])[0]), *base, 0, 0)
    return Made(tuple(searches), tuple(found), start, _choice(found, way, base[0]))


def maker(way: Way, table: PointTable) -> Maker:
    """`way` from `table` as `out_of_fold` takes it; its seeds come from the generator that is handed in."""

    def make(features: Features, label: FloatArray, size_cm: FloatArray, rng: np.random.Generator) -> IntArray:
        seeds = rng.integers(2**31, size=way.runs).tolist()
        return make_table(way, table, features, label, size_cm, seeds=seeds).chosen.points

    return make


def _choice(found: Sequence[Found], way: Way, floor: float) -> Found:
    if way.fitness == "fna":
        # No search ends below the floor, since each begins at the start table and keeps the best it met.
        return max(found, key=lambda one: (one.sensitivity >= floor - 1e-12, one.specificity, one.auc, -one.changed))
    return chosen(found, sensitivity=floor)
