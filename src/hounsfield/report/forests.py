"""Rows of the forest plots of differences and of subgroups. In: content, evaluation, table. Out: rows and pictures."""

from __future__ import annotations

import math

import pandas as pd

from hounsfield.report.content import ReportContent
from hounsfield.report.evaluate import Evaluation
from hounsfield.report.figures.forest import ForestRow, forest
from hounsfield.report.style import Picture

_ARMS = 3  # whose subgroups are drawn; all are in the table
_GROUPS = 14  # rows that a page holds
_ALL = "all cases"


def difference_rows(content: ReportContent, evaluation: Evaluation, target: str) -> list[ForestRow]:
    """One row a comparison of AUCs of a target that has an interval, in the order of the table."""
    titles = {arm.name: arm.title for arm in content.arms}
    table = evaluation.comparisons
    rows = []
    for row in table[(table["target"] == target) & (table["metric"] == "auc")].to_dict("records"):
        if math.isfinite(row["low"]):
            name = f"{titles[row['first']]} – {titles[row['second']]}"
            rows.append(ForestRow(name, row["difference"], row["low"], row["high"], trivial=False, needs_mask=False))
    return rows


def subgroup_pictures(content: ReportContent, evaluation: Evaluation, table: pd.DataFrame | None) -> list[Picture]:
    """A forest plot of the best arms' AUC by subgroup, the whole cohort above them."""
    if table is None or table.empty:
        return []
    titles = {arm.name: arm.title for arm in content.arms if not arm.trivial}
    pictures = []
    for place, (target, part) in enumerate(table.groupby("target", sort=False)):
        known = part[part["arm"].isin(list(titles))]
        values = {arm: evaluation.headline(str(target), str(arm), "auc") for arm in dict.fromkeys(known["arm"])}
        arms = sorted(values, key=lambda arm: -float((values[arm] or {"value": 0.0})["value"]))[:_ARMS]
        for number, arm in enumerate(arms):
            rows = [_whole(values[arm])]
            for row in known[(known["arm"] == arm) & known["value"].notna()].head(_GROUPS).to_dict("records"):
                name = f"{row['variable']}: {row['group']} ({row['cases']})"
                rows.append(ForestRow(name, row["value"], row["low"], row["high"], trivial=False, needs_mask=False))
            if len(rows) > 1:
                drawn = forest(rows, name=f"subgroups_{place + 1}_{number + 1}", metric="AUC", chance=0.5)
                title = f"{titles[str(arm)]}: AUC by subgroup"
                alt = drawn.alt.replace(f"{_ALL} (trivial arm)", _ALL)  # drawn like one: the bar of the others
                caption = "Number of cases in brackets; dashed line: all cases."
                pictures.append(Picture(drawn.name, title, alt, drawn.svg, drawn.png, caption))
    return pictures


def _whole(row: object) -> ForestRow:
    found = dict(row) if row is not None else {"value": math.nan, "low": math.nan, "high": math.nan}  # type: ignore[call-overload]
    return ForestRow(_ALL, found["value"], found["low"], found["high"], trivial=True, needs_mask=False)
