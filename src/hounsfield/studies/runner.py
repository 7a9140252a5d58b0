"""Runs a study: cases in, a run folder out with predictions, bundles and report. Killed at any moment, it goes on.

study.yaml        the resolved study           predictions.parquet  every claim is computed from this
manifest.json     versions, seeds, data        report.html          and metrics.parquet, figures/
splits.csv        who is in which part         bundles/ARM/         a model a folder, ready to predict
pieces/           one folder an arm, fold and seed; what is there is not computed again
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from hounsfield.core.atomic import write_json
from hounsfield.core.errors import StudyError
from hounsfield.core.progress import Progress, silent
from hounsfield.fit.arrangements import Stages
from hounsfield.infer.device import device_of
from hounsfield.studies.bundles import write_bundles
from hounsfield.studies.cohort import Cohort, make_cohort
from hounsfield.studies.folder import claim, write_down
from hounsfield.studies.load import choose_targets, require_sound
from hounsfield.studies.patient_level import patient_predictions, patient_targets
from hounsfield.studies.piece_files import load_piece, store_piece
from hounsfield.studies.pieces import Bench, Unit, predict_piece, settings_of, tensors, train_piece
from hounsfield.studies.reporting import report_run
from hounsfield.studies.study import Study
from hounsfield.tables.predictions import write_predictions


@dataclass(frozen=True)
class Machine:
    """Where the work runs; none of it is meant to change a result."""

    device: str = "auto"
    workers: int = 0
    engine: str = "local"


@dataclass(frozen=True)
class RunResult:
    """What a run left behind: its folder, the report when all pieces were there, and the headline in words."""

    folder: Path
    report: Path | None
    summary: list[str] = field(default_factory=list)


def run_study(
    study: Study,
    cases: Path,
    out: Path,
    *,
    machine: Machine | None = None,
    folds: Sequence[int] = (),
    progress: Progress = silent,
) -> RunResult:
    """Executes a study, or goes on with it where it stopped.

    Args:
        folds: train only these folds; several processes can share one run folder this way. The report is written by
            whichever finds all pieces there.
    Raises: StudyError, ProblemsError for what is wrong with study and cases; RunError when `out` holds another run.
    """
    machine = machine or Machine()
    device = device_of(machine.device)
    study = choose_targets(study, wanted_targets(study))
    require_sound(study)
    claim(out, study)
    cohort = make_cohort(study, cases, out / "cache", workers=machine.workers, engine=machine.engine, progress=progress)
    write_down(out, study, cohort)
    units = [Unit(repetition, fold, seed) for repetition, fold in cohort.units() for seed in study.seeds]
    unknown = set(folds) - {unit.fold for unit in units}
    if unknown:
        raise StudyError(f"the study has no fold {min(unknown)}; folds are counted from 0.")
    for unit in (unit for unit in units if not folds or unit.fold in folds):
        _run_unit(study, cohort, unit, out, device=device, progress=progress)
    if not all(_done(out, study, unit) for unit in units):
        return RunResult(out, None, ["These folds are done; the report is written when all are."])
    predictions = collect(out, study, units)
    classes = {name: list(target.classes) for name, target in study.targets.items()}
    classes |= {name: classes[of] for of, name in patient_targets(study).items()}
    write_predictions(predictions, out / "predictions.parquet", classes=classes)
    write_bundles(out, study, cohort, units, predictions)
    report, summary = report_run(out, study, cohort, units, predictions, progress=progress)
    return RunResult(out, report, summary)


def wanted_targets(study: Study) -> list[str]:
    """The targets of a run: all but the optional ones, unless only those are left."""
    return [name for name, target in study.targets.items() if not target.optional] or list(study.targets)


def piece_folder(out: Path, unit: Unit, target: str, arm: str) -> Path:
    """Where a piece lies."""
    return out / "pieces" / unit.name / target / arm


def collect(out: Path, study: Study, units: Sequence[Unit]) -> pd.DataFrame:
    """The predictions of all pieces, in the order of units, targets and arms."""
    frames = [
        pd.read_parquet(piece_folder(out, unit, target, arm) / "predictions.parquet")
        for unit in units
        for target in study.targets
        for arm in study.arms
    ]
    predictions = pd.concat(frames, ignore_index=True)
    if study.split.kind == "nested":
        predictions = averaged_over_folds(predictions)
    if study.patient is not None:
        predictions = pd.concat([predictions, patient_predictions(study, predictions)], ignore_index=True)
    return predictions


def averaged_over_folds(predictions: pd.DataFrame) -> pd.DataFrame:
    """The test rows of all folds of a nested split as one row a case: the mean of the fold models, under fold 0.

    The best of the folds is not looked for: which one it is can only be learnt from the test part.
    """
    test = predictions[predictions["split"] == "test"]
    keys = [name for name in test.columns if name != "fold" and not pd.api.types.is_float_dtype(test[name])]
    mean = test.drop(columns="fold").groupby(keys, sort=False, dropna=False).mean().reset_index().assign(fold=0)
    return pd.concat([predictions[predictions["split"] != "test"], mean[predictions.columns]], ignore_index=True)


def _run_unit(study: Study, cohort: Cohort, unit: Unit, out: Path, *, device: str, progress: Progress) -> None:
    todo = {target: [arm for arm in study.arms if not _has(out, unit, target, arm)] for target in study.targets}
    missing = {arm for arms in todo.values() for arm in arms}
    progress = _named(progress, unit.name)
    segmenter = None
    if any(study.arms[arm].needs_segmenter for arm in missing):
        segmenter = _train_segmenter(study, cohort, unit, out, device, progress)
    for target, arms in todo.items():
        if not arms:
            continue
        bench = _bench(study, cohort, unit, target, out, device, progress, segmenter)
        for name in ordered(study):
            folder = piece_folder(out, unit, target, name)
            if name in arms:
                trained = train_piece(bench, name, study.arms[name])
                bench.models[name] = trained.model
                store_piece(folder, trained, predict_piece(bench, name, trained.model))
            elif any(study.arms[other].image == name for other in arms):
                bench.models[name] = load_piece(folder, study, target, study.arms[name])
    shutil.rmtree(out / "training" / unit.name, ignore_errors=True)  # checkpoints have served


def _train_segmenter(study: Study, cohort: Cohort, unit: Unit, out: Path, device: str, progress: Progress) -> nn.Module:
    """The unit's U-Net. It learns masks, not classes: one serves all targets, trained on all cases of the part."""
    train, validation = (cohort.part(unit.repetition, unit.fold, part) for part in ("train", "validation"))
    stages = Stages(
        tensors(cohort, train, None),
        tensors(cohort, validation, None),
        settings_of(study, device, ratings=cohort.ratings is not None),
        seed=unit.seed,
        folder=out / "training" / unit.name,
        progress=progress,
    )
    fitted = stages.segmenter
    write_json(out / "pieces" / unit.name / "segmenter.json", {"segmenter": fitted.history})
    return fitted.network


