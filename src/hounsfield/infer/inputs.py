"""What models are fed besides the lesion's cube: lungs, radiomic features, covariates. In: cases and what is wanted;
out: arrays in the order of the cases, and the cases set aside.

A study gathers them for training and a bundle for new cases with this same code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hounsfield.core.errors import Problem
from hounsfield.core.progress import Progress, silent
from hounsfield.core.types import AnyArray, FloatArray
from hounsfield.data.lung_sets import prepare_lung_set
from hounsfield.data.lungs import LungPreparation
from hounsfield.infer.lung_masks import lung_mask_files
from hounsfield.radiomics.config import RadiomicsConfig
from hounsfield.radiomics.table import Measurement, measure_cases

if TYPE_CHECKING:
    from hounsfield.tables.cases import Case

OF_THE_CASE = "case."  # names of covariates in a table of features begin with it
RADIOMIC = "radiomics."  # and those of radiomic features with this


class RadiomicsInput(BaseModel):
    """Which radiomic features are measured, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: str = "standard107"  # a set of `radiomics.sets`
    shells_mm: tuple[float, ...] = ()  # widths of shells around the lesion, each measured by itself from the last one
    config: RadiomicsConfig = RadiomicsConfig()

    def measurement(self) -> Measurement:
        """The same as `radiomics.table` takes it."""
        return Measurement(config=self.config, names=self.names, shells_mm=self.shells_mm)


class Inputs(BaseModel):
    """What is gathered for each case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lungs: LungPreparation | None = None
    radiomics: RadiomicsInput | None = None
    # Columns of the cases table as features: a number where the list is empty, else 1 for the last of two values and 0
    # for the first. A missing value stands at the training mean.
    covariates: dict[str, list[str]] = Field(default={})


@dataclass(frozen=True, eq=False)
class Gathered:
    """Inputs of N cases.

    Attributes:
        case_ids: the cases that have all that was wanted.
        table: (N,) features by name.
        lungs: (N, z, y, x) float16 by content, `image` or `mask`.
        set_aside: one Problem for each case left out.
    """

    case_ids: tuple[str, ...]
    table: Mapping[str, FloatArray] = field(default_factory=dict)
    lungs: Mapping[str, AnyArray] = field(default_factory=dict)
    set_aside: tuple[Problem, ...] = ()

    def only(self, case_ids: Sequence[str]) -> Gathered:
        """These cases, in this order."""
        place = {case_id: index for index, case_id in enumerate(self.case_ids)}
        rows = np.array([place[case_id] for case_id in case_ids], dtype=np.int64)
        table = {name: values[rows] for name, values in self.table.items()}
        return Gathered(tuple(case_ids), table, {name: grid[rows] for name, grid in self.lungs.items()}, self.set_aside)


def gather(
    cases: Sequence[Case],
    inputs: Inputs,
    cache: Path,
    *,
    lungs: Iterable[str] = ("image",),
    workers: int = 0,
    engine: str = "local",
    progress: Progress = silent,
) -> Gathered:
    """Gathers what `inputs` name, from `cache` where possible; a case that lacks something is set aside by name.

    Args:
        lungs: which contents of the lungs are wanted: image, mask, or both.
        workers, engine, progress: as in `core.engine.each`.
    Raises: RunError when the cache can't be written.
    """
    options: dict[str, Any] = {"workers": workers, "engine": engine, "progress": progress}
    grids: dict[str, dict[str, AnyArray]] = {}
    aside: dict[str, Problem] = {}
    table: dict[str, dict[str, float]] = {case.case_id: {} for case in cases}
    if inputs.lungs is not None:
        files, problems = lung_mask_files(cases, cache / "lungs", **options)
        aside |= problems
        for content in lungs:
            config = inputs.lungs.model_copy(update={"content": content})
            found = prepare_lung_set([one for one in cases if one.case_id in files], files, config, cache, **options)
            grids[content] = dict(zip(found.case_ids, found.images, strict=True))
            aside |= {_case_of(problem): problem for problem in found.set_aside}
            for name, values in found.features.items():
                for case_id, value in zip(found.case_ids, values, strict=True):
                    table[case_id][name] = float(value)
    if inputs.radiomics is not None:
        rows, problems = _radiomics(cases, inputs.radiomics, cache, options)
        aside |= problems
        for case_id, row in rows.items():
            table[case_id] |= row
    for case in cases:
        table[case.case_id] |= covariates_of(case, inputs.covariates)
    kept = [case.case_id for case in cases if case.case_id not in aside]
    return Gathered(
        tuple(kept),
        _columns(table, kept),
        {content: np.stack([found[one] for one in kept]) for content, found in grids.items() if kept},
        tuple(aside[case.case_id] for case in cases if case.case_id in aside),
    )


def covariates_of(case: Case, wanted: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Covariates of one case as numbers, NaN where missing or in none of the two words."""
    return {f"{OF_THE_CASE}{name}": _number(case.values.get(name), words) for name, words in wanted.items()}


def _number(value: Any, words: Sequence[str]) -> float:
    if words:
        text = str(value).strip().casefold()
        known = [word.casefold() for word in words]
        return float(known.index(text)) if text in known else float("nan")
    try:
        return float(str(value))
    except ValueError:
        return float("nan")


def _radiomics(
    cases: Sequence[Case], wanted: RadiomicsInput, cache: Path, options: Mapping[str, Any]
) -> tuple[dict[str, dict[str, float]], dict[str, Problem]]:
    found = measure_cases(cases, wanted.measurement(), cache=cache / "radiomics", **options)
    names = list(wanted.measurement().columns())
    numbers = found.frame[names].to_numpy(dtype=np.float64)
    keys = [f"{RADIOMIC}{name}" for name in names]
    rows = {
        str(case_id): dict(zip(keys, values.tolist(), strict=True))
        for case_id, values in zip(found.frame["case_id"], numbers, strict=True)
    }
    return rows, {_case_of(problem): problem for problem in found.set_aside}


def _case_of(problem: Problem) -> str:
    return problem.where.removeprefix("case ")


def _columns(table: Mapping[str, Mapping[str, float]], kept: Sequence[str]) -> dict[str, FloatArray]:
    names = list(dict.fromkeys(name for case_id in kept for name in table[case_id]))
    return {name: np.array([table[one].get(name, np.nan) for one in kept], dtype=np.float64) for name in names}
