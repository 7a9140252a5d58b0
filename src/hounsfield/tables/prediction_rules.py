"""The rules of a predictions table: a frame and its targets' classes go in, every broken rule comes out.

Rules: required columns and values; one row per case, arm, target, repetition, fold, seed and split; `prob_<class>` in
[0, 1], present for exactly the classes of the row's target and summing to 1; labels among those classes; one patient
and one label per case; and no patient in both the validation and the test part of one arm, target, repetition, fold
and seed. Each broken rule is one problem with the number of rows and the first cases it concerns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hounsfield.core.types import BoolArray
from hounsfield.tables.findings import Finding, finding, looks_like_name, nearest, some

PROB = "prob_"
ROUND = ("arm", "target", "repetition", "fold", "seed")
KEY = ("case_id", *ROUND, "split")
INTEGERS = ("repetition", "fold", "seed")
REQUIRED = ("case_id", "patient_id", "arm", "split", *INTEGERS, "target", "label")
TEXT = ("case_id", "patient_id", "site", "arm", "split", "target", "label")
SPLITS = ("validation", "test")
TOLERANCE = 1e-4  # of the sum of the probabilities; single precision and rounded exports stay below


def prediction_problems(frame: pd.DataFrame, classes: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Every broken rule; `label` alone may be missing (cases whose truth is unknown)."""
    missing = [column for column in REQUIRED if column not in frame]
    if missing:
        return [_missing_column(column, frame) for column in missing]
    if not len(frame):
        return [finding("the table has no rows.", "One row a prediction is needed.")]
    problems = _values(frame)
    if problems:
        return problems  # the rules below would only repeat them in other words
    return [*_keys(frame), *_targets(frame, classes), *_patients(frame)]


def _missing_column(column: str, frame: pd.DataFrame) -> Finding:
    hint = nearest(column, [str(name) for name in frame if name not in REQUIRED])
    remedy = f"Rename column '{hint}'?" if hint else f"Required: {', '.join(REQUIRED)}."
    return finding("a required column is missing.", remedy, column=column)


def _values(frame: pd.DataFrame) -> list[Finding]:
    problems = []
    for column in REQUIRED:
        if column != "label" and (empty := frame[column].isna()).any():
            problems.append(_rows(frame, empty, "the cell is empty", "Fill it in.", column))
        elif column in INTEGERS and not pd.api.types.is_integer_dtype(frame[column]):
            problems.append(finding("whole numbers are expected.", "Number it from 0.", column=column))
    for column in (str(name) for name in frame if str(name).startswith(PROB)):
        if not pd.api.types.is_float_dtype(frame[column]):
            problems.append(finding("numbers are expected.", "Write probabilities from 0 to 1.", column=column))
    other = ~frame["split"].isin(SPLITS) & frame["split"].notna()
    if other.any():
        what = f"split is one of {', '.join(SPLITS)}; got {some(sorted(set(frame['split'][other])))}"
        problems.append(_rows(frame, other, what, "Training rows don't belong in this table.", "split"))
    return problems


def _keys(frame: pd.DataFrame) -> list[Finding]:
    problems = []
    twice = frame.duplicated(list(KEY))
    if twice.any():
        what = f"one row is allowed per {', '.join(KEY)}; more were found"
        problems.append(_rows(frame, twice, what, "Remove the repeated rows, or number them by repetition.", None))
    for column, group in (("patient_id", ["case_id"]), ("label", ["case_id", "target"])):
        pairs = frame[[*group, column]].dropna().drop_duplicates()
        if not pairs.duplicated(group).any():
            continue  # counting in groups is slow for a million cases, and almost never needed
        differ = frame.groupby(group)[column].transform("nunique") > 1
        if differ.any():
            what = f"a case has one {column} {'per target' if len(group) > 1 else ''}".strip() + "; several were found"
            problems.append(_rows(frame, differ, what, "Take it from the cases table.", column))
    return problems


def _targets(frame: pd.DataFrame, classes: Mapping[str, Sequence[str]]) -> list[Finding]:
    problems = []
    columns = [str(name) for name in frame if str(name).startswith(PROB)]
    for target, rows in frame.groupby("target", sort=False):
        names = list(classes.get(str(target), ()))
        own = [f"{PROB}{name}" for name in names]
        where = f"target '{target}': "
        if len(set(names)) < 2 or len(set(names)) < len(names):
            what = where + f"two or more different classes are needed; got {some(names) or 'none'}."
            problems.append(finding(what, "State the ordered classes of every target.", column="target"))
            continue
        absent = [name for name in own if name not in columns]
        if absent:
            what = where + f"columns are missing: {some(absent)}."
            problems.append(finding(what, "Every class needs its column of probabilities."))
            continue
        problems += _probabilities(rows, own, [name for name in columns if name not in own], where)
        unknown = rows["label"].notna() & ~rows["label"].isin(names)
        if unknown.any():
            what = where + f"labels {some(sorted(set(rows['label'][unknown])))} are none of its classes {some(names)}"
            problems.append(_rows(rows, unknown, what, "Correct the labels or state the classes.", "label"))
    return problems


def _probabilities(rows: pd.DataFrame, own: list[str], others: list[str], where: str) -> list[Finding]:
    problems = []
    prob = rows[own].to_numpy(dtype=float)
    total = prob.sum(axis=1)
    broken = (
        (np.isnan(prob).any(axis=1), "a probability is missing", "Predict every class, or leave the row out."),
        (((prob < 0) | (prob > 1)).any(axis=1), "a probability is outside [0, 1]", "Convert scores first."),
        (np.abs(total - 1) > TOLERANCE, f"probabilities sum to 1 within {TOLERANCE:g}; found", "Normalise them."),
        (rows[others].notna().any(axis=1).to_numpy(), "classes of other targets have values", "Leave these empty."),
    )
    for wrong, what, remedy in broken:
        if wrong.any():
            seen = f" {total[wrong].min():.4g} to {total[wrong].max():.4g}" if what.endswith("found") else ""
            problems.append(_rows(rows, np.asarray(wrong), where + what + seen, remedy, None))
    return problems


def _patients(frame: pd.DataFrame) -> list[Finding]:
    both = frame.groupby([*ROUND, "patient_id"])["split"].transform("nunique") > 1
    if not both.any():
        return []
    count = frame["patient_id"][both].nunique()
    what = f"{count} patients stand in both validation and test of one arm, target, repetition, fold and seed"
    return [_rows(frame, both, what, "Split by patient and predict again.", "patient_id")]


def _rows(
    frame: pd.DataFrame, wrong: pd.Series[bool] | BoolArray, what: str, remedy: str, column: str | None
) -> Finding:
    """One problem for all rows that break a rule; the row named is the first, counted as a spreadsheet does."""
    ids = [case for case in dict.fromkeys(frame["case_id"][wrong].dropna()) if not looks_like_name(case)]
    cases = f", cases {some(ids, limit=3)}" if ids else ""
    row = int(frame.index[np.asarray(wrong)][0]) + 2
    return finding(f"{what} ({int(np.sum(wrong))} rows{cases}).", remedy, row=row, column=column)
