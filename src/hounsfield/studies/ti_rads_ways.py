"""Ways of making a point table, each a function of the nodules to learn from; and a search on permuted outcomes.

In: features, labels, sizes. Out: points. What they are worth on other nodules, `guideline.out_of_fold` tells.
"""

from __future__ import annotations

import numpy as np

from hounsfield.core.types import BoolArray, FloatArray, IntArray
from hounsfield.guideline.features import Features
from hounsfield.guideline.genetic import AucFitness, Repair, optimise
from hounsfield.guideline.nodules import Nodules
from hounsfield.guideline.out_of_fold import Maker, rows_of
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.search import (
    TI_RADS_ORDER,
    DecisionFitness,
    decision,
    free_options,
    in_order,
    normalised,
)
from hounsfield.guideline.way import Way, maker

TOLERANCE = 0.001  # AUC; tables nearer than this to the best are near ties
RULE_RUNS = 10  # searches in each fold for the two ways that choose among several; 100 would take an hour


def makers(acr: PointTable) -> dict[str, Maker]:
    """The ways of making a table that are compared, by name."""
    return {
        "as published": searched(acr),
        "ordered": searched(acr, ordered=True),
        "strict": searched(acr, strict=True),
        "ordered and strict": searched(acr, ordered=True, strict=True),
        "declared rule": maker(Way(runs=RULE_RUNS), acr),
        "FNA as fitness": _by_decision(acr),
    }


def searched(table: PointTable, *, ordered: bool = False, strict: bool = False) -> Maker:
    def make(features: Features, label: FloatArray, size_cm: FloatArray, rng: np.random.Generator) -> IntArray:
        free = free_options(table, features, strict=strict)
        area = AucFitness(features.matrix, features.override, label)
        search = optimise(area, table.points, free, rng=rng, repair=_repair(table, free, ordered))
        return normalised(search.points, table, free_options(table, features))

    return make


def _by_decision(table: PointTable) -> Maker:
    def make(features: Features, label: FloatArray, size_cm: FloatArray, rng: np.random.Generator) -> IntArray:
        free = free_options(table, features, strict=True)  # subtracting afterwards would move the decisions
        floor, _ = decision(table.points, table, features, label, size_cm)
        fitness = DecisionFitness(features, label, size_cm, table=table, floor=floor)
        # This fitness has many more local optima than the AUC: a single run hardly leaves the start table.
        searches = [optimise(fitness, table.points, free, rng=rng) for _ in range(RULE_RUNS)]
        return max(searches, key=lambda one: one.fitness).points

    return make


def _repair(table: PointTable, free: BoolArray, ordered: bool) -> Repair | None:
    return in_order(table, TI_RADS_ORDER, free) if ordered else None


def permuted_outcomes(train: Nodules, acr: PointTable, *, seed: int, times: int = 20) -> FloatArray:
    """(times, 2) AUC after a search on one half of the nodules with permuted outcomes: there, and on the other half."""
    rows = []
    for turn in range(times):
        rng = np.random.default_rng([seed, 99, turn])
        label = rng.permutation(train.label)
        order = rng.permutation(len(label))
        halves = (order[: len(order) // 2], order[len(order) // 2 :])
        whole = AucFitness(train.features.matrix, train.features.override, label)
        free = free_options(acr, train.features)
        apparent = optimise(whole, acr.points, free, rng=rng).fitness
        parts = [rows_of(train.features, half) for half in halves]
        fits = [AucFitness(part.matrix, part.override, label[half]) for part, half in zip(parts, halves, strict=True)]
        search = optimise(fits[0], acr.points, free_options(acr, parts[0]), rng=rng)
        rows.append((apparent, float(fits[1](search.points[None])[0])))
    return np.array(rows)
