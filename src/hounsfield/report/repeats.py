"""The predictions table as arrays: for each arm one `Repeat` a (repetition, seed), its folds' test rows put together.

In: rows of split "validation" and "test". Out: arrays of the test rows, and for a target of two classes the call of
each case at the operating point that validation rows gave: those of its own fold, or of all folds together where these
share one test part (`shares_test`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from hounsfield.core.errors import TableError
from hounsfield.core.types import AnyArray, BoolArray, FloatArray, IntArray
from hounsfield.report.operating import threshold_of
from hounsfield.tables.predictions import prob_columns

TASK_COLUMNS = ("dice", "asd_mm")


@dataclass(frozen=True)
class Repeat:
    """Test rows of one arm at one repetition and seed, in the order of case_id.

    Args:
        case_id, patient_id: (N,) text; label: (N,) position in `classes`; prob: (N, C).
        called: (N,) positive at the operating point; None with three classes or without validation rows.
        thresholds: operating point by the fold that the test rows stand under.
        columns: (N,) numbers such as dice; nan where a case has none.
        pooled: whether validation rows of several folds together gave the operating point.
    """

    target: str
    arm: str
    repetition: int
    seed: int
    classes: tuple[str, ...]
    case_id: AnyArray
    patient_id: AnyArray
    label: IntArray
    prob: FloatArray
    called: BoolArray | None
    thresholds: Mapping[int, float]
    columns: Mapping[str, FloatArray]
    pooled: bool = False

    @property
    def predicted(self) -> IntArray:
        """(N,) most probable class; the first of equals."""
        return np.asarray(self.prob.argmax(axis=1), dtype=np.int64)

    @cached_property
    def patients(self) -> tuple[IntArray, AnyArray]:
        """(N,) number of each case's patient, without gaps, and the (P,) sorted identifiers that are numbered."""
        numbers, names = pd.factorize(self.patient_id, sort=True)
        return numbers.astype(np.int64), np.asarray(names, dtype=object)


def patient_numbers(repeats: Sequence[Repeat]) -> list[IntArray]:
    """Per repeat the (N,) number of each case's patient, in the order of the identifiers, from 0 and without gaps.

    The same patient has the same number in all repeats.
    """
    everyone = [one.patients[1] for one in repeats]
    if all(np.array_equal(everyone[0], other) for other in everyone[1:]):
        return [one.patients[0] for one in repeats]
    place = {name: number for number, name in enumerate(sorted(set(np.concatenate(everyone))))}
    return [np.array([place[name] for name in one.patients[1]], dtype=np.int64)[one.patients[0]] for one in repeats]


def cases_of(repeats: Sequence[Repeat]) -> int:
    """How many different cases the repeats have together."""
    first = repeats[0].case_id
    if all(np.array_equal(first, other.case_id) for other in repeats[1:]):
        return len(first)
    return len({name for repeat in repeats for name in repeat.case_id})


def rows_of(one: Repeat, keep: BoolArray) -> Repeat:
    """The repeat with some of its cases."""
    if keep.all():
        return one
    columns = {name: values[keep] for name, values in one.columns.items()}
    called = None if one.called is None else one.called[keep]
    parts = {name: getattr(one, name)[keep] for name in ("case_id", "patient_id", "label", "prob")}
    return replace(one, **parts, called=called, columns=columns)


def repeats_of(predictions: pd.DataFrame, target: str, classes: tuple[str, ...]) -> dict[str, list[Repeat]]:
    """Repeats of every arm that has test rows of `target`, in the order of the table.

    Rows without a label (truth unknown) are left out. The table has passed `tables.prediction_rules`.

    Raises: TableError for a case that occurs twice among the test rows of one repeat.
    """
    rows = predictions[(predictions["target"] == target) & predictions["label"].notna()]
    found: dict[str, list[Repeat]] = {}
    for _, group in rows.groupby(["arm", "repetition", "seed"], sort=False):
        repeat = _repeat(group, target, classes)
        if len(repeat.label):
            found.setdefault(repeat.arm, []).append(repeat)
    return {arm: sorted(repeats, key=lambda one: (one.repetition, one.seed)) for arm, repeats in found.items()}


def _repeat(group: pd.DataFrame, target: str, classes: tuple[str, ...]) -> Repeat:
    arm = str(group["arm"].iloc[0])
    repetition, seed = (int(group[name].iloc[0]) for name in ("repetition", "seed"))
    where = f"target '{target}', arm '{arm}', repetition {repetition}, seed {seed}"
    test = group[group["split"] == "test"].sort_values("case_id", kind="stable")
    validation = group[group["split"] == "validation"]
    if test["case_id"].duplicated().any():
        count = int(test["case_id"].duplicated().sum())
        raise TableError(f"{where}: {count} cases occur more than once among the test rows. Give each case one fold.")
    label, prob = _labels(test, classes), _probabilities(test, classes)
    binary = len(classes) == 2 and len(test) > 0
    pooled = binary and shares_test(test, validation)
    thresholds, called = _operated(test, validation, classes, pooled=pooled) if binary else ({}, None)
    columns = {name: _numbers(test, name) for name in TASK_COLUMNS if name in test.columns}
    identifiers = (test["case_id"].astype(str).to_numpy(object), test["patient_id"].astype(str).to_numpy(object))
    return Repeat(
        target, arm, repetition, seed, classes, *identifiers, label, prob, called, thresholds, columns, pooled
    )


def shares_test(test: pd.DataFrame, validation: pd.DataFrame) -> bool:
    """Whether several folds of one repetition and seed have one test part together, as those of a nested split have.

    Its rows then stand under one fold, and no fold validated any of its patients. The first alone is not enough: where
    only one fold's test rows of a k-fold table are there, other folds have validated patients of these.
    """
    several = (validation["fold"] != test["fold"].min()).any()
    apart = not validation["patient_id"].isin(test["patient_id"].unique()).any()
    return bool(several and test["fold"].nunique() == 1 and apart)


def _operated(
    test: pd.DataFrame, validation: pd.DataFrame, classes: tuple[str, ...], *, pooled: bool
) -> tuple[dict[int, float], BoolArray | None]:
    """Threshold of each fold of the test rows, and the (N,) calls; None where a fold has no threshold."""
    truth, score = _labels(validation, classes), _probabilities(validation, classes)[:, 1]
    folds = validation["fold"].to_numpy()
    thresholds: dict[int, float] = {}
    for fold in sorted({int(value) for value in test["fold"]}):
        chosen_on = (folds == fold) | pooled
        thresholds[fold] = threshold_of(truth[chosen_on], score[chosen_on])
    cut = np.array([thresholds[int(fold)] for fold in test["fold"]])
    # A fold without an operating point would otherwise call all its cases negative.
    return thresholds, _probabilities(test, classes)[:, 1] >= cut if np.isfinite(cut).all() else None


def _labels(rows: pd.DataFrame, classes: tuple[str, ...]) -> IntArray:
    place = {name: position for position, name in enumerate(classes)}
    return rows["label"].map(place).to_numpy(dtype=np.int64)


def _probabilities(rows: pd.DataFrame, classes: tuple[str, ...]) -> FloatArray:
    return np.asarray(rows[prob_columns(classes)].to_numpy(dtype=np.float64))


def _numbers(rows: pd.DataFrame, name: str) -> FloatArray:
    return np.asarray(rows[name].to_numpy(dtype=np.float64, na_value=np.nan))
