"""Cases of a run under changed outlines. In: a cohort, which of its cases, a change of their masks; out: the same cases
prepared anew, with everything that a mask decides, those that could not be, and those whose outline stayed as it was.

Changed masks and what is made of them lie in the run's cache: a run that was stopped goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hounsfield.core.atomic import write_text
from hounsfield.core.content import sha256_of
from hounsfield.core.engine import each
from hounsfield.core.errors import HounsfieldError, Problem
from hounsfield.data.cache import content_digest
from hounsfield.data.prepare import prepare_cases
from hounsfield.infer.inputs import Inputs, gather
from hounsfield.radiomics.perturb import VERSION, Perturbation, perturbed
from hounsfield.studies.cohort import Cohort
from hounsfield.studies.study import Study
from hounsfield.tables.cases import Case
from hounsfield.volume.read import read_mask, read_volume
from hounsfield.volume.write import write_volume


@dataclass(frozen=True)
class Changed:
    """Cases under one change.

    Attributes:
        cohort: those that could be changed and prepared.
        set_aside: why others could not.
        unchanged: `case_id` of those whose outline the change left as it was, voxel by voxel; not for "as drawn".
    """

    cohort: Cohort
    set_aside: tuple[Problem, ...]
    unchanged: frozenset[str]


def changed_cohort(
    study: Study,
    cohort: Cohort,
    cases: Sequence[Case],
    change: Perturbation,
    *,
    cache: Path,
    options: Mapping[str, Any],
) -> Changed:
    """Some cases of a cohort prepared under changed outlines.

    Args:
        cases: all with a mask.
        cache: folder of entries, shared with the run.
        options: workers, engine and progress, as `core.engine.each` takes them.
    """
    kept, problems, unchanged = _changed_cases(cases, change, cache / "perturbed-masks", options)
    extra = None
    if study.gathered != Inputs():
        extra = gather(kept, study.gathered, cache, lungs=study.lung_contents, **options)
        problems += list(extra.set_aside)
        kept = [case for case in kept if case.case_id in set(extra.case_ids)]
    prepared = prepare_cases(kept, study.preparation, cache, **options)
    problems += list(prepared.set_aside)
    ids = [case.case_id for case in prepared.cases]
    place = {case.case_id: index for index, case in enumerate(cohort.cases)}
    rows = np.array([place[one] for one in ids], dtype=np.int64)
    labels = {name: values[rows] for name, values in cohort.labels.items()}
    extra = None if extra is None else extra.only(ids)
    made = Cohort(prepared, labels, None, cohort.split, (), extra)
    return Changed(made, tuple(problems), frozenset(unchanged & set(ids)))


def _changed_cases(
    cases: Sequence[Case], change: Perturbation, folder: Path, options: Mapping[str, Any]
) -> tuple[list[Case], list[Problem], set[str]]:
    cases = [case for case in cases if case.mask is not None]
    light = [(case.case_id, case.image, case.series_uid, case.mask) for case in cases if case.mask is not None]
    tasks = [_Task(*one, change=change, folder=folder) for one in light]
    made = each(_made, tasks, label=f"outlines {change.name}", **options)
    kept = [replace(case, mask=one) for case, one in zip(cases, made, strict=True) if isinstance(one, Path)]
    same = {case.case_id for case, one in zip(cases, made, strict=True) if one == case.mask}
    return kept, [one for one in made if isinstance(one, Problem)], set() if change.does_nothing else same


@dataclass(frozen=True)
class _Task:
    """One outline to be changed. No `Case` travels to the workers: unpickling one would load pandas there."""

    case_id: str
    image: Path
    series_uid: str | None
    mask: Path
    change: Perturbation
    folder: Path


def _made(task: _Task) -> Path | Problem:
    """The file of the changed outline, made where it was absent, or what is wrong; runs in a worker process.

    An outline that stays as it is keeps its own file; an empty one beside the others says so to the next run.
    """
    if task.change.does_nothing:
        return task.mask
    where = f"case {task.case_id}"
    try:
        parts = [VERSION, content_digest(task.image), content_digest(task.mask), task.series_uid]
        path = task.folder / f"{sha256_of([*parts, task.change.model_dump(mode='json')])}.nii.gz"
        same = path.with_name(f"{path.name}.unchanged")
        if same.is_file():
            return task.mask
        if not path.is_file():
            image = read_volume(task.image, series_uid=task.series_uid)
            mask = read_mask(task.mask, like=image)
            rng = np.random.default_rng(0)  # drawn from for noise alone, and there is none
            _, inside = perturbed(image.array, mask.array, spacing_mm=mask.spacing_mm, change=task.change, rng=rng)
            if np.array_equal(inside, mask.array != 0):
                task.folder.mkdir(parents=True, exist_ok=True)
                write_text(same, "")
                return task.mask
            write_volume(mask.with_array(inside), path)
        return path
    except HounsfieldError as error:
        return Problem(where, str(error))
