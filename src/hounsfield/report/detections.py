"""Detections evaluated: tables of marks and lesions in; FROC, sensitivities, CPM and JAFROC of every arm out.

Every interval and comparison resamples patients, and all arms see the same resamples. The hit criterion stands in the
report beside the numbers, which mean nothing without it.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hounsfield.core.errors import TableError
from hounsfield.core.seeds import generator
from hounsfield.core.types import FloatArray
from hounsfield.stats.bootstrap import bootstrap_interval, bootstrap_values
from hounsfield.stats.estimate import Estimate, UndefinedMetric
from hounsfield.stats.froc import CPM_RATES, Detections, cpm, froc_band, froc_curve, sensitivity_at, values_of
from hounsfield.stats.jafroc import figure_of_merit, jafroc
from hounsfield.stats.matching import AGAIN, FALSE, Criterion, match
from hounsfield.stats.multiplicity import holm
from hounsfield.tables.detections import BOX, CENTRE, DIAMETER, DetectionTables
from hounsfield.tables.findings import some

_PAIRS = 5  # arms up to which all pairs are compared
_OTHER = "Add them, or choose another with --hit (radius, distance:MM, iou:SHARE, inside)."
_FIRST, _POINTS = 0.05, 120  # lowest rate of the drawn curve, false positives per volume; points of it


@dataclass(frozen=True)
class Hit:
    """When a mark hits a lesion.

    Attributes:
        criterion: of `stats.matching`.
        limit: in mm for "distance" and "radius", a share for "iou".
        words: for the report.
    """

    criterion: Criterion
    limit: float
    words: str

    @classmethod
    def read(cls, text: str) -> Hit:
        """From 'radius', 'distance:5', 'iou:0.2' or 'inside'. Raises: TableError for anything else."""
        name, _, number = text.partition(":")
        try:
            limit = float(number) if number else 0.0
        except ValueError:
            limit = math.nan
        words = {
            "radius": "the mark lies within the lesion's radius of its centre",
            "distance": f"the mark lies within {limit:g} mm of the lesion's centre",
            "iou": f"the boxes overlap by {limit:g} or more (intersection over union)",
            "inside": "the mark's centre lies in the lesion's box",
        }
        needs = name in ("distance", "iou")
        if name not in words or not math.isfinite(limit) or (limit > 0) != needs or (name == "iou" and limit > 1):
            raise TableError(f"--hit takes radius, inside, distance:MM or iou:SHARE, such as iou:0.1; got '{text}'.")
        criterion: Criterion = name  # type: ignore[assignment]
        return cls(criterion, limit, words[name])


@dataclass(frozen=True)
class DetectionStudy:
    """Every arm's hits and false positives on the same volumes."""

    found: Mapping[str, Detections]
    hit: Hit


@dataclass(frozen=True)
class DetectionResult:
    """What the report shows.

    Attributes:
        metrics: one row an arm and metric.
        comparisons: one row a pair and metric, first minus second.
        curves: by arm (rates, sensitivity, low, high) up to the arm's last point.
    """

    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    curves: Mapping[str, tuple[FloatArray, FloatArray, FloatArray, FloatArray]]


