"""Decision curve: net benefit of every arm against acting on all and on none. In: curves. Out: one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hounsfield.report.figures.curves import Curve, draw_line
from hounsfield.report.figures.legends import legend_below, page_width
from hounsfield.report.style import FAINT, INK, Picture, page_style, picture

_SPOKEN = (0.1, 0.3, 0.5)  # thresholds whose values stand in the text for those who can't see the figure


def decision_figure(curves: Sequence[Curve], *, name: str, positive: str, prevalence: float) -> Picture:
    """Draws the curves of some arms, whose cases are the same.

    Args:
        curves: net benefit by threshold.
        prevalence: share of positives among the cases.
    """
    with page_style():
        figure, axes = page_width()
        for place, curve in enumerate(curves):
            draw_line(axes, replace(curve, legend=_words(curve)), place)
        at = np.asarray(curves[0].x)
        everybody = prevalence - (1 - prevalence) * at / (1 - at)
        axes.plot(at, everybody, color=INK, linewidth=1, label="act on all")
        axes.axhline(0, color=FAINT, linewidth=1.4, label="act on none")
        top = max(0.02, *(float(np.nanmax(np.r_[curve.y, everybody, 0.0])) for curve in curves))
        # Far below 0 nothing is to be read: acting on all is harmful there.
        axes.set(xlim=(0, _last(curves, top)), ylim=(-0.25 * top, 1.1 * top))
        axes.set(xlabel="threshold probability", ylabel="net benefit")
        axes.grid(visible=True)
        legend_below(figure, axes)
        caption = (
            "True positives per case, less false ones at the odds of the threshold (Vickers and Elkin 2006); pointwise "
            "95 % bands over patients. An arm helps at a threshold where its line lies above both others. It supposes "
            "that the probabilities are right and that the clinic has the prevalence of these cases."
        )
        words = "; ".join(f"{curve.title}: {_words(curve)}" for curve in curves)
        alt = f"Net benefit by threshold. {words}."
        return picture(figure, name, f"Decision curve, {positive}", alt, caption=caption)


def _last(curves: Sequence[Curve], top: float) -> float:
    """Threshold from which on no arm differs from acting on none any more; the axis ends there."""
    at = np.asarray(curves[0].x)
    matters = np.max([np.abs(np.nan_to_num(curve.y)) for curve in curves], axis=0) > 0.01 * top
    return float(min(1.0, at[matters].max() + 0.05)) if matters.any() else 1.0


def _words(curve: Curve) -> str:
    values = np.interp(_SPOKEN, curve.x, curve.y)
    return ", ".join(f"{value:.3f} at {where:g}" for where, value in zip(_SPOKEN, values, strict=True))
