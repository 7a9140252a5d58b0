"""Writes the archive of one phantom of solitary nodules. In: a folder, a kind, a number of patients; out: DICOM series,
masks, a spreadsheet of outcomes and the truth.

Layout: `archive/PATIENT/KERNEL/` (one CT series each), `masks/PATIENT.nii.gz`, `truth.csv` (what only the simulation
knows) and, last, `outcomes.csv`: patient_id, diagnosis and mask, what a department's spreadsheet would hold. Series of
both classes have the same number of files, dates, descriptions and table positions of one law.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hounsfield.core.atomic import write_text
from hounsfield.core.engine import each
from hounsfield.core.errors import StudyError
from hounsfield.core.progress import Progress, silent
from hounsfield.core.seeds import generator
from hounsfield.core.types import BoolArray
from hounsfield.phantom.solitary import (
    KINDS,
    SHAPE,
    SPACING_MM,
    Kind,
    SolitaryPlan,
    distance_mm,
    draw_body,
    plan_solitary,
    reconstructed,
)
from hounsfield.volume.dicom_write import SeriesHeader, write_ct_series
from hounsfield.volume.volume import Volume
from hounsfield.volume.write import write_volume

POSITIVE, NEGATIVE = "cryptococcosis", "cancer"
Row = dict[str, Any]
_MARK = "SIMULATED.txt"


def solitary_plans(kind: Kind, patients: int, *, seed: int) -> list[SolitaryPlan]:
    """The patients of a phantom; half of them, drawn by chance, are positive.

    Raises: StudyError for fewer than two patients or an unknown kind.
    """
    if patients < 2:
        raise StudyError(f"patients is 2 or more, so that both classes are there; got {patients}.")
    order = generator(seed, "solitary classes", KINDS.index(kind) if kind in KINDS else 0).permutation(patients)
    positive = set(order[: patients // 2].tolist())
    return [plan_solitary(n + 1, seed=seed, kind=kind, positive=n in positive) for n in range(patients)]


def write_solitary_archive(
    folder: Path, kind: Kind, patients: int, *, seed: int, workers: int = 0, progress: Progress = silent
) -> Path:
    """Writes the phantom into `folder`, or does nothing where the same one is there whole.

    Returns: path of `outcomes.csv`.
    Raises: StudyError for a wrong kind or number of patients, or a folder that holds something else.
    """
    folder = Path(folder)
    plans = solitary_plans(kind, patients, seed=seed)
    table, mark = folder / "outcomes.csv", folder / _MARK
    claim = f"Everything beside this file was simulated: {kind}, {patients} patients, seed {seed}.\n"
    if mark.is_file() and mark.read_text(encoding="utf-8") == claim:
        if table.is_file():
            return table
    elif folder.is_dir() and any(folder.iterdir()):
        raise StudyError(f"'{folder.name}' holds another phantom or other files. Give a new or empty folder.")
    for name in ("archive", "masks"):
        shutil.rmtree(folder / name, ignore_errors=True)
    write_text(mark, claim)
    write = partial(_write_patient, folder=folder)
    rows = each(write, plans, workers=workers, progress=progress, label=f"{kind} patients")
    _write_table(folder / "truth.csv", [truth for _, truth in rows])
    _write_table(table, [outcome for outcome, _ in rows])
    return table


def placed_volume(plan: SolitaryPlan, array: Any) -> Volume:
    """An array of the patient in patient coordinates, off-centre as on a real table."""
    rng = generator(plan.seed, "solitary table", plan.number)
    z, y, x = (np.asarray(SHAPE) - 1) / 2 * np.asarray(SPACING_MM)
    origin = np.round(np.array([-x, -y, -z]) + rng.uniform(-1, 1, size=3) * (8.0, 8.0, 200.0), 3)
    return Volume(array, SPACING_MM, (float(origin[0]), float(origin[1]), float(origin[2])))


def _write_patient(plan: SolitaryPlan, *, folder: Path) -> tuple[Row, Row]:
    body, mask = draw_body(plan)
    for number, kernel in enumerate(plan.kernels, start=1):
        header = SeriesHeader(
            patient_id=plan.patient_id,
            seed=plan.seed,
            sex=plan.sex,
            age=plan.age,
            series_number=number,
            series_description=f"Phantom thorax {kernel.name}",
            kernel=kernel.name,
        )
        volume = placed_volume(plan, reconstructed(plan, body, kernel))
        write_ct_series(volume, folder / "archive" / plan.patient_id / kernel.name, header=header)
    file = Path("masks") / f"{plan.patient_id}.nii.gz"
    write_volume(placed_volume(plan, mask.astype(np.uint8)), folder / file)
    outcome = {
        "patient_id": plan.patient_id,
        "diagnosis": POSITIVE if plan.positive else NEGATIVE,
        "mask": file.as_posix(),
    }
    return outcome, _truth(plan, mask)


def _truth(plan: SolitaryPlan, mask: BoolArray) -> Row:
    signals = (*plan.satellites, *plan.wall)
    nearest = min((distance_mm(ball, plan.nodule) for ball in signals), default=float("nan"))
    return {
        "patient_id": plan.patient_id,
        "kind": plan.kind,
        "positive": int(plan.positive),
        "series": len(plan.kernels),
        "nodule_mm": round(2 * plan.nodule.radius_mm, 3),
        "mask_voxels": int(mask.sum()),
        "satellites": len(plan.satellites),
        "wall_balls": len(plan.wall),
        "nearest_signal_mm": round(nearest, 2),
        "chest_mm": round(plan.thorax.width_mm, 2),
    }


def _write_table(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
