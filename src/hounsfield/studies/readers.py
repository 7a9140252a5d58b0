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
from hounsfield.stats.agreement import fleiss_kappa
from hounsfield.stats.auc import weighted_auc
from hounsfield.stats.bootstrap import WeightedStatistic
from hounsfield.stats.estimate import Estimate
from hounsfield.stats.multiplicity import holm
from hounsfield.stats.operating_point import level_among, matched_to
from hounsfield.stats.reader_average import Resampled, mean_difference, reader_mean, resample
from hounsfield.stats.weighted import area, share

if TYPE_CHECKING:
    import pandas as pd

METRICS = ("auc", "fna_sensitivity", "fna_specificity", "follow_up_sensitivity", "follow_up_specificity")
MEAN = "mean of readers"


@dataclass(frozen=True)
class Plan:
    """Who is who in the readings, and how they are judged.

    Attributes:
        model: the reader that is the model, with a `score` in place of features.
        annotator: whose levels on the training part the model's levels are matched to.
        consensus: the expert consensus, or empty.
        group: readers who are averaged.
        sizes: "own", each reader's own measurement as the article used; "common", one size a nodule, the annotator's.
        by_patient: resample patients; False resamples nodules, as the article did.
    """

    seed: int
    model: str = "algorithm"
    annotator: str = "1"
    consensus: str = "consensus"
    group: str = "readers"
    sizes: str = "common"
    by_patient: bool = True
    resamples: int = 2000


@dataclass(frozen=True)
class Judged:
    """One reader's, or the model's, answers on the N test nodules."""

    name: str
    score: FloatArray
    level: IntArray
    fna: BoolArray
    follow_up: BoolArray


