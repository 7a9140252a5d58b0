"""What changed outlines cost. In: probabilities of every case under every change, labels, patients; out: a row for each
target, arm and change with both areas and their paired difference, and the same rows as a page of Markdown.

Both areas of a row are of the same cases. Where the study pools the cases of a patient, rows of patients follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hounsfield.core.errors import Problem
from hounsfield.core.types import AnyArray, FloatArray, IntArray
from hounsfield.stats.auc import delong_interval
from hounsfield.stats.classification import macro_auc, weighted_macro_auc
from hounsfield.stats.compare import compare_auc, compare_by_bootstrap
from hounsfield.stats.pooling import PLAIN, pool
from hounsfield.studies.cohort import Cohort
from hounsfield.studies.patient_level import patient_targets, pooled_name
from hounsfield.studies.study import Study

Probabilities = Mapping[tuple[str, str], Mapping[str, FloatArray]]  # (C,) by case, by target and arm
FIRST = "as drawn"
COLUMNS = [
    *("target", "arm", "change", "cases", "patients", "lost", "unchanged", "auc", "low", "high", "auc_as_drawn"),
    *("auc_change", "auc_change_low", "auc_change_high", "mean_change"),
]


def table_of(
    study: Study, cohort: Cohort, found: Mapping[str, Probabilities], unchanged: Mapping[str, frozenset[str]]
) -> pd.DataFrame:
    """All rows, those of patients after those of cases.

    Args:
        found: by the name of the change; `FIRST` holds all cases.
        unchanged: by the name of the change, the cases whose outline it left as it was.
    """
    patient = {case.case_id: case.patient_id for case in cohort.cases}
    rows: list[dict[str, Any]] = []
    pooled: list[dict[str, Any]] = []
    how = way_of_pooling(study)
    of_patients = patient_targets(study)
    for (target, arm), drawn in found[FIRST].items():
        codes = dict(zip([case.case_id for case in cohort.cases], cohort.labels[target].tolist(), strict=True))
        label = {one: int(codes[one]) for one in drawn}
        for change, by_arm in found.items():
            prob, same = by_arm[target, arm], unchanged[change]
            place = {"target": target, "arm": arm, "change": change}
            rows.append(place | _row(study, label, drawn, prob, patient, same))
            if how is not None and target in of_patients and _is_pooled(study, arm):
                place |= {"target": of_patients[target], "arm": pooled_name(arm, how)}
                pooled.append(place | _row_of_patients(study, label, drawn, prob, patient, same, how=how))
    return pd.DataFrame([*rows, *pooled], columns=COLUMNS)


def way_of_pooling(study: Study) -> str | None:
    """The study's first that has nothing to be fitted; None where there is none."""
    ways = [] if study.patient is None else study.patient.pooling
    return next((how for how in ways if how in PLAIN), None)


def _is_pooled(study: Study, arm: str) -> bool:
    return study.patient is not None and arm in (study.patient.arms or study.arms)


def _row(
    study: Study,
    label: Mapping[str, int],
    drawn: Mapping[str, FloatArray],
    prob: Mapping[str, FloatArray],
    patient: Mapping[str, str],
    same: frozenset[str],
) -> dict[str, Any]:
    """Counts, areas and the mean change of the probabilities; with several classes the share that moves to others."""
    ids = [one for one in drawn if one in prob]
    who = np.array([patient[one] for one in ids], dtype=object)
    row: dict[str, Any] = {"cases": len(ids), "patients": len(set(who)), "lost": len(drawn) - len(ids)}
    row |= {"unchanged": sum(one in same for one in ids), "mean_change": np.nan}
    if not ids:
        return row
    truth = np.array([label[one] for one in ids], dtype=np.int64)
    now, before = (np.array([one[case] for case in ids], dtype=np.float64) for one in (prob, drawn))
    row["mean_change"] = float(np.abs(now - before).sum(axis=1).mean() / 2)
    return row | _areas(truth, now, before, who, resamples=study.bootstrap)


