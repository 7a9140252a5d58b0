"""Writes an archive of simulated patients: a folder goes in, DICOM series, masks, a cases table and the truth come out.

Layout: `cases.csv` (what a user's table would hold), `truth.csv` (what only the simulation knows), `images/PATIENT/`
(one CT series each), `masks/CASE.nii.gz` or `.dcm`, and `unseen/` with one patient who is in no table: `ct/`,
`lesions.csv` (centres in mm, patient coordinates), `masks/` and `truth.csv`.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from hounsfield.core.atomic import write_text
from hounsfield.core.engine import each
from hounsfield.core.errors import StudyError
from hounsfield.core.progress import Progress, silent
from hounsfield.core.seeds import generator
from hounsfield.core.types import BoolArray
from hounsfield.phantom.patient import SUBTYPES, Patient, PatientPlan, draw_patient, plan_patient
from hounsfield.volume.dicom_seg import Segment, write_segmentation
from hounsfield.volume.dicom_write import FileOrder, SeriesHeader, SliceOrder, write_ct_series
from hounsfield.volume.finding import ModelIdentity
from hounsfield.volume.volume import Volume
from hounsfield.volume.write import write_volume

Masks = Literal["nifti", "seg", "mixed"]
Row = dict[str, Any]
_MARK = "SIMULATED.txt"


@dataclass(frozen=True)
class _Series:
    """A series just written: its volume, and the headers of its slices in the order of axis 0."""

    volume: Volume
    datasets: list[Dataset]


def write_archive(
    folder: Path,
    *,
    patients: int = 60,
    seed: int = 1,
    masks: Masks = "nifti",
    matrix: int = 160,
    length_mm: float = 64.0,
    workers: int = 0,
    progress: Progress = silent,
) -> Path:
    """Writes an archive into `folder`; the tables come last, so a killed run leaves none.

    Args:
        patients: in the cases table; one more, unseen, is written besides.
        masks: NIfTI, one DICOM Segmentation a lesion, or both in turn by patient.
        matrix, length_mm: rows and columns, and extent along z, of each series.
        workers: processes, 0 for all cores.
    Returns: path of `cases.csv`.
    Raises: StudyError for fewer than one patient, an unknown kind of masks, a folder with other files in it.
    """
    if patients < 1:
        raise StudyError(f"patients is 1 or more; got {patients}.")
    if masks not in ("nifti", "seg", "mixed"):
        raise StudyError(f"masks is nifti, seg or mixed; got '{masks}'.")
    folder = Path(folder)
    _clear(folder)
    plans = [plan_patient(number, seed=seed, matrix=matrix, length_mm=length_mm) for number in range(1, patients + 1)]
    write = partial(_write_patient, folder=folder, masks=masks)
    rows = [row for part in each(write, plans, workers=workers, progress=progress, label="Patients") for row in part]
    _write_unseen(folder / "unseen", _unseen_plan(patients + 1, seed, matrix, length_mm))
    _write_table(folder / "truth.csv", [truth for _, truth in rows])
    _write_table(folder / "cases.csv", [case for case, _ in rows])
    return folder / "cases.csv"


def _clear(folder: Path) -> None:
    """Removes what an earlier run left; refuses a folder that holds anything else, a user's images for one."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).is_file():
        raise StudyError(f"'{folder.name}' holds files that are no simulated archive. Give a new or empty folder.")
    write_text(folder / _MARK, "Everything beside this file was simulated and is replaced by the next run.\n")
    for name in ("cases.csv", "truth.csv"):
        (folder / name).unlink(missing_ok=True)
    for name in ("images", "masks", "unseen"):
        shutil.rmtree(folder / name, ignore_errors=True)


def volume_of(patient: Patient) -> Volume:
    """The patient's CT in patient coordinates, placed off-centre as in a real scanner."""
    plan = patient.plan
    rng = generator(plan.seed, "table position", plan.number)
    z, y, x = (np.asarray(plan.shape) - 1) / 2 * np.asarray(plan.spacing_mm)
    shift = rng.uniform(-1, 1, size=3) * (8.0, 8.0, 200.0)
    origin = np.round(np.array([-x, -y, -z]) + shift, 3)
    return Volume(patient.image, plan.spacing_mm, (float(origin[0]), float(origin[1]), float(origin[2])))


