"""What the tables can say of an evaluation's data, for a checklist: content and results in, sentences by name out.

Each function is one fact; the lists in `checklists/` name the facts that answer an item. An empty sentence says that
the tables don't know, and the item is then left to the authors.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from hounsfield.report.content import ReportContent
from hounsfield.report.evaluate import Evaluation
from hounsfield.report.extra import Extra
from hounsfield.report.proof import leakage_section
from hounsfield.report.repeats import Repeat
from hounsfield.report.wording import counted

Fact = Callable[[ReportContent, Evaluation, Extra], str]
FACTS: dict[str, Fact] = {}


def fact(function: Fact) -> Fact:
    """Enters a function `_name` as the fact `name`."""
    FACTS[function.__name__.removeprefix("_")] = function
    return function


def first_repeat(evaluation: Evaluation, target: str) -> Repeat | None:
    """The first repeat of the first arm, for what is the same in all."""
    return next((several[0] for several in evaluation.repeats.get(target, {}).values()), None)


@fact
def _task(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    found = [
        f"Target {target}: {' or '.join(classes)}, {classes[-1]} taken as positive." if len(classes) == 2
        else f"Target {target}: {', '.join(classes)}."
        for target, classes in content.targets.items()
    ]  # fmt: skip
    if extra.detections is not None and content.detections is not None:
        found.append(f"Detection of lesions; a hit: {content.detections.hit.words}.")
    return " ".join(found)


@fact
def _question(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    return content.question


@fact
def _sites(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    rows = content.predictions[content.predictions["split"] == "test"].drop_duplicates("case_id")
    known = rows["site"].dropna() if "site" in rows else pd.Series([], dtype=object)
    if known.empty:
        return ""
    counts = known.astype(str).value_counts(sort=False).sort_index()
    each = ", ".join(f"{name} ({count})" for name, count in counts.items())
    return f"{counted(len(counts), 'site')} in the test part, cases in brackets: {each}."


@fact
def _external(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    rows = content.predictions
    if "site" not in rows or rows["site"].isna().all() or not (rows["split"] == "validation").any():
        return ""
    seen = set(rows.loc[rows["split"] == "validation", "site"].dropna())
    tested = set(rows.loc[rows["split"] == "test", "site"].dropna())
    new = sorted(str(name) for name in tested - seen)
    if new:
        return f"Test cases of sites that no validation case came from: {', '.join(new)}."
    return "Every site of the test part also stands in the validation part: this is no external test."


@fact
def _partition(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    section = leakage_section(content.leakage)
    if not section["rows"]:
        return ""
    parts = [f"{row[0].removeprefix('Patients (cases) in ')} {row[1]}" for row in section["rows"][:-2]]
    return f"Split by patient; patients (cases): {', '.join(parts)}."


@fact
def _no_leak(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    section = leakage_section(content.leakage)
    return str(section["words"])


@fact
def _participants(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    found = []
    for target, classes in content.targets.items():
        one = first_repeat(evaluation, target)
        if one is None:
            continue
        counts = ", ".join(f"{int((one.label == place).sum())} of class {name}" for place, name in enumerate(classes))
        people = counted(len(one.patients[1]), "patient")
        found.append(f"Test part, {target}: {counted(len(one.label), 'case')} of {people} ({counts}).")
    if content.detections is not None:
        lesions = next(iter(content.detections.found.values())).lesions
        found.append(f"{counted(len(lesions), 'volume')}, {counted(int(lesions.sum()), 'lesion')}.")
    return " ".join(found)


@fact
def _set_aside(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    count = len(content.set_aside)
    if not count:
        return "No case was set aside in this evaluation."
    return f"{counted(count, 'case')} set aside, each with its reason under 'Cases set aside'."


@fact
def _missing(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    if content.cohort is None:
        return ""
    names = [name for name in content.cohort if name not in ("case_id", "patient_id", "label")]
    missing = {name: int(content.cohort[name].isna().sum()) for name in names}
    some = ", ".join(f"{name} {count}" for name, count in missing.items() if count)
    total = len(content.cohort)
    return f"Covariates missing, of {total} cases: {some}." if some else f"No covariate is missing in {total} cases."


@fact
def _covariates(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    if content.cohort is None:
        return ""
    names = [str(name) for name in content.cohort if name not in ("case_id", "patient_id", "label")]
    return f"Covariates at hand: {', '.join(names)}."


@fact
def _characteristics(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    if extra.cohort is None or extra.cohort.empty:
        return ""
    count = extra.cohort["characteristic"].nunique() - 1
    whose = "all patients" if content.whole_cohort else "the test part's patients"
    return f"Table 'Cohort': {counted(count, 'characteristic')} of {whose} by class, with tests."


@fact
def _imbalance(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    shares = []
    for target in content.targets:
        one = first_repeat(evaluation, target)
        if one is not None:
            largest = max(int((one.label == place).sum()) for place in range(len(one.classes)))
            shares.append(f"largest class of {target}: {100 * largest / len(one.label):.0f} % of test cases")
    return "; ".join(shares).capitalize() + "." if shares else ""


@fact
def _output(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    arms = [arm.title for arm in content.arms if arm.name not in content.ranked]
    scores = [arm.title for arm in content.arms if arm.name in content.ranked]
    found = f"A probability of each class by {', '.join(arms)}. " if arms else ""
    return (found + (f"A score without scale, used by rank, by {', '.join(scores)}." if scores else "")).strip()


@fact
def _software(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    packages = (content.manifest.get("environment") or {}).get("packages") or {}
    versions = ", ".join(f"{name} {version}" for name, version in packages.items())
    return f"This report was made with {versions}." if packages else ""


@fact
def _flaws(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    return f"Known flaws of the data: {' '.join(content.flaws)}" if content.flaws else ""


@fact
def _pixels(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    if not content.leakage or any(one.pixel_overlaps is None for one in content.leakage):
        return ""
    return "Images with identical pixels were searched for across the parts."


@fact
def _itself(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    return "The lists of TRIPOD+AI and CLAIM 2024 come with this report, filled as far as its tables go."
