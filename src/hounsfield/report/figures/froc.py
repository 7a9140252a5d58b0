"""Free-response ROC of some arms. In: curves of sensitivity by false positives per volume. Out: one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hounsfield.report.figures.curves import Curve, draw_line
from hounsfield.report.figures.legends import legend_below, page_width
from hounsfield.report.style import Picture, page_style, picture

_TICKS = (0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)


def froc_figure(curves: Sequence[Curve], *, name: str) -> Picture:
    """Sensitivity against mean false positives per volume, on a logarithmic axis, with 95 % bands."""
    with page_style():
        figure, axes = page_width()
        for place, curve in enumerate(curves):
            # A line of one point is not seen: an arm with hardly a false positive gets a marker.
            alone = (float(curve.x[0]), float(curve.y[0])) if len(curve.x) == 1 else None
            draw_line(axes, replace(curve, point=alone), place)
        ends = [float(np.max(curve.x)) for curve in curves]
        last, first = max(ends), min(0.1, min(ends) / 2)
        axes.set_xscale("log")
        axes.set(xlim=(first, max(last * 1.1, 0.2)), ylim=(-0.01, 1.01))
        ticks = [tick for tick in _TICKS if first <= tick <= last * 1.1] or [last]
        axes.set_xticks(ticks, [f"1/{round(1 / tick)}" if tick < 1 else f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set(xlabel="false positives per volume", ylabel="lesions found (sensitivity)")
        axes.grid(visible=True)
        legend_below(figure, axes)
        words = "; ".join(f"{curve.title}: {curve.legend}" for curve in curves)
        caption = (
            "Sensitivity that some threshold truly has at no more than this many false positives per volume, volumes "
            "without a lesion counted; bands: 95 % at each rate, patients resampled. A curve ends at the arm's last "
            "mark."
        )
        return picture(figure, name, "FROC", f"Free-response ROC. {words}.", caption=caption)
