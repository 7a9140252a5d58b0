"""Readers beside the model on the same cases: ratings and an arm's repeats in, areas, means and differences out.

Readers stand for readers in general: the mean over them and the differences between ways of reading follow Obuchowski
and Rockette; a model is compared with their mean by drawing patients and readers anew.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hounsfield.core.errors import TableError
from hounsfield.core.seeds import generator
from hounsfield.core.types import BoolArray, FloatArray
from hounsfield.report.repeats import Repeat
from hounsfield.stats.agreement import fleiss_kappa, icc
from hounsfield.stats.auc import delong_interval
from hounsfield.stats.estimate import Estimate, UndefinedMetric
from hounsfield.stats.intervals import share_interval
from hounsfield.stats.mrmc import ReaderStudy, reader_study
from hounsfield.stats.multiplicity import holm
from hounsfield.stats.reader_average import Resampled, mean_difference, resample
from hounsfield.stats.weighted import area

MEAN, EVERYONE = "mean of readers", "all readers"


@dataclass(frozen=True)
class ReadingResult:
    """What the report shows.

    Attributes:
        cases: number of cases that every reader read every way and the model scored; of how many in `test`.
        metrics: one row a reader or arm, modality and metric.
        comparisons: one row a difference, first minus second.
        curves: (N,) ratings behind each reader's curve by (modality, reader), and of each arm by ("", arm).
        label: (N,) of those cases.
        points: (1 - specificity, sensitivity) of readers who made calls.
    """

    cases: int
    test: int
    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    curves: Mapping[tuple[str, str], FloatArray]
    label: BoolArray
    points: Mapping[tuple[str, str], tuple[float, float]]


@dataclass(frozen=True)
class _Readings:
    """Ratings of N cases, (M, R, N), and calls of the same shape or None."""

    modalities: tuple[str, ...]
    readers: tuple[str, ...]
    rating: FloatArray
    call: BoolArray | None

    def places(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Modality and reader by their numbers."""
        return {(way, who): (m, r) for m, way in enumerate(self.modalities) for r, who in enumerate(self.readers)}


def evaluate_readings(
    ratings: pd.DataFrame, repeats: Mapping[str, Sequence[Repeat]], *, seed: int, resamples: int
) -> ReadingResult:
    """Every reader's and every arm's area on the cases common to all, means, differences, agreement.

    Args:
        ratings: of `tables.ratings`.
        repeats: of a target of two classes, by arm; an arm's score of a case is its mean over repeats.

    Raises: TableError when no case, or no case of a class, is common to all, or a reader lacks a modality.
    """
    taken = {MEAN, EVERYONE} & set(ratings["reader"])
    if taken:
        raise TableError(f"no reader can be called '{taken.pop()}', which is a row of the report. Rename the reader.")
    scores = {arm: _mean_scores(several) for arm, several in repeats.items()}
    # Of all repeats: with repeated splits the first one holds a part of the test cases.
    every = [one for several in repeats.values() for one in several]
    truth = {str(case): bool(up == 1) for one in every for case, up in zip(one.case_id, one.label, strict=True)}
    patients = {str(case): who for one in every for case, who in zip(one.case_id, one.patient_id, strict=True)}
    everyone = ratings.groupby(["modality", "reader"], sort=False)["case_id"].agg(set)
    cases = sorted(set(truth).intersection(*everyone, *(set(one) for one in scores.values())))
    label = np.array([truth[case] for case in cases], dtype=bool)
    if not len(label) or label.all() or not label.any():
        raise TableError(
            f"{len(cases)} test cases ({int(label.sum())} positive) were read by every reader every way and scored by "
            "every arm. A comparison needs cases of both classes, the same for all: check that case_id agrees in both "
            "tables."
        )
    codes, _ = pd.factorize(np.array([patients[case] for case in cases], dtype=object), sort=True)
    read = _arrays(ratings, cases)
    curves = {
        (way, who): read.rating[m, r] for m, way in enumerate(read.modalities) for r, who in enumerate(read.readers)
    }
    curves |= {("", arm): np.array([score[case] for case in cases]) for arm, score in scores.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetric)
        rows = [
            _row(who, way, "AUC", delong_interval(label, score, patient_id=codes))
            for (way, who), score in curves.items()
        ]
        called, points = _calls(read, label, codes)
        study = reader_study(label, read.rating, patient_id=codes) if len(read.readers) > 1 else None
        if study is not None:
            rows += [_row(MEAN, way, "AUC", one) for way, one in zip(read.modalities, study.modality, strict=True)]
        rows += called + _agreement(read, codes)
        compared = _comparisons(study, read, label, curves, list(scores), codes, seed, resamples)
    return ReadingResult(len(cases), len(truth), pd.DataFrame(rows), pd.DataFrame(compared), curves, label, points)


