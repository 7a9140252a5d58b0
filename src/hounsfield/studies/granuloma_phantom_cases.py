"""The cases of the granuloma phantoms, the way a department gets its own. In: a folder, a phantom; out: `cases.csv`.

DICOM archive -> catalog -> rules and spreadsheet of outcomes -> cases table. Two tables more are made as what not to
do: `scan_level` gives each series a patient of its own, `unmasked` hands the whole image over as the lungs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hounsfield.catalog.cohort.rules import read_rules
from hounsfield.catalog.scan.scan import scan
from hounsfield.core.engine import each
from hounsfield.core.progress import Progress, silent
from hounsfield.phantom.solitary import Kind
from hounsfield.phantom.solitary_archive import write_solitary_archive
from hounsfield.studies.catalog_cohort import write_catalog_cohort
from hounsfield.tables.cases import write_cases
from hounsfield.volume.read import read_volume
from hounsfield.volume.write import write_volume

RULES = """
title: Phantoms of solitary nodules
start: Series in the archive
end: Series with a diagnosis
outcomes: {join: patient, key: patient_id}
steps:
  - {keep: {series.modality: CT}, reason: not CT}
  - {join: true, reason: no diagnosis}
  - {keep: {outcome.diagnosis: [cryptococcosis, cancer]}, reason: another diagnosis}
  - {keep: {series.kind: original}, reason: 'localiser, derived or captured image'}
  - {keep: {regular: true}, reason: slices missing or unevenly spaced}
columns:
  diagnosis: outcome.diagnosis
  mask: outcome.mask
  age: patient_age
  sex: patient_sex
  kernel: kernel
label: diagnosis
"""


@dataclass(frozen=True)
class Sizes:
    """Patients of each phantom."""

    global_only: int
    local_only: int
    leak: int
    fingerprint: int

    def of(self, kind: Kind) -> int:
        return int(getattr(self, kind))


FULL = Sizes(160, 120, 160, 80)
QUICK = Sizes(12, 12, 12, 12)


def phantom_cases(
    folder: Path, kind: Kind, patients: int, *, seed: int, workers: int = 0, progress: Progress = silent
) -> Path:
    """Writes archive, catalog and cases table of a phantom into `folder`, or goes on with them.

    Returns: path of the cases table, one row a series.
    """
    table = folder / "cases.csv"
    outcomes = write_solitary_archive(folder, kind, patients, seed=seed, workers=workers, progress=progress)
    if not table.is_file():
        catalog = folder / "catalog.duckdb"
        scan(folder / "archive", catalog, workers=workers, progress=progress)
        write_catalog_cohort(catalog, read_rules(RULES), table, outcomes=outcomes)
    return table


def scan_level(cases: Path) -> Path:
    """The table with a patient for each series, so that a split parts series and not patients: the wrong way.

    The package refuses one patient on two sides of a split; here it is deceived on purpose. `true_patient` keeps whose
    series it is.
    """
    frame = pd.read_csv(cases, dtype=str)
    path = cases.with_name("cases-scan-level.csv")
    write_cases(frame.assign(true_patient=frame["patient_id"], patient_id=frame["case_id"]), path)
    return path


def unmasked(cases: Path, *, workers: int = 0, progress: Progress = silent) -> Path:
    """The table with a lung mask that is 1 everywhere: the path of the lungs then sees table and chest wall."""
    frame = pd.read_csv(cases, dtype=str)
    masks = [cases.parent / name for name in frame["mask"]]
    everything = each(_everything, masks, workers=workers, progress=progress, label="whole images as masks")
    path = cases.with_name("cases-unmasked.csv")
    write_cases(frame.assign(lungs=[str(one.resolve()) for one in everything]), path)
    return path


def _everything(mask: Path) -> Path:
    path = mask.parent.with_name("everything") / mask.name
    if not path.is_file():
        volume = read_volume(mask)
        write_volume(volume.with_array(np.ones(volume.shape, dtype=np.uint8)), path)
    return path
