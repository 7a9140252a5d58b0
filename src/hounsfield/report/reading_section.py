"""The section on readers as the page prints it: a result in; picture, rows and words out."""

from __future__ import annotations

import math
from typing import Any

from hounsfield.report.figures.readers import readers_figure
from hounsfield.report.reading import MEAN, ReadingResult
from hounsfield.report.style import Picture
from hounsfield.report.wording import NOTHING, counted, interval, number, short_p


def readers_picture(result: ReadingResult) -> Picture:
    """ROC curves of readers and arms, with the arms' areas."""
    areas = result.metrics[(result.metrics["metric"] == "AUC") & (result.metrics["modality"] == "")]
    legends = {
        str(row["who"]): f"AUC {number(row['value'])}" + (f" ({interval(row)})" if interval(row) else "")
        for row in areas.to_dict("records")
    }
    return readers_figure(result.curves, result.label, result.points, name="readers", legends=legends)


def reading_section(result: ReadingResult | None, picture: dict[str, str] | None) -> dict[str, Any]:
    """What `readers.html.j2` needs; no rows without a result."""
    if result is None:
        return {"rows": []}
    metrics = list(dict.fromkeys(result.metrics["metric"]))
    rows = []
    for (way, who), part in result.metrics.groupby(["modality", "who"], sort=False):
        found = {str(row["metric"]): row for row in part.to_dict("records")}
        cells = [_cell(found.get(metric)) for metric in metrics]
        rows.append({"who": who, "way": way or "model", "mean": who == MEAN, "cells": cells})
    up = int(result.label.sum())
    words = (
        f"{counted(result.cases, 'case')} ({up} positive) of {result.test} test cases were read by every reader and "
        "scored by every arm; all numbers here are of these."
    )
    note = (
        "95 % intervals below. The mean of the readers and differences between ways of reading take readers and cases "
        "as random (Obuchowski and Rockette 1995, Hillis 2007); a model against their mean: patients and readers drawn "
        "anew, p from the share of resamples on the other side. Holm's correction over all differences of the table. "
        "A difference that is not significant is no proof of equality."
    )
    return {
        "words": words,
        "picture": picture,
        "columns": metrics,
        "rows": rows,
        "note": note,
        "comparisons": [_comparison(row) for row in result.comparisons.to_dict("records")],
    }


def _cell(row: Any) -> dict[str, str]:
    if row is None:
        return {"value": NOTHING, "under": ""}
    value = "not defined" if math.isnan(float(row["value"])) else number(row["value"])
    return {"value": value, "under": interval(row)}


def _comparison(row: dict[Any, Any]) -> dict[str, str]:
    span = interval(row, sign=True)
    return {
        "pair": f"{row['first']} – {row['second']}",
        "difference": number(row["difference"], sign=True) + (f" ({span})" if span else " (no interval)"),
        "p": short_p(float(row["p"])),
        "p_holm": short_p(float(row["p_holm"])),
        "method": str(row["method"]),
    }
