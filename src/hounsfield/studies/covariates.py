"""Who the cases of a run are: study and cohort in, one row a case (or a patient) with its characteristics out.

The report makes its table of the cohort and its subgroups of them. A row holds the study's covariates and subgroups,
and the sizes that preparation measured; nothing here is ever learnt from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hounsfield.studies.cohort import SIZE, Cohort
from hounsfield.studies.study import Study
from hounsfield.tables.cases import Case
from hounsfield.tables.cells import as_text, is_missing

_OWN = ("case_id", "patient_id", "label")  # columns that say which case it is; a user's of that name is told apart
_DIAMETER = "lesion diameter, mm"
_MEASURED = (("lesion volume, ml", "volume_mm3", 1e-3), (_DIAMETER, "diameter_mm", 1.0))
_LUNGS = ("lung volume, ml", "lungs_ml", 1.0)


def subgroup_columns(study: Study, cohort: Cohort, covariates: pd.DataFrame) -> tuple[str, ...]:
    """The columns of `case_covariates` by which the AUC is split; those without any value are not there."""
    names = [_DIAMETER if _is_size(name, cohort) else _title(name) for name in study.subgroups]
    return tuple(name for name in dict.fromkeys(names) if name in covariates)


def case_covariates(study: Study, cohort: Cohort) -> pd.DataFrame:
    """One row a case: case_id, patient_id, label (of the first target), and what is known of it.

    Columns that are empty for every case are left out. Words of a covariate are spelt as the study spells them.
    """
    target, how = next(iter(study.targets.items()))
    classes = list(how.classes)
    columns: dict[str, Any] = {
        "case_id": [case.case_id for case in cohort.cases],
        "patient_id": [case.patient_id for case in cohort.cases],
        "label": [classes[index] if index >= 0 else None for index in cohort.labels[target]],
    }
    plain = [name for name in study.subgroups if not _is_size(name, cohort)]
    for name in dict.fromkeys([*study.inputs.covariates, *plain]):
        columns[_title(name)] = _column(cohort.cases, name, study.inputs.covariates.get(name, []))
    features = cohort.prepared.features
    for title, name, factor in _MEASURED:
        if name in features:
            columns[title] = features[name].to_numpy(dtype=np.float64) * factor
    gathered: Mapping[str, Any] = {} if cohort.extra is None else cohort.extra.table
    title, name, factor = _LUNGS
    if name in gathered:
        columns[title] = np.asarray(gathered[name], dtype=np.float64) * factor
    frame = pd.DataFrame(columns)
    return frame.drop(columns=[str(name) for name in frame.columns[3:] if frame[name].isna().all()])


def patient_covariates(cases: pd.DataFrame) -> pd.DataFrame:
    """The rows of `case_covariates` by patient, under the patient's id as case_id.

    What differs between the cases of a patient (the vendor of two scans) is not known of the patient; of sizes the
    largest counts.
    """
    sizes = {title for title, *_ in (*_MEASURED, _LUNGS)}
    rows = []
    for patient, own in cases.groupby("patient_id", sort=False):
        row: dict[str, Any] = {"case_id": patient, "patient_id": patient}
        for name in own.columns[3:]:
            known = own[name].dropna()
            if name in sizes:
                row[str(name)] = known.max() if len(known) else np.nan
            else:
                row[str(name)] = known.iloc[0] if known.nunique() == 1 else None
        rows.append(row)
    return pd.DataFrame(rows)


def _is_size(name: str, cohort: Cohort) -> bool:
    """A column of that name in the user's table goes first."""
    return name == SIZE and not any(SIZE in case.values for case in cohort.cases)


def _title(name: str) -> str:
    return f"column {name}" if name in _OWN else name


def _column(cases: Sequence[Case], name: str, words: Sequence[str]) -> pd.Series[Any]:
    """Numbers where every known cell is one, else text."""
    cells = [_cell(case, name) for case in cases]
    if words:
        spelt = {word.casefold(): word for word in words}
        texts = [as_text(cell) for cell in cells]
        cells = [None if text is None else spelt.get(text.casefold(), text) for text in texts]
    known = [cell for cell in cells if cell is not None]
    if known and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in known):
        return pd.Series([np.nan if cell is None else float(cell) for cell in cells], dtype=np.float64)
    return pd.Series([as_text(cell) for cell in cells], dtype=object)


def _cell(case: Case, name: str) -> Any:
    cell = case.values.get(name)
    if cell is None and name == "site":
        cell = case.site
    return None if is_missing(cell) else cell
