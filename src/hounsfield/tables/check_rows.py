"""What the rows of a cases table say without opening an image: cases go in, findings come out.

Judged here: identifiers that look like names, paths, sites, covariates that one patient can have only once, labels and
whether each class has the patients that a split needs.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath, PureWindowsPath

from hounsfield.tables.cases import Cases
from hounsfield.tables.cells import as_text
from hounsfield.tables.findings import Finding, Severity, finding, looks_like_name, nearest, some
from hounsfield.tables.structure import CENTRE, KNOWN

FEWEST_PATIENTS = 3  # of a class: one each to train, validate and test on

_FOR_LIFE = frozenset({"sex", "gender", "birth", "birthdate", "birthday", "birthyear", "dob", "ethnicity"})
_NEARLY_FOR_LIFE = frozenset({"age"})  # may differ between two examinations, so a contradiction is only likely


def check_rows(
    cases: Cases, *, label: str | None, classes: Sequence[str] | None, per_patient: Sequence[str]
) -> list[Finding]:
    """All findings on the rows; for the arguments see `tables.check.check_cases`."""
    found = [*_names(cases), *_paths(cases), *_sites(cases), *_places(cases), *_covariates(cases, per_patient)]
    if label is not None:
        found += _labels(cases, label, classes)
    elif _count(cases, "patient_id") == 1:
        what = "all cases are of one patient."
        found.append(finding(what, "Enough to predict, not to train or evaluate.", severity="warning"))
    return found


def cells_of(cases: Cases, column: str) -> Iterator[tuple[int, str | None, str | None]]:
    """(row, case_id, cell as text) of a column; nothing when the column is not there."""
    if column in cases.frame:
        ids = cases.frame["case_id"] if "case_id" in cases.frame else [None] * len(cases)
        for row, case_id, cell in zip(cases.rows, ids, cases.frame[column], strict=True):
            yield row, case_id, as_text(cell)


def _names(cases: Cases) -> list[Finding]:
    # The message must not repeat the cell: it may be the name itself.
    what = "this looks like a person's name (it holds a comma or a caret)."
    remedy = "Put a de-identified code in its place; the id goes into every result and report."
    return [
        finding(what, remedy, row=row, column=column)
        for column in ("case_id", "patient_id")
        for row, _, cell in cells_of(cases, column)
        if cell is not None and looks_like_name(cell)
    ]


def _paths(cases: Cases) -> list[Finding]:
    found = []
    for column in ("image", "mask"):
        rows = [row for row, _, cell in cells_of(cases, column) if cell is not None and _absolute(cell)]
        if rows:
            what = f"{len(rows)} paths are absolute (rows: {some(rows)})."
            remedy = "They work here alone; paths relative to the table can be moved with it."
            found.append(finding(what, remedy, column=column, severity="warning"))
    return found


def _absolute(cell: str) -> bool:
    return PurePosixPath(cell).is_absolute() or PureWindowsPath(cell).is_absolute()


def _sites(cases: Cases) -> list[Finding]:
    empty = [row for row, _, cell in cells_of(cases, "site") if cell is None]
    if not 0 < len(empty) < len(cases):
        return []
    what = f"the site is missing in {len(empty)} of {len(cases)} rows (rows: {some(empty)})."
    return [finding(what, "Fill it in everywhere, or remove the column.", column="site", severity="warning")]


def _places(cases: Cases) -> list[Finding]:
    """Cases that no mask and no centre locates."""
    located = {row for column in ("mask", CENTRE[0]) for row, _, cell in cells_of(cases, column) if cell is not None}
    nowhere = [row for row in cases.rows if row not in located]
    if not nowhere:
        return []
    what = f"{len(nowhere)} cases have neither a mask nor a centre (rows: {some(nowhere)})."
    remedy = f"The whole image is the case then; for a lesion give mask or {', '.join(CENTRE)}."
    return [finding(what, remedy, severity="warning")]


def _covariates(cases: Cases, per_patient: Sequence[str]) -> list[Finding]:
    found = []
    for name in per_patient:
        if name not in cases.frame:
            found.append(_no_column(cases, name))
    for column in (str(name) for name in cases.frame if name not in KNOWN):
        words = {word for word in re.split(r"[^a-z]+", column.lower()) if word}
        if column in per_patient or words & (_FOR_LIFE | _NEARLY_FOR_LIFE):
            certain = column in per_patient or bool(words & _FOR_LIFE)
            found += _contradictions(cases, column, certain)
    return found


def _contradictions(cases: Cases, column: str, certain: bool) -> list[Finding]:
    first: dict[str, tuple[int, str]] = {}
    found = []
    patients = cells_of(cases, "patient_id")
    for (row, case_id, cell), (_, _, patient) in zip(cells_of(cases, column), patients, strict=False):
        if cell is None or patient is None:
            continue
        before, value = first.setdefault(patient, (row, cell))
        if value != cell:
            # The values stay unsaid: a birth date does not belong in a message.
            what = f"the same patient has another value in row {before}."
            remedy = "Correct one of them." if certain else "Right if the examinations lie apart; else correct one."
            severity: Severity = "error" if certain else "warning"
            found.append(finding(what, remedy, row=row, column=column, case_id=case_id, severity=severity))
    return found


def _labels(cases: Cases, label: str, classes: Sequence[str] | None) -> list[Finding]:
    if label not in cases.frame:
        return [_no_column(cases, label)]
    known = [str(name) for name in classes] if classes is not None else None
    found = []
    patients: dict[str, set[str]] = defaultdict(set, {name: set() for name in known or ()})
    for (row, case_id, cell), (_, _, patient) in zip(
        cells_of(cases, label), cells_of(cases, "patient_id"), strict=False
    ):
        if cell is None:
            what, remedy = "the label is missing.", "Fill it in, or leave the row out of training."
            found.append(finding(what, remedy, row=row, column=label, case_id=case_id))
        elif known is not None and cell not in known:
            hint = nearest(cell, known)
            remedy = f"Did you mean '{hint}'?" if hint else "Correct it or add the class to the study."
            what = f"'{cell}' is none of the classes {some(known, limit=12)}."
            found.append(finding(what, remedy, row=row, column=label, case_id=case_id))
        else:
            patients[cell].add(patient or "")
    return found + _spellings(label, patients) + _enough(cases, label, patients)


def _spellings(label: str, patients: dict[str, set[str]]) -> list[Finding]:
    alike: dict[str, list[str]] = defaultdict(list)
    for name in patients:
        alike[name.casefold()].append(name)
    what = "classes that differ in upper and lower case alone: "
    remedy = "Write a class in one way only."
    return [
        finding(what + some(names) + ".", remedy, column=label, severity="warning")
        for names in alike.values()
        if len(names) > 1
    ]


def _enough(cases: Cases, label: str, patients: dict[str, set[str]]) -> list[Finding]:
    everyone = _count(cases, "patient_id")
    if everyone == 1:
        what = "all cases are of one patient."
        return [
            finding(what, f"A split by patient needs {FEWEST_PATIENTS} of each class or more.", column="patient_id")
        ]
    present = [name for name, who in patients.items() if who]
    if len(present) == 1:
        what = f"all cases are of one class, '{present[0]}'."
        return [finding(what, "Two classes or more are needed to train and evaluate.", column=label)]
    few = {name: len(who) for name, who in patients.items() if len(who) < FEWEST_PATIENTS}
    if not few or not present:
        return []
    listed = some([f"'{name}' has {count}" for name, count in few.items()])
    what = f"a split by patient needs {FEWEST_PATIENTS} patients of each class; {listed}."
    return [finding(what, "Add patients or merge classes.", column=label)]


def _count(cases: Cases, column: str) -> int:
    return len({cell for _, _, cell in cells_of(cases, column)} - {None})


def _no_column(cases: Cases, name: str) -> Finding:
    columns = [str(column) for column in cases.frame]
    hint = nearest(name, [column for column in columns if column not in KNOWN])
    remedy = f"Did you mean '{hint}'?" if hint else f"Columns: {some(columns, limit=20)}."
    return finding("there is no such column.", remedy, column=name)
