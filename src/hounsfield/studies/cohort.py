"""The cases of a run, ready to learn from: cubes, features, class indices and the part each case plays in each fold.

In: a study and a cases table; out: one `Cohort`. Cases that can't be prepared or have no label are set aside by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hounsfield.catalog.splits.sites import balanced_nested
from hounsfield.catalog.splits.split import PARTS, assert_patients_apart, hold_out, k_fold
from hounsfield.core.content import sha256_of
from hounsfield.core.errors import Problem, ProblemsError, StudyError
from hounsfield.core.progress import Progress
from hounsfield.core.registry import nearest
from hounsfield.core.types import BoolArray, FloatArray, IntArray
from hounsfield.data.prepare import PreparedSet, prepare_cases
from hounsfield.infer.inputs import Gathered, Inputs, gather
from hounsfield.studies.study import Study, Target
from hounsfield.tables.cases import Case, read_cases
from hounsfield.tables.cells import as_text

NO_CLASS = -1
SIZE = "size"  # a subgroup that takes no column: the lesion's diameter
_SHOWN = 20  # problems in one message; more help no better


@dataclass(frozen=True, eq=False)
class Cohort:
    """N cases.

    Attributes:
        prepared: cubes, masks and features in the order of the cases.
        labels: target: (N,) class index, NO_CLASS where the case belongs to none of the target's classes.
        ratings: (N, A) readers' ratings scaled to [0, 1], NaN where missing; None without any.
        split: rows of a split for these cases.
        set_aside: what was left out, and why.
        extra: what the study's `inputs` name; None where they name nothing.
    """

    prepared: PreparedSet
    labels: Mapping[str, IntArray]
    ratings: FloatArray | None
    split: pd.DataFrame
    set_aside: tuple[Problem, ...]
    extra: Gathered | None = None

    def table(self, keep: BoolArray) -> dict[str, FloatArray]:
        """Features of the cases of `keep` by name: measured by preparation, and those of the study's inputs."""
        more = {} if self.extra is None else {name: values[keep] for name, values in self.extra.table.items()}
        return self.prepared.table(keep) | more

    @property
    def cases(self) -> tuple[Case, ...]:
        return self.prepared.cases

    @property
    def patient_id(self) -> IntArray:
        return np.array([case.patient_id for case in self.cases], dtype=object)

    def units(self) -> list[tuple[int, int]]:
        """(repetition, fold) pairs, in order."""
        pairs = self.split[["repetition", "fold"]].drop_duplicates()
        return [(int(repetition), int(fold)) for repetition, fold in pairs.itertuples(index=False)]

    def part(self, repetition: int, fold: int, part: str) -> BoolArray:
        """(N,) which cases are in `part` of that fold."""
        rows = self.split[(self.split["repetition"] == repetition) & (self.split["fold"] == fold)]
        inside = set(rows.loc[rows["part"] == part, "case_id"])
        return np.array([case.case_id in inside for case in self.cases], dtype=bool)

    def target_part(self, target: str, repetition: int, fold: int, part: str) -> BoolArray:
        """(N,) which cases are in `part` of that fold and belong to a class of the target."""
        return np.asarray(self.part(repetition, fold, part) & (self.labels[target] != NO_CLASS))

    def fingerprint(self) -> str:
        """Of everything that a training sees: case ids, pixels, masks and labels."""
        ids = [case.case_id for case in self.cases]
        labels = {name: values.tolist() for name, values in self.labels.items()}
        ratings = None if self.ratings is None else sha256_of(self.ratings)
        parts = [ids, sha256_of(self.prepared.images), sha256_of(self.prepared.masks), labels, ratings]
        if self.extra is not None:
            parts.append({name: sha256_of(values) for name, values in self.extra.table.items()})
            parts.append({name: sha256_of(grid) for name, grid in self.extra.lungs.items()})
        return sha256_of(parts)


def make_cohort(
    study: Study,
    cases_path: Path,
    cache: Path,
    *,
    workers: int = 0,
    engine: str = "local",
    progress: Progress,
) -> Cohort:
    """Reads the table, prepares every case that belongs to a class of some target, and splits by patient.

    Raises: ProblemsError or StudyError naming what is wrong with table, label columns or the number of patients.
    """
    table = read_cases(cases_path)
    _require_columns(study, table.frame)
    wanted, aside = _usable(study, table.cases())
    options: dict[str, Any] = {"workers": workers, "engine": engine, "progress": progress}
    extra = None
    if study.gathered != Inputs():
        extra = gather(wanted, study.gathered, cache, lungs=study.lung_contents, **options)
        aside += list(extra.set_aside)
        wanted = [case for case in wanted if case.case_id in set(extra.case_ids)]
    prepared = prepare_cases(wanted, study.preparation, cache, **options)
    aside += list(prepared.set_aside)
    unfit = _of_another_size(study, prepared)
    if unfit:
        aside += unfit.values()
        prepared = prepare_cases(
            [case for case in prepared.cases if case.case_id not in unfit], study.preparation, cache, **options
        )
    if not len(prepared):
        raise ProblemsError("no case could be prepared:", aside[:_SHOWN])
    labels = {name: _indices(prepared.cases, target) for name, target in study.targets.items()}
    ratings = _ratings(study, prepared.cases)
    extra = None if extra is None else extra.only([case.case_id for case in prepared.cases])
    return Cohort(prepared, labels, ratings, _split(study, prepared.cases), tuple(aside), extra)


