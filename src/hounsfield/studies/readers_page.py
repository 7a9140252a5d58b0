"""The reader study as files: a `ReaderComparison` in; tables, figures and one self-contained page out."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hounsfield.core.atomic import atomic_file
from hounsfield.stats.estimate import Estimate
from hounsfield.stats.roc import roc_band, roc_curve
from hounsfield.studies.readers import MEAN, METRICS, Plan, ReaderComparison

_TITLES = {
    "auc": "AUC",
    "fna_sensitivity": "FNA, sensitivity",
    "fna_specificity": "FNA, specificity",
    "follow_up_sensitivity": "Follow-up, sensitivity",
    "follow_up_specificity": "Follow-up, specificity",
}
_DIFFICULT = (
    "The halves are made from the readers' own errors, so their AUC on the difficult half is biased downwards and the "
    "model's is not: a difference there is no evidence that the model is better."
)


def write_readers(found: ReaderComparison, plan: Plan, folder: Path, *, title: str, citation: str = "") -> list[str]:
    """Writes `performance.csv`, `comparisons.csv`, `readers.html` and figures as SVG and PNG; returns a summary."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"performance": _performance(found), "comparisons": pd.DataFrame(list(found.comparisons))}
    for name, table in tables.items():
        with atomic_file(folder / f"{name}.csv") as part:
            table.to_csv(part, index=False)
        with atomic_file(folder / f"{name}.parquet") as part:
            table.to_parquet(part, index=False)
    figures = {"roc": _roc(found, plan), "forest": _forest(found, plan)}
    for name, figure in figures.items():
        for ending in ("svg", "png"):
            with atomic_file(folder / f"{name}.{ending}") as part:
                figure.savefig(part, format=ending, dpi=120)
    template = (Path(__file__).parent / "readers.html.j2").read_text(encoding="utf-8")
    page = jinja2.Environment(autoescape=True).from_string(template)
    with atomic_file(folder / "readers.html") as part:
        part.write_text(page.render(**_content(found, plan, figures, title, citation)), encoding="utf-8")
    return _summary(found, plan)


def _names(found: ReaderComparison) -> list[str]:
    return [*(one.name for one in found.judged), *([MEAN] if (MEAN, "auc") in found.estimates else [])]


def _performance(found: ReaderComparison) -> pd.DataFrame:
    rows = []
    for name in _names(found):
        counts = found.counts(name) if name != MEAN else {}
        for metric in METRICS:
            one = found.estimates[name, metric]
            right, of_all = counts.get(metric, (None, None))
            rows.append(
                {"reader": name, "metric": metric, "value": one.value, "low": one.low, "high": one.high, "n": one.n}
                | {"unit": one.unit, "method": one.method, "right": right, "of": of_all}
            )
    return pd.DataFrame(rows)


def _content(
    found: ReaderComparison, plan: Plan, figures: dict[str, Figure], title: str, citation: str
) -> dict[str, object]:
    rows = []
    for name in _names(found):
        counts = found.counts(name) if name != MEAN else {}
        cells = []
        for metric in METRICS:
            one = found.estimates[name, metric]
            count = f"{counts[metric][0]}/{counts[metric][1]}, " if metric in counts else ""
            cells.append({"value": f"{one.value:.3f}", "under": f"{count}{one.low:.2f} to {one.high:.2f}"})
        rows.append({"name": _name(name), "cells": cells})
    comparisons = [
        {
            "metric": _TITLES[row["metric"]],
            "second": _name(row["second"]),
            "difference": f"{row['difference']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})",
            "p": _p(row["p"]),
            "holm": _p(row["p_holm"]),
        }
        for row in found.comparisons
    ]
    subsets = [
        {
            "name": row["subset"],
            "nodules": f"{row['malignant']} malignant, {row['benign']} benign",
            **{
                key: f"{row[source]:.3f}"
                for key, source in (("model", "model"), ("mean", MEAN), ("consensus", "consensus"))
            },
        }
        for row in found.subsets
    ]
    return {
        "title": title,
        "citation": citation,
        "first": " ".join(_summary(found, plan)[:2]),
        "figures": {name: _embedded(figure) for name, figure in figures.items()},
        "titles": [_TITLES[metric] for metric in METRICS],
        "rows": rows,
        "method": found.estimates[plan.model, "auc"].method,
        "comparisons": comparisons,
        "subsets": subsets,
        "difficult": _DIFFICULT,
        "facts": _facts(found),
    }


def _facts(found: ReaderComparison) -> list[str]:
    lines = [f"{name}: {100 * value:.1f} %" for name, value in found.overlap.items()]
    return lines + [f"Fleiss' kappa of the readers, {name}: {_interval(one)}" for name, one in found.agreement.items()]


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
    counts = found.counts(plan.model)
    words = [f"{_TITLES[metric]} {right}/{of}" for metric, (right, of) in counts.items()]
    cuts = ", ".join(f"{cut:.4f}" for cut in found.thresholds)
    lines.append(f"{plan.model} at thresholds {cuts}: {'; '.join(words)}.")
    return lines


def _interval(one: Estimate) -> str:
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"


def _name(name: str) -> str:
    return f"reader {name}" if name.isdecimal() else name


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _roc(found: ReaderComparison, plan: Plan) -> Figure:
    """The model's curve with its band, those of the readers and of the consensus."""
    figure = Figure(figsize=(5.4, 5.0), layout="constrained")
    axes = figure.add_subplot()
    model = found.judged[0]
    band = roc_band(found.label, model.score, rng=np.random.default_rng(plan.seed), resamples=1000)
    axes.fill_between(band.false_positive_rate, band.low, band.high, color="#0072B2", alpha=0.15, linewidth=0)
    curve = roc_curve(found.label, model.score)
    axes.plot(curve.false_positive_rate, curve.sensitivity, color="#0072B2", linewidth=2, label=_name(model.name))
    for one in found.judged[1:]:
        line = roc_curve(found.label, one.score)
        expert = one.name == plan.consensus
        axes.plot(
            line.false_positive_rate,
            line.sensitivity,
            color="#D55E00" if expert else "#9aa5b1",
            linewidth=1.6 if expert else 0.8,
            linestyle="--" if expert else "-",
            label=_name(one.name) if expert else "readers" if one is found.judged[1] else None,
        )
    axes.plot([0, 1], [0, 1], color="#cbd2d9", linewidth=1)
    axes.set(xlabel="1 - specificity", ylabel="Sensitivity", xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _forest(found: ReaderComparison, plan: Plan) -> Figure:
    names: Sequence[str] = _names(found)
    figure = Figure(figsize=(5.8, 0.9 + 0.32 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    for row, name in enumerate(names):
        one = found.estimates[name, "auc"]
        color = "#0072B2" if name == plan.model else "#D55E00" if name == plan.consensus else "#1f2933"
        axes.plot([one.low, one.high], [row, row], color=color, linewidth=1.6)
        axes.plot(one.value, row, "s" if name == MEAN else "o", color=color)
    axes.axvline(found.estimates[plan.model, "auc"].value, color="#0072B2", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(names)), [_name(name) for name in names])
    axes.invert_yaxis()
    axes.set_xlabel("AUC, 95 % interval")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _embedded(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