def _row_of_patients(
    study: Study,
    label: Mapping[str, int],
    drawn: Mapping[str, FloatArray],
    prob: Mapping[str, FloatArray],
    patient: Mapping[str, str],
    same: frozenset[str],
    *,
    how: str,
) -> dict[str, Any]:
    """As `_row` of patients; one is lost when none of the cases is left, unchanged when all that are left are."""
    ids = [one for one in drawn if one in prob]
    sick: dict[str, int] = {}
    for one in drawn:  # a lost case still says what its patient has
        sick[patient[one]] = max(sick.get(patient[one], 0), label[one])
    moved = {patient[one] for one in ids if one not in same}

    def pooled(by_case: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        if not ids:
            return {}
        names, value = pool(
            np.array([by_case[one][1] for one in ids]), np.array([patient[one] for one in ids]), how=how
        )
        return {str(name): np.array([1 - one, one]) for name, one in zip(names, value, strict=True)}

    before, now = pooled(drawn), pooled(prob)
    row = _row(study, sick, before, now, {name: name for name in before}, frozenset(set(before) - moved))
    return row | {"lost": len(sick) - len(before)}


def _areas(truth: IntArray, now: FloatArray, before: FloatArray, who: AnyArray, *, resamples: int) -> dict[str, float]:
    """Areas and the difference, now less before; NaN where a class is missing.

    Two classes: DeLong on the logit scale and the paired DeLong, Obuchowski's where patients repeat. More: the mean of
    each class against the rest, with the bootstrap of patients.
    """
    classes = list(range(now.shape[1]))
    if len(np.unique(truth)) < len(classes):
        return {}
    if len(classes) == 2:
        area = delong_interval(truth, now[:, 1], patient_id=who)
        drawn = delong_interval(truth, before[:, 1], patient_id=who)
        gap = compare_auc(truth, now[:, 1], before[:, 1], patient_id=who).difference
    else:
        settings: dict[str, Any] = {"patient_id": who, "resamples": resamples}
        area = macro_auc(truth, now, classes=classes, rng=np.random.default_rng(0), **settings)
        drawn = macro_auc(truth, before, classes=classes, rng=np.random.default_rng(0), **settings)
        statistics = [_weighted(truth, prob, classes) for prob in (now, before)]
        rng = np.random.default_rng(0)
        gap = compare_by_bootstrap(*statistics, cases=len(truth), rng=rng, **settings).difference
    found = {"auc": area.value, "low": area.low, "high": area.high, "auc_as_drawn": drawn.value}
    return found | {"auc_change": gap.value, "auc_change_low": gap.low, "auc_change_high": gap.high}


def _weighted(truth: IntArray, prob: FloatArray, classes: Sequence[int]) -> Callable[[FloatArray], FloatArray]:
    return lambda weights: weighted_macro_auc(truth, prob, weights, classes=classes)


def page_of(study: Study, table: pd.DataFrame, aside: Sequence[Problem]) -> str:
    """The table as Markdown."""
    lines = [f"# {study.title}: outlines changed", "", _WORDS, ""]
    if study.patient is not None and way_of_pooling(study) is None:
        lines += ["Attention over a patient's cases is not applied here: there is no result of patients.", ""]
    pooled = {
        pooled_name(arm, how): f"{study.arms[arm].title}, {how.replace('_', '-')}"
        for arm in study.arms
        for how in PLAIN
    }
    titles = pooled | {name: arm.title for name, arm in study.arms.items()}
    of_patients = set(patient_targets(study).values())
    for (target, arm), part in table.groupby(["target", "arm"], sort=False):
        unit = "patients" if target in of_patients else "cases"
        lines += [f"## {target}: {titles[str(arm)]}", ""]
        lines += [f"| outline | {unit} | AUC (95 % CI) | change of AUC (95 % CI) | mean change of probability |"]
        lines += ["|---|---|---|---|---|", *(_line(row) for row in part.to_dict("records")), ""]
    if aside:
        lines += ["## Left out", ""] + [f"- {problem}" for problem in aside[:50]]
        lines += [f"- and {len(aside) - 50} more"] if len(aside) > 50 else []
        lines.append("")
    return "\n".join(lines)


def _line(row: Mapping[Any, Any]) -> str:
    first = row["change"] == FIRST
    area = f"{row['auc']:.3f}{_span(row['low'], row['high'], '.3f')}" if np.isfinite(row["auc"]) else "not defined"
    apart = f"{row['auc_change']:+.3f}{_span(row['auc_change_low'], row['auc_change_high'], '+.3f')}"
    change = "" if first or not np.isfinite(row["auc_change"]) else apart
    moved = "" if first or not np.isfinite(row["mean_change"]) else f"{row['mean_change']:.3f}"
    notes = [f"{row['lost']} lost"] if row["lost"] else []
    notes += [f"outline unchanged in {row['unchanged']}"] if row["unchanged"] else []
    note = f" ({', '.join(notes)})" if notes else ""
    return f"| {row['change']} | {row['cases']}{note} | {area} | {change} | {moved} |"


def _span(low: float, high: float, form: str) -> str:
    return f" ({low:{form}} to {high:{form}})" if np.isfinite(low) else ""


_WORDS = (
    "Test cases of the first repetition and seed, predicted by the same models with changed expert outlines. "
    "Patients, not cases, are independent in the intervals. The change of the AUC is against the outlines as drawn, "
    "on the same cases: one that is lost (nothing is left of it) counts in neither. Its interval is that of the paired "
    "difference, and absent where the difference shows no variance. An outline is unchanged when no voxel of it is "
    "added or removed, which a small change on large voxels may come to. A shift moves the outline over the image, and "
    "with it the place of every cube. With three classes or more the AUC is the mean of each against the rest, and the "
    "change of probability the share that moves to other classes."
)
