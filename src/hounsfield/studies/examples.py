"""The cases that a report shows: the worst and the best outlined of a run, as images with both contours."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hounsfield.core.types import FloatArray
from hounsfield.infer.measure import MeasureCubes
from hounsfield.report.content import Example
from hounsfield.studies.cohort import Cohort
from hounsfield.studies.piece_files import load_piece
from hounsfield.studies.pieces import Unit, cubes_of
from hounsfield.studies.study import Study

_EACH = 4  # of the worst and of the best
_SHOWN = ("joint", "auto_mask", "transfer", "multitask")  # the first kind that a study has is the one shown


def examples_of(
    out: Path, study: Study, cohort: Cohort, units: Sequence[Unit], predictions: pd.DataFrame
) -> tuple[Example, ...]:
    """Test cases of the lowest and the highest Dice, over all folds of the first repetition and seed.

    Args:
        out: run folder, whose models draw the contours once more (a run keeps no masks).
        predictions: of the whole run.
    Returns: worst first; empty when no arm outlines, or no case has a reference.
    """
    arm = next((name for kind in _SHOWN for name, how in study.arms.items() if how.kind == kind), None)
    if arm is None or "dice" not in predictions:
        return ()
    target = next(iter(study.targets))
    of_arm = predictions[(predictions["arm"] == arm) & (predictions["target"] == target)]
    test = of_arm[of_arm["split"] == "test"].dropna(subset=["dice"])
    first = test[(test["repetition"] == units[0].repetition) & (test["seed"] == units[0].seed)]
    order = first.sort_values(["dice", "case_id"])
    rows = pd.concat([order.head(_EACH), order.tail(_EACH)]).drop_duplicates("case_id")
    soft: dict[str, FloatArray] = {}
    for unit in units:
        if (unit.repetition, unit.seed) == (units[0].repetition, units[0].seed):
            soft |= _outlines(out, study, cohort, unit, arm, set(rows.loc[rows["fold"] == unit.fold, "case_id"]))
    records = rows.to_dict("records")
    titles = [
        f"{'lowest' if place < _EACH else 'highest'} Dice of {study.arms[arm].title}" for place in range(len(rows))
    ]
    return tuple(
        _example(study, cohort, row, soft.get(row["case_id"]), title)
        for row, title in zip(records, titles, strict=True)
    )


def _outlines(
    out: Path, study: Study, cohort: Cohort, unit: Unit, arm: str, case_ids: set[str]
) -> dict[str, FloatArray]:
    """Soft masks of some cases by the model of one unit."""
    keep = np.array([case.case_id in case_ids for case in cohort.cases], dtype=bool)
    if not keep.any():
        return {}
    target = next(iter(study.targets))
    model = load_piece(out / "pieces" / unit.name / target / arm, study, target, study.arms[arm])
    output = model.predict(cubes_of(cohort, keep), measure=MeasureCubes(study.preparation))
    shown = [case.case_id for case, kept in zip(cohort.cases, keep, strict=True) if kept]
    return {} if output.mask is None else dict(zip(shown, output.mask, strict=True))


def _example(
    study: Study, cohort: Cohort, row: Mapping[Hashable, Any], soft: FloatArray | None, caption: str
) -> Example:
    place = next(index for index, case in enumerate(cohort.cases) if case.case_id == row["case_id"])
    classes = next(iter(study.targets.values())).classes
    return Example(
        case_id=row["case_id"],
        image=cohort.prepared.images[place],
        reference=cohort.prepared.masks[place] > 0,
        predicted=soft,
        label=row["label"],
        probs={name: float(row[f"prob_{name}"]) for name in classes},
        dice=float(row["dice"]),
        caption=caption,
        spacing_mm=study.preparation.spacing_mm,
        window_hu=study.preparation.window_hu,
    )
