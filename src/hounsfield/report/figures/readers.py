"""Readers and a model in one ROC plot. In: ratings and labels. Out: one picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from hounsfield.core.types import BoolArray, FloatArray
from hounsfield.report.figures.legends import legend_below, page_width
from hounsfield.report.style import DASHES, MARKERS, PALETTE, Picture, page_style, picture
from hounsfield.stats.roc import roc_curve


def readers_figure(
    curves: Mapping[tuple[str, str], FloatArray],
    label: BoolArray,
    points: Mapping[tuple[str, str], tuple[float, float]],
    *,
    name: str,
    legends: Mapping[str, str],
) -> Picture:
    """Thick curves of the arms, thin ones of the readers, a marker where a reader calls.

    Args:
        curves: (N,) scores by (modality, reader), and by ("", arm).
        points: (1 - specificity, sensitivity) by (modality, reader).
        legends: second line of an arm's legend.
    """
    ways = list(dict.fromkeys(way for way, _ in curves if way))
    arms = [who for way, who in curves if not way]
    with page_style():
        figure, axes = page_width()
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", anchor="N")
        axes.set(xlabel="1 − specificity", ylabel="sensitivity")
        axes.plot([0, 1], [0, 1], color="#B4BBC5", linewidth=1, linestyle=(0, (2, 2)))
        axes.grid(visible=True)
        for place, way in enumerate(ways):
            colour = PALETTE[(len(arms) + place) % len(PALETTE)]
            readers = [who for one, who in curves if one == way]
            for number, who in enumerate(readers):
                text = f"{_plain(way)}: {_readers(len(readers))}" if number == 0 else None
                _line(axes, label, curves[way, who], color=colour, linewidth=0.8, alpha=0.7, label=text)
                if (way, who) in points:
                    axes.plot(*points[way, who], MARKERS[place % len(MARKERS)], color=colour, markersize=5)
        for place, arm in enumerate(arms):
            style: dict[str, Any] = {"color": PALETTE[place % len(PALETTE)], "linestyle": DASHES[place % len(DASHES)]}
            text = f"{_plain(arm)}\n{legends.get(arm, '')}"
            _line(axes, label, curves["", arm], linewidth=2.0, label=text, **style)
        legend_below(figure, axes)
        words = "; ".join(f"{arm}: {legends.get(arm, '')}" for arm in arms)
        alt = f"ROC curves of {_readers(len({who for way, who in curves if way}))} and of the model. {words}."
        caption = "Thin: each reader. Thick: the model, on the same cases."
        caption += " Markers: where a reader acts." if points else ""
        return picture(figure, name, "Readers and model", alt, caption=caption)


def _readers(count: int) -> str:
    return "1 reader" if count == 1 else f"{count} readers"


def _plain(name: str) -> str:
    """A name as it is: a leading underscore hides an entry from Matplotlib's legend."""
    return "\u200b" + name if name.startswith("_") else name


def _line(axes: Axes, truth: BoolArray, score: FloatArray, **style: Any) -> None:
    found = roc_curve(truth, score)
    x, y = np.r_[0.0, found.false_positive_rate], np.r_[0.0, found.sensitivity]
    axes.plot(x, y, **style)
