"""The demonstration: simulated patients as DICOM, the main job on them, and one unseen patient read and reported.

Everything is real but the patients: the CT series are valid DICOM, the arms are trained, the report is that of any run.
"""

from __future__ import annotations

from pathlib import Path

from hounsfield.core.errors import ProblemsError
from hounsfield.core.progress import Progress, silent
from hounsfield.infer.bundle import read_bundle
from hounsfield.infer.series import predict_series
from hounsfield.phantom.archive import write_archive
from hounsfield.studies.load import load
from hounsfield.studies.runner import Machine, run_study
from hounsfield.tables.check import check_cases, has_errors

PATIENTS = 60
ARM = "auto_mask"  # its bundle reads the unseen patient


def run_demo(out: Path, *, seed: int = 1, machine: Machine | None = None, progress: Progress = silent) -> list[str]:
    """Runs the demonstration in `out`; run again, it goes on or finds all done.

    Returns: what to tell the user, a line each.
    Raises: ProblemsError when the simulated cases do not pass the check, which would be a fault of this package.
    """
    machine = machine or Machine()
    archive = out / "archive"
    cases = archive / "cases.csv"
    if not cases.is_file():
        write_archive(archive, patients=PATIENTS, seed=seed, masks="mixed", workers=machine.workers, progress=progress)
    findings = check_cases(cases, label="malignant", workers=machine.workers, progress=progress)
    if has_errors(findings):
        raise ProblemsError("the simulated cases are not right:", findings)
    study = load("demo", seeds=[seed])
    result = run_study(study, cases, out / "run", machine=machine, progress=progress)
    bundle = read_bundle(out / "run" / "bundles" / ARM)
    unseen = archive / "unseen"
    written = predict_series(bundle, unseen / "ct", unseen / "lesions.csv", out / "unseen")
    return [
        *result.summary,
        f"unseen patient: {written['segmentation']} (DICOM SEG), {written['report']} (DICOM SR)",
        f"report: {result.report}",
    ]
