"""The detection section as the page prints it: a study and its result in; picture, rows and words out."""

from __future__ import annotations

import math
from typing import Any

from hounsfield.report.detections import DetectionResult, DetectionStudy
from hounsfield.report.figures.curves import Curve
from hounsfield.report.figures.froc import froc_figure
from hounsfield.report.style import Picture
from hounsfield.report.wording import NOTHING, counted, interval, number, short_p

_SHOWN = 4  # more bands can't be told apart


def froc_picture(result: DetectionResult) -> Picture:
    """The curves of the arms of highest CPM."""
    rows = result.metrics[result.metrics["metric"] == "CPM"].sort_values("value", ascending=False, kind="stable")
    curves = []
    for row in rows.head(_SHOWN).to_dict("records"):
        rates, value, low, high = result.curves[str(row["arm"])]
        legend = f"CPM {number(row['value'])}" + (f" ({interval(row)})" if interval(row) else "")
        curves.append(Curve(str(row["arm"]), rates, value, low, high, legend=legend))
    return froc_figure(curves, name="froc")


def detection_section(
    study: DetectionStudy | None, result: DetectionResult | None, picture: dict[str, str] | None
) -> dict[str, Any]:
    """What `detections.html.j2` needs; no rows without a study."""
    if study is None or result is None:
        return {"rows": []}
    arms = list(study.found)
    first = next(iter(study.found.values()))
    with_lesions = int((first.lesions > 0).sum())
    words = (
        f"{counted(len(first.lesions), 'volume')} of {counted(len(set(first.patient_id or ())), 'patient')}, "
        f"{with_lesions} with {counted(int(first.lesions.sum()), 'lesion')}. A hit: {study.hit.words}; a lesion counts "
        "once, and further marks of a lesion already found are no false positives."
    )
    return {
        "words": words,
        "picture": picture,
        "columns": arms,
        "rows": [
            {"name": name, "cells": [_cell(part.set_index("arm"), arm) for arm in arms]}
            for name, part in result.metrics.groupby("metric", sort=False)
        ],
        "note": (
            "95 % intervals below, patients resampled. 'Sensitivity at r' is the highest one that a threshold has with "
            "no more than r false positives per volume; CPM is its mean over the seven rates from 1/8 to 8 (Setio et "
            "al. 2017). JAFROC is the chance that a lesion outscores the highest false mark of a volume without "
            "lesions; JAFROC1 takes all volumes."
        ),
        "comparisons": [_comparison(row) for row in result.comparisons.to_dict("records")],
    }


def _cell(rows: Any, arm: str) -> dict[str, str]:
    if arm not in rows.index:
        return {"value": NOTHING, "under": ""}
    row = rows.loc[arm]
    value = "not defined" if math.isnan(float(row["value"])) else number(row["value"])
    return {"value": value, "under": interval(row)}


def _comparison(row: dict[Any, Any]) -> dict[str, str]:
    span = interval(row, sign=True)
    return {
        "pair": f"{row['first']} – {row['second']}",
        "metric": str(row["metric"]),
        "difference": number(row["difference"], sign=True) + (f" ({span})" if span else " (no interval)"),
        "p": short_p(float(row["p"])),
        "p_holm": short_p(float(row["p_holm"])),
    }
