"""The table of the cohort: covariates of the cases in, characteristics by class with a test of each out.

Every patient counts once here, with the first of their cases, because the tests suppose independent patients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hounsfield.report.content import ReportContent
from hounsfield.report.wording import NOTHING
from hounsfield.stats.contingency import chi_square, fisher
from hounsfield.stats.groups import rank_sum, t_test

_COLUMNS = ["characteristic", "kind", "group", "n", "text", "p", "test"]
_VALUES = 12  # a text column with more values than this is an identifier, no characteristic
_SMALL = 5  # expected counts below this call for the exact test


def cohort_table(content: ReportContent) -> pd.DataFrame:
    """One row a characteristic, value and group; "all" and each class of the first target are the groups.

    Numbers with six and more different values are given as mean ± SD and median [quartiles] with Welch's and the
    rank-sum test; others as counts with a chi-square or, where counts are small, Fisher's exact test. Empty without
    `content.cohort`.
    """
    if content.cohort is None:
        return pd.DataFrame(columns=_COLUMNS)
    target, classes = next(iter(content.targets.items()))
    people = _patients(content, target)
    groups = {"all": people, **{name: people[people["label"] == name] for name in classes}}
    rows = [_row("patients", "count", name, len(one), str(len(one))) for name, one in groups.items()]
    for name in content.cohort:
        if name in ("case_id", "patient_id", "label"):
            continue
        values = people[name]
        known = values.dropna()
        if pd.api.types.is_numeric_dtype(values) and known.nunique() > 5:
            rows += _numbers(str(name), groups)
        elif 1 <= known.nunique() <= _VALUES:
            rows += _counts(str(name), groups)
    return pd.DataFrame(rows, columns=_COLUMNS)


def cohort_section(table: pd.DataFrame | None, *, whole: bool = False) -> dict[str, Any]:
    """The table as the page prints it; `whole` as in `ReportContent`."""
    if table is None or table.empty:
        return {"columns": [], "rows": [], "note": ""}
    columns = list(dict.fromkeys(table["group"]))
    rows = []
    for (name, kind), part in table.groupby(["characteristic", "kind"], sort=False):
        texts = dict(zip(part["group"], part["text"], strict=True))
        p = part["p"].dropna()
        shown = "" if p.empty else "< 0.001" if p.iloc[0] < 0.001 else f"{p.iloc[0]:.3f}"
        title = name if kind in ("count", "mean") else f"{name}: {kind}"
        cells = [texts.get(group, NOTHING) for group in columns]
        rows.append({"name": title, "cells": cells, "p": shown, "test": next(iter(part["test"].dropna()), "")})
    note = (
        f"{'All patients of the study' if whole else 'Patients of the test part'}, each once, with the first of their "
        "cases. p-values compare the classes and are not corrected: they describe the cohort and claim nothing."
    )
    return {"columns": columns, "rows": rows, "note": note}


def _patients(content: ReportContent, target: str) -> pd.DataFrame:
    """One row a patient of the cohort, or of the test part: first case, label and covariates."""
    if content.whole_cohort and content.cohort is not None:
        return content.cohort.dropna(subset=["label"]).sort_values("case_id").drop_duplicates("patient_id")
    rows = content.predictions
    rows = rows[(rows["target"] == target) & (rows["split"] == "test") & rows["label"].notna()]
    cases = rows[["case_id", "patient_id", "label"]].drop_duplicates("case_id").sort_values("case_id")
    assert content.cohort is not None
    covariates = content.cohort.drop(columns=["patient_id", "label"], errors="ignore")
    covariates = covariates.assign(case_id=covariates["case_id"].astype(str)).drop_duplicates("case_id")
    joined = cases.assign(case_id=cases["case_id"].astype(str)).merge(covariates, on="case_id", how="left")
    return joined.drop_duplicates("patient_id")


def _numbers(name: str, groups: dict[str, pd.DataFrame]) -> list[dict[str, Any]]:
    classes = [part[name].astype(float) for key, part in groups.items() if key != "all"]
    tests: list[tuple[str, float | None, str]] = [("mean ± SD", None, ""), ("median [quartiles]", None, "")]
    if len(classes) == 2 and min(one.notna().sum() for one in classes) > 1:
        welch, rank = t_test(*classes), rank_sum(*classes)
        tests = [("mean ± SD", welch.p, welch.test), ("median [quartiles]", rank.p, rank.test)]
    rows = []
    for kind, p, test in tests:
        for group, part in groups.items():
            values = part[name].astype(float).dropna()
            lost = len(part) - len(values)
            text = NOTHING
            if len(values):
                low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
                spread = values.std(ddof=1) if len(values) > 1 else np.nan
                text = (
                    f"{values.mean():.4g} ± {spread:.3g}"
                    if kind[:4] == "mean"
                    else f"{middle:.4g} [{low:.4g}, {high:.4g}]"
                )
            text += f" ({lost} missing)" if lost and kind[:4] == "mean" else ""
            rows.append(_row(name, kind, group, len(values), text, p, test))
    return rows


def _counts(name: str, groups: dict[str, pd.DataFrame]) -> list[dict[str, Any]]:
    texts = {group: part[name].dropna().map(_level) for group, part in groups.items()}
    known = groups["all"][name].dropna()
    numeric = pd.api.types.is_numeric_dtype(known)
    levels = list(dict.fromkeys(map(_level, sorted(set(known), key=None if numeric else str))))
    table = [[int((texts[group] == level).sum()) for level in levels] for group in groups if group != "all"]
    p, test = None, ""
    if len(levels) > 1 and all(sum(row) for row in table):
        expected = np.outer(np.sum(table, axis=1), np.sum(table, axis=0)) / np.sum(table)
        found = fisher(table) if expected.min() < _SMALL else chi_square(table)
        p, test = found.p, found.method
    rows = []
    for place, level in enumerate(levels):
        for group, part in texts.items():
            count = int((part == level).sum())
            text = f"{count} ({100 * count / len(part):.0f} %)" if len(part) else NOTHING
            first = place == 0
            rows.append(_row(name, level, group, count, text, p if first else None, test if first else ""))
    return rows


def _level(value: Any) -> str:
    """2 for 2.0: a missing neighbour turns whole numbers into others."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _row(name: str, kind: str, group: str, n: int, text: str, p: float | None = None, test: str = "") -> dict[str, Any]:
    return {
        "characteristic": name,
        "kind": kind,
        "group": group,
        "n": n,
        "text": text,
        "p": np.nan if p is None else p,
        "test": test or None,
    }
