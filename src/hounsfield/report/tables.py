"""The report's tables as rows of strings: content and evaluation in, what a template loops over out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hounsfield.core.types import IntArray
from hounsfield.report.content import ArmInfo, ReportContent
from hounsfield.report.evaluate import ALL, Evaluation
from hounsfield.report.metrics import METRICS
from hounsfield.report.pictures import printed, ranked_arms
from hounsfield.report.repeats import Repeat
from hounsfield.report.validation import VALIDATION_AUC
from hounsfield.report.wording import MARKS, NOTHING, counted, interval, number, short_p

_CSS = {"beats": "beats", "falls below": "below"}
_COLUMNS = 6
_SEED_METRICS = ("auc", "accuracy", "mcc", "brier", "dice")


def metric_cell(row: Mapping[str, Any] | None, digits: int = 3) -> dict[str, str]:
    """Value, and below it the interval and the SD over repetitions and seeds, where there are."""
    if row is None:
        return {"value": NOTHING, "under": ""}
    if math.isnan(float(row["value"])):
        return {"value": "not defined", "under": ""}
    spread = [] if math.isnan(float(row["sd"])) else [f"SD {number(row['sd'], digits)}"]
    under = [interval(row, digits), *spread]
    return {"value": number(row["value"], digits), "under": "\n".join(line for line in under if line)}


def headline_table(content: ReportContent, evaluation: Evaluation, target: str) -> dict[str, Any]:
    """Every arm of a target: AUC, accuracy, Dice, and the paper's numbers beside them where there are any."""
    arms = ranked_arms(content, evaluation, target)
    columns: list[tuple[str, str, bool]] = []
    for metric in ("auc", "accuracy", "dice"):
        if any(evaluation.headline(target, arm.name, metric) for arm in arms):
            columns.append((_title(content, target, metric), metric, False))
        if any(printed(content, target, arm.name, metric) is not None for arm in arms):
            columns.append((f"{_title(content, target, metric)}, paper", metric, True))
    rows = []
    for arm in arms:
        cells = []
        for _, metric, paper in columns:
            if paper:
                cells.append({"value": number(printed(content, target, arm.name, metric)), "under": ""})
            else:
                cells.append(metric_cell(evaluation.headline(target, arm.name, metric)))
        outline = "needed" if arm.needs_mask else "places the cube" if arm.placed else "no"
        words = {"title": arm.title, "description": arm.description, "trivial": arm.trivial, "outline": outline}
        rows.append({**words, "cells": cells})
    names = [column for column, _, _ in columns]
    return {"target": target, "caption": _caption(content, evaluation, target), "columns": names, "rows": rows}


def _title(content: ReportContent, target: str, metric: str) -> str:
    several = len(content.targets[target]) > 2
    return "Macro AUC" if metric == "auc" and several else METRICS[metric].title


def _caption(content: ReportContent, evaluation: Evaluation, target: str) -> str:
    arms = [arm for arm in content.arms if arm.name in evaluation.repeats[target]]
    repeats = max(len(evaluation.repeats[target][arm.name]) for arm in arms)
    row = evaluation.headline(target, arms[0].name, "majority_accuracy") or {"value": math.nan}
    classes = content.targets[target]
    positive = f"Positive class: {classes[-1]}. " if len(classes) == 2 else ""
    many = f"Mean over {counted(repeats, 'repetition and seed', 'repetitions and seeds')}. " if repeats > 1 else ""
    share = f"{number(100 * row['value'], 1)} %"
    largest = f"Always naming the largest class is right in {share} of cases: accuracy must be held against that."
    return f"Highest AUC first, 95 % intervals below. {many}{positive}{largest}"


def confusion_tables(
    content: ReportContent, evaluation: Evaluation, target: str, *, called: bool = False
) -> tuple[list[dict[str, Any]], str]:
    """A matrix an arm (mean counts over repeats), highest AUC first, and a note on that mean.

    Args:
        called: count the calls at the operating point, in place of the most probable class; arms without one are
            left out.
    """
    classes = content.targets[target]
    tables, averaged = [], False
    for arm in ranked_arms(content, evaluation, target):
        repeats = evaluation.repeats[target][arm.name]
        if (arm.name in content.ranked and not called) or (called and any(one.called is None for one in repeats)):
            continue
        averaged |= len(repeats) > 1
        counts = np.mean([_counts(one, called=called) for one in repeats], axis=0)
        rows, words = [], []
        for name, line in zip(classes, counts, strict=True):
            shares = line / line.sum() if line.sum() else np.zeros(len(classes))
            cells = [_shaded(count, share, len(repeats)) for count, share in zip(line, shares, strict=True)]
            rows.append({"name": name, "cells": cells})
            calls = (f"{cell['count']} called {name}" for cell, name in zip(cells, classes, strict=True))
            words.append(f"reference {name}: {', '.join(calls)}")
        alt = f"{arm.title}. {'; '.join(words)}"
        tables.append({"title": arm.title, "classes": classes, "rows": rows, "alt": alt})
    return tables, "Counts are means over repetitions and seeds." if averaged else ""


