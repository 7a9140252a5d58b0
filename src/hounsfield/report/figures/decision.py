"""Decision curve: net benefit of every arm against acting on all and on none. In: curves. Out: one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hounsfield.report.style import DASHES, FAINT, INK, PALETTE, Picture, page_style, picture, sheet
from hounsfield.stats.decision_curve import DecisionCurve


def decision_figure(curves: Sequence[tuple[str, DecisionCurve]], *, name: str, positive: str) -> Picture:
    """Draws the curves of some arms, whose cases are the same.

    Args:
        curves: title and curve of each arm.
    """
    with page_style():
        figure, axes = sheet()
        top = 0.02
        for place, (title, curve) in enumerate(curves):
            colour = PALETTE[place % len(PALETTE)]
            axes.fill_between(curve.threshold, curve.low, curve.high, color=colour, alpha=0.12, linewidth=0)
            dash = DASHES[place % len(DASHES)]
            axes.plot(curve.threshold, curve.net_benefit, color=colour, linestyle=dash, label=_legend(title))
            top = max(top, float(np.nanmax(np.r_[curve.net_benefit, curve.treat_all, 0.0])))
        everybody = curves[0][1]
        axes.plot(everybody.threshold, everybody.treat_all, color=INK, linewidth=1, label="act on all")
        axes.axhline(0, color=FAINT, linewidth=1.4, label="act on none")
        # Far below 0 nothing is to be read: acting on all is harmful there.
        axes.set(xlim=(0, 1), ylim=(-0.25 * top, 1.1 * top), xlabel="Threshold probability", ylabel="Net benefit")
        axes.legend(loc="upper right")
        caption = (
            "First repetition and seed. True positives per case, less false ones at the odds of the threshold (Vickers "
            "and Elkin 2006); pointwise "
            "95 % bands over patients. An arm helps at a threshold where its line lies above both others. It supposes "
            "that the probabilities are right and that the clinic has the prevalence of these cases."
        )
        at = [0.1, 0.3, 0.5]
        words = "; ".join(f"{title}: {_words(curve, at)}" for title, curve in curves)
        return picture(
            figure, name, f"Decision curve, {positive}", f"Net benefit by threshold. {words}.", caption=caption
        )


def _legend(title: str) -> str:
    # A leading underscore hides an entry from Matplotlib's legend, and an arm may be named so; $ would start TeX.
    return "\u200b" + title.replace("$", r"\$") if title.startswith("_") else title.replace("$", r"\$")


def _words(curve: DecisionCurve, at: Sequence[float]) -> str:
    values = np.interp(at, curve.threshold, curve.net_benefit)
    return ", ".join(f"{value:.3f} at {where:g}" for where, value in zip(at, values, strict=True))