@dataclass(frozen=True)
class ReaderComparison:
    """The study's result; `rows` and `comparisons` are ready for a table."""

    judged: tuple[Judged, ...]
    label: BoolArray
    thresholds: FloatArray
    estimates: Mapping[tuple[str, str], Estimate]
    comparisons: tuple[Mapping[str, Any], ...]
    subsets: tuple[Mapping[str, Any], ...]
    overlap: Mapping[str, float]
    agreement: Mapping[str, Estimate]

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

    Raises: TableError when the model, the annotator or a part is missing, or a class has no test nodule.
    """
    if plan.sizes not in ("own", "common"):
        raise TableError(f"sizes is 'own' or 'common'; got '{plan.sizes}'.")
    scores = _scores(frame, plan, "test")
    readers = _readers(frame, table, plan, "test")
    cases = sorted(set(scores).intersection(*(set(one.case_id) for one in readers.values())))
    if not cases:
        raise TableError("no test nodule was read by all readers and scored by the model.")
    thresholds = _thresholds(frame, table, plan)
    annotator = readers[plan.annotator]
    label = _in_order(annotator, annotator.label, cases) == 1
    patients = [annotator.patient_id[annotator.case_id.index(case)] for case in cases]
    common = _in_order(annotator, annotator.size_cm, cases)
    judged = [_of_model(plan.model, np.array([scores[case] for case in cases]), common, thresholds, table)]
    for one in readers.values():
        size = common if plan.sizes == "common" else _in_order(one, one.size_cm, cases)
        judged.append(_of_reader(one, cases, size, table))
    members = [name for name, one in readers.items() if one.group == plan.group]
    return _results(judged, label, patients if plan.by_patient else None, members, thresholds, plan)


def _readers(frame: pd.DataFrame, table: PointTable, plan: Plan, part: str) -> dict[str, Nodules]:
    rows = frame[(frame["part"] == part) & (frame["reader"] != plan.model)]
    found, _ = nodules_of(rows, table, named_wins=True)
    readers = {one.reader: with_truth(one) for one in found}
    if plan.annotator not in readers:
        raise TableError(f"no reader '{plan.annotator}' on part '{part}'; there are {', '.join(readers) or 'none'}.")
    return readers


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


def _of_model(name: str, score: FloatArray, size_cm: FloatArray, thresholds: FloatArray, table: PointTable) -> Judged:
    return _judged(name, score, level_among(score, thresholds) + 1, size_cm, table)


def _of_reader(one: Nodules, cases: Sequence[str], size_cm: FloatArray, table: PointTable) -> Judged:
    points = _in_order(one, points_of(one.features, table), cases)
    return _judged(one.reader, points, level_of(points, table), size_cm, table)


def _judged(name: str, score: FloatArray, level: IntArray, size_cm: FloatArray, table: PointTable) -> Judged:
    fna = reaches(level, size_cm, [one.fna_cm for one in table.levels])
    later = reaches(level, size_cm, [one.follow_up_cm for one in table.levels])
    return Judged(name, np.asarray(score, dtype=np.float64), level, fna, fna | later)


def _in_order(one: Nodules, values: Any, cases: Sequence[str]) -> Any:
    place = {case: row for row, case in enumerate(one.case_id)}
    return np.asarray(values)[[place[case] for case in cases]]


def _statistic(metric: str, one: Judged, up: BoolArray) -> WeightedStatistic:
    if metric == "auc":
        return area(up, one.score)
    called = one.fna if metric.startswith("fna") else one.follow_up
    return share(called, among=up) if metric.endswith("sensitivity") else share(~called, among=~up)


def _results(
    judged: Sequence[Judged],
    label: BoolArray,
    patients: Sequence[str] | None,
    members: Sequence[str],
    thresholds: FloatArray,
    plan: Plan,
) -> ReaderComparison:
    estimates: dict[tuple[str, str], Estimate] = {}
    comparisons: list[dict[str, Any]] = []
    inside = [place for place, one in enumerate(judged) if one.name in members]
    for metric in METRICS:
        everyone = resample(
            [_statistic(metric, one, label) for one in judged],
            cases=len(label),
            rng=np.random.default_rng([plan.seed, 1]),
            patient_id=patients,
            resamples=plan.resamples,
        )
        model = _columns(everyone, [0])
        sides = {one.name: _columns(everyone, [place]) for place, one in enumerate(judged)}
        for name, side in sides.items():
            estimates[name, metric] = reader_mean(side)
        rows = [
            _compared(metric, plan.model, name, mean_difference(model, side))
            for name, side in sides.items()
            if name != plan.model
        ]
        if len(inside) > 1:
            group = _columns(everyone, inside)
            estimates[MEAN, metric] = reader_mean(group, rng=np.random.default_rng([plan.seed, 2]))
            gap = mean_difference(model, group, rng=np.random.default_rng([plan.seed, 2]))
            rows.append(_compared(metric, plan.model, MEAN, gap))
        for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
            row["p_holm"] = float(corrected)
        comparisons += rows
    raters = [one for one in judged if one.name != plan.model]
    return ReaderComparison(
        tuple(judged),
        label,
        thresholds,
        estimates,
        tuple(comparisons),
        tuple(_subsets(judged[0], raters, members, label, plan)),
        _overlap(judged[0], [one for one in raters if one.name in members], label),
        _agreement([one for one in raters if one.name in members], patients),
    )


def _columns(found: Resampled, places: Sequence[int]) -> Resampled:
    return Resampled(found.value[list(places)], found.drawn[:, list(places)], found.n, found.unit)


def _compared(metric: str, first: str, second: str, found: tuple[Estimate, float]) -> dict[str, Any]:
    gap, p = found
    return {
        "metric": metric,
        "first": first,
        "second": second,
        "difference": gap.value,
        "low": gap.low,
        "high": gap.high,
        "p": p,
        "method": gap.method,
    }


def _subsets(
    model: Judged, raters: Sequence[Judged], members: Sequence[str], label: BoolArray, plan: Plan
) -> list[dict[str, Any]]:
    """AUC on easy and difficult nodules; easy: all raters right on a cancer, six in ten and more on a benign nodule."""
    right = np.stack([one.fna == label for one in raters])
    easy = np.where(label, right.all(axis=0), right.mean(axis=0) >= 0.6 - 1e-9)
    rows = []
    for name, chosen in (("easy", easy), ("difficult", ~easy)):
        ones = chosen[None].astype(np.float64)
        values = {one.name: float(weighted_auc(label, one.score, ones)[0]) for one in (model, *raters)}
        rows.append(
            {
                "subset": name,
                "malignant": int((chosen & label).sum()),
                "benign": int((chosen & ~label).sum()),
                "model": values[plan.model],
                MEAN: float(np.mean([values[member] for member in members])) if members else np.nan,
                "consensus": values.get(plan.consensus, np.nan),
            }
        )
    return rows


def _overlap(model: Judged, readers: Sequence[Judged], label: BoolArray) -> dict[str, float]:
    """Shares of wrong FNA decisions, and of each side's wrong ones that the other got wrong, too."""
    wrong = model.fna != label
    theirs = [one.fna != label for one in readers]
    # Who made no error has no share of them; the mean is over those who made one.
    erring = [one for one in theirs if one.any()]
    shared = [one[wrong].mean() for one in theirs] if wrong.any() else []
    return {
        "model wrong": float(wrong.mean()),
        "readers wrong, mean": float(np.mean([one.mean() for one in theirs])) if theirs else np.nan,
        "readers wrong where the model is": float(np.mean(shared)) if shared else np.nan,
        "model wrong where a reader is": float(np.mean([wrong[one].mean() for one in erring])) if erring else np.nan,
    }


def _agreement(readers: Sequence[Judged], patients: Sequence[str] | None) -> dict[str, Estimate]:
    if len(readers) < 2:
        return {}
    return {
        "FNA": fleiss_kappa([one.fna.tolist() for one in readers], patient_id=patients),
        "level": fleiss_kappa([one.level.tolist() for one in readers], patient_id=patients),
    }