def _counts(one: Repeat, *, called: bool) -> IntArray:
    """(C, C) cases by reference and call, or most probable class."""
    size = len(one.classes)
    answer = one.called.astype(np.int64) if called and one.called is not None else one.predicted
    return np.bincount(one.label * size + answer, minlength=size * size).reshape(size, size)


def _shaded(count: float, share: float, repeats: int) -> dict[str, str]:
    # From white to the palette's blue; white ink once the ground is dark enough for it.
    ground = [round(255 + share * (dark - 255)) for dark in (0, 90, 150)]
    return {
        "count": f"{count:.0f}" if repeats == 1 else f"{count:.1f}",
        "share": f"{100 * share:.0f} %",
        "background": "#{:02x}{:02x}{:02x}".format(*ground),
        "ink": "#ffffff" if share > 0.55 else "#1f2933",
    }


def comparison_rows(content: ReportContent, evaluation: Evaluation, target: str) -> list[dict[str, str]]:
    """Every comparison of a target; the family stands in the first row of each."""
    titles = {arm.name: arm.title for arm in content.arms}
    table = evaluation.comparisons
    rows: list[dict[str, str]] = []
    family = ""
    for record in table[table["target"] == target].to_dict("records"):
        span = interval(record, sign=True)
        new = record["family"] != family
        family = record["family"]
        rows.append(
            {
                "family": family.capitalize() if new else "",
                "pair": f"{titles[record['first']]} – {titles[record['second']]}",
                "metric": _title(content, target, record["metric"]),
                "difference": number(record["difference"], sign=True) + (f" ({span})" if span else " (no interval)"),
                **{key: short_p(float(record[key])) for key in ("p", "p_holm")},
                "verdict": record["verdict"],
                "mark": MARKS[record["verdict"]],
                "css": _CSS.get(record["verdict"], ""),
                "method": record["method"],
            }
        )
    return rows


def seed_table(content: ReportContent, evaluation: Evaluation, target: str) -> dict[str, Any]:
    """One row a repetition and seed of each arm."""
    table = evaluation.metrics
    table = table[(table["target"] == target) & (table["seed"] != ALL)]
    shown = [metric for metric in _SEED_METRICS if (table["metric"] == metric).any()]
    rows = []
    for arm in content.arms:
        of_arm = table[table["arm"] == arm.name]
        for (repetition, seed), group in of_arm.groupby(["repetition", "seed"], sort=False):
            values = dict(zip(group["metric"], group["value"], strict=True))
            cells = [number(values.get(metric)) for metric in shown]
            words = {"title": arm.title, "repetition": repetition, "seed": seed, "cases": str(group["cases"].iloc[0])}
            rows.append({**words, "cells": cells})
    return {"target": target, "columns": [_title(content, target, metric) for metric in shown], "rows": rows}


def full_tables(content: ReportContent, evaluation: Evaluation, target: str) -> list[dict[str, Any]]:
    """Metrics as rows, arms as columns, highest AUC first, in tables that fit a printed page; notes below each."""
    arms = ranked_arms(content, evaluation, target)
    return [
        _full_table(content, evaluation, target, arms[start : start + _COLUMNS])
        for start in range(0, len(arms), _COLUMNS)
    ]


def _full_table(content: ReportContent, evaluation: Evaluation, target: str, arms: Sequence[ArmInfo]) -> dict[str, Any]:
    rows, notes = [], []
    for metric, info in METRICS.items():
        found = [evaluation.headline(target, arm.name, metric) for arm in arms]
        if any(found):
            cells = [metric_cell(row, info.digits) for row in found]
            rows.append({"title": _title(content, target, metric), "meaning": info.meaning, "cells": cells})
        for arm, row in zip(arms, found, strict=True):
            if row and row["note"]:
                notes.append(f"{arm.title}, {info.title}: {row['note']}.")
    return {"target": target, "columns": [arm.title for arm in arms], "rows": rows, "notes": notes}


def anchor_rows(content: ReportContent, evaluation: Evaluation) -> list[dict[str, Any]]:
    """Every printed number with ours beside it; those of validation parts stand in the table of these."""
    titles = {arm.name: arm.title for arm in content.arms}
    rows = []
    for one in content.anchors:
        if one.metric == VALIDATION_AUC:
            continue
        info = METRICS.get(one.metric)
        spread = "" if one.spread is None else f" ± {number(one.spread)}"
        rows.append(
            {
                "target": one.target,
                "arm": titles[one.arm],
                "metric": info.title if info else one.metric,
                "printed": number(one.value) + spread,
                "source": one.source,
                "here": metric_cell(evaluation.headline(one.target, one.arm, one.metric)),
            }
        )
    return rows