def study_of(tables: DetectionTables, hit: Hit) -> DetectionStudy:
    """Matches every arm's marks with the lesions of their volumes.

    Raises: TableError when the tables lack what the criterion needs (boxes, diameters, centres).
    """
    lesion_columns: tuple[str, ...] = CENTRE if hit.criterion in ("radius", "distance") else BOX
    mark_columns: tuple[str, ...] = BOX if hit.criterion == "iou" else CENTRE
    lesions, marks = tables.lesions, tables.detections
    if hit.criterion == "inside" and set(BOX) <= set(marks):
        # A box's own middle is in the unit of the lesions' boxes, which a centre in mm need not be.
        for name, low, high in zip(CENTRE, BOX[:3], BOX[3:], strict=True):
            middle = (marks[low] + marks[high]) / 2
            marks = marks.assign(**{name: middle.fillna(marks[name]) if name in marks else middle})
    _require("lesions", lesions, lesion_columns, hit)
    _require("detections", marks, mark_columns, hit)
    if hit.criterion == "radius":
        _require("lesions", lesions, (DIAMETER,), hit)
    place = {name: number for number, name in enumerate(tables.volumes["case_id"])}
    count = np.bincount([place[name] for name in lesions["case_id"]], minlength=len(place))
    patients = tuple(str(name) for name in tables.volumes["patient_id"])
    where = {str(name): part for name, part in lesions.groupby("case_id")}
    found = {}
    for arm, rows in marks.groupby("arm", sort=False):
        hits: list[tuple[float, int]] = []
        false: list[tuple[float, int]] = []
        for case, part in rows.groupby("case_id", sort=False):
            there = where.get(str(case), lesions.iloc[:0])
            score = part["score"].to_numpy(dtype=np.float64)
            which = match(
                there[list(lesion_columns)].to_numpy(dtype=np.float64),
                part[list(mark_columns)].to_numpy(dtype=np.float64),
                score,
                criterion=hit.criterion,
                limit=hit.limit,
                lesion_diameter_mm=there[DIAMETER].to_numpy() if hit.criterion == "radius" else None,
            )
            for value, lesion in zip(score, which, strict=True):
                if lesion != AGAIN:
                    (false if lesion == FALSE else hits).append((float(value), place[str(case)]))
        found[str(arm)] = Detections(*_columns(hits), *_columns(false), count, patients)
    return DetectionStudy(found, hit)


def _require(name: str, frame: pd.DataFrame, columns: Sequence[str], hit: Hit) -> None:
    if not set(columns) <= set(frame):
        raise TableError(f"criterion '{hit.criterion}' needs the columns {', '.join(columns)} of the {name}. {_OTHER}")
    empty = frame[list(columns)].isna().any(axis=1)
    if empty.any():
        of = f" of arm {some(dict.fromkeys(frame['arm'][empty]))}" if "arm" in frame else ""
        raise TableError(
            f"criterion '{hit.criterion}' needs the columns {', '.join(columns)} of all {name}; {int(empty.sum())}{of} "
            f"have none. {_OTHER}"
        )


def evaluate_detections(
    study: DetectionStudy, *, seed: int, resamples: int, pairs: Sequence[tuple[str, str]] = ()
) -> DetectionResult:
    """Sensitivities at 1/8 to 8 false positives per volume, CPM, JAFROC, each with its interval; arms compared.

    Args:
        pairs: arms to compare; all pairs of up to five arms when empty.
    """
    rows, curves = [], {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetric)  # shown as not defined
        for arm, found in study.found.items():
            rows += [_row(arm, name, one) for name, one in _metrics(found, seed, resamples).items()]
            last = float(froc_curve(found).false_positives[-1])
            rates = np.geomspace(_FIRST, last, _POINTS) if last > _FIRST else np.array([last or _FIRST])
            rng = generator(seed, "froc")
            curves[arm] = (rates, *froc_band(found, rates, rng=rng, resamples=min(resamples, 1000)))
        compared = _comparisons(study, _pairs(list(study.found), pairs), seed, resamples)
    return DetectionResult(pd.DataFrame(rows), pd.DataFrame(compared), curves)


