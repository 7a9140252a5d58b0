"""The numbers of the TI-RADS study: the expert's nodules and the searches in, one result of everything out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hounsfield.core.progress import Progress, silent
from hounsfield.core.types import FloatArray, IntArray
from hounsfield.guideline.compare import Shifted, shifted
from hounsfield.guideline.features import Features
from hounsfield.guideline.genetic import AucFitness, Search
from hounsfield.guideline.matched import matched_gain, shifted_calls
from hounsfield.guideline.nodules import Nodules
from hounsfield.guideline.out_of_fold import Maker, OutOfFold, out_of_fold, with_points
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.score import manage
from hounsfield.guideline.search import DecisionFitness, Found, chosen, decision, free_options, normalised, tables_found
from hounsfield.guideline.size_term import size_classes, with_size
from hounsfield.stats.auc import auc
from hounsfield.stats.estimate import Estimate
from hounsfield.stats.mcnemar import mcnemar
from hounsfield.studies.ti_rads_ways import TOLERANCE, makers, permuted_outcomes, searched

PARTS = ("training", "test")
WAY_RUNS = 40


@dataclass(frozen=True)
class TableRow:
    """One point table on both parts; counts are of malignant nodules with FNA and benign nodules without.

    Attributes:
        name: in words.
        runs: how many searches ended there, 0 for tables that were given.
        changed: options that differ from ACR.
        before: training AUC before the category minima were subtracted; NaN for tables that were given.
        training_p: exact McNemar p of its training sensitivity against that of ACR.
    """

    name: str
    runs: int
    changed: int
    before: float
    training_auc: float
    training_found: int
    training_spared: int
    test_auc: float
    test_found: int
    test_spared: int
    training_p: float
    points: tuple[int, ...]

    def flat(self, options: Sequence[str]) -> dict[str, object]:
        """A row of a CSV, a column an option."""
        return {k: v for k, v in vars(self).items() if k != "points"} | dict(zip(options, self.points, strict=True))


@dataclass(frozen=True)
class TiRadsResult:
    """Everything the page tells.

    Attributes:
        options: names of the points of a row.
        tries: how often each other way was run, its best table kept.
        given: ACR and AI.
        searched: distinct tables of the published search, highest training AUC first.
        ends: (R,) AUC where each run ended, before the subtraction; after it in `ends_after`.
        picks: table chosen by a name of the rule or variant.
        honest: out-of-fold results by variant.
        permuted: (K, 2) AUC on permuted outcomes, where searched on and on the other half.
        shifts: operating points of ACR and AI on both parts under a shift of all totals, ("training", "ACR") and so on.
        matched: AI's gain in specificity at ACR's sensitivity on each part, and its p.
        counts: malignant and benign nodules of each part.
    """

    options: tuple[str, ...]
    tries: int
    given: tuple[TableRow, ...]
    searched: tuple[TableRow, ...]
    ends: FloatArray
    ends_after: FloatArray
    picks: Mapping[str, TableRow]
    honest: Mapping[str, OutOfFold]
    permuted: FloatArray
    shifts: Mapping[tuple[str, str], Sequence[Shifted]]
    matched: Mapping[str, tuple[Estimate, float]]
    counts: Mapping[str, tuple[int, int]]


def side(row: TableRow, part: str) -> tuple[float, int, int]:
    """AUC, malignant nodules with FNA and benign ones without, on one part."""
    if part == PARTS[0]:
        return row.training_auc, row.training_found, row.training_spared
    return row.test_auc, row.test_found, row.test_spared


def near_ties(result: TiRadsResult) -> list[TableRow]:
    """The searched tables whose training AUC is within `TOLERANCE` of the best."""
    best = max(one.training_auc for one in result.searched)
    return [one for one in result.searched if one.training_auc >= best - TOLERANCE]


def gather(
    parts: tuple[Nodules, Nodules],
    tables: tuple[PointTable, PointTable],
    searches: Sequence[Search],
    *,
    seed: int,
    folds: int = 10,
    repetitions: int = 5,
    progress: Progress = silent,
) -> TiRadsResult:
    """All numbers of the study.

    Args:
        parts: training and test nodules.
        tables: ACR and AI TI-RADS.
        searches: of the published algorithm on the training nodules.
    """
    train, (acr, ai) = parts[0], tables
    free = free_options(acr, train.features)
    found = tables_found(searches, acr, train.features, train.label, train.size_cm)
    ways = makers(acr)
    tries = min(WAY_RUNS, len(searches))
    points = _picked(train, acr, found, ways, seed, tries)
    names = ["AI, as printed" if (one.points == ai.points).all() else f"{n}" for n, one in enumerate(found, start=1)]
    pairs = zip(names, found, strict=True)
    area = AucFitness(train.features.matrix, train.features.override, train.label)
    return TiRadsResult(
        options=acr.option_names,
        tries=tries,
        given=(row_of("ACR", acr, acr, parts), row_of("AI, as printed", ai, acr, parts)),
        searched=tuple(row_of(name, with_points(acr, one.points), acr, parts, found=one) for name, one in pairs),
        ends=np.array([one.fitness for one in searches]),
        ends_after=area(np.stack([normalised(one.points, acr, free) for one in searches])),
        picks={name: row_of(name, with_points(acr, one), acr, parts) for name, one in points.items()},
        honest=_honest(train, acr, ways, seed, folds, repetitions, progress),
        permuted=permuted_outcomes(train, acr, seed=seed),
        shifts={
            (part, name): shifted(nodules.label, nodules.features, nodules.size_cm, one)
            for part, nodules in zip(PARTS, parts, strict=True)
            for name, one in (("ACR", acr), ("AI", ai))
        },
        matched={
            name: matched_gain(
                one.label,
                manage(one.features, one.size_cm, acr).fna.astype(np.float64),
                shifted_calls(one.features, one.size_cm, ai),
                seed=seed,
                patient_id=one.patient_id,
            )
            for name, one in zip(PARTS, parts, strict=True)
        },
        counts={
            name: (int((one.label == 1).sum()), int((one.label == 0).sum()))
            for name, one in zip(PARTS, parts, strict=True)
        },
    )


def _picked(
    train: Nodules, acr: PointTable, found: Sequence[Found], ways: Mapping[str, Maker], seed: int, tries: int
) -> dict[str, IntArray]:
    """The tables that each way ends at on all training nodules, the best of `tries` where one run is not the way."""
    known = (train.features, train.label, train.size_cm)
    floor, _ = decision(acr.points, acr, *known)
    area = AucFitness(train.features.matrix, train.features.override, train.label)
    call = DecisionFitness(*known, table=acr, floor=floor)
    points = {"highest AUC": found[0].points}
    points["declared rule"] = chosen(found, sensitivity=floor, tolerance=TOLERANCE).points
    for name in ("ordered", "strict", "ordered and strict", "FNA as fitness"):
        ends = np.stack([ways[name](*known, np.random.default_rng([seed, run])) for run in range(tries)])
        fitness = call if name == "FNA as fitness" else area
        points[name] = ends[int(np.argmax(fitness(ends)))]
    return points


def _honest(
    train: Nodules,
    acr: PointTable,
    ways: Mapping[str, Maker],
    seed: int,
    folds: int,
    repetitions: int,
    progress: Progress,
) -> dict[str, OutOfFold]:
    """Every way out of fold, and the published one with a size term."""

    def run(features: Features, table: PointTable, make: Maker) -> OutOfFold:
        return out_of_fold(
            features,
            train.label,
            train.size_cm,
            train.patient_id,
            table=table,
            make=make,
            seed=seed,
            folds=folds,
            repetitions=repetitions,
            progress=progress,
        )

    honest = {name: run(train.features, acr, make) for name, make in ways.items()}
    longer = with_size(acr)
    keys = [option.key for option in longer.categories[-1].options]
    chosen_size = np.array(size_classes(train.size_cm.tolist()))[:, None] == np.array(keys)
    features = Features(np.hstack([train.features.matrix, chosen_size]), train.features.override, train.features.kept)
    honest["size term"] = run(features, longer, searched(longer))
    return honest


def row_of(
    name: str, table: PointTable, acr: PointTable, parts: tuple[Nodules, Nodules], *, found: Found | None = None
) -> TableRow:
    """A table on both parts; `found` adds what is known of its search."""
    train, sides = parts[0], []
    for part in parts:
        result = manage(part.features, part.size_cm, table)
        ill = part.label == 1
        sides.append((float(auc(ill, result.points)), int(result.fna[ill].sum()), int((~result.fna[~ill]).sum())))
    ill = train.label == 1
    calls = [manage(train.features, train.size_cm, one).fna[ill] for one in (acr, table)]
    before = float("nan")
    if found is not None:
        before = float(auc(ill, np.where(train.features.override, 0, train.features.matrix @ found.searched)))
    return TableRow(
        name,
        found.runs if found else 0,
        int((table.points != acr.points).sum()),
        before,
        *sides[0],
        *sides[1],
        mcnemar(calls[0], calls[1]),
        tuple(table.points.tolist()),
    )