def _mean_scores(repeats: Sequence[Repeat]) -> dict[str, float]:
    table = pd.concat([pd.Series(one.prob[:, 1], index=[str(case) for case in one.case_id]) for one in repeats])
    return {str(case): float(value) for case, value in table.groupby(level=0).mean().items()}


def _arrays(ratings: pd.DataFrame, cases: Sequence[str]) -> _Readings:
    ways = tuple(dict.fromkeys(ratings["modality"]))
    readers = tuple(dict.fromkeys(ratings["reader"]))
    keyed = ratings.set_index(["modality", "reader", "case_id"]).sort_index()
    there = set(zip(ratings["modality"], ratings["reader"], strict=True))
    lacking = [f"{who}, {way}" for way in ways for who in readers if (way, who) not in there]
    if lacking:
        raise TableError(f"every reader reads every way; nothing from {'; '.join(lacking)}. Drop them or the modality.")

    def table(name: str) -> FloatArray:
        return np.array(
            [[keyed[name].loc[(way, who)].loc[list(cases)] for who in readers] for way in ways], dtype=float
        )

    return _Readings(ways, readers, table("rating"), table("call") == 1 if "call" in ratings else None)


def _calls(
    read: _Readings, label: BoolArray, codes: Any
) -> tuple[list[dict[str, Any]], dict[tuple[str, str], tuple[float, float]]]:
    rows: list[dict[str, Any]] = []
    points: dict[tuple[str, str], tuple[float, float]] = {}
    if read.call is None:
        return rows, points
    for (way, who), place in read.places().items():
        call = read.call[place]
        up = share_interval(call[label], patient_id=codes[label])
        down = share_interval(~call[~label], patient_id=codes[~label])
        rows += [_row(who, way, "sensitivity", up), _row(who, way, "specificity", down)]
        points[way, who] = (1 - float(down), float(up))
    return rows, points


def _agreement(read: _Readings, codes: Any) -> list[dict[str, Any]]:
    if len(read.readers) < 2:
        return []
    rows = []
    for m, way in enumerate(read.modalities):
        rows.append(_row(EVERYONE, way, "ICC(2,1) of the ratings", icc(read.rating[m].T)))
        if read.call is not None:
            kappa = fleiss_kappa([one.tolist() for one in read.call[m].astype(int)], patient_id=codes)
            rows.append(_row(EVERYONE, way, "Fleiss' kappa of the calls", kappa))
    return rows


def _comparisons(
    study: ReaderStudy | None,
    read: _Readings,
    label: BoolArray,
    curves: Mapping[tuple[str, str], FloatArray],
    arms: Sequence[str],
    codes: Any,
    seed: int,
    resamples: int,
) -> list[dict[str, Any]]:
    rows = []
    ways = read.modalities
    if study is not None:
        pairs = [(ways[a], ways[b]) for a in range(len(ways)) for b in range(a + 1, len(ways))]
        for (a, b), found in zip(pairs, study.differences, strict=True):
            rows.append(_difference(f"{MEAN}, {a}", f"{MEAN}, {b}", found.difference, found.p))
    members = [(way, who) for way in ways for who in read.readers] + [("", arm) for arm in arms]
    drawn = resample(
        [area(label, curves[key]) for key in members],
        cases=len(label),
        rng=generator(seed, "readers"),
        patient_id=codes,
        resamples=resamples,
    )
    whom = MEAN if len(read.readers) > 1 else read.readers[0]
    for arm in arms:
        model = _some(drawn, [members.index(("", arm))])
        for way in ways:
            group = _some(drawn, [members.index((way, who)) for who in read.readers])
            gap, p = mean_difference(model, group, rng=generator(seed, "drawn readers"))
            rows.append(_difference(arm, f"{whom}, {way}" if len(ways) > 1 else whom, gap, p))
    for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = float(corrected)
    return rows


def _some(found: Resampled, places: Sequence[int]) -> Resampled:
    return Resampled(found.value[list(places)], found.drawn[:, list(places)], found.n, found.unit)


def _difference(first: str, second: str, gap: Estimate, p: float) -> dict[str, Any]:
    ends = {"difference": gap.value, "low": gap.low, "high": gap.high, "p": p}
    return {"first": first, "second": second, **ends, "n": gap.n, "unit": gap.unit, "method": gap.method}


def _row(who: str, way: str, metric: str, one: Estimate) -> dict[str, Any]:
    ends = {"value": one.value, "low": one.low, "high": one.high}
    return {"who": who, "modality": way, "metric": metric, **ends, "n": one.n, "unit": one.unit, "method": one.method}
