"""The reader study as files: a `ReaderComparison` in; tables, figures and one self-contained page out."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from matplotlib.figure import Figure

from hounsfield.core.atomic import atomic_file
from hounsfield.stats.estimate import Estimate
from hounsfield.studies.readers import ReaderComparison
from hounsfield.studies.readers_figures import forest_figure, names, roc_figure, shown
from hounsfield.studies.readers_panel import MEAN, Plan
from hounsfield.studies.readers_performance import METRICS
from hounsfield.studies.readers_tables import details_table, performance_table

_TITLES = {
    "auc": "AUC",
    "fna_sensitivity": "FNA, sensitivity",
    "fna_specificity": "FNA, specificity",
    "follow_up_sensitivity": "Follow-up, sensitivity",
    "follow_up_specificity": "Follow-up, specificity",
}
_DIFFICULT = (
    "The halves are made from the readers' own errors, so their AUC on the difficult half is biased downwards and the "
    "model's is not: a difference there is no evidence that the model is better. The intervals hold the split fixed "
    "and do not contain this bias, whatever their p-value says."
)


def write_readers(found: ReaderComparison, plan: Plan, folder: Path, *, title: str, citation: str = "") -> list[str]:
    """Writes `performance`, `comparisons` and `details` as CSV and Parquet, figures as SVG and PNG, `readers.html`.

    Returns: a summary, one line a fact.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "performance": performance_table(found),
        "comparisons": pd.DataFrame(list(found.comparisons)),
        "details": details_table(found, plan),
    }
    for name, table in tables.items():
        with atomic_file(folder / f"{name}.csv") as part:
            table.to_csv(part, index=False)
        with atomic_file(folder / f"{name}.parquet") as part:
            table.to_parquet(part, index=False)
    figures = {"roc": roc_figure(found, plan), "forest": forest_figure(found, plan)}
    for name, figure in figures.items():
        for ending in ("svg", "png"):
            with atomic_file(folder / f"{name}.{ending}") as part:
                figure.savefig(part, format=ending, dpi=120)
    template = (Path(__file__).parent / "readers.html.j2").read_text(encoding="utf-8")
    page = jinja2.Environment(autoescape=True).from_string(template)
    with atomic_file(folder / "readers.html") as part:
        part.write_text(page.render(**_content(found, plan, figures, title, citation)), encoding="utf-8")
    return _summary(found, plan)


def _content(
    found: ReaderComparison, plan: Plan, figures: dict[str, Figure], title: str, citation: str
) -> dict[str, object]:
    return {
        "title": title,
        "citation": citation,
        "first": " ".join(_summary(found, plan)[:2]),
        "figures": {name: _embedded(figure) for name, figure in figures.items()},
        "titles": [_TITLES[metric] for metric in METRICS],
        "rows": _performance(found),
        "method": found.estimates[plan.model, "auc"].method,
        "comparisons": [{"metric": _TITLES[row["metric"]], **_compared(row)} for row in found.comparisons],
        "at_large": _at_large(found, plan),
        "sides": [shown(name) for name in found.subsets[0].estimates],
        "subsets": _subsets(found),
        "difficult": _DIFFICULT,
        "overlap": [(name, _percent(one)) for name, one in found.overlap.items()],
        "agreement": [(name, _interval(one)) for name, one in found.agreement.items()],
        "pairs": [
            (name, one.pairs, _interval(one.mean), f"{one.smallest:.2f} to {one.largest:.2f}")
            for name, one in found.pairs.items()
        ],
    }


def _performance(found: ReaderComparison) -> list[dict[str, Any]]:
    rows = []
    for name in names(found):
        counts = found.counts(name) if name != MEAN else {}
        cells = []
        for metric in METRICS:
            one = found.estimates[name, metric]
            count = f"{counts[metric][0]}/{counts[metric][1]}, " if metric in counts else ""
            ends = f"{one.low:.2f} to {one.high:.2f}" if one.has_interval else "no interval"
            cells.append({"value": f"{one.value:.3f}", "under": f"{count}{ends}"})
        rows.append({"name": shown(name), "cells": cells})
    return rows


def _compared(row: Mapping[str, Any]) -> dict[str, str]:
    known = not math.isnan(row["low"])
    ends = f" ({row['low']:+.3f} to {row['high']:+.3f})" if known else ", no interval"
    return {
        "second": shown(row["second"]),
        "difference": f"{row['difference']:+.3f}{ends}",
        "p": _p(row["p"]),
        "holm": _p(row["p_holm"]) if "p_holm" in row else "",
    }


def _at_large(found: ReaderComparison, plan: Plan) -> dict[str, str]:
    if found.at_large is None:
        return {}
    (one,) = found.at_large.differences
    ends = {"low": one.difference.low, "high": one.difference.high, "p": one.p}
    freedom = found.at_large.freedom[1]
    return {
        **_compared({"second": MEAN, "difference": one.difference.value, **ends}),
        "readers": str(found.at_large.figure.shape[1]),
        "mean": _interval(found.at_large.modality[1]),
        "model": plan.model,
        "freedom": "infinite" if math.isinf(freedom) else f"{freedom:.0f}",
    }


def _subsets(found: ReaderComparison) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "nodules": f"{one.malignant} malignant, {one.benign} benign",
            "cells": [_interval(estimate) for estimate in one.estimates.values()],
            "comparisons": [_compared(row) for row in one.comparisons],
            "left_out": "undefined" if math.isnan(one.left_out) else f"{one.left_out:.3f}",
        }
        for one in found.subsets
    ]


def _summary(found: ReaderComparison, plan: Plan) -> list[str]:
    up, down = int(found.label.sum()), int((~found.label).sum())
    model = found.estimates[plan.model, "auc"]
    lines = [f"{up} malignant and {down} benign nodules.", f"{plan.model}: AUC {_interval(model)}."]
    for name in (plan.consensus, MEAN):
        if (name, "auc") in found.estimates:
            row = next(r for r in found.comparisons if r["metric"] == "auc" and r["second"] == name)
            lines.append(
                f"{name}: AUC {_interval(found.estimates[name, 'auc'])}, p {_p(row['p'])} against {plan.model}."
            )
    at_large = _at_large(found, plan)
    if at_large:
        lines.append(
            f"readers at large (Obuchowski-Rockette): AUC {at_large['mean']}; {plan.model} minus readers "
            f"{at_large['difference']}, p {at_large['p']}."
        )
    counts = found.counts(plan.model)
    words = [f"{_TITLES[metric]} {right}/{of}" for metric, (right, of) in counts.items()]
    cuts = ", ".join(f"{cut:.4f}" for cut in found.thresholds)
    lines.append(f"{plan.model} at thresholds {cuts}: {'; '.join(words)}.")
    return lines


def _interval(one: Estimate) -> str:
    if math.isnan(one.value):
        return "undefined"
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})" if one.has_interval else f"{one.value:.3f}"


def _percent(one: Estimate) -> str:
    if math.isnan(one.value):
        return "undefined"
    ends = f" ({100 * one.low:.0f} to {100 * one.high:.0f})" if one.has_interval else ""
    return f"{100 * one.value:.1f} %{ends}"


def _p(value: float) -> str:
    if math.isnan(value):
        return "undefined"
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _embedded(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
