"""Forest plot: every arm's headline value with its interval, trivial arms in grey, the paper's numbers beside.

In: rows of names, values and intervals. Out: one picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from matplotlib.axes import Axes

from hounsfield.report.figures.legends import broken_lines
from hounsfield.report.style import FAINT, INK, PALETTE, TRIVIAL, Picture, page_style, picture, sheet

_WIDTH = 220.0  # points of a title's line; six lines tell any two arms apart
_MOST = 6
_SIZE = 9.0  # points, as the page has its letters


@dataclass(frozen=True)
class ForestRow:
    """One arm: headline value, interval (nan where undefined), the printed number of the paper or None."""

    title: str
    value: float
    low: float
    high: float
    trivial: bool
    needs_mask: bool
    printed: float | None = None


def forest(rows: Sequence[ForestRow], *, name: str, metric: str, chance: float) -> Picture:
    """Draws `rows` from top to bottom.

    Args:
        metric: name on the axis, such as AUC.
        chance: value of a guess, where the axis may begin.
    """
    with page_style():
        figure, axes = sheet(6.4, _height(rows))
        for place, row in enumerate(rows):
            _draw(axes, row, place)
        trivial = [row.value for row in rows if row.trivial and isfinite(row.value)]
        if trivial:
            axes.axvline(max(trivial), color=TRIVIAL, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        _frame(axes, rows, metric, chance)
        alt = f"Forest plot of {metric} with 95 % intervals. " + "; ".join(_words(row) for row in rows) + "."
        return picture(figure, name, f"{metric} of every arm", alt, caption=_caption(rows, bool(trivial)))


def difference_forest(rows: Sequence[ForestRow], *, name: str) -> Picture:
    """Differences of AUCs with their intervals around the line of no difference."""
    with page_style():
        figure, axes = sheet(6.4, _height(rows))
        for place, row in enumerate(rows):
            _draw(axes, row, place)
        axes.axvline(0, color=TRIVIAL, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        _frame(axes, rows, "Difference in AUC", 0.0)
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, -0.01), max(high, 0.01))
        alt = "Differences in AUC with 95 % intervals. " + "; ".join(_words(row) for row in rows) + "."
        caption = "First minus second; an interval that holds 0 (dashed line) does not tell the two apart."
        return picture(figure, name, "Differences between arms", alt, caption=caption)


def _height(rows: Sequence[ForestRow]) -> float:
    """Inches that the rows take, each as high as the one with most lines."""
    lines = max((_lines(row.title).count("\n") + 1 for row in rows), default=1)
    return 0.9 + (0.34 + 0.16 * (lines - 1)) * max(len(rows), 2)


def _lines(title: str) -> str:
    """A title in lines, of a difference one below the other: a long one in one line would leave the axis no room."""
    first, dash, second = title.partition(" – ")
    whole = broken_lines(title, points=_WIDTH, size=_SIZE, most=_MOST)
    if not dash or len(whole) == 1:
        return "\n".join(whole)
    parts = (broken_lines(part, points=_WIDTH, size=_SIZE, most=_MOST // 2) for part in (first, f"– {second}"))
    return "\n".join(line for part in parts for line in part)


def _draw(axes: Axes, row: ForestRow, place: int) -> None:
    colour = TRIVIAL if row.trivial else PALETTE[0]
    if isfinite(row.low) and isfinite(row.high):
        axes.plot([row.low, row.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="round", zorder=2)
    face = "white" if row.needs_mask and not row.trivial else colour
    marker = "s" if row.trivial else "o"
    if isfinite(row.value):
        axes.plot(row.value, place, marker, color=colour, markerfacecolor=face, markersize=6.5, zorder=3)
    if row.printed is not None:
        axes.plot(row.printed, place, "D", color=PALETTE[1], markerfacecolor="none", markersize=5.5, zorder=4)


def _frame(axes: Axes, rows: Sequence[ForestRow], metric: str, chance: float) -> None:
    ends = [end for row in rows for end in (row.low, row.high, row.value, row.printed) if end is not None]
    finite = [end for end in ends if isfinite(end)] or [chance, 1.0]
    low, high = min(finite), max(finite)
    margin = 0.04 * max(high - low, 0.05)
    axes.set_xlim(low - margin, min(high + margin, 1.005) if high <= 1 else high + margin)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [_lines(row.title).replace("$", r"\$") for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"{metric}, 95 % interval")
    axes.grid(visible=True, axis="x")
    axes.set_axisbelow(True)
    for place, row in enumerate(rows):
        if place:
            axes.axhline(place - 0.5, color=FAINT, linewidth=0.4, zorder=0)
        text = _numbers(row)
        axes.text(1.015, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8, color=INK)


def _numbers(row: ForestRow) -> str:
    if not isfinite(row.value):
        return "not defined"
    if not isfinite(row.low):
        return f"{row.value:.3f}"
    return f"{row.value:.3f} ({row.low:.3f} to {row.high:.3f})"


def _words(row: ForestRow) -> str:
    kind = " (trivial arm)" if row.trivial else ""
    printed = f", printed in the paper {row.printed:.3f}" if row.printed is not None else ""
    return f"{row.title}{kind} {_numbers(row)}{printed}"


def _caption(rows: Sequence[ForestRow], trivial: bool) -> str:
    parts = ["Dots: arms; squares: trivial arms." if trivial else "Dots: arms."]
    if any(row.needs_mask and not row.trivial for row in rows):
        parts.append("Hollow dots: arms that read an expert's outline at test time.")
    if trivial:
        parts.append("Dashed line: best trivial arm.")
    if any(row.printed is not None for row in rows):
        parts.append("Hollow diamonds: printed in the paper.")
    return " ".join(parts)
