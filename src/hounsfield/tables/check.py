"""The check of a cases table: a path goes in, every problem of the table and its images comes out at once.

Structure, rows, files and images are judged in this order, each as far as the ones before allow; a bad case never
keeps the others from being looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hounsfield.core.engine import each
from hounsfield.core.progress import Progress, silent
from hounsfield.tables.cases import Case, Cases, scan_cases
from hounsfield.tables.check_images import ImageTask, Look, look, tasks_of
from hounsfield.tables.check_rows import check_rows
from hounsfield.tables.findings import Finding, finding, in_reading_order, nearest
from hounsfield.tables.structure import REQUIRED

_PROPOSALS = 20  # missing files for which the nearest name is looked for; more would take long and help no better


def check_cases(
    path: Path | str,
    *,
    label: str | None = None,
    classes: Sequence[str] | None = None,
    per_patient: Sequence[str] = (),
    images: bool = True,
    workers: int = 0,
    progress: Progress | None = None,
) -> list[Finding]:
    """Every problem of a cases table, in the order of its rows; an empty list when there is none.

    Args:
        label: column to train on or evaluate; labels and classes are judged when it is given.
        classes: the classes that the label may have, as text; None allows any.
        per_patient: columns in which a patient can have one value only, beyond those named after sex, birth or age.
        images: open images and masks; False looks at the table and for the files alone.
        workers: processes that read images; 0 takes all cores.
        progress: wraps the reading; None is silent.
    Returns: findings with severity "error" (the case or table can't be used so) or "warning".
    """
    cases, found = scan_cases(path)
    found = found + check_rows(cases, label=label, classes=classes, per_patient=per_patient)
    rows = _readable(cases)
    found += _missing_files(rows)
    if images:
        tasks = tasks_of(rows)
        looks = each(look, tasks, workers=workers, progress=progress or silent, label="reading images")
        found += [one for seen in looks for one in seen.findings]
        found += _same_pixels(tasks, looks)
    return in_reading_order(found)


def has_errors(findings: Sequence[Finding]) -> bool:
    """True when a finding is more than a warning."""
    return any(one.severity == "error" for one in findings)


def _readable(cases: Cases) -> list[tuple[int, Case]]:
    """Rows with what a case needs; an absent id or patient is named already and must not hide a bad image."""
    frame = cases.frame.copy()
    if "image" not in frame:
        return []
    for name in REQUIRED:
        if name not in frame:
            frame[name] = None
    whole = Cases(frame, cases.folder, cases.rows)
    present = frame["image"].notna().tolist()
    made = [case if ok else None for case, ok in zip(whole.cases(), present, strict=True)]
    return [(row, case) for row, case in zip(cases.rows, made, strict=True) if case is not None]


def _missing_files(rows: Sequence[tuple[int, Case]]) -> list[Finding]:
    found: list[Finding] = []
    for row, case in rows:
        for column, path in (("image", case.image), ("mask", case.mask)):
            if path is not None and not path.exists():
                remedy = "Paths are relative to the folder of the table."
                if len(found) < _PROPOSALS and path.parent.is_dir():
                    hint = nearest(path.name, [item.name for item in path.parent.iterdir()])
                    remedy = f"Did you mean {hint}?" if hint else remedy
                what = f"there is no file {path.name}."
                found.append(finding(what, remedy, row=row, column=column, case_id=case.case_id))
    return found


def _same_pixels(tasks: Sequence[ImageTask], looks: Sequence[Look]) -> list[Finding]:
    """Images of two patients with the same pixels, and cases of one patient that are the same in image and lesion."""
    seen = [
        (row, case, one.digest, one.masks.get(row))
        for task, one in zip(tasks, looks, strict=True)
        for row, case in task.cases
        if one.digest is not None
    ]
    owners: dict[str, tuple[int, str]] = {}
    twins: dict[tuple[object, ...], int] = {}
    found = []
    for row, case, image, mask in sorted(seen, key=lambda entry: entry[0]):
        before, patient = owners.setdefault(image, (row, case.patient_id))
        if patient != case.patient_id:
            what = f"the image has the same pixels as that of row {before}, which is another patient's."
            remedy = "Correct the path or the patient_id: one patient on two sides of a split makes results too good."
            found.append(finding(what, remedy, row=row, column="image", case_id=case.case_id))
            continue
        if mask is None and case.mask is not None:
            continue  # the mask can't be read, which is named already
        twin = twins.setdefault((image, mask, case.centre_mm), row)
        if twin != row:
            what = f"the case has the same image and the same lesion as that of row {twin}."
            remedy = "Remove one, or correct the path of the mask; the lesion counts twice otherwise."
            found.append(finding(what, remedy, row=row, case_id=case.case_id, severity="warning"))
    return found