def _metrics(found: Detections, seed: int, resamples: int) -> dict[str, Estimate]:
    # The same generator for every arm: they see the same patients drawn.
    settings: dict[str, Any] = {"resamples": resamples}
    metrics = {
        f"sensitivity at {rate:g}": sensitivity_at(found, rate, rng=generator(seed, "froc"), **settings)
        for rate in CPM_RATES
    }
    metrics["CPM"] = cpm(found, interpolate=False, rng=generator(seed, "froc"), **settings)
    kind = _kind(found)
    metrics[kind] = jafroc(found, kind=kind, rng=generator(seed, "froc"), **settings)
    volumes = len(found.lesions)
    whole = sensitivity_at(found, max(1.0, len(found.false_score)), rng=generator(seed, "froc"), **settings)
    metrics["sensitivity, all marks"] = whole
    per_volume = np.bincount(found.false_volume, minlength=volumes).astype(np.float64)
    metrics["false positives per volume, all marks"] = bootstrap_interval(
        lambda weights: np.asarray(weights @ per_volume / weights.sum(axis=1)),
        cases=volumes,
        rng=generator(seed, "froc"),
        patient_id=found.patient_id,
        resamples=resamples,
    )
    return metrics


def _kind(found: Detections) -> str:
    """JAFROC where volumes without lesions are there to hold against, else JAFROC1."""
    return "JAFROC" if (found.lesions == 0).any() else "JAFROC1"


def _comparisons(
    study: DetectionStudy, pairs: Sequence[tuple[str, str]], seed: int, resamples: int
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for first, second in pairs:
        a, b = study.found[first], study.found[second]
        kind = _kind(a)
        values: dict[str, tuple[Callable[[FloatArray], FloatArray], Callable[[FloatArray], FloatArray]]] = {
            "CPM": (_cpm(a), _cpm(b)),
            kind: (_merit(a, kind), _merit(b, kind)),
        }
        for metric, (one, other) in values.items():
            rows.append({"first": first, "second": second} | _difference(metric, one, other, a, seed, resamples))
    for metric in {row["metric"] for row in rows}:
        members = [row for row in rows if row["metric"] == metric]
        for row, p in zip(members, holm([row["p"] for row in members]), strict=True):
            row["p_holm"] = float(p)
    return rows


def _cpm(found: Detections) -> Callable[[FloatArray], FloatArray]:
    return lambda weights: values_of(found, weights, CPM_RATES, interpolate=False)


def _merit(found: Detections, kind: str) -> Callable[[FloatArray], FloatArray]:
    return lambda weights: figure_of_merit(found, weights, kind=kind)


def _difference(
    metric: str,
    one: Callable[[FloatArray], FloatArray],
    other: Callable[[FloatArray], FloatArray],
    volumes: Detections,
    seed: int,
    resamples: int,
) -> dict[str, Any]:
    """Paired difference with its interval; p from the normal law with the bootstrap's standard error."""

    def gap(weights: FloatArray) -> FloatArray:
        return one(weights) - other(weights)

    settings: dict[str, Any] = {
        "cases": len(volumes.lesions),
        "patient_id": volumes.patient_id,
        "resamples": resamples,
    }
    found = bootstrap_interval(gap, rng=generator(seed, "froc"), **settings)
    drawn = bootstrap_values(gap, rng=generator(seed, "froc"), **settings)
    known = drawn[np.isfinite(drawn)]
    se = float(np.std(known, ddof=1)) if len(known) > 1 else math.nan
    p = 1.0 if found.value == 0 else math.erfc(abs(found.value) / se / math.sqrt(2)) if se > 0 else math.nan
    return {"metric": metric, "difference": found.value, "low": found.low, "high": found.high, "p": p} | {
        "n": found.n,
        "unit": found.unit,
        "method": "paired patient bootstrap, normal p",
    }


def _pairs(arms: Sequence[str], asked: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    named = [pair for pair in asked if set(pair) <= set(arms)]
    if named or len(arms) > _PAIRS:
        return named
    return list(itertools.combinations(arms, 2))


def _columns(marks: Sequence[tuple[float, int]]) -> tuple[FloatArray, Any]:
    return np.array([score for score, _ in marks], dtype=np.float64), np.array([at for _, at in marks], dtype=np.int64)


def _row(arm: str, metric: str, one: Estimate) -> dict[str, Any]:
    ends = {"value": one.value, "low": one.low, "high": one.high, "n": one.n, "unit": one.unit}
    return {"arm": arm, "metric": metric, **ends, "method": one.method, "note": one.note}
