"""Spread of Dice over cases, one box an arm. In: Dice by arm. Out: one picture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from hounsfield.core.types import FloatArray
from hounsfield.report.figures.legends import wrapped
from hounsfield.report.style import PALETTE, Picture, page_style, picture, sheet

_POINTS = 105.0  # of a title's line
_LINE, _ROW = 0.16, 0.42  # inches


def dice_boxes(values: Mapping[str, FloatArray], *, name: str, target: str) -> Picture:
    """Quartiles as a box, 5th to 95th percentile as whiskers, each case beyond them as a dot, the mean as a cross.

    Args:
        values: (N,) Dice of each arm by its title, no nan, each N at least 1.
        target: what the networks were trained for.
    """
    with page_style():
        titles = [wrapped(title, points=_POINTS, size=9.0, most=3) for title in values]
        row = max(_ROW, *(0.1 + _LINE * (title.count("\n") + 1) for title in titles))
        figure, axes = sheet(3.9, 1.0 + row * max(len(values), 2))
        for place, one in enumerate(values.values()):
            _box(axes, one, place)
        axes.set_yticks(range(len(values)), titles)
        axes.invert_yaxis()
        axes.set_xlim(max(0.0, min(float(one.min()) for one in values.values()) - 0.03), 1.01)
        axes.set_xlabel("Dice")
        axes.grid(visible=True, axis="x")
        axes.set_axisbelow(True)
        words = "; ".join(
            f"{title}: mean {one.mean():.2f}, median {np.median(one):.2f}, lowest {one.min():.2f}"
            for title, one in values.items()
        )
        caption = "Boxes: quartiles; whiskers: 5th to 95th percentile; crosses: means."
        return picture(figure, name, f"Dice of each case: {target}", f"Boxes of Dice by arm. {words}.", caption=caption)


def _box(axes: Axes, dice: FloatArray, place: int) -> None:
    low, first, middle, third, high = np.quantile(dice, [0.05, 0.25, 0.5, 0.75, 0.95])
    axes.plot([low, high], [place, place], color=PALETTE[0], linewidth=1.2, zorder=2)
    axes.barh(place, third - first, left=first, height=0.5, color="#CFE3F1", edgecolor=PALETTE[0], zorder=3)
    axes.plot([middle, middle], [place - 0.25, place + 0.25], color=PALETTE[0], linewidth=1.5, zorder=4)
    beyond = dice[(dice < low) | (dice > high)]
    axes.plot(beyond, np.full(len(beyond), place), ".", color=PALETTE[0], markersize=3, alpha=0.5, zorder=2)
    axes.plot(dice.mean(), place, "P", color=PALETTE[1], markeredgecolor="white", markersize=9, zorder=5)
