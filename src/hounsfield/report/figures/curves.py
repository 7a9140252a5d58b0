"""ROC, precision against recall, and reliability of a few arms. In: curves on a grid. Out: one picture each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hounsfield.core.types import FloatArray
from hounsfield.report.figures.legends import axis_words, legend_below, page_width
from hounsfield.report.style import DASHES, MARKERS, PALETTE, TRIVIAL, Picture, page_style, picture
from hounsfield.stats.calibration import ReliabilityCurve

_REFERENCE_LINE: dict[str, Any] = {"color": "#B4BBC5", "linewidth": 1.0, "linestyle": (0, (2, 2)), "zorder": 1}


@dataclass(frozen=True)
class Curve:
    """One arm's curve.

    Args:
        x, y: (G,) points of the line.
        low, high: (G,) band of y, nan where there is none, or None.
        point: operating point (x, y), or None.
        legend: second line of the legend, such as the area.
    """

    title: str
    x: FloatArray
    y: FloatArray
    low: FloatArray | None = None
    high: FloatArray | None = None
    point: tuple[float, float] | None = None
    legend: str = ""
    trivial: bool = False


@dataclass(frozen=True)
class Reliability:
    """One arm's observed share of positives in bins of the predicted probability."""

    title: str
    points: ReliabilityCurve
    legend: str = ""
    trivial: bool = False


def roc_figure(curves: Sequence[Curve], *, name: str, positive: str, title: str = "ROC") -> Picture:
    """Sensitivity against 1 - specificity with 95 % bands and operating points."""
    with page_style():
        figure, axes = _square(x="1 − specificity", y=f"sensitivity for {positive}")
        axes.plot([0, 1], [0, 1], **_REFERENCE_LINE)
        for index, curve in enumerate(curves):
            draw_line(axes, curve, index, from_origin=True)
        legend_below(figure, axes)
        alt = f"ROC curves, positive class {positive}. {_listed(curves)}. The diagonal is chance."
        caption = "Bands: 95 % at each specificity, patients resampled."
        if any(curve.point is not None for curve in curves):
            caption += " Markers: operating point chosen on the validation part, applied unchanged."
        return picture(figure, name, title, alt, caption=caption)


def precision_recall_figure(curves: Sequence[Curve], *, name: str, positive: str, prevalence: float) -> Picture:
    """Positive predictive value against sensitivity; the flat line is the share of positives in the test part."""
    with page_style():
        figure, axes = _square(x=f"sensitivity (recall) for {positive}", y="positive predictive value")
        axes.axhline(prevalence, **_REFERENCE_LINE)
        for index, curve in enumerate(curves):
            draw_line(axes, curve, index)
        legend_below(figure, axes)
        alt = f"Precision against recall, positive class {positive}, prevalence {prevalence:.2f}. {_listed(curves)}."
        share = f"Dotted line: share of {positive} in the test part ({prevalence:.0%})."
        bands = "Bands: 95 % at each sensitivity, patients resampled."
        caption = f"{bands} {share} Where that share differs, so does this curve."
        return picture(figure, name, "Precision and recall", alt, caption=caption)


def reliability_figure(curves: Sequence[Reliability], *, name: str, positive: str) -> Picture:
    """Observed share of positives against predicted probability."""
    with page_style():
        figure, axes = _square(x=f"predicted probability of {positive}", y=f"observed share of {positive}")
        axes.plot([0, 1], [0, 1], **_REFERENCE_LINE)
        for index, curve in enumerate(curves):
            # A small shift, so that the bars of two arms don't lie on each other.
            _bins(axes, curve, index, shift=(index - (len(curves) - 1) / 2) * 0.006)
        legend_below(figure, axes)
        alt = f"Reliability curves for {positive}. {_listed(curves)}. The diagonal is perfect calibration."
        caption = "Bins of equal size; bars: 95 %, by patient. On the diagonal, 30 % predicted happens 30 times in 100."
        return picture(figure, name, "Calibration", alt, caption=caption)


def _square(*, x: str, y: str) -> tuple[Figure, Axes]:
    figure, axes = page_width()
    axes.set(
        xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=axis_words(x), ylabel=axis_words(y), aspect="equal", anchor="N"
    )
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.grid(visible=True)
    axes.set_axisbelow(True)
    return figure, axes


def draw_line(axes: Axes, curve: Curve, index: int, *, from_origin: bool = False) -> None:
    """Line, band and operating point of one curve in the dash and colour of its place."""
    colour = _colour(index, curve.trivial)
    if curve.low is not None and curve.high is not None:
        axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.14, linewidth=0)
    x, y = (np.r_[0.0, curve.x], np.r_[0.0, curve.y]) if from_origin else (curve.x, curve.y)
    axes.plot(x, y, color=colour, linestyle=DASHES[index % len(DASHES)], label=_label(curve), zorder=3)
    if curve.point is not None:
        marker = MARKERS[index % len(MARKERS)]
        axes.plot(*curve.point, marker, color=colour, markeredgecolor="white", markersize=8, zorder=5)


def _bins(axes: Axes, curve: Reliability, index: int, *, shift: float) -> None:
    colour, points = _colour(index, curve.trivial), curve.points
    x = points.mean_prob + shift
    # An end on the wrong side by rounding would be refused as a negative bar.
    spread = np.maximum([points.observed - points.low, points.high - points.observed], 0)
    axes.errorbar(x, points.observed, yerr=spread, fmt="none", ecolor=colour, elinewidth=0.9, alpha=0.5)
    style = {"marker": MARKERS[index % len(MARKERS)], "linestyle": DASHES[index % len(DASHES)], "color": colour}
    axes.plot(x, points.observed, markersize=5, label=_label(curve), linewidth=1.3, **style)


def _colour(index: int, trivial: bool) -> str:
    return TRIVIAL if trivial else PALETTE[index % len(PALETTE)]


def _label(curve: Curve | Reliability) -> str:
    # A leading underscore hides an entry from Matplotlib's legend, and an arm may be named so.
    title = "\u200b" + curve.title if curve.title.startswith("_") else curve.title
    return f"{title}\n{curve.legend}" if curve.legend else title


def _listed(curves: Sequence[Curve | Reliability]) -> str:
    return "; ".join(f"{curve.title}: {curve.legend}" for curve in curves)
