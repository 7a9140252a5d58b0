"""How much a finished run leans on exact outlines. In: a run folder and its cases; out: a table of what every arm
predicts when the experts' outlines of the test cases are eroded, dilated or shifted.

The models are not trained again. Everything that a mask decides is made anew from the changed one: features, the
place of the cube, what is masked out, the lungs closed around the lesion. Why: masks of published cohorts were
corrected by people, and the next reader's lie a voxel or two apart from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hounsfield.core.atomic import atomic_file, write_text
from hounsfield.core.errors import Problem, ProblemsError, RunError, StudyError
from hounsfield.core.progress import Progress, silent
from hounsfield.core.types import BoolArray, FloatArray
from hounsfield.data.cube import OF_THE_IMAGE
from hounsfield.infer.device import device_of
from hounsfield.infer.inputs import OF_THE_CASE
from hounsfield.infer.measure import MeasureCubes
from hounsfield.radiomics.perturb import Perturbation
from hounsfield.stats.auc import delong_interval
from hounsfield.studies.cohort import Cohort, make_cohort
from hounsfield.studies.folder import MANIFEST, write_down
from hounsfield.studies.load import load
from hounsfield.studies.perturbed_cases import changed_cohort
from hounsfield.studies.piece_files import load_piece
from hounsfield.studies.pieces import Unit, cubes_of
from hounsfield.studies.study import Arm, Study
from hounsfield.tables.cases import Case

SHIFT_MM = 3.0
FIRST = Perturbation(name="as drawn")
COLUMNS = ["target", "arm", "change", "cases", "patients", "lost", "auc", "low", "high", "auc_as_drawn", "mean_change"]


@dataclass(frozen=True)
class Perturbed:
    """What came out: the table, its two files, and the cases whose outline vanished or could not be changed."""

    table: pd.DataFrame
    files: tuple[Path, ...]
    set_aside: tuple[Problem, ...]


def changes_of(study: Study) -> tuple[Perturbation, ...]:
    """Eroded and dilated by 1 and 2 voxels of the study's grid (their mean side), shifted by 3 mm along each axis.

    The distance is one in mm, the same in all directions and for all scanners: a voxel of a scan with thick slices
    would be another one along z.
    """
    side = float(np.prod(study.preparation.spacing_mm) ** (1 / 3))
    grown = [
        Perturbation(name=f"{word} by {count} voxel{'s' if count > 1 else ''} ({count * side:.3g} mm)", grow_mm=mm)
        for word, sign in (("eroded", -1), ("dilated", 1))
        for count in (1, 2)
        for mm in (sign * count * side,)
    ]
    shifts = [
        Perturbation(name=f"shifted by {SHIFT_MM:g} mm along {axis}", shift_mm=step)
        for axis, step in (("z", (SHIFT_MM, 0.0, 0.0)), ("y", (0.0, SHIFT_MM, 0.0)), ("x", (0.0, 0.0, SHIFT_MM)))
    ]
    return (FIRST, *grown, *shifts)


def perturb_run(
    run: Path,
    cases: Path,
    *,
    device: str = "auto",
    workers: int = 0,
    engine: str = "local",
    progress: Progress = silent,
) -> Perturbed:
    """Predicts the test cases of a finished run under changed outlines; writes mask_perturbation.md and .csv into it.

    Of the run its first repetition and seed are taken. A case is predicted by the model of the fold that it is the test
    part of, or by the mean of all where the folds share one test part, as in the report.

    Raises: RunError when the folder holds no finished run, or one of other cases; StudyError when no case has an
        outline; ProblemsError when none can be changed.
    """
    device = device_of(device)
    study = _study_of(run)
    options: dict[str, Any] = {"workers": workers, "engine": engine, "progress": progress}
    cohort = make_cohort(study, cases, run / "cache", **options)
    write_down(run, study, cohort)  # compares, for the run has its manifest
    units = [Unit(repetition, fold, study.seeds[0]) for repetition, fold in cohort.units()]
    units = [unit for unit in units if unit.repetition == units[0].repetition]
    wanted = _test_cases(cohort, study, units)
    arms = {name: arm for name, arm in study.arms.items() if leans_on_masks(arm)}
    if not wanted or not arms:
        raise StudyError("no test case of this run has an outline, or no arm is fed anything that it decides.")
    found: dict[str, dict[tuple[str, str], dict[str, float]]] = {}
    aside: list[Problem] = []
    for change in changes_of(study):
        changed, problems = changed_cohort(study, cohort, wanted, change, cache=run / "cache", options=options)
        aside += [replace(one, where=f"{one.where}, {change.name}") for one in problems]
        found[change.name] = _predictions(run, study, arms, changed, units, device)
    if not any(found[FIRST.name].values()):
        raise ProblemsError("no outline could be changed:", aside[:20])
    table = _table(study, cohort, found)
    return Perturbed(table, _write(run, study, table, aside), tuple(aside))


def leans_on_masks(arm: Arm) -> bool:
    """Whether an outline decides anything that the arm is fed: features, or the place of the cube it sees."""
    if arm.kind != "features" or arm.mask == "auto":
        return True
    return not all(feature.split()[-1].startswith((OF_THE_IMAGE, OF_THE_CASE)) for feature in arm.features)


def _study_of(run: Path) -> Study:
    if not (run / MANIFEST).is_file() or not (run / "predictions.parquet").is_file():
        raise RunError(
            f"'{run.name}' holds no finished run. Give the --out of a `hounsfield study run` that has a report."
        )
    if not (run / "pieces").is_dir():
        raise RunError(f"the folder pieces of '{run.name}' is gone, and with it the models. Run the study anew.")
    return load(str(run / "study.yaml"))


def _test_cases(cohort: Cohort, study: Study, units: Sequence[Unit]) -> list[Case]:
    """Cases with an outline that are in the test part of any fold, of any target."""
    tested = np.zeros(len(cohort.cases), dtype=bool)
    for unit in units:
        for target in study.targets:
            tested |= cohort.target_part(target, unit.repetition, unit.fold, "test")
    return [case for case, kept in zip(cohort.cases, tested, strict=True) if kept and case.mask is not None]


def _predictions(
    run: Path, study: Study, arms: Mapping[str, Arm], changed: Cohort, units: Sequence[Unit], device: str
) -> dict[tuple[str, str], dict[str, float]]:
    """Probability of the last class by case, for every target of two classes and arm; the mean where folds share."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    measure = MeasureCubes(study.preparation)
    for target, how in study.targets.items():
        if len(how.classes) != 2:
            continue
        for name, arm in arms.items():
            several: dict[str, list[float]] = {}
            for unit in units:
                keep = changed.target_part(target, unit.repetition, unit.fold, "test")
                if not keep.any():
                    continue
                model = load_piece(run / "pieces" / unit.name / target / name, study, target, arm)
                prob: FloatArray = model.predict(cubes_of(changed, keep), measure=measure, device=device).prob[:, 1]
                for case_id, value in zip(_ids(changed, keep), prob, strict=True):
                    several.setdefault(case_id, []).append(float(value))
            found[target, name] = {case_id: float(np.mean(values)) for case_id, values in several.items()}
    return found


