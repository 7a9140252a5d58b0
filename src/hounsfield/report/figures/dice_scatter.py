"""Dice of each case before and after the joint stage. In: two paired arrays. Out: one picture."""

from __future__ import annotations

import numpy as np

from hounsfield.core.types import FloatArray
from hounsfield.report.style import PALETTE, Picture, page_style, picture, sheet


def dice_scatter(before: FloatArray, after: FloatArray, *, name: str, titles: tuple[str, str], target: str) -> Picture:
    """Scatter with the diagonal of no change.

    Args:
        before, after: (N,) Dice of the same cases, N at least 1, no nan.
        titles: names of the two arms.
        target: what the networks were trained for.
    """
    with page_style():
        figure, axes = sheet(3.9, 3.8)
        low = float(min(before.min(), after.min(), 0.6))
        low = max(0.0, np.floor(low * 10) / 10)
        axes.plot([low, 1], [low, 1], color="#B4BBC5", linewidth=1, linestyle=(0, (2, 2)), zorder=1)
        # Rasterised: thousands of vector circles would make the page heavy to scroll on a phone.
        axes.scatter(before, after, s=13, color=PALETTE[0], alpha=0.4, linewidths=0, zorder=2, rasterized=True)
        axes.plot(before.mean(), after.mean(), "P", color=PALETTE[1], ms=11, mec="white", zorder=4, label="mean")
        axes.set(xlim=(low, 1.005), ylim=(low, 1.005), aspect="equal")
        axes.set(xlabel="Dice before", ylabel="Dice after")  # arms' titles would run out of the sheet
        axes.grid(visible=True)
        axes.set_axisbelow(True)
        axes.legend(loc="upper left")
        risen, fallen = int((after > before).sum()), int((after < before).sum())
        words = f"mean {before.mean():.3f} before, {after.mean():.3f} after; {risen} cases rise, {fallen} fall"
        alt = f"Scatter of Dice before and after the joint stage for {len(before)} cases: {words}."
        title = f"Dice before and after the joint stage: {target}"
        caption = f"Before: {titles[0]}. After: {titles[1]}. {words.capitalize()}."
        return picture(figure, name, title, alt, caption=caption)
