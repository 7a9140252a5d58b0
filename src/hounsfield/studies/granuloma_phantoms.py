"""Phantoms that decide whether the arms of the granuloma study are right: an empty folder in, runs and a page out.

OUT/PHANTOM/archive, catalog.duckdb, cases.csv   simulated patients and the way to their table
OUT/PHANTOM/run                                  an ordinary run of granuloma-phantoms.yaml
OUT/leak/unmasked, OUT/fingerprint/scan-level    the two runs made the wrong way, as controls
OUT/granuloma-phantoms.csv, .md and .png         every arm of every phantom, the page, and what the phantoms look like
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hounsfield.core.atomic import atomic_file, write_text
from hounsfield.core.errors import StudyError
from hounsfield.core.progress import Progress, silent
from hounsfield.phantom.solitary import KINDS, Kind
from hounsfield.report.figures.solitary_phantoms import phantoms_figure
from hounsfield.studies.folder import claim
from hounsfield.studies.granuloma_phantom_cases import FULL, QUICK, phantom_cases, scan_level, unmasked
from hounsfield.studies.granuloma_phantom_page import section
from hounsfield.studies.granuloma_phantom_verdicts import (
    DUAL,
    FINGERPRINT,
    LEAK,
    SCANS,
    SHAPE,
    SINGLE,
    TRIVIAL,
    UNMASKED,
    ArmResult,
    judge,
    results_of,
    table_of,
)
from hounsfield.studies.load import load
from hounsfield.studies.runner import Machine, run_study
from hounsfield.studies.study import Study
from hounsfield.tables.predictions import read_predictions

NAME = "granuloma-phantoms"
_WRONG_WAYS = {LEAK: ("unmasked", UNMASKED), FINGERPRINT: ("scan-level", SCANS)}  # folder and name of the run
_CONTROL_ARMS = {LEAK: (TRIVIAL, DUAL), FINGERPRINT: (TRIVIAL, SINGLE, DUAL)}  # those that the controls judge
_BY_HEART = "{kind: affine, flip_probability: 0, rotation_degrees: 5, shift_voxels: 1, scale: [0.97, 1.03]}"
_TRAININGS: dict[Kind, tuple[str, ...]] = {
    "local_only": ("epochs=40", "learning_rate=3.0e-3"),
    "fingerprint": (f"augmentation={_BY_HEART}",),
}


def run_granuloma_phantoms(
    out: Path,
    *,
    quick: bool = False,
    seed: int = 1,
    only: Sequence[str] = (),
    machine: Machine | None = None,
    progress: Progress = silent,
) -> list[str]:
    """Runs the phantoms in `out`; run again, it goes on or finds all done.

    Args:
        quick: few patients and epochs, to see it run; its verdicts mean nothing.
        only: run these phantoms now; several processes can share `out` so, and the last one writes the page.
    Returns: the verdicts and where the page is, a line each.
    Raises: StudyError for a phantom that there is none of.
    """
    unknown = sorted(set(only) - set(KINDS))
    if unknown:
        raise StudyError(f"there is no phantom '{unknown[0]}'; there are {', '.join(KINDS)}.")
    machine = machine or Machine()
    sizes = QUICK if quick else FULL
    for kind in (kind for kind in KINDS if not only or kind in only):
        cases = phantom_cases(out / kind, kind, sizes.of(kind), seed=seed, workers=machine.workers, progress=progress)
        study = study_of(kind, quick=quick, seed=seed)
        run_study(study, cases, out / kind / "run", machine=machine, progress=progress)
        _wrong_way(out / kind, kind, study, cases, machine, progress)
    runs = _finished(out)
    missing = [kind for kind in KINDS if kind not in runs]
    if missing:
        return [f"These phantoms are done; the page is written when {', '.join(missing)} are too."]
    return _written(out, runs, study_of(KINDS[0], quick=quick, seed=seed), quick=quick, seed=seed)


def study_of(kind: Kind, *, quick: bool, seed: int) -> Study:
    """The study as a phantom takes it: another training where what is to be learnt asks for it.

    Mirror images and turns keep a small network from learning patients by heart: without them a split by patient has
    most to stand up to. A texture without a fixed pattern takes longer to learn than satellites.
    """
    changes = [*_TRAININGS.get(kind, ()), *(["epochs=1"] if quick else [])]
    overrides = [f"arms.{arm}.training.{one}" for arm in (SINGLE, DUAL, SHAPE) for one in changes]
    return load(NAME, profile="quick" if quick else "full", overrides=overrides, seeds=[seed])


def _wrong_way(folder: Path, kind: Kind, study: Study, cases: Path, machine: Machine, progress: Progress) -> None:
    """The run that shows what a phantom would do if it were not for masks, or for splits by patient."""
    if kind not in _WRONG_WAYS:
        return
    if kind == LEAK:
        cases = unmasked(cases, workers=machine.workers, progress=progress)
    else:
        cases = scan_level(cases)
    arms = {name: arm for name, arm in study.arms.items() if name in _CONTROL_ARMS[kind]}
    study = study.model_copy(update={"arms": arms, "comparisons": []})
    run = folder / _WRONG_WAYS[kind][0]
    claim(run, study)
    if not (run / "cache").exists():
        shutil.copytree(folder / "run" / "cache", run / "cache")  # the same series: nothing is measured twice
    run_study(study, cases, run, machine=machine, progress=progress)


def _finished(out: Path) -> dict[str, dict[str, ArmResult]]:
    """Test results of the phantoms whose runs are whole, in order."""
    runs = {}
    for kind in KINDS:
        wrong = _WRONG_WAYS.get(kind)
        files = [out / kind / "run", *([out / kind / wrong[0]] if wrong else [])]
        if not all((file / "predictions.parquet").is_file() for file in files):
            continue
        runs[str(kind)] = results_of(read_predictions(files[0] / "predictions.parquet"))
        if wrong is not None:
            patients = None
            if kind == FINGERPRINT:
                table = pd.read_csv(out / kind / "cases-scan-level.csv", dtype=str)
                patients = table.set_index("case_id")["true_patient"]
            runs[wrong[1]] = results_of(read_predictions(files[1] / "predictions.parquet"), patients=patients)
    return runs


def _written(out: Path, runs: dict[str, dict[str, ArmResult]], study: Study, *, quick: bool, seed: int) -> list[str]:
    table = pd.concat([table_of(name, results) for name, results in runs.items()], ignore_index=True)
    verdicts = judge(runs, table)
    with atomic_file(out / f"{NAME}.csv") as path:
        table.to_csv(path, index=False, float_format="%.6f", lineterminator="\n")
    with atomic_file(out / f"{NAME}.png") as path:
        path.write_bytes(phantoms_figure(seed=seed).png)
    write_text(out / f"{NAME}.md", section(table, verdicts, study, QUICK if quick else FULL, quick=quick))
    lines = [f"{one.phantom:28} {one.verdict:8} {one.expectation}: {one.found}" for one in verdicts]
    return [*lines, f"page: {out / f'{NAME}.md'}"]