def _usable(study: Study, cases: list[Case]) -> tuple[list[Case], list[Problem]]:
    """The cases that have a class and, where an arm learns from outlines, a mask; and why the others are left out."""
    labelled = [
        case
        for case in cases
        if any(target.class_of(case.values.get(target.column)) for target in study.targets.values())
    ]
    known = {case.case_id for case in labelled}
    aside = [_no_class(case, study) for case in cases if case.case_id not in known]
    if not labelled:
        raise ProblemsError("no case belongs to a class of this study:", aside[:_SHOWN])
    learners = [name for name, arm in study.arms.items() if arm.learns_from_masks]
    if not learners:
        return labelled, aside
    what = f"has no mask, and arms learn from it ({', '.join(learners)}); left out."
    bare = [Problem(f"case {case.case_id}", what, "Add its mask.") for case in labelled if case.mask is None]
    usable = [case for case in labelled if case.mask is not None]
    if not usable:
        raise ProblemsError("no case can be learnt from:", bare[:_SHOWN])
    return usable, aside + bare


def _of_another_size(study: Study, prepared: PreparedSet) -> dict[str, Problem]:
    """By case_id, the lesions whose measured diameter the study does not take; one without an outline is taken."""
    if study.diameter_mm is None or "diameter_mm" not in prepared.features:
        return {}
    low, high = study.diameter_mm
    found = {}
    sizes = prepared.features["diameter_mm"].to_numpy(dtype=np.float64)
    for case, size in zip(prepared.cases, sizes, strict=True):
        if size < low or size > high:
            what = f"its lesion is {size:.1f} mm wide by its outline; the study takes {low:g} to {high:g} mm. Left out."
            remedy = "Check the outline, or take all with --set diameter_mm=null."
            found[case.case_id] = Problem(f"case {case.case_id}", what, remedy)
    return found


def _require_columns(study: Study, frame: pd.DataFrame) -> None:
    columns = {target.column for target in study.targets.values()}
    columns |= {study.split.stratify or "", study.split.column or ""} - {""}
    missing = sorted(columns - set(frame.columns))
    if missing:
        problems = [
            Problem(f"column {name}", "the cases table has no such column.", nearest(name, frame.columns).strip())
            for name in missing
        ]
        raise ProblemsError("the study and the cases table do not fit:", problems)
    known = [*(str(name) for name in frame.columns), SIZE]
    remedy = "Name others with --set subgroups=[...], [] for none."
    problems = [
        Problem(f"subgroups: {name}", "the cases table has no such column.", f"{nearest(name, known)} {remedy}".strip())
        for name in study.subgroups
        if name not in known
    ]
    if problems:
        raise ProblemsError("the study and the cases table do not fit:", problems)


def _no_class(case: Case, study: Study) -> Problem:
    column = next(iter(study.targets.values())).column
    value = case.values.get(column)
    text = as_text(value)
    what = "has no label" if text is None else f"has the label '{text}', which no class of the study holds"
    return Problem(f"case {case.case_id}", f"{what} (column {column}); left out.")


def _indices(cases: tuple[Case, ...], target: Target) -> IntArray:
    order = {name: index for index, name in enumerate(target.classes)}
    found = (target.class_of(case.values.get(target.column)) for case in cases)
    return np.array([NO_CLASS if name is None else order[name] for name in found], dtype=np.int64)


def _ratings(study: Study, cases: tuple[Case, ...]) -> FloatArray | None:
    columns = [name for name in study.ratings if any(case.values.get(name) is not None for case in cases)]
    if not columns:
        return None
    values = np.array([[_number(case.values.get(name)) for name in columns] for case in cases])
    low, high = np.array([study.ratings[name] for name in columns]).T
    return np.asarray(np.clip((values - low) / (high - low), 0, 1), dtype=np.float32)


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:  # an empty or wordy cell: nothing to learn from it
        return float("nan")


def _split(study: Study, cases: tuple[Case, ...]) -> pd.DataFrame:
    how = study.split
    column = how.stratify or next(iter(study.targets.values())).column
    frame = pd.DataFrame(
        {
            "case_id": [case.case_id for case in cases],
            "patient_id": [case.patient_id for case in cases],
            column: [as_text(case.values.get(column)) or "none" for case in cases],
        }
    )
    if frame[column].nunique() < 2:
        raise StudyError(
            f"all {len(frame)} case(s) have the value '{frame[column].iloc[0]}' in column {column}; "
            "nothing can be told apart. Check the label column."
        )
    if how.column is not None:
        return _given(frame[["case_id", "patient_id"]], [as_text(case.values.get(how.column)) for case in cases])
    # The split has a seed of its own, fixed: seeds of the study change the training, never who is in the test part.
    if how.kind == "k_fold":
        return k_fold(
            frame, label=column, seed=0, folds=how.folds, validation=how.validation, repetitions=how.repetitions
        )
    if how.kind == "nested":
        return balanced_nested(
            frame, labels=[column], seed=0, test=how.test, folds=how.folds, repetitions=how.repetitions
        )
    return hold_out(frame, label=column, seed=0, test=how.test, validation=how.validation, repetitions=how.repetitions)


def _given(frame: pd.DataFrame, parts: list[str | None]) -> pd.DataFrame:
    """The split that the cases table itself states, as one fold; the patient rule holds for it as for any other.

    Raises: ProblemsError naming the cases whose part is none of `PARTS`; StudyError when a patient is in two parts.
    """
    wrong = [
        Problem(f"case {case_id}", f"its part is '{part}'.", f"Write one of {', '.join(PARTS)}.")
        for case_id, part in zip(frame["case_id"], parts, strict=True)
        if part not in PARTS
    ]
    if wrong:
        raise ProblemsError("the column of the split does not give every case a part:", wrong[:_SHOWN])
    split = frame.assign(repetition=0, fold=0, part=pd.Series(parts, index=frame.index, dtype=str)).sort_values(
        "case_id", ignore_index=True
    )
    assert_patients_apart(split)
    return split