def _write_patient(plan: PatientPlan, *, folder: Path, masks: Masks) -> list[tuple[Row, Row]]:
    patient = draw_patient(plan)
    volume = volume_of(patient)
    slices = _write_ct(plan, volume, folder / "images" / plan.patient_id)
    # By patient, not by chance, so that "mixed" holds both kinds however few patients there are.
    as_seg = masks == "seg" or (masks == "mixed" and plan.number % 2 == 0)
    rows = []
    for index, mask in enumerate(patient.masks):
        case = f"{plan.patient_id}-{index + 1}"
        file = folder / "masks" / (f"{case}.dcm" if as_seg else f"{case}.nii.gz")
        _write_mask(volume, mask, file, slices)
        rows.append((_case_row(plan, index, case, file.relative_to(folder)), _truth_row(patient, index, case, volume)))
    return rows


def _write_ct(plan: PatientPlan, volume: Volume, folder: Path) -> list[Path]:
    rng = generator(plan.seed, "series order", plan.number)
    orders: tuple[SliceOrder, ...] = ("ascending", "descending")
    names: tuple[FileOrder, ...] = ("instance", "reversed", "shuffled")
    header = SeriesHeader(
        patient_id=plan.patient_id, seed=plan.seed, sex=plan.sex, age=plan.age, site=plan.site.name, kernel="MEDIUM"
    )
    return write_ct_series(
        volume, folder, header=header, slice_order=orders[rng.integers(2)], file_order=names[rng.integers(3)]
    )


def _write_mask(volume: Volume, mask: BoolArray, file: Path, slices: list[Path]) -> None:
    if file.suffix != ".dcm":
        write_volume(volume.with_array(mask.astype(np.uint8)), file)
        return
    segment = Segment(label="Nodule", tracking_id=file.stem)
    model = ModelIdentity(name="phantom truth", version="1", digest="")
    series = _Series(volume, [dcmread(slice_file, stop_before_pixels=True) for slice_file in slices])
    write_segmentation(series, mask.astype(np.uint8), [segment], file, model=model, moment=datetime(2020, 1, 1, 12))


def _case_row(plan: PatientPlan, index: int, case: str, mask: Path) -> Row:
    subtype = plan.lesions[index].subtype
    return {
        "case_id": case,
        "patient_id": plan.patient_id,
        "image": f"images/{plan.patient_id}",
        "mask": mask.as_posix(),
        "site": plan.site.name,
        "sex": plan.sex,
        "age": plan.age,
        "malignant": SUBTYPES[subtype].malignant,
        "subtype": subtype,
    }


def _truth_row(patient: Patient, index: int, case: str, volume: Volume) -> Row:
    lesion, mask = patient.plan.lesions[index], patient.masks[index]
    x, y, z = volume.to_world(np.argwhere(mask).mean(axis=0))[0]
    return {
        "case_id": case,
        "core_fraction": round(lesion.geometry.core_fraction, 6),
        "core_voxels": int(patient.cores[index].sum()),
        "mask_voxels": int(mask.sum()),
        "volume_mm3": round(4 / 3 * np.pi * float(np.prod(lesion.geometry.radii_mm)), 3),
        "ground_glass_hu": round(lesion.ground_glass_hu, 2),
        "centre_x_mm": round(float(x), 3),
        "centre_y_mm": round(float(y), 3),
        "centre_z_mm": round(float(z), 3),
    }


def _unseen_plan(first: int, seed: int, matrix: int, length_mm: float) -> PatientPlan:
    """The first patient after those of the table who has one lesion, an invasive one: worth a report."""
    number = first
    while True:
        plan = plan_patient(number, seed=seed, matrix=matrix, length_mm=length_mm)
        if len(plan.lesions) == 1 and plan.lesions[0].subtype == "IAC":
            return plan
        number += 1


def _write_unseen(folder: Path, plan: PatientPlan) -> None:
    patient = draw_patient(plan)
    volume = volume_of(patient)
    slices = _write_ct(plan, volume, folder / "ct")
    lesions, truths = [], []
    for index, mask in enumerate(patient.masks):
        lesion_id = f"{plan.patient_id}-{index + 1}"
        _write_mask(volume, mask, folder / "masks" / f"{lesion_id}.nii.gz", slices)
        row = _truth_row(patient, index, lesion_id, volume)
        truths.append(
            {**row, **_case_row(plan, index, lesion_id, Path("masks") / f"{lesion_id}.nii.gz"), "image": "ct"}
        )
        lesions.append({"lesion_id": lesion_id, **{f"{a}_mm": row[f"centre_{a}_mm"] for a in "xyz"}})
    _write_table(folder / "truth.csv", truths)
    _write_table(folder / "lesions.csv", lesions)


def _write_table(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
