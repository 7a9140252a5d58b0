"""A model against radiologists on the same nodules: readings and scores in, performance, comparisons and subsets out.

The reader study of Buda et al. (Radiology 2019;292:695), for any data whose columns a mapping names: discrimination by
AUC without size, then management with size, each with intervals and paired tests, difficulty subsets, error overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hounsfield.core.errors import TableError
from hounsfield.core.types import BoolArray, FloatArray, IntArray
from hounsfield.guideline.nodules import Nodules, nodules_of, with_truth
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.score import level_of, points_of, reaches
from hounsfield.stats.estimate import Estimate
from hounsfield.stats.kappa import PairsKappa
from hounsfield.stats.mrmc import ReaderStudy
from hounsfield.stats.operating_point import level_among, matched_to
from hounsfield.studies.readers_errors import Subset, agreement, overlap, pairs, subsets
from hounsfield.studies.readers_panel import Judged, Panel, Plan
from hounsfield.studies.readers_performance import at_large, performance

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ReaderComparison:
    """The study's result.

    Attributes:
        judged: answers on the N nodules, the model's first.
        label: (N,).
        thresholds: between the model's levels.
        estimates: by (name, metric), `readers_performance.METRICS`; the mean of readers is `readers_panel.MEAN`.
        comparisons: the model minus each, rows ready for a table.
        at_large: the AUC against readers in general by analysis of variance; None with fewer than two readers.
        subsets: easy and difficult nodules.
        overlap: shares of wrong decisions.
        agreement: Fleiss' kappa by what is decided.
        pairs: weighted kappa of the levels over pairs.
    """

    judged: tuple[Judged, ...]
    label: BoolArray
    thresholds: FloatArray
    estimates: Mapping[tuple[str, str], Estimate]
    comparisons: tuple[Mapping[str, Any], ...]
    at_large: ReaderStudy | None
    subsets: tuple[Subset, Subset]
    overlap: Mapping[str, Estimate]
    agreement: Mapping[str, Estimate]
    pairs: Mapping[str, PairsKappa]

    def counts(self, name: str) -> dict[str, tuple[int, int]]:
        """Counts behind sensitivities and specificities: (right, of all)."""
        one = next(one for one in self.judged if one.name == name)
        up = self.label
        return {
            "fna_sensitivity": (int(one.fna[up].sum()), int(up.sum())),
            "fna_specificity": (int((~one.fna[~up]).sum()), int((~up).sum())),
            "follow_up_sensitivity": (int(one.follow_up[up].sum()), int(up.sum())),
            "follow_up_specificity": (int((~one.follow_up[~up]).sum()), int((~up).sum())),
        }


def run_readers(frame: pd.DataFrame, table: PointTable, plan: Plan) -> ReaderComparison:
    """Judges everyone on the nodules that all have read, and compares the model with each.

    Args:
        frame: of `tables.readings`, with parts "test" and "training"; the model's rows have `score`.

    Raises: TableError when the model, the annotator, the reader of the sizes or a part is missing, or a class has no
        test nodule.
    """
    panel, thresholds = judge(frame, table, plan)
    estimates, comparisons = performance(panel)
    return ReaderComparison(
        panel.judged,
        panel.label,
        thresholds,
        estimates,
        tuple(comparisons),
        at_large(panel),
        subsets(panel),
        overlap(panel),
        agreement(panel),
        pairs(panel),
    )


def judge(frame: pd.DataFrame, table: PointTable, plan: Plan) -> tuple[Panel, FloatArray]:
    """Everybody's scores, levels and recommendations on the nodules that all have read, and the model's thresholds.

    Args and Raises: see `run_readers`.
    """
    scores = _scores(frame, plan, "test")
    readers = _readers(frame, table, plan, "test")
    cases = sorted(set(scores).intersection(*(set(one.case_id) for one in readers.values())))
    if not cases:
        raise TableError("no test nodule was read by all readers and scored by the model.")
    thresholds = _thresholds(frame, table, plan)
    annotator = readers[plan.annotator]
    label = _in_order(annotator, annotator.label, cases) == 1
    patients = tuple(annotator.patient_id[annotator.case_id.index(case)] for case in cases)
    sizes = _sizes(readers, cases, plan)
    score = np.array([scores[case] for case in cases])
    judged = [_judged(plan.model, score, level_among(score, thresholds) + 1, sizes[plan.annotator], table)]
    for name, one in readers.items():
        points = _in_order(one, points_of(one.features, table), cases)
        judged.append(_judged(name, points, level_of(points, table), sizes[name], table))
    members = tuple(name for name, one in readers.items() if one.group == plan.group)
    return Panel(tuple(judged), label, patients if plan.by_patient else None, members, plan), thresholds


def _readers(frame: pd.DataFrame, table: PointTable, plan: Plan, part: str) -> dict[str, Nodules]:
    rows = frame[(frame["part"] == part) & (frame["reader"] != plan.model)]
    found, _ = nodules_of(rows, table, named_wins=True)
    readers = {one.reader: with_truth(one) for one in found}
    if plan.annotator not in readers:
        raise TableError(f"no reader '{plan.annotator}' on part '{part}'; there are {', '.join(readers) or 'none'}.")
    return readers


def _sizes(readers: Mapping[str, Nodules], cases: Sequence[str], plan: Plan) -> dict[str, FloatArray]:
    """The size that each reader is judged by; the model is judged by the annotator's."""
    one_for_all = plan.annotator if plan.sizes == "common" else plan.sizes
    if plan.sizes != "own" and one_for_all not in readers:
        raise TableError(f"sizes is 'own', 'common' or a reader: {', '.join(readers)}; got '{plan.sizes}'.")
    sources = {name: readers[name if plan.sizes == "own" else one_for_all] for name in readers}
    return {name: _in_order(source, source.size_cm, cases) for name, source in sources.items()}


def _scores(frame: pd.DataFrame, plan: Plan, part: str) -> dict[str, float]:
    rows = frame[(frame["reader"] == plan.model) & (frame["part"] == part)]
    if rows.empty or "score" not in rows or rows["score"].isna().any():
        raise TableError(f"'{plan.model}' needs a score for each nodule of part '{part}'. Map its column.")
    return dict(zip(rows["case_id"], rows["score"].astype(float), strict=True))


def _thresholds(frame: pd.DataFrame, table: PointTable, plan: Plan) -> FloatArray:
    """Quantiles of the model's training scores at the shares of the annotator's levels; lowest two levels as one."""
    annotator = _readers(frame, table, plan, "training")[plan.annotator]
    scores = _scores(frame, plan, "training")
    rows = np.array([case in scores for case in annotator.case_id])
    points = points_of(annotator.features, table)[rows]
    model = np.array([scores[case] for case in annotator.case_id if case in scores])
    return matched_to(points, model, starts=[level.points for level in table.levels[2:]])


def _judged(name: str, score: FloatArray, level: IntArray, size_cm: FloatArray, table: PointTable) -> Judged:
    fna = reaches(level, size_cm, [one.fna_cm for one in table.levels])
    later = reaches(level, size_cm, [one.follow_up_cm for one in table.levels])
    return Judged(name, np.asarray(score, dtype=np.float64), level, fna, fna | later)


def _in_order(one: Nodules, values: Any, cases: Sequence[str]) -> Any:
    place = {case: row for row, case in enumerate(one.case_id)}
    return np.asarray(values)[[place[case] for case in cases]]
