"""What `hounsfield evaluate` reports on: files and options in, a `ReportContent` out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hounsfield.catalog.splits.leakage import Leakage, leakage_of
from hounsfield.core.errors import TableError
from hounsfield.core.manifest import environment
from hounsfield.core.registry import nearest
from hounsfield.report.content import ArmInfo, ReportContent
from hounsfield.report.detections import DetectionStudy, Hit, study_of
from hounsfield.tables.cells import texts_of
from hounsfield.tables.detections import read_detections
from hounsfield.tables.findings import some
from hounsfield.tables.frames import read_frame
from hounsfield.tables.prediction_rules import REQUIRED
from hounsfield.tables.predictions import classes_of, read_predictions
from hounsfield.tables.ratings import read_ratings
from hounsfield.tables.scores import Columns, read_scores


@dataclass(frozen=True)
class Request:
    """The command's arguments; see `hounsfield evaluate --help`."""

    paths: tuple[Path, ...]
    label: str = ""
    scores: tuple[str, ...] = ()
    patient: str = ""
    case: str = ""
    positive: str = ""
    split: str = ""
    site: str = ""
    cases: Path | None = None
    subgroups: tuple[str, ...] = ()
    trivial: tuple[str, ...] = ()
    comparisons: tuple[tuple[str, str], ...] = ()
    title: str = ""
    detections: tuple[Path, ...] = ()
    lesions: Path | None = None
    volumes: Path | None = None
    hit: str = "radius"
    readings: Path | None = None


def content_of(request: Request) -> tuple[ReportContent, list[str]]:
    """Reads everything and puts the report together.

    Returns: the content, and notes on what was set aside or could not be done.
    Raises: TableError or ProblemsError for tables that can't be evaluated, unknown arms, or a missing --patient.
    """
    notes: list[str] = []
    ranked: frozenset[str] = frozenset()
    covariates: pd.DataFrame | None = None
    targets: dict[str, tuple[str, ...]] = {}
    detections = _detections(request)
    if not request.paths:
        if detections is None:
            raise TableError("nothing to evaluate: give predictions, or --detections with --lesions and --volumes.")
        predictions = pd.DataFrame(columns=list(REQUIRED)).assign(site=None)
    elif request.label or request.scores:
        predictions, targets, ranked, covariates, said = _of_scores(request)
        notes += said
    else:
        predictions, targets = _of_predictions(request.paths)
    if request.cases is not None:
        covariates = _covariates(request.cases)
    if covariates is not None and "site" not in covariates and predictions["site"].notna().any():
        sites = predictions[["case_id", "site"]].drop_duplicates("case_id")
        covariates = covariates.assign(case_id=covariates["case_id"].astype(str)).merge(sites, on="case_id", how="left")
    arms = list(dict.fromkeys(predictions["arm"]))
    named = [*request.trivial, *(name for pair in request.comparisons for name in pair)]
    every = [*arms, *(() if detections is None else detections.found)]
    for name in named:
        if name not in every:
            raise TableError(f"no arm '{name}'.{nearest(name, every)} Arms: {some(every)}.")
    if targets and not (predictions["split"] == "validation").any():
        notes.append("No validation rows: no operating point could be chosen on other cases, so none is reported.")
    for arm in sorted(ranked):
        notes.append(
            f"{arm}: scores are no probabilities; what needs one (calibration, decision curve, accuracy) is left out."
        )
    content = ReportContent(
        title=request.title or "Evaluation",
        question=(
            "How well do these predictions tell the classes apart?" if targets else "How well are the lesions found?"
        ),
        citation="",
        targets=targets,
        arms=tuple(ArmInfo(name, name, trivial=name in request.trivial) for name in arms),
        predictions=predictions,
        summary_note=" ".join(notes),
        leakage=_leakage(predictions),
        comparisons=request.comparisons or _every_pair(arms, detections, request.trivial),
        manifest={"files": [path.name for path in _files(request)], "environment": environment()},
        ranked=ranked,
        cohort=covariates if covariates is not None and covariates.shape[1] > 1 else None,
        subgroups=_subgroups(request, covariates) if targets else (),
        detections=detections,
        readings=None if request.readings is None else read_ratings(request.readings),
    )
    return content, notes


