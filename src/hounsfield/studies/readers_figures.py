"""The reader study's figures: a `ReaderComparison` in; curves with operating points, and a forest of AUCs, out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hounsfield.stats.roc import roc_band, roc_curve
from hounsfield.studies.readers import ReaderComparison
from hounsfield.studies.readers_panel import MEAN, Judged, Plan

_MODEL, _CONSENSUS, _READER = "#0072B2", "#D55E00", "#7b8794"


def roc_figure(found: ReaderComparison, plan: Plan) -> Figure:
    """The model's curve with its band, those of the others, and where everybody's FNA decision stands.

    The decision takes the size into account and the score does not, so its marker need not lie on the curve.
    """
    figure = Figure(figsize=(5.8, 5.4), layout="constrained")
    axes = figure.add_subplot()
    model, others = found.judged[0], found.judged[1:]
    band = roc_band(found.label, model.score, rng=np.random.default_rng(plan.seed), resamples=1000)
    axes.fill_between(band.false_positive_rate, band.low, band.high, color=_MODEL, alpha=0.15, linewidth=0)
    readers = [one for one in others if one.name != plan.consensus]
    for one in readers:
        words = "readers" if one is readers[0] else None
        _curve(axes, found, one, color="#9aa5b1", width=0.8, label=words)
    for one in readers:
        _point(axes, found, one, color=_READER, marker="o", size=5, label="FNA, readers" if one is readers[0] else None)
    for one in others:
        if one.name == plan.consensus:
            _curve(axes, found, one, color=_CONSENSUS, width=1.6, label=shown(one.name), style="--")
            _point(
                axes, found, one, color=_CONSENSUS, marker="D", size=12, label=f"FNA, {shown(one.name)}", hollow=True
            )
    _curve(axes, found, model, color=_MODEL, width=2, label=shown(model.name))
    _point(axes, found, model, color=_MODEL, marker="s", size=7, label=f"FNA, {shown(model.name)}")
    axes.plot([0, 1], [0, 1], color="#cbd2d9", linewidth=1)
    axes.set(xlabel="1 - specificity", ylabel="Sensitivity", xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def forest_figure(found: ReaderComparison, plan: Plan) -> Figure:
    """Everybody's AUC with its interval."""
    rows: Sequence[str] = names(found)
    figure = Figure(figsize=(5.8, 0.9 + 0.32 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for row, name in enumerate(rows):
        one = found.estimates[name, "auc"]
        color = _MODEL if name == plan.model else _CONSENSUS if name == plan.consensus else "#1f2933"
        axes.plot([one.low, one.high], [row, row], color=color, linewidth=1.6)
        axes.plot(one.value, row, "s" if name == MEAN else "o", color=color)
    axes.axvline(found.estimates[plan.model, "auc"].value, color=_MODEL, linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(rows)), [shown(name) for name in rows])
    axes.invert_yaxis()
    axes.set_xlabel("AUC, 95 % interval")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def names(found: ReaderComparison) -> list[str]:
    """Everybody in the order of the tables, the mean of readers last where there is one."""
    return [*(one.name for one in found.judged), *([MEAN] if (MEAN, "auc") in found.estimates else [])]


def shown(name: str) -> str:
    """A name as tables and figures print it: a bare number becomes "reader 3"."""
    return f"reader {name}" if name.isdecimal() else name


def operating_point(found: ReaderComparison, one: Judged) -> tuple[float, float]:
    """(1 - specificity, sensitivity) of the FNA decision."""
    return float(one.fna[~found.label].mean()), float(one.fna[found.label].mean())


def _curve(
    axes: Axes, found: ReaderComparison, one: Judged, *, color: str, width: float, label: str | None, style: str = "-"
) -> None:
    line = roc_curve(found.label, one.score)
    axes.plot(line.false_positive_rate, line.sensitivity, style, color=color, linewidth=width, label=label)


def _point(
    axes: Axes,
    found: ReaderComparison,
    one: Judged,
    *,
    color: str,
    marker: str,
    size: float,
    label: str | None,
    hollow: bool = False,
) -> None:
    x, y = operating_point(found, one)
    # Hollow and large around small and full: model and consensus may decide alike.
    face, edge = ("none", color) if hollow else (color, "white")
    axes.plot(
        x,
        y,
        marker,
        label=label,
        zorder=4,
        clip_on=False,
        alpha=0.85,
        markersize=size,
        markerfacecolor=face,
        markeredgecolor=edge,
        markeredgewidth=1.6 if hollow else 0.8,
    )
