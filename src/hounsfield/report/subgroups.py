"""The AUC of every arm in subgroups (site, sex, vendor, size): content and evaluation in, a table out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from hounsfield.core.types import BoolArray, FloatArray
from hounsfield.report.content import ReportContent
from hounsfield.report.evaluate import Evaluation
from hounsfield.report.repeats import Repeat, patient_numbers
from hounsfield.report.wording import NOTHING, interval, number, p_value
from hounsfield.stats.auc import auc_covariance, delong_interval
from hounsfield.stats.estimate import UndefinedMetric
from hounsfield.stats.multiplicity import holm

FEWEST = 5  # cases of each class below which an AUC would say nothing
_COLUMNS = ["target", "arm", "variable", "group", "metric", "value", "low", "high", "n", "unit", "cases", "positives"]


def subgroups(content: ReportContent, evaluation: Evaluation) -> pd.DataFrame:
    """One row a target of two classes, arm, variable and group; empty without `content.subgroups`.

    Numbers with six and more different values are cut into thirds, others are classes. The first repetition and seed
    of an arm is taken. `p` says whether the AUC differs between the groups of a variable (chi-square of the estimates;
    not where a patient stands in two groups), `p_holm` corrects it over arms and variables. Groups with fewer than five
    cases of a class have counts alone.
    """
    rows: list[dict[str, Any]] = []
    if content.cohort is None:
        return pd.DataFrame(columns=[*_COLUMNS, "note", "p", "p_holm"])
    for target, by_arm in evaluation.repeats.items():
        if len(content.targets[target]) != 2:
            continue
        frame = content.cohorts.get(target, content.cohort)
        known = frame.assign(case_id=frame["case_id"].astype(str)).drop_duplicates("case_id").set_index("case_id")
        for arm, repeats in by_arm.items():
            for variable in content.subgroups:
                values = known[variable].reindex([str(case) for case in repeats[0].case_id])
                if values.notna().any():
                    rows += _of_variable(repeats[0], target, arm, variable, _groups(values))
    table = pd.DataFrame(rows, columns=[*_COLUMNS, "note", "p"])
    table["p_holm"] = np.nan
    families = table.dropna(subset=["p"]).drop_duplicates(["target", "arm", "variable"])
    if len(families):
        corrected = holm(families["p"].tolist())
        keys = families[["target", "arm", "variable"]].apply(tuple, axis=1)
        of_key = dict(zip(keys, corrected, strict=True))
        table["p_holm"] = [
            of_key.get(key, math.nan) for key in table[["target", "arm", "variable"]].apply(tuple, axis=1)
        ]
    return table


def subgroup_section(
    content: ReportContent, table: pd.DataFrame | None, pictures: Sequence[dict[str, str]] = ()
) -> dict[str, Any]:
    """The table as the page prints it, one heading a variable and arm."""
    if table is None or table.empty:
        return {"rows": [], "note": "", "pictures": []}
    titles = {arm.name: arm.title for arm in content.arms}
    rows = []
    for (_, arm, variable), part in table.groupby(["target", "arm", "variable"], sort=False):
        p = part["p_holm"].iloc[0]
        words = "no test" if math.isnan(p) else f"difference between groups: {p_value(float(p))} after Holm"
        for place, row in enumerate(part.to_dict("records")):
            span = interval(row)
            rows.append(
                {
                    "title": f"{variable}, {titles[str(arm)]}: {words}" if place == 0 else "",
                    "group": row["group"],
                    "arm": titles[str(arm)],
                    "cases": row["cases"],
                    "positives": row["positives"],
                    "auc": f"{number(row['value'])} ({span})" if span else row["note"] or NOTHING,
                }
            )
    note = (
        "AUC within each group, DeLong's interval on the logit scale (Obuchowski's where patients repeat). Numbers are "
        f"cut into thirds where there are six and more; groups with fewer than {FEWEST} cases of a class have no AUC, "
        "and groups that share a patient no test. An arm may look different in a subgroup by chance alone: read the "
        "test, not the largest difference."
    )
    return {"rows": rows, "note": note, "pictures": list(pictures)}


def _groups(values: pd.Series[Any]) -> dict[str, BoolArray]:
    """(N,) membership of each group; a missing value is a group of its own."""
    missing = values.isna().to_numpy()
    numeric = pd.api.types.is_numeric_dtype(values) and values.nunique() > 5
    groups: dict[str, BoolArray] = {}
    if numeric:
        given = values.to_numpy(dtype=np.float64, na_value=np.nan)
        first, second = np.nanquantile(given, [1 / 3, 2 / 3])
        groups[f"up to {first:.4g}"] = given <= first
        groups[f"{first:.4g} to {second:.4g}"] = (given > first) & (given <= second)
        groups[f"above {second:.4g}"] = given > second
    else:
        for value in sorted(values.dropna().unique(), key=_order):
            name = f"{value:g}" if isinstance(value, float | np.floating) else str(value)
            groups[name] = (values == value).fillna(False).to_numpy(dtype=bool)
    if missing.any():
        groups["not known"] = missing
    return {name: chosen for name, chosen in groups.items() if chosen.any()}  # thirds of tied numbers may be empty


def _order(value: Any) -> tuple[bool, float, str]:
    """Numbers by size (2.5 before 10), then words."""
    number = isinstance(value, int | float | np.number)
    return not number, float(value) if number else 0.0, str(value)


def _of_variable(
    repeat: Repeat, target: str, arm: str, variable: str, groups: dict[str, BoolArray]
) -> list[dict[str, Any]]:
    rows, areas, variances = [], [], []
    label, score, patients = repeat.label == 1, repeat.prob[:, 1], patient_numbers([repeat])[0]
    for name, chosen in groups.items():
        positives, cases = int(label[chosen].sum()), int(chosen.sum())
        row: dict[str, Any] = {"target": target, "arm": arm, "variable": variable, "group": name, "metric": "auc"}
        row |= {"value": math.nan, "low": math.nan, "high": math.nan, "n": cases, "unit": "cases"}
        row |= {"cases": cases, "positives": positives, "note": ""}
        if min(positives, cases - positives) < FEWEST:
            row["note"] = f"fewer than {FEWEST} cases of a class"
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UndefinedMetric)
                found = delong_interval(label[chosen], score[chosen], patient_id=patients[chosen])
            row |= {"value": found.value, "low": found.low, "high": found.high, "n": found.n, "unit": found.unit}
            row["note"] = found.note
            area, covariance = auc_covariance(label[chosen], score[None, chosen], patient_id=patients[chosen])
            areas.append(float(area[0]))
            variances.append(float(covariance[0, 0]))
        rows.append(row)
    apart = sum(len(np.unique(patients[chosen])) for chosen in groups.values()) == len(np.unique(patients))
    p = _heterogeneity(np.array(areas), np.array(variances)) if apart else math.nan
    return [{**row, "p": p} for row in rows]


def _heterogeneity(areas: FloatArray, variances: FloatArray) -> float:
    """p of equal areas in independent groups (Cochran's Q); NaN with fewer than two usable groups."""
    if len(areas) < 2 or not (np.isfinite(variances) & (variances > 0)).all():
        return math.nan
    weight = 1 / variances
    pooled = float(weight @ areas / weight.sum())
    return float(stats.chi2.sf(float(weight @ (areas - pooled) ** 2), len(areas) - 1))