def _files(request: Request) -> list[Path]:
    """Everything that was read."""
    single = (request.cases, request.lesions, request.volumes, request.readings)
    return [*request.paths, *request.detections, *(path for path in single if path is not None)]


def _detections(request: Request) -> DetectionStudy | None:
    if not request.detections:
        if request.lesions or request.volumes:
            raise TableError("--lesions and --volumes go with --detections, the table of marks. Give it, too.")
        return None
    if request.lesions is None or request.volumes is None:
        raise TableError(
            "detections need --lesions (what was to be found) and --volumes (every volume that was searched, those "
            "without a lesion too: they count in the false positives per volume)."
        )
    return study_of(read_detections(request.detections, request.lesions, request.volumes), Hit.read(request.hit))


def _of_scores(request: Request) -> tuple[Any, dict[str, tuple[str, ...]], frozenset[str], Any, list[str]]:
    if not request.label or not request.scores or not request.patient:
        raise TableError(
            "a table of scores needs --label, --score and --patient. If every row is another patient, say so: "
            "--patient none. A predictions table of this package needs none of them."
        )
    columns = Columns(
        request.label, request.scores, request.patient, request.case, request.positive, request.split, request.site
    )
    found = read_scores(request.paths, columns)
    return found.predictions, {"label": found.classes}, found.ranked, found.covariates, list(found.notes)


def _of_predictions(paths: tuple[Path, ...]) -> tuple[pd.DataFrame, dict[str, tuple[str, ...]]]:
    tables = [read_predictions(path) for path in paths]
    targets: dict[str, tuple[str, ...]] = {}
    for path, table in zip(paths, tables, strict=True):
        for target in dict.fromkeys(table["target"]):
            classes = tuple(classes_of(table, target))
            if targets.setdefault(target, classes) != classes:
                raise TableError(f"{path.name} orders the classes of '{target}' otherwise. Use one order in all files.")
    counts = Counter(str(arm) for table in tables for arm in table["arm"].unique())
    doubled = sorted(arm for arm, count in counts.items() if count > 1)
    if doubled:
        raise TableError(f"several files hold arm {some(doubled)}. Rename it in one of them.")
    return pd.concat(tables, ignore_index=True), targets


def _covariates(path: Path) -> pd.DataFrame:
    frame = read_frame(path)
    if "case_id" not in frame:
        raise TableError(f"{path.name} has no column case_id. It joins covariates to predictions.")
    frame["case_id"] = texts_of(frame["case_id"])
    paths = [name for name in ("image", "mask", "series_uid") if name in frame]
    return frame.drop(columns=paths)


def _leakage(predictions: pd.DataFrame) -> tuple[Leakage, ...]:
    """The patient rule was asserted when the tables were read; here are the numbers that show it."""
    columns = ["case_id", "patient_id", "repetition", "fold", "split"]
    rows = predictions[columns].drop_duplicates().rename(columns={"split": "part"})
    return (leakage_of(rows),) if rows["part"].nunique() > 1 else ()


def _subgroups(request: Request, covariates: pd.DataFrame | None) -> tuple[str, ...]:
    """Those asked for; else the usual ones that are there."""
    if request.subgroups or covariates is None:
        return request.subgroups
    usual = {"site", "sex", "vendor", "manufacturer", "size", "size_mm", "diameter_mm"}
    return tuple(
        str(name) for name in covariates if str(name).lower() in usual and covariates[name].nunique(dropna=True) > 1
    )


def _every_pair(
    arms: list[str], detections: DetectionStudy | None, trivial: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Pairs of classifiers, then pairs of detectors that are not among them."""
    pairs = _all_pairs(arms, trivial)
    known = {frozenset(pair) for pair in pairs}
    others = () if detections is None else _all_pairs(list(detections.found), trivial)
    return (*pairs, *(pair for pair in others if frozenset(pair) not in known))


def _all_pairs(arms: list[str], trivial: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Every pair of up to five arms that are no trivial ones; more pairs than that answer no question."""
    others = [name for name in arms if name not in trivial]
    if len(others) > 5:
        return ()
    return tuple((others[a], others[b]) for a, b in zip(*np.triu_indices(len(others), 1), strict=True))