def _ids(cohort: Cohort, keep: BoolArray) -> list[str]:
    return [case.case_id for case, kept in zip(cohort.cases, keep, strict=True) if kept]


def _table(
    study: Study, cohort: Cohort, found: Mapping[str, Mapping[tuple[str, str], Mapping[str, float]]]
) -> pd.DataFrame:
    """One row a target, arm and change; both areas of a row are of the same cases."""
    label = {
        target: dict(zip([case.case_id for case in cohort.cases], values.tolist(), strict=True))
        for target, values in cohort.labels.items()
    }
    patient = {case.case_id: case.patient_id for case in cohort.cases}
    rows = []
    for (target, arm), drawn in found[FIRST.name].items():
        for change, by_arm in found.items():
            prob = by_arm[target, arm]
            ids = [one for one in drawn if one in prob]
            truth = np.array([label[target][one] for one in ids], dtype=np.int64)
            who = np.array([patient[one] for one in ids], dtype=object)
            now, before = (np.array([one[case] for case in ids]) for one in (prob, drawn))
            row: dict[str, Any] = {"target": target, "arm": arm, "change": change, "cases": len(ids)}
            row |= {"patients": len(set(who)), "lost": len(drawn) - len(ids)}
            row |= _areas(truth, now, before, who)
            row["mean_change"] = float(np.abs(now - before).mean()) if len(ids) else np.nan
            rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _areas(truth: Any, now: FloatArray, before: FloatArray, who: Any) -> dict[str, float]:
    """DeLong's interval on the logit scale, Obuchowski's where patients repeat; NaN where a class is missing."""
    if len(np.unique(truth)) < 2:
        return dict.fromkeys(("auc", "low", "high", "auc_as_drawn"), np.nan)
    area = delong_interval(truth, now, patient_id=who)
    drawn = delong_interval(truth, before, patient_id=who)
    return {"auc": area.value, "low": area.low, "high": area.high, "auc_as_drawn": drawn.value}


def _write(run: Path, study: Study, table: pd.DataFrame, aside: Sequence[Problem]) -> tuple[Path, ...]:
    csv, page = run / "mask_perturbation.csv", run / "mask_perturbation.md"
    with atomic_file(csv) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    write_text(page, _page(study, table, aside))
    return page, csv


def _page(study: Study, table: pd.DataFrame, aside: Sequence[Problem]) -> str:
    """The table as Markdown."""
    lines = [f"# {study.title}: outlines changed", "", _WORDS, ""]
    for (target, arm), part in table.groupby(["target", "arm"], sort=False):
        lines += [f"## {target}: {study.arms[str(arm)].title}", ""]
        lines += [
            "| outline | cases | AUC (95 % CI) | change of AUC | mean change of probability |",
            "|---|---|---|---|---|",
        ]
        for row in part.to_dict("records"):
            span = f" ({row['low']:.3f} to {row['high']:.3f})" if np.isfinite(row["low"]) else ""
            area = f"{row['auc']:.3f}{span}" if np.isfinite(row["auc"]) else "not defined"
            apart = row["auc"] - row["auc_as_drawn"]
            first = row["change"] == FIRST.name
            change = "" if first or not np.isfinite(apart) else f"{apart:+.3f}"
            moved = "" if first else f"{row['mean_change']:.3f}"
            lost = f" ({row['lost']} lost)" if row["lost"] else ""
            lines.append(f"| {row['change']} | {row['cases']}{lost} | {area} | {change} | {moved} |")
        lines.append("")
    if aside:
        lines += ["## Left out", ""] + [f"- {problem}" for problem in aside[:50]]
        lines += [f"- and {len(aside) - 50} more"] if len(aside) > 50 else []
        lines.append("")
    return "\n".join(lines)


_WORDS = (
    "Test cases of the first repetition and seed, predicted by the same models with changed expert outlines. "
    "Patients, not cases, are independent in the intervals. The change of the AUC is against the outlines as drawn, "
    "on the same cases: one that is lost (nothing is left of it) counts in neither. A shift moves the outline over "
    "the image, and with it the place of every cube."
)
