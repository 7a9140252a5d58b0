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
from hounsfield.studies.cohort import Cohort, make_cohort
from hounsfield.studies.folder import MANIFEST, write_down
from hounsfield.studies.load import load
from hounsfield.studies.perturbed_cases import changed_cohort
from hounsfield.studies.perturbed_results import FIRST, Probabilities, page_of, table_of
from hounsfield.studies.piece_files import load_piece
from hounsfield.studies.pieces import Unit, cubes_of
from hounsfield.studies.study import Arm, Study
from hounsfield.tables.cases import Case

SHIFT_MM = 3.0


@dataclass(frozen=True)
class Perturbed:
    """What came out: the table, its two files, and the cases whose outline vanished or could not be changed."""

    table: pd.DataFrame
    files: tuple[Path, ...]
    set_aside: tuple[Problem, ...]


def changes_of(study: Study) -> tuple[Perturbation, ...]:
    """Eroded and dilated by 1 and 2 voxels of the study's grid (their mean side), shifted by 3 mm along each axis.

    The surface moves by a distance in mm, the same along every axis and for all scanners: a voxel of a scan with thick
    slices would be another one along z. The mask shows as much of that as the scan's own voxels can (`perturb`).
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
    return (Perturbation(name=FIRST), *grown, *shifts)


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
    found: dict[str, Probabilities] = {}
    unchanged: dict[str, frozenset[str]] = {}
    aside: list[Problem] = []
    for change in changes_of(study):
        changed = changed_cohort(study, cohort, wanted, change, cache=run / "cache", options=options)
        aside += [replace(one, where=f"{one.where}, {change.name}") for one in changed.set_aside]
        found[change.name] = _predictions(run, study, arms, changed.cohort, units, device)
        unchanged[change.name] = changed.unchanged
    if not any(found[FIRST].values()):
        raise ProblemsError("no outline could be changed:", aside[:20])
    table = table_of(study, cohort, found, unchanged)
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
) -> Probabilities:
    """(C,) probabilities by case, for every target and arm; the mean where folds share."""
    found: dict[tuple[str, str], dict[str, FloatArray]] = {}
    measure = MeasureCubes(study.preparation)
    for target in study.targets:
        for name, arm in arms.items():
            several: dict[str, list[FloatArray]] = {}
            for unit in units:
                keep = changed.target_part(target, unit.repetition, unit.fold, "test")
                if not keep.any():
                    continue
                model = load_piece(run / "pieces" / unit.name / target / name, study, target, arm)
                prob: FloatArray = model.predict(cubes_of(changed, keep), measure=measure, device=device).prob
                for case_id, value in zip(_ids(changed, keep), prob, strict=True):
                    several.setdefault(case_id, []).append(value)
            found[target, name] = {case_id: np.mean(values, axis=0) for case_id, values in several.items()}
    return found


def _ids(cohort: Cohort, keep: BoolArray) -> list[str]:
    return [case.case_id for case, kept in zip(cohort.cases, keep, strict=True) if kept]


def _write(run: Path, study: Study, table: pd.DataFrame, aside: Sequence[Problem]) -> tuple[Path, ...]:
    csv, page = run / "mask_perturbation.csv", run / "mask_perturbation.md"
    with atomic_file(csv) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    write_text(page, page_of(study, table, aside))
    return page, csv
