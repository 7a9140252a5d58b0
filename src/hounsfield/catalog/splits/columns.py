"""A split kept in the cases table: one column a round, train, validation or test, and back. Its balance as a table.

A study reads such a column (`split: {column: split}`), and so does `hounsfield evaluate`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from hounsfield.catalog.splits.split import PARTS, assert_patients_apart
from hounsfield.core.errors import StudyError
from hounsfield.tables.cells import as_text
from hounsfield.tables.findings import some


def with_split(
    frame: pd.DataFrame, split: pd.DataFrame, *, column: str = "split", sites: Sequence[str] = (), replace: bool = False
) -> pd.DataFrame:
    """The cases with their parts in columns of their own.

    One round gives the column `column`; of several, each gives `column_fold0`, `column_site_NAME` or, when repeated,
    `column_r0`, `column_r0_fold0`.

    Args:
        sites: names of the sites of `leave_one_site_out`, in the order of its folds.
        replace: take away every column of a split of this name, also of one with more folds.
    Raises: StudyError when a case has no part or a column is there already.
    """
    rounds = _rounds(split, column, sites)
    old = _of_split(frame, column)
    taken = [name for name in dict.fromkeys([*rounds, *old]) if name in frame]
    if taken and not (replace and set(taken) <= set(old)):
        way = "Choose another name." if replace else "Choose another name, or have it replaced."
        raise StudyError(f"the cases have a column {some(taken)} already. {way}")
    out = frame.drop(columns=old)
    ids = [str(as_text(value)) for value in frame["case_id"]]
    for name, parts in rounds.items():
        missing = [one for one in ids if one not in parts]
        if missing:
            raise StudyError(f"{len(missing)} cases have no part in the split: {some(missing)}. Split the same cases.")
        out[name] = [parts[one] for one in ids]
    return out


def split_columns(split: pd.DataFrame, *, column: str = "split", sites: Sequence[str] = ()) -> list[str]:
    """Names of the columns that `with_split` makes."""
    return list(_rounds(split, column, sites))


def split_of(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The split that columns of a cases table hold, one fold a column, checked.

    Returns: columns of `splits.split.COLUMNS`.
    Raises: StudyError for other words than the three parts, or a patient on two sides.
    """
    rounds = []
    for fold, name in enumerate(columns):
        if name not in frame:
            raise StudyError(f"the cases have no column '{name}'. Columns: {some(frame.columns, limit=20)}.")
        ids = {key: [str(as_text(value)) for value in frame[key]] for key in ("case_id", "patient_id")}
        parts = [as_text(value) for value in frame[name]]
        if set(parts) - set(PARTS):
            raise StudyError(f"column '{name}' holds other words than {', '.join(PARTS)}. Split again.")
        rounds.append(pd.DataFrame({**ids, "repetition": 0, "fold": fold, "part": parts}))
    split = pd.concat(rounds, ignore_index=True)
    assert_patients_apart(split)
    return split


def balance_of(frame: pd.DataFrame, columns: Sequence[str], by: Sequence[str]) -> pd.DataFrame:
    """Cases and patients of each class in each part.

    Args:
        columns: columns of the split.
        by: label columns, and the site.
    Returns: columns split, part, column, class, cases, patients, share (of the part's cases), in the order of the
        arguments, parts as train, validation, test.
    """
    rows = []
    for name in columns:
        for part in (part for part in PARTS if (frame[name] == part).any()):
            inside = frame[frame[name] == part]
            for column in by:
                kind = pd.Series([as_text(value) for value in inside[column]], index=inside.index)
                for one in sorted({str(as_text(value)) for value in frame[column]}):
                    rest = inside[kind == one]
                    patients = int(rest["patient_id"].nunique())
                    rows.append((name, part, column, one, len(rest), patients, len(rest) / len(inside)))
    return pd.DataFrame(rows, columns=["split", "part", "column", "class", "cases", "patients", "share"])


def _of_split(frame: pd.DataFrame, column: str) -> list[str]:
    """Columns that look like those of an earlier split of this name: by their name, and by what they hold."""
    name = re.compile(re.escape(column) + r"(_r\d+)?(_fold\d+|_site_\w+)?")
    return [
        str(one)
        for one in frame
        if name.fullmatch(str(one)) and {as_text(value) for value in frame[one]} <= {None, *PARTS}
    ]


def _rounds(split: pd.DataFrame, column: str, sites: Sequence[str]) -> dict[str, dict[str, str]]:
    """Name of the column -> part of each case."""
    folds, repetitions = split["fold"].nunique(), split["repetition"].nunique()
    names: dict[str, dict[str, str]] = {}
    pairs = split[["repetition", "fold"]].drop_duplicates().sort_values(["repetition", "fold"])
    for repetition, fold in pairs.astype(int).to_numpy().tolist():
        rows = split[(split["repetition"] == repetition) & (split["fold"] == fold)]
        name = column + (f"_r{repetition}" if repetitions > 1 else "")
        if sites:
            name += "_site_" + re.sub(r"\W+", "_", sites[fold]).strip("_")
        elif folds > 1:
            name += f"_fold{fold}"
        if name in names:
            raise StudyError(f"two sites give the column '{name}'. Give them names that differ in a letter or digit.")
        names[name] = dict(zip(rows["case_id"], rows["part"], strict=True))
    return names