def ordered(study: Study) -> list[str]:
    """Arms in an order in which each finds what it is built on."""
    return sorted(study.arms, key=lambda name: study.arms[name].kind == "fusion")


def _bench(
    study: Study,
    cohort: Cohort,
    unit: Unit,
    target: str,
    out: Path,
    device: str,
    progress: Progress,
    segmenter: nn.Module | None,
) -> Bench:
    train, validation, test = (
        cohort.target_part(target, unit.repetition, unit.fold, part) for part in ("train", "validation", "test")
    )
    for name, part in (("training", train), ("validation", validation), ("test", test)):
        if not part.any():
            raise StudyError(f"target {target}: the {name} part of fold {unit.fold} is empty; give more patients.")
    label = np.maximum(cohort.labels[target], 0)
    stages = Stages(
        tensors(cohort, train, label),
        tensors(cohort, validation, label),
        settings_of(study, device, ratings=cohort.ratings is not None),
        classes=len(study.targets[target].classes),
        seed=unit.seed,
        folder=out / "training" / unit.name / target,
        progress=_named(progress, target) if len(study.targets) > 1 else progress,
        given_segmenter=segmenter,
    )
    return Bench(study, cohort, unit, target, stages, train, validation, test, device, {})


def _named(progress: Progress, unit: str) -> Progress:
    return lambda items, total, label: progress(items, total, f"{unit} {label}")


def _has(out: Path, unit: Unit, target: str, arm: str) -> bool:
    return (piece_folder(out, unit, target, arm) / "predictions.parquet").is_file()


def _done(out: Path, study: Study, unit: Unit) -> bool:
    return all(_has(out, unit, target, arm) for target in study.targets for arm in study.arms)
